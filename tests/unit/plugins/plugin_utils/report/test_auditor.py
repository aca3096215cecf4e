"""The auditor's report: complete, reproducible, inert, within its budget, and its numbers are those of the run."""

from __future__ import annotations

import functools
import hashlib
import re
from collections import Counter
from gettext import NullTranslations

import fleet_maker
import period_maker
import pytest
from page_reader import TEMPLATES, Reader, tiles

from ansible_collections.keepwell.fleet.plugins.plugin_utils import assessment, counting
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import STATES
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import dump
from ansible_collections.keepwell.fleet.plugins.plugin_utils.period.collect import Collector, of_run
from ansible_collections.keepwell.fleet.plugins.plugin_utils.period.models import Period
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.auditor import auditor_files, auditor_view
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.auditor_controls import FRAMEWORKS
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.auditor_sample import draw
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.bundle import make_bundle
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.environment import Templates
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import HoldSummary, Run, TakenOver

TEXTS = NullTranslations()
KIB = 1024


@functools.cache
def made(name: str) -> tuple[Run, Period]:
    count, _, hostile = name.partition(" ")
    return period_maker.made(int(count), 4, hostile=bool(hostile))


@functools.cache
def page(name: str) -> str:
    return render(*made(name))


def render(run: Run, period: Period, seed: str = "") -> str:
    [content] = auditor_files(run, period, Templates(TEMPLATES, TEXTS), TEXTS, seed=seed)[0].values()
    return content.decode()


def changed(run: Run, **about: object) -> Run:
    return run.model_copy(update={"header": run.header.model_copy(update=about)})


every = pytest.mark.parametrize("name", ["1", "14", "14 hostile"])


@every
def test_the_page_is_well_formed_inert_and_asks_for_nothing(name: str) -> None:
    text = page(name)
    reader = Reader(text)
    assert not reader.stack
    assert reader.tags["h1"] == 1
    assert not reader.tags.keys() & {"script", "iframe", "object", "embed", "form", "link", "base", "img"}
    names = {attribute for _tag, attribute, _value in reader.attributes}
    assert "style" not in names
    assert not [attribute for attribute in names if attribute.startswith("on")]
    assert len(reader.ids) == len(set(reader.ids))
    inner = {value[1:] for _tag, attribute, value in reader.attributes if attribute == "href"}
    assert inner <= set(reader.ids)
    for deceiving in ("\u202e", "\u200f", "\0"):
        assert deceiving not in text
    assert "complies" not in text
    assert "compliant" not in text


@every
def test_the_same_evidence_makes_the_same_bytes(name: str) -> None:
    run, period = made(name)
    assert render(run, Period.model_validate_json(dump(period))) == page(name)


@every
def test_its_numbers_are_those_of_the_run(name: str) -> None:
    run, _period = made(name)
    counts = counting.count_run(run.hosts)
    assert tiles(page(name)) == (
        {state: getattr(counts.hosts, state) for state in STATES},
        {state: getattr(counts.results, state) for state in STATES},
    )
    for framework in auditor_view(*made(name), TEXTS).frameworks:
        for row in framework.rows:
            assert sum(number for _badge, number in row.counts) == row.total
    [row] = [
        row
        for framework in auditor_view(*made(name), TEXTS).frameworks
        for row in framework.rows
        if row.id == "PCI 6.3.3"
    ]
    own = Counter(r.state for host in run.hosts for r in host.results if r.check == "patching.security")
    assert {badge.state: number for badge, number in row.counts if number} == own
    assert len(row.checks) == 1


def test_nobody_of_the_population_is_missing() -> None:
    run, period = made("14")
    view = auditor_view(run, period, TEXTS)
    told = [host.host for host in view.hosts.items] + view.measured
    assert sorted(told) == run.header.population
    assert sum(number for _standing, _word, number in view.standings) == view.contract == 14
    silent = [host for host in run.hosts if not host.contact.reached]
    assert silent
    for host in silent:
        assert host.contact.reason in page("14")


def test_why_a_host_was_not_measured() -> None:
    run = fleet_maker.make_run(3)
    gone, gone_run = run.hosts[2], changed(fleet_maker.make_run(2), absent=["web-old"], uncovered=["printer"])
    lost = gone_run.hosts[0].model_copy(
        update={"host": "web-old", "contact": gone.contact.model_copy(update={"reached": False, "reason": "absent"})}
    )
    gone_run = gone_run.model_copy(update={"hosts": [*gone_run.hosts, lost]})
    collector = Collector()
    collector.add(run)
    collector.add(gone_run)
    period = collector.period(
        run.header.client, "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z", "2026-11-01", "2026-11-30"
    )
    standing = {host.host: host.standing for host in period.hosts}
    assert standing == {
        run.hosts[0].host: "measured",
        run.hosts[1].host: "measured",
        gone.host: "left",
        "web-old": "absent",
        "printer": "uncovered",
    }
    assert auditor_view(gone_run, period, TEXTS).contract == 3


def test_every_control_that_a_check_names_is_in_the_catalogue_and_none_is_there_for_nothing() -> None:
    known = {control.id: control for framework in FRAMEWORKS for control in framework.controls}
    named = {control for check in assessment.check_infos() for control in check.controls}
    assert named <= set(known), sorted(named - set(known))
    assert {control.id for control in known.values() if not control.registers} <= named
    for framework in FRAMEWORKS:
        assert all(control.id.startswith(framework.short + " ") for control in framework.controls)
    assert {framework.short for framework in FRAMEWORKS} >= {"CIS", "ISO", "NIS2", "CE", "E8", "PCI", "SOC 2"}


def test_exceptions_are_told_with_reason_approver_and_end() -> None:
    run, period = made("14")
    accepted = [f for h in run.hosts for r in h.results for f in r.findings if f.state == "accepted"]
    assert accepted
    assert len([entry for entry in period.exceptions if entry.standing]) == len(accepted)
    assert "M. Jansen (client)" in page("14")
    assert "2027-03-31" in page("14")


def test_emergencies_holds_and_takeovers_are_told() -> None:
    run = made("14")[0]
    record = run.changes[0].model_copy(update={"outcome": "done", "emergency": "Ann: exploited in the wild"})
    hold = HoldSummary(
        hold_id="h1", hosts=["web1"], reason="audit week", by="Ann on control01", placed_at="2026-11-20T08:00:00Z",
        until="2026-12-05T08:00:00Z",
    )  # fmt: skip
    taken = TakenOver(
        run_id="01OLD", holder="Bob on control02", since="2026-11-22T01:00:00Z", why="Its machine is gone."
    )
    run = changed(run, taken_over=taken).model_copy(update={"changes": [record], "holds": [hold]})
    text = render(run, of_run(run))
    for said in (
        "Ann: exploited in the wild",
        "audit week",
        "took over the lease of run 01OLD",
        "Its machine is gone.",
    ):
        assert said in text


def test_a_sample_is_drawn_again_by_anybody_and_another_seed_draws_another() -> None:
    run, period = period_maker.made(40, 2)
    seed = "audit-2026"
    names = run.header.population
    ours = auditor_view(run, period, TEXTS, seed=seed).sample
    theirs = sorted(names, key=lambda name: hashlib.sha256(f"{seed}|{name}".encode()).hexdigest())[:25]
    assert [drawn.name for drawn in ours.hosts] == theirs == draw(seed, names)
    assert draw("another", names) != theirs
    assert f"Seed {seed}." in render(run, period, seed)
    assert auditor_view(run, period, TEXTS).sample.seed == ("5c" * 32)[:16]


def test_patch_timelines_go_from_first_sight_to_the_end() -> None:
    _run, period = made("14")
    view = auditor_view(*made("14"), TEXTS)
    patching = [track for track in period.tracks if track.pillar == "patching"]
    assert view.timelines.total == len(patching)
    assert view.timeline_facts.open == sum(not track.ended for track in patching)
    assert view.timeline_facts.ended == sum(track.ended == "gone" for track in patching)
    assert view.timeline_facts.in_time <= view.timeline_facts.dated <= view.timeline_facts.ended


def test_changed_evidence_is_told_before_everything_else() -> None:
    run, period = made("1")
    wrong = period.model_copy(update={"broken": ["run 7 is missing from the chain"]})
    text = render(run, wrong)
    assert text.index("run 7 is missing from the chain") < text.index("<h1>")
    assert "CHANGED EVIDENCE" not in page("1")


def test_a_run_of_its_own_is_a_report_too_and_none_is_made_unasked() -> None:
    run = fleet_maker.make_run(14)
    assert "auditor.html" not in make_bundle(run, TEMPLATES, formats=["html"]).files
    files = make_bundle(run, TEMPLATES, ["auditor"], ["html"]).files
    assert list(files) == ["auditor.html"]
    assert "This run is not sealed" in files["auditor.html"].decode()
    partial = fleet_maker.make_run(14, partial=("--limit was given",))
    files = make_bundle(partial, TEMPLATES, ["auditor"], ["html"]).files
    assert "PARTIAL" in files["auditor.partial.html"].decode()


@pytest.mark.parametrize(("name", "limit"), [("1", 128 * KIB), ("14", 192 * KIB), ("1000", 2048 * KIB)])
def test_the_page_stays_within_its_budget(name: str, limit: int) -> None:
    assert len(page(name).encode()) <= limit


def test_the_lines_to_paste_are_quoted() -> None:
    run, period = made("14")
    told = auditor_view(changed(run, inventory=["inventories/de molen", "$(reboot)"]), period, TEXTS).commands
    assert "-i 'inventories/de molen' -i '$(reboot)' -e keepwell_pack_from=" in told[0].line


def test_hostile_texts_stay_texts() -> None:
    text = page("14 hostile")
    assert "&lt;img src=x onerror=alert(1)&gt;" in text
    assert not re.search(r"<(script|img)", text)
    assert "⟨U+202E⟩" in text
