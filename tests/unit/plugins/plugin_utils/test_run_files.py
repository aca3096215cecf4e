"""Files of a run: written while it is open, read back as they were, refused when it is sealed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from fleet_runs import NOW, change, header, host_evidence, plan, record

from ansible_collections.keepwell.fleet.plugins.plugin_utils import documents, evidence
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.models import Plan

RUN = "01K0000000000000000000000A"


@pytest.fixture
def store(tmp_path: Path) -> evidence.Store:
    store = evidence.Store(tmp_path, "acme")
    store.begin(header(RUN))
    return store


def test_a_change_is_rewritten_as_it_gets_further(store: evidence.Store) -> None:
    assert store.read_change(RUN, "web1", "patching") is None
    path = store.write_change(change("web1", "running", run_id=RUN))
    assert path == store.run_dir(RUN) / "changes" / "web1.patching.json"
    done = change("web1", "done", run_id=RUN, cves=["CVE-2026-1"])
    store.write_change(done)
    assert store.read_change(RUN, "web1", "patching") == done
    store.write_change(change("web1", "released", run_id=RUN, chore="release"))
    assert [(entry.host, entry.chore) for entry in store.read_changes(RUN)] == [
        ("web1", "patching"),
        ("web1", "release"),
    ]


def test_a_plan_is_read_back_as_the_model_that_is_asked_for(store: evidence.Store) -> None:
    assert store.read_plan(Plan, RUN, "wéb 1") is None
    made = plan("wéb 1", run_id=RUN)
    assert store.write_plan(made).parent == store.run_dir(RUN) / "plans"
    assert store.read_plan(Plan, RUN, "wéb 1") == made
    assert list(store.read_plans(Plan, RUN)) == [made]


def test_any_other_document_of_a_chore_has_its_place_too(store: evidence.Store) -> None:
    assert store.read_document(RUN, "patching/schedule.json") is None
    store.write_document(RUN, "patching/schedule.json", b"{}")
    assert store.read_document(RUN, "patching/schedule.json") == b"{}"


def test_what_was_seen_before_stays_beside_what_is_seen_last(store: evidence.Store) -> None:
    store.keep_before(RUN, "web1")
    assert store.read_before(RUN, "web1") is None
    for state in ("act", "watch", "ok"):
        store.keep_before(RUN, "web1")
        store.write_host(host_evidence("web1", {"time.offset": state}, run_id=RUN))
    before, after = store.read_before(RUN, "web1"), store.read_host(RUN, "web1")
    assert before is not None
    assert after is not None
    assert (before.result.state, after.result.state) == ("watch", "ok")
    # A host that went away in between leaves nothing to compare with.
    store.keep_before(RUN, "web1")
    store.write_host(host_evidence("web1", {}, run_id=RUN, reached=False))
    store.keep_before(RUN, "web1")
    before = store.read_before(RUN, "web1")
    assert before is not None
    assert before.result.state == "ok"


def test_everything_is_sealed_and_a_sealed_run_takes_nothing_more(tmp_path: Path) -> None:
    store = evidence.Store(tmp_path, "acme")
    run_id = record(
        store,
        [host_evidence("web1", {})],
        changes=[change("web1", "done")],
        plans=[plan("web1")],
        documents={"patching/schedule.json": b"{}"},
    )
    seal = store.read_manifest(run_id)
    assert seal is not None
    assert set(seal.files) == {
        "run.json",
        "hosts/web1.json",
        "changes/web1.patching.json",
        "plans/web1.patching.json",
        "patching/schedule.json",
    }
    for write in (
        lambda: store.write_change(change("web1", "failed", run_id=run_id)),
        lambda: store.write_plan(plan("web2", run_id=run_id)),
        lambda: store.write_document(run_id, "patching/schedule.json", b"[]"),
        lambda: store.keep_before(run_id, "web1"),
    ):
        with pytest.raises(documents.EvidenceError, match="is sealed"):
            write()
    assert store.altered(seal) == []


def test_a_change_survives_the_kill_of_its_writer_whole(tmp_path: Path) -> None:
    """SIGKILL while the record is rewritten over and over: the last whole one is there, and leftovers are not sealed."""
    store = evidence.Store(tmp_path, "acme")
    store.begin(header(RUN))
    program = (
        "import sys; sys.path[:0] = [sys.argv[2], sys.argv[3]]\n"
        "from fleet_runs import change\n"
        "from ansible_collections.keepwell.fleet.plugins.plugin_utils.evidence import Store\n"
        "store = Store(sys.argv[1], 'acme')\n"
        "print('ready', flush=True)\n"
        "n = 0\n"
        "while True:\n"
        "    n += 1\n"
        f"    store.write_change(change('web1', 'running', run_id='{RUN}', text=str(n) * 50000))\n"
    )
    tests = Path(__file__).parents[2]
    writer = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path), str(tests.parents[1] / "collections"), str(tests)],
        stdout=subprocess.PIPE,
    )
    assert writer.stdout is not None
    writer.stdout.readline()
    while not store.read_changes(RUN):
        assert writer.poll() is None
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    (store.run_dir(RUN) / "changes" / ".web1.patching.json.x.tmp").touch()
    [left] = store.read_changes(RUN)
    assert left.outcome == "running"
    assert len(set(left.text.split())) == 1
    record(store, [host_evidence("web1", {})], at=NOW + 60)
    seal = store.read_manifest(RUN)
    assert seal is not None
    assert {name for name in seal.files if name.startswith("changes/")} == {"changes/web1.patching.json"}
    assert store.read_run(RUN).changes[0].outcome == "running"
