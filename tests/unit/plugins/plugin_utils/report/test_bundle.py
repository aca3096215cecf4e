# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole reports: what every one of them must hold, whatever the fleet looks like."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
import urllib.parse
from collections import Counter
from functools import cache
from gettext import NullTranslations
from pathlib import Path

import backup_maker
import fleet_maker
import pytest
import work_maker
from export_reader import summary_counts
from markdown_it import MarkdownIt
from page_reader import TEMPLATES, Reader, tiles

from ansible_collections.keepwell.fleet.plugins.plugin_utils import counting, documents, models, run_document
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import STATES
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.bundle import make_bundle
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.charts import COLUMN
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.desk import desk_for, page_name
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.engineer import engineer_view
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.environment import Templates
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.visible import visible

MIB = 1024 * 1024
FLEETS = {
    "none": {"count": 0},
    "one": {"count": 1, "first": True},
    "small": {"count": 14},
    "hostile": {"count": 14, "hostile": True, "partial": ("--limit was given",)},
    "300": {"count": 300},
    "301": {"count": 301},
    "1000": {"count": 1000},
    "planned": {"count": 14, "work": {"changes": False}},
    "worked": {"count": 14, "work": {}},
    "hostile work": {"count": 14, "hostile": True, "work": {"hostile": True}},
    "300 worked": {"count": 300, "work": {}},
    "1000 failed": {"count": 1000, "work": {"bad": True}},
    "backups": {"count": 14, "work": {}, "backups": {}},
    "hostile backups": {"count": 14, "hostile": True, "backups": {"hostile": True}},
    "1000 backups": {"count": 1000, "backups": {"per_host": 3}},
}
every_fleet = pytest.mark.parametrize("fleet", FLEETS)


@cache
def run_of(fleet: str) -> run_document.Run:
    arguments = dict(FLEETS[fleet])
    work, backups = arguments.pop("work", None), arguments.pop("backups", None)
    run = fleet_maker.make_run(**arguments)
    run = run if work is None else work_maker.with_work(run, **work)
    return run if backups is None else backup_maker.with_backups(run, **backups)


@cache
def files_of(fleet: str) -> dict[str, bytes]:
    return make_bundle(run_of(fleet), TEMPLATES).files


def index_of(fleet: str) -> str:
    return next(content for name, content in files_of(fleet).items() if name.startswith("engineer")).decode()


def pages_of(fleet: str) -> list[str]:
    """The index and some of the hosts' pages."""
    pages = [content.decode() for name, content in files_of(fleet).items() if name.endswith(".html")]
    return pages[:6]


def file_of(fleet: str, stem: str) -> bytes:
    return next(content for name, content in files_of(fleet).items() if name.startswith(f"{stem}."))


@pytest.mark.parametrize("fleet", [fleet for fleet in FLEETS if fleet != "1000"])
def test_the_same_run_gives_the_same_bytes(fleet):
    again = run_document.Run.model_validate(run_of(fleet).model_dump(mode="json"))
    assert make_bundle(again, TEMPLATES).files == files_of(fleet)


@every_fleet
def test_pages_are_well_formed_and_ask_for_nothing(fleet):
    for page in pages_of(fleet):
        reader = Reader(page)
        assert not reader.stack
        assert reader.tags["h1"] == 1
        assert not reader.tags.keys() & {"script", "iframe", "object", "embed", "form", "link", "base", "img"}
        names = {name for _tag, name, _value in reader.attributes}
        assert "style" not in names
        assert not [name for name in names if name.startswith("on")]
        for tag, name, value in reader.attributes:
            assert name not in ("src", "srcset", "action", "background"), (tag, name)
            if name in ("href", "xlink:href"):
                assert re.fullmatch(r"(#[\w-]+|(\.\./)?(hosts/)?[\w.%-]+)", value), value
            if name == "fill" and "url" in value:
                assert value.startswith("url(#")
        assert not re.search(
            r"<script|\sstyle=|(src|href)=[\"']?(https?:)?//|@import|javascript:alert\(1\)[\"']", page, re.IGNORECASE
        )


@every_fleet
def test_the_policy_admits_this_style_sheet_and_nothing_else(fleet):
    for page in pages_of(fleet):
        reader = Reader(page)
        digest = base64.b64encode(hashlib.sha256(reader.style.encode()).digest()).decode()
        policies = [
            value
            for tag, name, value in reader.attributes
            if tag == "meta" and name == "content" and "default-src" in value
        ]
        assert policies == [
            f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
        ]
        assert ("meta", "content", "no-referrer") in reader.attributes
        assert ("meta", "content", "noindex, nofollow") in reader.attributes


@every_fleet
def test_ids_are_unique_and_links_within_the_page_lead_somewhere(fleet):
    for page in pages_of(fleet):
        reader = Reader(page)
        assert len(reader.ids) == len(set(reader.ids))
        inner = {value[1:] for _tag, name, value in reader.attributes if name == "href" and value.startswith("#")}
        assert inner <= set(reader.ids)
        paints = {value[5:-1] for _tag, name, value in reader.attributes if name == "fill" and value.startswith("url")}
        assert paints <= set(reader.ids)
        labels = {
            word for _tag, name, value in reader.attributes if name == "aria-labelledby" for word in value.split()
        }
        assert labels <= set(reader.ids)


@every_fleet
def test_links_to_other_files_lead_to_files_of_the_report(fleet):
    names = set(files_of(fleet))
    reader = Reader(index_of(fleet))
    outer = {urllib.parse.unquote(v) for _t, n, v in reader.attributes if n == "href" and not v.startswith("#")}
    assert outer <= names
    for host in run_of(fleet).hosts:
        assert (page_name(host.host) in names) == (len(run_of(fleet).hosts) > 300)


@every_fleet
def test_every_chart_says_in_words_what_it_shows(fleet):
    for page in pages_of(fleet):
        for chart in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
            assert re.search(r'<title id="[\w-]+">[^<]+</title><desc id="[\w-]+">[^<]*</desc>', chart)
            assert 'role="img"' in chart


def heat_cells(page: str) -> Counter[str]:
    """Cells of the heat map by state, counted in its paths."""
    cells: Counter[str] = Counter()
    chart = re.search(r'<svg [^>]*aria-labelledby="heat-t.*?</svg>', page, re.DOTALL)
    if chart:
        for state, path in re.findall(r'<path class="f-(\w+)"[^>]* d="([^"]*)"', chart.group()):
            assert not cells[state], "one path a state"
            cells[state] = sum(int(width) for width in re.findall(r"M\d+ \d+h(\d+)v", path)) // COLUMN
    return cells


@every_fleet
def test_every_output_tells_the_same_numbers(fleet):
    run = run_of(fleet)
    copy = run_document.Run.model_validate_json(file_of(fleet, "run"))
    counts = counting.count_run(copy.hosts)
    results = {state: getattr(counts.results, state) for state in STATES}
    hosts = {state: getattr(counts.hosts, state) for state in STATES}
    assert counts == run.counts
    assert sum(results.values()) == counts.results.total

    page = index_of(fleet)
    assert tiles(page) == (hosts, results)
    assert summary_counts(file_of(fleet, "summary").decode()) == (hosts, results)

    rows = list(csv.DictReader(io.StringIO(file_of(fleet, "results").decode(), newline="")))
    assert Counter(row["state"] for row in rows) == Counter({s: n for s, n in results.items() if n})

    cells = heat_cells(page)
    hidden = re.search(r"(\d+) hosts are ok in all their (\d+) results and not drawn", page)
    cells["ok"] += int(hidden.group(2)) if hidden else 0
    assert {state: cells[state] for state in STATES} == results

    table = re.search(r"<tfoot>.*?</tfoot>", page, re.DOTALL)
    assert [int(n) for n in re.findall(r">(\d+)</td>", table.group())][:7] == [
        *(results[state] for state in ("crit", "act", "unknown", "watch", "accepted", "ok")), counts.results.total,
    ]  # fmt: skip
    open_findings = [f for h in run.hosts for r in h.results for f in r.findings if f.state in counting.OPEN_STATES]
    assert len(list(csv.DictReader(io.StringIO(file_of(fleet, "findings").decode(), newline="")))) == len(open_findings)


def test_the_copy_of_the_run_is_the_evidence_itself():
    assert file_of("hostile", "run") == documents.dump(run_of("hostile"))


@pytest.mark.parametrize(
    ("fleet", "limit"),
    [
        ("300", 2 * MIB),
        ("301", 2 * MIB),
        ("1000", 2 * MIB),
        ("small", MIB // 4),
        ("worked", MIB // 4),
        ("300 worked", 2 * MIB),
        ("1000 failed", 2 * MIB),
        ("backups", MIB // 4),
        ("1000 backups", 2 * MIB),
    ],
)
def test_the_page_stays_within_its_budget(fleet, limit):
    assert len(index_of(fleet).encode()) <= limit
    hosts = [content for name, content in files_of(fleet).items() if name.startswith("hosts/")]
    assert all(len(page) <= MIB // 8 for page in hosts)


def test_a_thousand_hosts_with_everything_wrong_stay_within_the_budget_too():
    run = fleet_maker.make_run(301)
    model = next(host for host in run.hosts if host.state == "crit")
    finding = models.Finding(key="0" * 16, state="act", observed="b" * 60, expected="c" * 30, first_seen=models.iso(0))
    results = [
        models.CheckResult(check=r.check, state="act", observed="b" * 60, findings=[finding]) for r in model.results
    ]
    hosts = [model.model_copy(update={"host": f"sick{n:04d}.demolen.example", "results": results}) for n in range(1000)]
    run = run.model_copy(update={"hosts": hosts, "counts": None, "delta": None})
    page = Templates(TEMPLATES, NullTranslations()).html("engineer/page.html.j2", view=engineer_view(desk_for(run)))
    assert len(page) <= 2 * MIB


def test_a_partial_run_says_so_and_cannot_be_taken_for_a_whole_one():
    names = set(files_of("hostile"))
    assert names == {
        "engineer.partial.html",
        "owner.partial.html",
        "summary.partial.md",
        "results.partial.csv",
        "findings.partial.csv",
        "metrics.partial.prom",
        "run.partial.json",
    }
    assert "PARTIAL" in index_of("hostile")
    assert "--limit was given" in index_of("hostile")
    assert "**PARTIAL**" in file_of("hostile", "summary").decode()
    assert "PARTIAL" not in index_of("small")


def test_a_run_that_never_ended_is_provisional_and_names_who_was_not_asked():
    run = fleet_maker.make_run(14)
    cut = run.model_copy(
        update={
            "status": "interrupted",
            "ended_at": None,
            "counts": None,
            "grade": None,
            "delta": None,
            "verdict": "",
            "hosts": run.hosts[:3],
        }
    )
    page = make_bundle(cut, TEMPLATES).files["engineer.partial.html"].decode()
    assert "This run is interrupted" in page
    assert "11 hosts belong to this run and have no result at all" in page
    assert run.hosts[5].host in page
    assert "No grade" in page


def test_hostile_texts_stay_texts_in_html():
    page = index_of("hostile")
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    assert "{{ 7 * 7 }}" in page
    assert "onerror=alert(1)>" not in page.replace("&gt;", "")
    for deceiving in ("\u202e", "\u200f", "\0"):
        assert deceiving not in page
    assert "⟨U+202E⟩" in page
    # The newline of a command must not become a second command in somebody's terminal.
    assert "not safe to paste" in page


def test_hostile_texts_stay_texts_in_markdown():
    text = file_of("hostile", "summary").decode()
    html = MarkdownIt("commonmark", {"html": True, "linkify": True}).enable("table").render(text)
    assert not re.search(r"<(script|img|a|iframe|style|details)\b", html)
    tags = set(re.findall(r"<(\w+)", html))
    assert tags <= {"h1", "h2", "p", "strong", "ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td"}, tags
    # One row a state, the total and the head: no text has opened a row or a column.
    assert html.count("<tr>") == 8
    assert html.count("<td") == 21


def test_hostile_texts_stay_texts_in_spreadsheets():
    for name in ("results", "findings"):
        rows = list(csv.reader(io.StringIO(file_of("hostile", name).decode(), newline="")))
        assert len({len(row) for row in rows}) == 1
        for row in rows:
            for cell in row:
                assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")), cell
                assert "\0" not in cell
    hosts = {row["host"] for row in csv.DictReader(io.StringIO(file_of("hostile", "results").decode(), newline=""))}
    assert {"'=HYPERLINK(1)", "'--become", "two␊lines"} <= hosts


def test_hostile_names_make_safe_and_different_files():
    run = fleet_maker.make_run(301, hostile=True)
    names = [page_name(visible(host.host)) for host in run.hosts]
    assert len(set(names)) == len(names)
    for name in names:
        assert re.fullmatch(r"hosts/[A-Za-z0-9_%-][A-Za-z0-9_.%-]*\.html", name)
        assert len(Path(name).name.encode()) < 200
    assert set(names) <= set(make_bundle(run, TEMPLATES, formats=["html"]).files)


def test_first_run_has_nothing_to_compare_with():
    assert "There is no earlier run of these hosts to compare with" in index_of("one")


def test_hosts_beyond_the_limit_get_pages_and_the_index_keeps_what_is_not_ok():
    assert not [name for name in files_of("300") if name.startswith("hosts/")]
    assert len([name for name in files_of("301") if name.startswith("hosts/")]) == 301
    fine = next(host for host in run_of("301").hosts if host.state == "ok")
    page = index_of("301")
    assert f'id="h-{hashlib.sha256(fine.host.encode()).hexdigest()[:10]}"' not in page
    assert page.count('<tr class="ok">') == 0
    assert files_of("301")[page_name(fine.host)].decode().count('<tr class="ok">') == len(fine.results)


def test_a_silent_host_is_told_once_with_its_reason():
    page = index_of("small")
    silent = next(host for host in run_of("small").hosts if not host.contact.reached)
    assert "1 host gave no answer" in page
    assert page.count(silent.contact.reason) <= 6
    assert "24 findings at once" in page


def test_what_another_machine_saw_of_a_silent_host_is_shown():
    run = run_of("small")
    silent = next(host for host in run.hosts if not host.contact.reached)
    stale = "the newest snapshot of the silent host"
    seen = models.CheckResult(check="backup.freshness", state="crit", observed=stale)
    known = silent.model_copy(update={"state": "crit", "results": [*silent.results, seen]})
    hosts = [known if host is silent else host for host in run.hosts]
    files = make_bundle(run.model_copy(update={"hosts": hosts, "counts": None}), TEMPLATES, formats=["html"]).files
    page = files["engineer.html"].decode()
    assert stale in page
    assert stale not in index_of("small")
    assert "Nothing is known of it" in index_of("small")
    assert "Nothing is known of it" not in page


def test_checks_that_share_a_reason_are_told_together():
    run = fleet_maker.make_run(1)
    [host] = run.hosts
    lost = {"services.failed", "services.flapping", "time.offset"}
    why = "the services probe did not answer in time"
    finding = models.Finding(key="0" * 16, state="unknown", observed=why, first_seen=run.header.started_at)
    results = [
        models.CheckResult(check=r.check, state="unknown", observed=why, findings=[finding]) if r.check in lost else r
        for r in host.results
    ]
    run = run.model_copy(update={"hosts": [host.model_copy(update={"results": results})], "counts": None})
    unknown = engineer_view(desk_for(run)).unknown
    assert [(reason.what, reason.why) for reason in unknown.shared] == [
        ("Failed services, Services that keep restarting, Clock offset", why)
    ]
    assert unknown.checks == []
    assert not unknown.is_empty


def test_what_a_run_found_first_is_called_new_and_not_zero_seconds_old():
    for page in (index_of("small"), index_of("one")):
        assert "0 s)" not in page
        assert "for 0 s" not in page


def test_a_page_that_grows_too_big_gives_its_hosts_pages_of_their_own():
    run = fleet_maker.make_run(120)
    busy = [
        host.model_copy(update={"results": [r.model_copy(update={"observed": "o" * 900}) for r in host.results]})
        for host in run.hosts
    ]
    files = make_bundle(run.model_copy(update={"hosts": busy, "counts": None}), TEMPLATES, formats=["html"]).files
    assert len(files) == 122
    assert len(files["engineer.html"]) <= 2 * MIB
