# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is sent: the same numbers in every form, within every limit, and nothing in it that does anything."""

from __future__ import annotations

import csv
import email
import email.base64mime
import email.policy
import io
import json
import os
import re
from functools import cache
from gettext import NullTranslations
from pathlib import Path

import backup_maker
import fleet_maker
import pytest
from export_reader import mail_from, page_of, slack_texts, teams_texts, text_of

from ansible_collections.keepwell.fleet.plugins.plugin_utils import counting, documents
from ansible_collections.keepwell.fleet.plugins.plugin_utils.delivery import receivers
from ansible_collections.keepwell.fleet.plugins.plugin_utils.delivery.composing import Composer
from ansible_collections.keepwell.fleet.plugins.plugin_utils.exports import chat, mail, notice
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.bundle import make_bundle
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.desk import desk_for
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.environment import Templates, search_path

GOLDEN = Path(__file__).with_name("golden")
ADDRESS = "ann@bakery.example"
KEY = "0123456789abcdef0123456789abcdef"
SENT_AT = fleet_maker.NOW + 60
NOTIFY, MISTAKES = receivers.build(
    {
        "desk": {"channel": "mail", "to": [ADDRESS]},
        "files": {"channel": "mail", "to": [ADDRESS], "attach": ["csv", "json", "md", "prom", "html", "ics"], "csv": "excel_eu"},
        "small": {"channel": "mail", "to": [ADDRESS], "attach": ["csv", "html"], "attach_limit_mb": 0.1},
        "hook": {"channel": "webhook", "url": "https://hooks.example/x", "secret": "whsec_" + "QUFB" * 8},
        "slack": {"channel": "slack", "url": "https://hooks.example/x"},
        "teams": {"channel": "teams", "url": "https://hooks.example/x"},
    },
    {"host": "mail.msp.example", "from": "Keepwell <keepwell@msp.example>"},
)  # fmt: skip


@cache
def run_of(kind: str):
    run = fleet_maker.make_run(
        14, hostile=kind == "hostile", partial=("--limit was given",) if kind == "partial" else ()
    )
    return backup_maker.with_backups(run, hostile=kind == "hostile")


def message(run, receiver: str, calendar: bytes = b"") -> bytes:
    composer = Composer(run, search_path([]), lambda: calendar)
    return composer.message(NOTIFY.receivers[receiver], ADDRESS, KEY, NOTIFY.smtp, SENT_AT)


def test_the_receivers_of_these_tests_are_sound() -> None:
    assert MISTAKES == []


@pytest.mark.parametrize(
    ("receiver", "name"),
    [("desk", "mail.eml"), ("hook", "webhook.json"), ("slack", "slack.json"), ("teams", "teams.json")],
)
def test_messages_are_the_recorded_ones(receiver: str, name: str) -> None:
    """KEEPWELL_WRITE_GOLDEN=1 writes them anew; then look at what changed."""
    made = message(run_of("small"), receiver)
    path = GOLDEN / name
    if os.environ.get("KEEPWELL_WRITE_GOLDEN"):
        path.write_bytes(made)
    assert made == path.read_bytes()
    assert made == message(run_of("small"), receiver)


def test_the_body_of_a_webhook_is_the_document_of_its_schema() -> None:
    body = message(run_of("small"), "hook")
    told = notice.Notice.model_validate_json(body)
    assert told.body() == body
    schema = json.loads((Path(__file__).parents[5] / "docs" / "schemas" / "notice.schema.json").read_text())
    assert set(schema["properties"]) == set(json.loads(body))


def test_every_message_says_that_a_part_is_a_part() -> None:
    run = run_of("partial")
    assert "(partial)" in mail_from(message(run, "desk"))["subject"]
    for text in (
        text_of(message(run, "desk")),
        page_of(message(run, "desk")).text,
        slack_texts(message(run, "slack")),
        teams_texts(message(run, "teams")),
    ):
        assert "PARTIAL" in text
    assert json.loads(message(run, "hook"))["partial"] == ["--limit was given"]


# --- mail


def test_the_text_says_all_that_the_html_says() -> None:
    content = message(run_of("small"), "desk")
    mail_ = mail_from(content)
    assert mail_.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in mail_.iter_parts()] == ["text/plain", "text/html"]
    text = " ".join(text_of(content).split())
    for line in page_of(content).text.split("\n"):
        assert " ".join(line.split()).removeprefix("Bakkerij De Molen B.V.: grade C?") in text
    assert "grade C?" in text


def test_a_mail_asks_for_nothing_and_fits_everywhere() -> None:
    for kind in ("small", "hostile"):
        content = message(run_of(kind), "desk")
        page = page_of(content)
        assert not page.tags.keys() & {"script", "img", "link", "iframe", "svg", "style", "form", "a", "object"}
        assert not page.names & {"src", "href", "background", "onerror"}
        assert len(content) < mail.BODY_BUDGET
        assert content.isascii()
        assert max(map(len, content.split(b"\r\n"))) <= 998
        assert b"\n" not in content.replace(b"\r\n", b"")


def test_attachments_are_the_files_of_the_report() -> None:
    run = run_of("small")
    parts = {
        part.get_filename(): part
        for part in mail_from(message(run, "files", b"BEGIN:VCALENDAR\r\n")).iter_attachments()
    }
    files = make_bundle(run, search_path([]), dialect="excel_eu").files
    assert set(parts) == {*files, "windows.ics"}
    for name, content in files.items():
        assert parts[name].get_payload(decode=True).replace(b"\r\n", b"\n") == content.replace(b"\r\n", b"\n"), name
    assert parts["windows.ics"].get_content_type() == "text/calendar"
    assert parts["engineer.html"].get_content_type() == "text/html"


def test_what_is_too_large_is_left_out_by_name() -> None:
    content = message(run_of("small"), "small")
    names = [part.get_filename() for part in mail_from(content).iter_attachments()]
    assert "findings.csv" in names
    assert "engineer.html" not in names
    assert re.search(r"Too large to attach; ask us for them: .*engineer\.html", text_of(content))
    assert len(content) < 100_000 + mail.BODY_BUDGET


@pytest.mark.parametrize("limit", [0, 100, 136, 137, 10_000])
def test_attachments_stay_within_the_limit_on_the_wire(limit: int) -> None:
    files = {"b": b"x" * 60, "a": b"x" * 40, "c": b"x" * 5000}
    fit = mail.fitting(files, limit)
    assert sorted([*fit.files, *fit.left_out]) == ["a", "b", "c"]
    wire = sum(len(email.base64mime.body_encode(content)) for content in fit.files.values()) if fit.files else 0
    assert wire <= max(limit, 0)


# --- texts that want to be more than texts

BOMB = "\r\nBcc: all@bakery.example\r\n\r\n<!channel> *b* [x](https://evil.example) <img src=x onerror=alert(1)> =cmd|'/C calc'!A0 {{ 7 * 7 }} \u202e\x00\u2028🖨️\ud800"


def bombed(size: int):
    """A run in which the client, the hosts, and every text want to be more than a text."""
    run = run_of("hostile")
    text = (BOMB * (size // len(BOMB) + 1))[:size]
    header = run.header.model_copy(update={"client": run.header.client.model_copy(update={"name": text})})
    hosts = [host.model_copy(update={"host": f"{number}{text}"}) for number, host in enumerate(run.hosts)]
    checks = [check.model_copy(update={"title": text, "advice": text}) for check in run.checks]
    problems = [
        entry.model_copy(update={"observed": text, "expected": text, "advice": text, "title": text})
        for entry in counting.problems(hosts, checks)
    ]
    return run.model_copy(
        update={"header": header, "hosts": hosts, "checks": checks, "problems": problems, "verdict": text}
    )


@pytest.mark.parametrize("size", [len(BOMB), 65536])
def test_hostile_texts_stay_texts(size: int) -> None:
    run = bombed(size)
    content = message(run, "desk")
    received = mail_from(content)
    assert sorted(received.keys()) == sorted(
        [
            "From",
            "To",
            "Subject",
            "Date",
            "Message-ID",
            "Auto-Submitted",
            "X-Keepwell-Client",
            "X-Keepwell-Run",
            "MIME-Version",
            "Content-Type",
        ]
    )
    assert received["To"] == ADDRESS
    assert "\u202e" not in received["Subject"]
    assert len(content) < mail.BODY_BUDGET
    page = page_of(content)
    assert not page.tags.keys() & {"script", "img", "a"}
    assert "49" not in page.text.split("Run ")[0].replace("A0", "")
    for text in (text_of(content), page.text):
        assert not re.search("[\x00\u202e\u2028]", text)

    slack = json.loads(message(run, "slack"))
    assert len(slack["blocks"]) <= chat.SLACK_BLOCKS_LIMIT
    for block in slack["blocks"]:
        for entry in [block["text"]] if "text" in block else block["elements"]:
            assert entry["type"] == "plain_text"
            assert 0 < len(entry["text"]) <= chat.SLACK_SECTION_LIMIT
            assert entry["emoji"] is False
            if block["type"] == "header":
                assert len(entry["text"]) <= chat.SLACK_HEADER_LIMIT
    assert not re.search("[<>]", slack["text"])

    teams = message(run, "teams")
    assert len(teams) <= chat.TEAMS_LIMIT
    [attachment] = json.loads(teams)["attachments"]
    assert {block["type"] for block in attachment["content"]["body"]} == {"RichTextBlock"}
    assert {run["type"] for block in attachment["content"]["body"] for run in block["inlines"]} == {"TextRun"}
    assert len(message(run, "hook")) < 100_000


def test_teams_says_how_many_problems_it_left_out() -> None:
    run = run_of("small")
    long = [entry.model_copy(update={"observed": "é" * 399, "title": "ü" * 79}) for entry in run.problems] * 3
    made = message(run.model_copy(update={"problems": long}), "teams")
    desk = desk_for(run.model_copy(update={"problems": long}), NullTranslations())
    lines = chat.lines_of(desk, notice.notice_of(desk))
    padded = chat.Lines(
        lines.subject,
        "",
        lines.verdict,
        lines.hosts,
        lines.results,
        [],
        ["x" * 4000] * 9,
        "And 3 more problems.",
        lines.foot,
    )
    assert len(made) <= chat.TEAMS_LIMIT
    body = teams_texts(chat.teams(padded))
    assert body.count("x" * 4000) == 4
    assert "… 5" in body


def test_a_template_of_ones_own_is_used_and_cannot_reach_out(tmp_path: Path) -> None:
    folder = tmp_path / "mail"
    folder.mkdir()
    (folder / "run.txt.j2").write_text("Hello {{ notice.client.name }}: {{ lines.hosts }}\n")
    run = run_of("small")
    composer = Composer(run, search_path([str(tmp_path)]), lambda: b"")
    made = composer.message(NOTIFY.receivers["desk"], ADDRESS, KEY, NOTIFY.smtp, SENT_AT)
    assert text_of(made).startswith("Hello Bakkerij De Molen B.V.: Hosts: 14:")
    (folder / "run.txt.j2").write_text("{{ notice.__class__.__mro__ }}")
    with pytest.raises(documents.EvidenceError, match=r"the template mail/run\.txt\.j2 failed"):
        Composer(run, search_path([str(tmp_path)]), lambda: b"").message(
            NOTIFY.receivers["desk"], ADDRESS, KEY, NOTIFY.smtp, SENT_AT
        )


def test_templates_know_plain_text() -> None:
    assert Templates(search_path([]), NullTranslations()).text("mail/run.txt.j2", **{
        "notice": notice.notice_of(desk_for(run_of("small"))), "lines": chat.lines_of(desk_for(run_of("small")), notice.notice_of(desk_for(run_of("small")))), "attached": [], "left_out": [],
    }).startswith("[Keepwell]")  # fmt: skip


# --- spreadsheets


def test_excel_eu_is_the_same_table_with_other_signs() -> None:
    run = run_of("small")
    plain = make_bundle(run, search_path([]), formats=["csv"]).files
    other = make_bundle(run, search_path([]), formats=["csv"], dialect="excel_eu").files
    assert plain.keys() == other.keys()
    commas = 0
    for name, content in plain.items():
        assert other[name].startswith(b"\xef\xbb\xbf")
        rows = list(csv.reader(io.StringIO(content.decode(), newline="")))
        european = list(csv.reader(io.StringIO(other[name].decode("utf-8-sig"), newline=""), delimiter=";"))
        assert [len(row) for row in rows] == [len(row) for row in european]
        for row, theirs in zip(rows, european, strict=True):
            for cell, their in zip(row, theirs, strict=True):
                if cell != their:
                    assert re.fullmatch(r"-?\d+\.\d+(e[+-]?\d+)?", cell)
                    assert their == cell.replace(".", ",")
                    commas += 1
    assert commas


def test_no_cell_is_a_formula_in_either_dialect() -> None:
    for dialect, separator in (("plain", ","), ("excel_eu", ";")):
        files = make_bundle(run_of("hostile"), search_path([]), formats=["csv"], dialect=dialect).files
        for content in files.values():
            for row in csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=separator):
                for cell in row:
                    assert not cell.startswith(("=", "+", "@", "\t", "\r", "\n", "\0"))
                    assert not cell.startswith("-") or re.fullmatch(r"-[\d.,e+-]+", cell)
