# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One count: whatever is made of recorded evidence tells the same states, and they add up. For 1, 14 and 1,000 hosts."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from functools import cache
from gettext import NullTranslations
from html import unescape
from pathlib import Path

import fleet_maker
import pypdf
import pytest
import report_pages
from export_reader import (
    mail_from,
    page_of,
    prom_counts,
    slack_texts,
    summary_counts,
    teams_texts,
    text_of,
    told_counts,
)
from page_reader import tiles

from ansible_collections.keepwell.fleet.plugins.plugin_utils import counting, documents, models
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import STATES
from ansible_collections.keepwell.fleet.plugins.plugin_utils.delivery import receivers
from ansible_collections.keepwell.fleet.plugins.plugin_utils.delivery.composing import Composer
from ansible_collections.keepwell.fleet.plugins.plugin_utils.exports import mail
from ansible_collections.keepwell.fleet.plugins.plugin_utils.period.collect import of_run
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.bundle import REPORTS, make_bundle
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.environment import Templates, search_path
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.fleet import Member, fleet_files
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.look import GLYPHS
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.period import period_files
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.reading import read_run
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import Run

ADDRESS = "ann@bakery.example"
NOTIFY, _MISTAKES = receivers.build(
    {
        "mail": {"channel": "mail", "to": [ADDRESS]},
        "hook": {"channel": "webhook", "url": "https://hooks.example/x", "secret": "whsec_" + "QUFB" * 8},
        "slack": {"channel": "slack", "url": "https://hooks.example/x"},
        "teams": {"channel": "teams", "url": "https://hooks.example/x"},
    },
    {"host": "mail.msp.example", "from": "Keepwell <keepwell@msp.example>"},
)
FLEETS = {
    "1": {"count": 1},
    "14": {"count": 14},
    "1000": {"count": 1000},
    "partial": {"count": 14, "partial": ("--limit was given",)},
    "hostile": {"count": 14, "hostile": True},
}
every_fleet = pytest.mark.parametrize("fleet", FLEETS)
Figures = dict[str, int]


@cache
def run_of(fleet: str) -> Run:
    """The run as it comes back from its evidence."""
    hostile = fleet == "hostile"
    return report_pages.whole(fleet_maker.make_run(**FLEETS[fleet]), hostile=hostile)  # type: ignore[arg-type]


@cache
def figures(fleet: str) -> tuple[Figures, Figures]:
    """Hosts and results by state, counted by hand."""
    hosts = run_of(fleet).hosts
    by_host = Counter(host.state for host in hosts)
    by_result = Counter(result.state for host in hosts for result in host.results)
    return {state: by_host[state] for state in STATES}, {state: by_result[state] for state in STATES}


@cache
def files_of(fleet: str) -> dict[str, bytes]:
    """All files of the run, without the partial in their names."""
    formats = ["html", "md", "csv", "json", "prom", "pdf"]
    files = make_bundle(run_of(fleet), search_path([]), REPORTS, formats).files
    return {name.replace(".partial", ""): content for name, content in files.items()}


@cache
def composer_of(fleet: str) -> Composer:
    return Composer(run_of(fleet), search_path([]), lambda: b"")


@cache
def message(fleet: str, receiver: str) -> bytes:
    return composer_of(fleet).message(NOTIFY.receivers[receiver], ADDRESS, "0" * 32, NOTIFY.smtp, fleet_maker.NOW + 60)


def tally(words: str) -> Figures:
    """The states of the owner's page: ``✖ 1 in danger + ... + 6 in good shape (✓ 5 ... + ◇ 1 ...) = 14 machines``.

    They add up to the last, and the two in brackets to the number before them.
    """
    [(parts, total)] = re.findall(rf"({GLYPHS['crit']} [\d,]+ in danger \+[^=]*)= ([\d,]+) machine", words)
    states = {glyph: state for state, glyph in GLYPHS.items()}
    signs = "".join(map(re.escape, states))
    read = re.findall(rf"([{signs}]) ([\d,]+)", parts)
    found = dict.fromkeys(STATES, 0) | {states[glyph]: int(number.replace(",", "")) for glyph, number in read}
    assert sum(found.values()) == int(total.replace(",", ""))
    for good in re.findall(r"\+ ([\d,]+) in good shape \(", parts):
        assert int(good.replace(",", "")) == found["ok"] + found["accepted"]
    return found


def accepted(hosts: Figures) -> str:
    """How a reader finds the hosts that are in good shape among the states."""
    ok, with_risk = hosts["ok"], hosts["accepted"]
    return f"such a host counts as in good shape: {ok} + {with_risk} = {ok + with_risk}."


def words_of(page: bytes) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", page.decode().split("</style>")[1])).split())


@every_fleet
def test_the_counting_function_counts_what_is_there(fleet: str, tmp_path: Path) -> None:
    run = run_of(fleet)
    (tmp_path / "run.json").write_bytes(documents.dump(run))
    counts = counting.count_run(read_run(tmp_path / "run.json").hosts)
    for counted, by_hand in zip((counts.hosts, counts.results), figures(fleet), strict=True):
        assert {state: getattr(counted, state) for state in STATES} == by_hand
        assert counted.total == sum(by_hand.values())
    assert counts.hosts.total == len(run.hosts)


@every_fleet
def test_every_page_tells_it(fleet: str) -> None:
    files = files_of(fleet)
    for page in ("engineer.html", "auditor.html"):
        assert tiles(files[page].decode()) == figures(fleet), page
    run, texts = run_of(fleet), NullTranslations()
    templates = Templates(search_path([]), texts)
    period = of_run(run.model_copy(update={"ended_at": models.iso(fleet_maker.NOW)}))
    for made in (
        period_files(run, period, templates, texts, None, []),
        fleet_files([Member("demolen", run)], templates, texts, fleet_maker.NOW),
    ):
        [page] = made.values()
        assert tiles(page.decode()) == figures(fleet), list(made)
    assert tally(words_of(files["owner.html"])) == figures(fleet)[0]


@every_fleet
def test_a_question_mark_behind_a_grade_is_explained_wherever_it_stands(fleet: str) -> None:
    files, run, texts = files_of(fleet), run_of(fleet), NullTranslations()
    templates = Templates(search_path([]), texts)
    period = of_run(run.model_copy(update={"ended_at": models.iso(fleet_maker.NOW)}))
    [month] = period_files(run, period, templates, texts, None, []).values()
    [clients] = fleet_files([Member("demolen", run)], templates, texts, fleet_maker.NOW).values()
    graded = {
        "owner.html": words_of(files["owner.html"]),
        "owner.pdf": pypdf.PdfReader(io.BytesIO(files["owner.pdf"])).pages[0].extract_text(),
        "engineer.html": words_of(files["engineer.html"]),
        "summary.md": files["summary.md"].decode(),
        "all clients": words_of(clients),
        "mail text": text_of(message(fleet, "mail")),
        "mail html": page_of(message(fleet, "mail")).text,
        "slack": slack_texts(message(fleet, "slack")),
        "teams": teams_texts(message(fleet, "teams")),
    }
    assert run.grade is not None
    for name, text in graded.items():
        assert ("question mark" in text) is run.grade.uncertain, name
    # A month tells the grades of whole runs alone.
    assert ("question mark" in words_of(month)) is (run.grade.uncertain and not run.header.partial)


@every_fleet
def test_paper_tells_it(fleet: str) -> None:
    document = pypdf.PdfReader(io.BytesIO(files_of(fleet)["owner.pdf"]))
    assert len(document.pages) <= (2 if fleet == "1000" else 1)
    assert tally(" ".join(document.pages[0].extract_text().replace("\u00a0", " ").split())) == figures(fleet)[0]


@every_fleet
def test_every_export_tells_it(fleet: str) -> None:
    files = files_of(fleet)
    hosts, results = figures(fleet)
    summary = files["summary.md"].decode()
    assert summary_counts(summary) == (hosts, results)
    assert (accepted(hosts) in summary) is bool(hosts["accepted"])
    rows = list(csv.DictReader(io.StringIO(files["results.csv"].decode(), newline="")))
    assert Counter(row["state"] for row in rows) == Counter({state: n for state, n in results.items() if n})
    assert len({row["host"] for row in rows}) == sum(hosts.values())
    counts = counting.count_run(Run.model_validate_json(files["run.json"]).hosts)
    assert {state: getattr(counts.results, state) for state in STATES} == results
    told = json.loads(files["run.json"])["counts"]
    for part, by_state in (("hosts", hosts), ("results", results)):
        assert {state: told[part].get(state, 0) for state in STATES} == by_state
        assert told[part]["total"] == sum(by_state.values())
    metrics = files["metrics.prom"].decode()
    assert prom_counts(metrics, "keepwell_hosts") == hosts
    assert prom_counts(metrics, "keepwell_results") == results


@every_fleet
def test_every_message_tells_it(fleet: str) -> None:
    hosts, results = figures(fleet)
    texts = {
        "mail text": text_of(message(fleet, "mail")),
        "mail html": page_of(message(fleet, "mail")).text,
        "slack": slack_texts(message(fleet, "slack")),
        "teams": teams_texts(message(fleet, "teams")),
    }
    for name, text in texts.items():
        assert told_counts(text, "Hosts") == hosts, name
        assert told_counts(text, "Results") == results, name
    body = json.loads(message(fleet, "hook"))
    assert {state: body["counts"]["hosts"][state] for state in STATES} == hosts
    assert {state: body["counts"]["results"][state] for state in STATES} == results
    run = run_of(fleet)
    assert body["backups"]["total"] == len(run.backups)
    for name, text in texts.items():
        assert (accepted(hosts) in text) is bool(hosts["accepted"]), name
    assert f"{body['backups']['proven']} of {len(run.backups)} dataset" in texts["mail text"]
    assert body["urgent"] == sum(problem.state in ("crit", "act") for problem in run.problems)
    assert mail_from(message(fleet, "mail"))["X-Keepwell-Run"] == run.header.run_id


@every_fleet
def test_nothing_is_larger_than_its_reader_bears(fleet: str) -> None:
    files = files_of(fleet)
    limits = {"owner.html": 300_000, "owner.pdf": 300_000, "engineer.html": 2 * 1024**2, "auditor.html": 2 * 1024**2}
    for name, limit in limits.items():
        assert len(files[name]) <= limit, name
    assert len(message(fleet, "mail")) <= mail.BODY_BUDGET == 90_000
