"""Evidence on disk: a chain that shows every edit."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest
from fleet_runs import NOW, change, header, host_evidence, record
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.keepwell.fleet.plugins.plugin_utils import documents, evidence, processes, runs
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import epoch, iso


def test_seal_hashes_every_file_and_chains_to_the_previous_run(tmp_path: Path) -> None:
    store = evidence.Store(tmp_path, "acme")
    first = record(store, [host_evidence("web1", {"capacity.space": "ok"})])
    second = record(store, [host_evidence("web1", {"capacity.space": "crit"})], at=NOW + 60)
    chain = store.sealed()
    assert [seal.seq for seal in chain] == [1, 2]
    assert chain[0].previous_manifest_sha256 is None
    raw = (store.run_dir(first) / "manifest.json").read_bytes()
    assert chain[1].previous_manifest_sha256 == hashlib.sha256(raw).hexdigest()
    assert set(chain[1].files) == {"run.json", "hosts/web1.json"}
    for name, entry in chain[1].files.items():
        content = (store.run_dir(second) / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == entry.sha256
        assert len(content) == entry.size
        assert documents.canonical(json.loads(content)) == content, f"{name} is not canonical"


def test_a_late_worker_cannot_add_to_a_sealed_run(tmp_path: Path) -> None:
    store = evidence.Store(tmp_path, "acme")
    run_id = record(store, [host_evidence("web1", {})])
    with pytest.raises(documents.EvidenceError, match="is sealed; the late answer of web2 is dropped"):
        store.write_host(host_evidence("web2", {}, run_id=run_id))


def test_a_run_with_a_worker_in_it_is_not_abandoned(tmp_path: Path) -> None:
    store = evidence.Store(tmp_path, "acme")
    store.begin(header("01K0000000000000000000000A"))
    with store.observing("01K0000000000000000000000A"), store.deserted("01K0000000000000000000000A") as deserted:
        assert not deserted
    with store.deserted("01K0000000000000000000000A") as deserted:
        assert deserted


def test_a_late_worker_leaves_nothing_in_a_sealed_run(tmp_path: Path) -> None:
    store = evidence.Store(tmp_path, "acme")
    run_id = record(store, [host_evidence("web1", {})])
    with pytest.raises(documents.EvidenceError, match="is sealed"), store.observing(run_id):
        pass
    seal = store.read_manifest(run_id)
    assert seal is not None
    there = {path.relative_to(store.run_dir(run_id)).as_posix() for path in store.run_dir(run_id).rglob("*")}
    assert there - {"hosts", "manifest.json"} == set(seal.files)


def test_evidence_is_for_owner_and_group_alone(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        store = evidence.Store(tmp_path / "state", "acme")
        record(store, [host_evidence("web1", {"capacity.space": "act"})])
    finally:
        os.umask(before)
    assert store.root.stat().st_mode & 0o777 == 0o750
    for path in store.root.rglob("*.json"):
        assert path.stat().st_mode & 0o777 == 0o640, path
    assert store.history.stat().st_mode & 0o007 == 0


def test_an_unwritable_state_directory_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "acme").write_text("a file where a folder should be")
    with pytest.raises(documents.EvidenceError, match="Set keepwell_state_dir to a folder"):
        evidence.Store(tmp_path, "acme").begin(header("01K0000000000000000000000A"))
    with pytest.raises(documents.EvidenceError, match="Set keepwell_state_dir to a folder"):
        runs.begin(evidence.Store(tmp_path, "acme"), header("01K0000000000000000000000A"), NOW)


@given(st.integers(min_value=0, max_value=4_000_000_000))
def test_times_survive_the_round_trip(second: int) -> None:
    assert epoch(iso(second)) == second


def three_runs(tmp_path: Path) -> tuple[evidence.Store, list[str]]:
    store = evidence.Store(tmp_path, "acme")
    return store, [record(store, [host_evidence("web1", {"capacity.space": "ok"})], at=NOW + 60 * n) for n in range(3)]


def test_untouched_evidence_holds(tmp_path: Path) -> None:
    store, _ids = three_runs(tmp_path)
    assert store.broken_links(store.sealed()) == []
    assert [problem for seal in store.sealed() for problem in store.altered(seal)] == []


@pytest.mark.parametrize("name", ["run.json", "hosts/web1.json"])
def test_one_changed_byte_is_noticed(tmp_path: Path, name: str) -> None:
    store, ids = three_runs(tmp_path)
    path = store.run_dir(ids[1]) / name
    path.write_bytes(path.read_bytes().replace(b"seen", b"Seen", 1))
    assert store.altered(store.sealed()[1]) == [f"{path} was changed after the run was sealed"]


def test_missing_and_added_files_are_noticed(tmp_path: Path) -> None:
    store, ids = three_runs(tmp_path)
    (store.run_dir(ids[0]) / "hosts" / "web1.json").unlink()
    (store.run_dir(ids[0]) / "hosts" / "web2.json").write_text("{}")
    assert [problem.rsplit("/", 1)[1] for problem in store.altered(store.sealed()[0])] == [
        "web1.json is missing",
        "web2.json was added after the run was sealed",
    ]


def test_a_lost_run_and_a_changed_manifest_break_the_chain(tmp_path: Path) -> None:
    store, ids = three_runs(tmp_path)
    manifest = store.run_dir(ids[0]) / "manifest.json"
    manifest.write_bytes(manifest.read_bytes().replace(b'"partial":[]', b'"partial":["x"]'))
    assert store.broken_links(store.sealed()) == [f"{manifest} was changed after the next run was sealed"]
    shutil.rmtree(store.run_dir(ids[1]))
    assert store.broken_links(store.sealed()) == [f"between runs {ids[0]} and {ids[2]} of acme a run is missing"]


def test_a_run_over_changed_evidence_has_no_grade_and_says_why(tmp_path: Path) -> None:
    store, ids = three_runs(tmp_path)
    path = store.run_dir(ids[2]) / "hosts" / "web1.json"
    path.write_bytes(path.read_bytes().replace(b"seen", b"Seen", 1))
    run = store.read_run(record(store, [host_evidence("web1", {"capacity.space": "ok"})], at=NOW + 600))
    assert run.grade is not None
    assert run.grade.letter is None
    assert run.verdict.startswith("Evidence of the run before was changed. ")
    assert run.altered_evidence == [f"{path} was changed after the run was sealed"]


def test_evidence_is_for_owner_and_group(tmp_path: Path) -> None:
    store, ids = three_runs(tmp_path)
    for path in [store.history, *store.run_dir(ids[0]).rglob("*.json")]:
        assert path.stat().st_mode & 0o777 == 0o640, path


def test_damage_at_one_client_does_not_hide_the_run_of_another(tmp_path: Path) -> None:
    evidence.Store(tmp_path, "aaa").begin(header("01K0000000000000000000000A"))
    (tmp_path / "aaa" / "runs" / "01K0000000000000000000000A" / "run.json").write_text("{torn")
    store = evidence.Store(tmp_path, "acme")
    store.begin(header("01K0000000000000000000000B", process=processes.this_process()))
    found = evidence.current_run(tmp_path, processes.this_process())
    assert found is not None
    assert (found[0].client_id, found[1]) == ("acme", "01K0000000000000000000000B")


def test_what_a_tool_lets_slip_is_redacted_before_it_is_hashed(tmp_path: Path) -> None:
    store = evidence.Store(tmp_path, "acme")
    host = host_evidence("web1", {"capacity.space": "ok"})
    host.result.contact.reason = "password=hunter2"
    slip = change("web1", "failed", text="GET https://bob:hunter2@mirror.example/ failed")
    run_id = record(store, [host], changes=[slip])
    for path in store.run_dir(run_id).rglob("*.json"):
        assert b"hunter2" not in path.read_bytes(), path
    seal = store.read_manifest(run_id)
    assert seal is not None
    assert store.altered(seal) == []
