# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read messages and exports as the tests ask about them."""

from __future__ import annotations

import email
import email.message
import email.policy
import json
import re
from collections import Counter
from html.parser import HTMLParser

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import STATES
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.look import GLYPHS


def mail_from(content: bytes) -> email.message.EmailMessage:
    return email.message_from_bytes(content, policy=email.policy.default)


def text_of(content: bytes) -> str:
    return mail_from(content).get_body(("plain",)).get_content()


class Page(HTMLParser):
    """What a reader of the HTML part sees, and what its tags ask for."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text = ""
        self.tags: Counter[str] = Counter()
        self.names: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        self.names |= {name for name, _value in attrs}
        self.text += "\n" if tag in ("br", "p", "td", "h1") else ""

    def handle_data(self, data):
        self.text += data


def page_of(content: bytes) -> Page:
    return Page(mail_from(content).get_body(("html",)).get_content())


def slack_texts(body: bytes) -> str:
    return "\n".join(
        entry["text"]
        for block in json.loads(body)["blocks"]
        for entry in ([block["text"]] if "text" in block else block["elements"])
    )


def teams_texts(body: bytes) -> str:
    [attachment] = json.loads(body)["attachments"]
    return "\n".join(run["text"] for block in attachment["content"]["body"] for run in block["inlines"])


def told_counts(text: str, label: str) -> dict[str, int]:
    """Read ``Hosts: 14: ✖ 1 critical, ...`` back."""
    [line] = re.findall(rf"^{label}: (\d+): (.*)$", text, re.MULTILINE)
    glyphs = {glyph: state for state, glyph in GLYPHS.items()}
    found = dict.fromkeys(STATES, 0)
    for part in line[1].split(", "):
        glyph, number, _word = part.split(" ", 2)
        found[glyphs[glyph]] = int(number)
    assert sum(found.values()) == int(line[0])
    return found


def prom_counts(text: str, name: str) -> dict[str, int]:
    return {
        state: int(value)
        for state, value in re.findall(rf'^{name}{{client="\w+",state="(\w+)"}} (\d+)$', text, re.MULTILINE)
    }


def summary_counts(text: str) -> tuple[dict[str, int], dict[str, int]]:
    rows = re.findall(r"^\| \S+ (\w+) \| (\d+) \| (\d+) \|$", text, re.MULTILINE)
    states = {"critical": "crit"}
    return {states.get(w, w): int(h) for w, h, _ in rows}, {states.get(w, w): int(r) for w, _, r in rows}
