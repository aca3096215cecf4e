"""What runs saw and proved of backups comes back from the index as the evidence has it."""

from __future__ import annotations

import hashlib
import time
import typing as t
from pathlib import Path

import pytest
from fleet_runs import NOW, finding, host_evidence, record, verification

from ansible_collections.keepwell.fleet.plugins.plugin_utils import evidence, history, identifiers
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.datasets import Dataset
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.known import KnownDataset
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.models import Verification
from ansible_collections.keepwell.fleet.plugins.plugin_utils.history_backups import path_digest

DAY = 86400.0
REMOTE = "sftp:backup@vault:/srv/r"


@pytest.fixture
def store(tmp_path: Path) -> evidence.Store:
    return evidence.Store(tmp_path, "acme")


def dataset(name: str = "files", **more: t.Any) -> Dataset:
    declared = {"id": name, "protects": "the files", "tool": "restic", "repository": "/srv/r", **more}
    return Dataset.model_validate(declared)


def proof(kind: str, at: float, **more: t.Any) -> dict[str, t.Any]:
    return {"id": f"{kind}{at:.0f}", "kind": kind, "at": at, "outcome": "proven", **more}


def checked(host: str, declared: Dataset, proofs: list[dict[str, t.Any]]) -> Verification:
    """What a run proved of a declared dataset, by the host itself."""
    key = declared.repository_key
    return verification(host, declared.id, proofs=proofs, repository_key=key, declared=declared.public())


def of(store: evidence.Store, *datasets: Dataset, host: str = "web1", now: float = NOW) -> dict[str, KnownDataset]:
    return history.open_history(store).of(host, now).backups(datasets)


def test_a_document_is_written_whole_and_read_back(store: evidence.Store) -> None:
    made = verification("wéb 1", proofs=[proof("sample", NOW, paths=["/a"])])
    run_id = record(store, [host_evidence("web1", {})], verifications=[made])
    assert store.read_verification(run_id, "wéb 1", "files") == made.model_copy(update={"run_id": run_id})
    assert store.read_verification(run_id, "web1", "files") is None
    assert len(list(store.read_verifications(run_id))) == 1
    seal = store.read_manifest(run_id)
    assert seal is not None
    assert "backups/w%C3%A9b%201.files.json" in seal.files


def test_rebuild_gives_identical_content(store: evidence.Store) -> None:
    for day in range(4):
        at = NOW + day * DAY
        seen = {"status": "ok", "repository": {"free_bytes": 100 - day}, "snapshots": [{"id": str(day), "time": at}]}
        paths = [f"/srv/{day}", "/srv/always"]
        made = [
            verification(
                host,
                at=at,
                look=seen,
                proofs=[
                    proof("sample", at, paths=paths, digests=["deadbeef", path_digest("/srv/0")]),
                    proof("subset", at, part=day + 1, parts=9, outcome="damaged" if day == 2 else "proven"),
                ],
            )
            for host in ("web1", "web2")
        ]
        # What was proven once and is told again, and a run that could not look.
        made[0].proofs.append(made[0].proofs[0])
        made.append(verification("web3", at=at, looked_at=None, look=None))
        record(store, [host_evidence("web1", {}, at=at)], verifications=made, at=at)
    index = history.History(store)
    grown = index.dump()
    assert {name: len(grown[name]) for name in ("looks", "proofs", "coverage", "series")} == {
        "looks": 2,
        "proofs": 16,
        "coverage": 12,
        "series": 8,
    }
    with store.sealing():
        index.rebuild()
    assert index.dump() == grown
    found = of(store, dataset(expected_paths=["/srv", "/srv/0", "/srv/alw", "/srv/always"]), now=NOW + 4 * DAY)["files"]
    assert found.look is not None
    assert [entry.id for entry in found.look.snapshots] == ["3"]
    assert found.looked_at == NOW + 3 * DAY
    assert [entry.kind for entry in found.proofs[:3]] == ["sample", "subset", "sample"]
    assert found.proofs[0].paths == []
    assert found.coverage.paths == 6
    assert found.coverage.expected == {
        "/srv": NOW + 3 * DAY,
        "/srv/0": NOW + 3 * DAY,  # by its digest: its text was told once
        "/srv/always": NOW + 3 * DAY,
    }
    known = index.of("web1", NOW + 4 * DAY)
    assert known.series("backup_free", "files") == [(NOW + day * DAY, 100.0 - day) for day in range(4)]
    assert len(known.restored_digests("files", 3)) == 3
    assert set(known.restored_digests("files", 99)) >= {"deadbeef", path_digest("/srv/always")}


def test_a_path_is_named_as_the_verifying_host_names_it() -> None:
    assert path_digest("/srv/a") == hashlib.sha256(b"/srv/a").hexdigest()[:8]


def test_what_failed_covers_nothing(store: evidence.Store) -> None:
    made = verification("web1", proofs=[proof("sample", NOW, outcome="failed", paths=["/srv/a"])])
    record(store, [host_evidence("web1", {})], verifications=[made])
    found = of(store, dataset(expected_paths=["/srv"]))["files"]
    assert (len(found.proofs), found.coverage.paths, found.coverage.expected) == (1, 0, {})


def test_old_proofs_come_back_only_as_the_newest_of_their_kind(store: evidence.Store) -> None:
    old = [proof("full", NOW - 500 * DAY), proof("full", NOW - 600 * DAY), proof("sample", NOW - 399 * DAY)]
    record(store, [host_evidence("web1", {})], verifications=[verification("web1", proofs=old)])
    ages = [(entry.kind, round((NOW - entry.at) / DAY)) for entry in of(store, dataset())["files"].proofs]
    assert ages == [("sample", 399), ("full", 500)]


def test_a_check_of_a_shared_repository_holds_for_all_its_datasets(store: evidence.Store) -> None:
    shared, alone = dataset(repository=REMOTE), dataset("mail", repository="sftp:vault:other")
    proofs = [proof("subset", NOW, part=1, parts=9), proof("data", NOW, snapshot="a"), proof("sample", NOW)]
    made = checked("web2", shared, proofs)
    record(store, [host_evidence("web1", {})], verifications=[made])
    found = of(store, shared, alone)
    assert [entry.kind for entry in found["files"].proofs] == ["subset"]
    assert found["mail"].proofs == ()
    [kind] = {entry.kind for entry in of(store, dataset("second", repository=REMOTE), host="web2")["second"].proofs}
    assert kind == "subset", "also of the same host"


@pytest.mark.parametrize(
    ("tool", "repository"),
    [
        ("restic", "/srv/r"),
        ("restic", "local:/srv/r"),
        ("restic", "rest:http://localhost:8000/r"),
        ("restic", "sftp:backup@127.0.0.1:/r"),
        ("restic", "rclone:nas:r"),
        ("borg", "borgmatic"),
        ("kopia", "s3:vault"),
    ],
)
def test_a_repository_on_the_host_is_another_one_on_every_host(
    store: evidence.Store, tool: str, repository: str
) -> None:
    mine = dataset(tool=tool, repository=repository)
    made = checked("web2", mine, [proof("data", NOW)])
    record(store, [host_evidence("web1", {})], verifications=[made])
    assert of(store, mine)["files"].proofs == (), "nobody has read this one"
    second = dataset("second", tool=tool, repository=repository)
    assert len(of(store, second, host="web2")["second"].proofs) == 1, "on one host it is the same"
    away = dataset("away", tool=tool, repository=repository, verifier="web2")
    assert len(of(store, away)["away"].proofs) == 1, "that host verifies it for others as well"


def test_a_host_without_datasets_asks_nothing(store: evidence.Store, monkeypatch: pytest.MonkeyPatch) -> None:
    record(store, [host_evidence("web1", {})])
    known = history.History(store).of("web1", NOW)
    monkeypatch.setattr(known, "_engine", None)
    assert known.backups([]) == {}


def test_a_silent_host_keeps_the_age_of_what_was_judged_without_it(store: evidence.Store) -> None:
    key = identifiers.finding_key("acme", "web1", "backup.freshness", "files")

    def first_seen() -> float | None:
        return history.History(store).of("web1", NOW + 9 * DAY).finding_first_seen(key)

    stale = {"backup.freshness": [finding("web1", "backup.freshness", "crit", "files")], "time.offset": "unknown"}
    record(store, [host_evidence("web1", stale, reached=False)])
    assert first_seen() == NOW
    record(store, [host_evidence("web1", {"backup.freshness": "unknown"}, at=NOW + DAY, reached=False)], at=NOW + DAY)
    assert first_seen() == NOW, "nobody could look"
    record(
        store, [host_evidence("web1", {"backup.freshness": "ok"}, at=NOW + 2 * DAY, reached=False)], at=NOW + 2 * DAY
    )
    assert first_seen() is None


def test_a_large_coverage_costs_little(store: evidence.Store) -> None:
    many = [proof("full", NOW, digests=[f"{number:08x}" for number in range(5000)])]
    record(store, [host_evidence("web1", {})], verifications=[verification("web1", proofs=many)])
    started = time.perf_counter()
    assert of(store, dataset(expected_paths=["/srv"]))["files"].coverage.paths == 5000
    assert time.perf_counter() - started < 1.0
