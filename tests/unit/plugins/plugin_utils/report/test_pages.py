# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What holds for every kind of page and every file: one file that asks for nothing, charts that say what they show, the
same bytes in every language, and names and texts that stay names and texts."""

from __future__ import annotations

import base64
import csv
import functools
import hashlib
import io
import re
import typing as t

import fleet_maker
import period_maker
import pytest
import report_pages
from markdown_it import MarkdownIt
from page_reader import TEMPLATES, Reader

from ansible_collections.keepwell.fleet.plugins.plugin_utils import counting, documents, run_document
from ansible_collections.keepwell.fleet.plugins.plugin_utils.languages import LANGUAGES
from ansible_collections.keepwell.fleet.plugins.plugin_utils.period.collect import of_run
from ansible_collections.keepwell.fleet.plugins.plugin_utils.period.models import Period
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.auditor import auditor_files
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.bundle import REPORTS, make_bundle
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.catalogues import translations
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.environment import Templates
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.fleet import Member, fleet_files
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.period import period_files
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.period_tables import sheets

every_page = pytest.mark.parametrize("name", report_pages.NAMES)
FORMATS = ("html", "md", "csv", "json", "prom")


@functools.cache
def page(name: str) -> str:
    return pages()[name].decode()


@functools.cache
def pages() -> dict[str, bytes]:
    return report_pages.make()


@every_page
def test_a_page_is_one_file_that_asks_for_nothing(name: str) -> None:
    reader = Reader(page(name))
    assert not reader.stack
    assert reader.tags["h1"] == 1
    assert not reader.tags.keys() & {"script", "iframe", "object", "embed", "form", "link", "base", "img"}
    names = {attribute for _tag, attribute, _value in reader.attributes}
    assert "style" not in names
    assert not [attribute for attribute in names if attribute.startswith("on")]
    assert len(reader.ids) == len(set(reader.ids))
    digest = base64.b64encode(hashlib.sha256(reader.style.encode()).digest()).decode()
    assert (
        "meta",
        "content",
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'",
    ) in reader.attributes
    for _tag, attribute, value in reader.attributes:
        if attribute in ("href", "src"):
            assert re.fullmatch(r"#[\w-]+|(\.\./)?[\w.-]+", value), value


@every_page
def test_a_chart_has_words_and_a_literal_paint_beside_the_class(name: str) -> None:
    """Paper knows the paints, themes the classes, and who cannot see the chart gets the words."""
    charts = re.findall(r"<svg.*?</svg>", page(name), re.DOTALL)
    assert charts or name == "host"
    for chart in charts:
        assert 'role="img"' in chart
        assert re.search(r'<title id="[\w-]+">[^<]+</title><desc id="[\w-]+">[^<]+</desc>', chart), chart[:400]
        shapes = re.findall(r"<(?:path|rect|circle|line|polyline|polygon|text)\b[^>]*>", chart)
        assert shapes
        for shape in shapes:
            assert re.search(r'\sclass="[^"]+"', shape), shape
            assert re.search(r'\s(fill|stroke)="(#[0-9a-f]{6}|url\(#[\w-]+\))"', shape), shape


# --- twice the same, in every language


@functools.cache
def made() -> tuple[run_document.Run, Period]:
    return period_maker.made(14, 3)


def everything(run: run_document.Run, last: run_document.Run, period: Period, language: str) -> dict[str, bytes]:
    """All reports of a run and of a period, everything said in one language."""
    texts = translations(language)
    client = run.header.client.model_copy(update={"locale": language})
    told = run.model_copy(update={"header": run.header.model_copy(update={"client": client})})
    templates = Templates(TEMPLATES, texts)
    files = dict(make_bundle(told, TEMPLATES, REPORTS, (*FORMATS, "pdf"), texts).files)
    made = period_files(last, period, templates, texts, None, []) | auditor_files(last, period, templates, texts)
    made |= fleet_files([Member("demolen", last)], templates, texts, fleet_maker.NOW)
    return files | {f"period/{name}": content for name, content in made.items()}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_same_evidence_makes_the_same_bytes_in_every_language(language: str) -> None:
    run = report_pages.whole(fleet_maker.make_run(14))
    last, period = made()
    first = everything(run, last, period, language)
    # Read back, so that nothing but the evidence is the same.
    again, last_again = (run_document.Run.model_validate_json(documents.dump(one)) for one in (run, last))
    second = everything(again, last_again, Period.model_validate_json(documents.dump(period)), language)
    assert first.keys() == second.keys() >= {"owner.pdf", "owner.html", "engineer.html", "auditor.html", "metrics.prom"}
    assert [name for name in first if first[name] != second[name]] == []


# --- texts that want to be more than texts

BOMB = "\r\n\r\n# *b* [x](javascript:alert(1)) <img src=x onerror=alert(1)></style></title><script>alert(1)</script> =cmd|'/C calc'!A0 {{ 7 * 7 }}{% raw %} \u202e\u200f\x00\x1b[2J\u2028🖨️\ud800 | "


def bombed(size: int) -> run_document.Run:
    """A run in which every kind of text is one that wants to be more: once in each place, ``size`` characters long."""
    text = (BOMB * (size // len(BOMB) + 1))[:size]
    run = report_pages.whole(fleet_maker.make_run(14, hostile=True), hostile=True)
    hosts = list(run.hosts)
    worst = next(place for place, host in enumerate(hosts) if host.contact.reached and host.state in ("crit", "act"))
    results = []
    for result in hosts[worst].results:
        words = {"object": text, "observed": text, "expected": text, "summary": text, "command": text}
        findings = [finding.model_copy(update=words) for finding in result.findings]
        results.append(result.model_copy(update={"observed": text, "findings": findings}) if findings else result)
    hosts[worst] = hosts[worst].model_copy(update={"host": text, "groups": [text], "results": results})
    silent = next(place for place, host in enumerate(hosts) if not host.contact.reached)
    contact = hosts[silent].contact.model_copy(update={"reason": text})
    hosts[silent] = hosts[silent].model_copy(update={"contact": contact})
    checks = [run.checks[0].model_copy(update={"title": text, "advice": text}), *run.checks[1:]]
    client = run.header.client.model_copy(update={"name": text})
    return run.model_copy(
        update={
            "header": run.header.model_copy(update={"client": client, "inventory": [text], "uncovered": [text]}),
            "hosts": hosts,
            "checks": checks,
            "verdict": text,
            "problems": counting.problems(hosts, checks),
            "changes": [entry.model_copy(update={"text": text, "log": text}) for entry in run.changes[:2]],
            "backups": [entry.model_copy(update={"protects": text, "reason": text}) for entry in run.backups[:2]],
        }
    )


@functools.cache
def hostile(size: int) -> dict[str, bytes]:
    run = bombed(size)
    texts = translations("en")
    templates = Templates(TEMPLATES, texts)
    period = of_run(run)
    files = dict(make_bundle(run, TEMPLATES, REPORTS, FORMATS).files)
    files |= {f"period.{name}": content for name, content in sheets(period).items()}
    files |= period_files(run, period, templates, texts, None, [])
    return files | fleet_files([Member("demolen", run)], templates, texts, fleet_maker.NOW)


@pytest.mark.parametrize("size", [len(BOMB), 65536])
def test_hostile_texts_stay_texts_everywhere(size: int) -> None:
    files = hostile(size)
    assert len(files) > 14
    for name, content in files.items():
        LOOKS[name.rpartition(".")[2]](name, content)


def _html(name: str, content: bytes) -> None:
    text = content.decode()
    reader = Reader(text)
    assert not reader.stack, name
    assert not reader.tags.keys() & {"script", "iframe", "object", "embed", "form", "link", "base", "img"}, name
    assert not [attribute for _tag, attribute, _value in reader.attributes if attribute.startswith("on")], name
    _inert(name, text)
    assert "{{ 7 * 7 }}" in text, name


def _inert(name: str, text: str) -> None:
    """Nothing that moves the cursor, turns the direction or ends a line unseen."""
    found = re.search("[\x00-\x08\x0b-\x0c\x0e-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]", text)
    assert found is None, (name, found)


def _markdown(name: str, content: bytes) -> None:
    text = content.decode()
    _inert(name, text)
    html = MarkdownIt("commonmark", {"html": True, "linkify": True}).enable("table").render(text)
    tags = set(re.findall(r"<(\w+)", html))
    assert tags <= {"h1", "h2", "p", "strong", "ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td"}, tags


def _csv(name: str, content: bytes) -> None:
    text = content.decode("utf-8-sig")
    _inert(name, text)
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert len({len(row) for row in rows}) == 1, name
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))], name


def _metrics(name: str, content: bytes) -> None:
    text = content.decode()
    _inert(name, text)
    assert "alert" not in text, "no label holds a text of a host"


def _evidence(_name: str, content: bytes) -> None:
    # The evidence itself, as it was found; only what has no UTF-8 form is another.
    assert run_document.Run.model_validate_json(content).header.client.name.startswith("\r\n\r\n# *b*")


LOOKS: dict[str, t.Callable[[str, bytes], None]] = {
    "html": _html, "md": _markdown, "csv": _csv, "prom": _metrics, "json": _evidence,
}  # fmt: skip
