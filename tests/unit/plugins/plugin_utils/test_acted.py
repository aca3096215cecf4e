"""What a run did and would do, in short, as run.json tells it."""

from __future__ import annotations

from gettext import NullTranslations
from pathlib import Path

from fleet_runs import NOW, change, host_evidence, plan, record

from ansible_collections.keepwell.fleet.plugins.plugin_utils import acted, evidence, verdicts


def test_a_run_tells_what_was_done_and_what_would_be(tmp_path: Path) -> None:
    store = evidence.Store(tmp_path, "acme")
    items = [
        {"name": f"lib{n}", "installed": "1", "version": "2", "update_class": "security", "cves": ["CVE-2026-1"]}
        for n in range(40)
    ]
    made = plan(
        "web2",
        ring=2,
        items=[*items, {"name": "vim", "version": "9", "update_class": "bugfix"}],
        withheld=[{"name": "kernel", "version": "6", "update_class": "security", "code": "hold", "reason": "held"}],
        transaction=[{"name": f"lib{n}", "action": "upgrade", "before": "1", "after": "2"} for n in range(40)],
        preflight=[
            {"name": "space:/", "passed": True, "observed": "9 GiB free"},
            {"name": "locks", "passed": False, "observed": "held by apt (412)", "expected": "free"},
        ],
    )
    run_id = record(
        store,
        [host_evidence("web1", {}), host_evidence("web2", {})],
        plans=[made],
        changes=[change("web2", "failed", log="E: broken"), change("web1", "done", log="Setting up ...")],
    )
    run = store.read_run(run_id)
    assert [(entry.host, entry.outcome, entry.log) for entry in run.changes] == [
        ("web1", "done", ""),
        ("web2", "failed", "E: broken"),
    ]
    [told] = run.plans
    assert told.items == {"bugfix": 1, "security": 40}
    assert len(told.packages) == acted.PACKAGES_SHOWN
    assert (told.moves, told.cves, told.withheld) == (40, 1, {"hold": 1})
    assert (told.ready, told.obstacles) == (False, ["locks: held by apt (412) (free)"])


def test_outcomes_are_counted() -> None:
    found = [change("a", "done"), change("b", "failed"), change("c", "done")]
    assert acted.outcomes(found) == {"done": 2, "failed": 1}
    assert acted.outcomes([]) == {}


def test_what_asks_for_a_person_is_in_the_verdict(tmp_path: Path) -> None:
    store = evidence.Store(tmp_path, "acme")
    hosts = [host_evidence(name, {"time.offset": "ok"}) for name in ("a", "b", "c")]
    found = [change("a", "refused"), change("b", "failed"), change("c", "skipped")]
    assert [record.host for record in acted.asking(found)] == ["b", "a"]
    run = store.read_run(record(store, hosts, changes=found))
    assert run.verdict == "2 changes need a person. All 3 hosts are in good shape."
    assert verdicts.of_run(run, NullTranslations()) == run.verdict
    again = store.read_run(record(store, hosts, at=NOW + 60, changes=[change("a", "done"), change("b", "lost")]))
    assert again.verdict == "1 change needs a person. All 3 hosts are in good shape."
