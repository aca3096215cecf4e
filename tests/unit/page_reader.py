"""Read pages of reports as the tests ask about them."""

from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

TEMPLATES = [str(Path(__file__).parents[2] / "roles" / "health_report" / "templates")]


class Reader(HTMLParser):
    """Collects what the tests ask about, and refuses tags that do not close as they opened."""

    VOID = frozenset({"meta", "br", "path", "img", "input", "link"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.ids: list[str] = []
        self.stack: list[str] = []
        self.texts: list[str] = []
        self.style = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        for name, value in attrs:
            self.attributes.append((tag, name, value or ""))
            if name == "id":
                self.ids.append(value)
        if tag not in self.VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.stack.pop()

    def handle_endtag(self, tag):
        assert self.stack, f"</{tag}> closes nothing"
        assert self.stack.pop() == tag, f"</{tag}> closes another tag"

    def handle_data(self, data):
        if self.stack and self.stack[-1] == "style":
            self.style += data
        else:
            self.texts.append(data)


def tiles(page: str) -> tuple[dict[str, int], dict[str, int]]:
    """Hosts and results by state as the tiles print them."""
    found = re.findall(
        r'id="tile-(\w+)">.*?<b class="count">(\d+)</b>.*?<span class="amount">\s*(\d+)', page, re.DOTALL
    )
    return {state: int(hosts) for state, hosts, _ in found}, {state: int(results) for state, _, results in found}
