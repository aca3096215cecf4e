"""History: an index over evidence that says the same whether it grew run by run or was made anew."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from fleet_runs import NOW, change, finding, host_evidence, record
from sqlalchemy.exc import OperationalError

from ansible_collections.keepwell.fleet.plugins.plugin_utils import documents, evidence, history, identifiers
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks import _registry
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import Manifest

DAY = 86400.0


@pytest.fixture
def store(tmp_path: Path) -> evidence.Store:
    return evidence.Store(tmp_path, "acme")


def first_seen(store: evidence.Store, check: str, obj: str = "", now: float = NOW + 90 * DAY) -> float | None:
    key = identifiers.finding_key("acme", "web1", check, obj)
    return history.History(store).of("web1", now).finding_first_seen(key)


def test_first_seen_holds_while_a_finding_stays_and_starts_anew_after_it_was_gone(store: evidence.Store) -> None:
    record(store, [host_evidence("web1", {"capacity.space": "watch"}, at=NOW)], at=NOW)
    day_one = NOW + DAY
    again = [finding("web1", "capacity.space", "crit", at=NOW)]
    record(store, [host_evidence("web1", {"capacity.space": again}, at=day_one)], at=day_one)
    assert first_seen(store, "capacity.space") == NOW
    record(store, [host_evidence("web1", {"capacity.space": "ok"}, at=NOW + 2 * DAY)], at=NOW + 2 * DAY)
    assert first_seen(store, "capacity.space") is None


def test_a_check_that_could_not_look_does_not_forget(store: evidence.Store) -> None:
    record(store, [host_evidence("web1", {"capacity.space": [finding("web1", "capacity.space", "act", "/")]})])
    unknown = {"capacity.space": [finding("web1", "capacity.space", "unknown", at=NOW + DAY)]}
    record(store, [host_evidence("web1", unknown, at=NOW + DAY)], at=NOW + DAY)
    assert first_seen(store, "capacity.space", "/") == NOW


def test_an_unreachable_host_keeps_its_findings(store: evidence.Store) -> None:
    record(store, [host_evidence("web1", {"capacity.space": "act"})])
    record(store, [host_evidence("web1", {}, at=NOW + DAY, reached=False)], at=NOW + DAY)
    assert first_seen(store, "capacity.space") == NOW


def test_rebuild_gives_identical_content(store: evidence.Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_registry, "series", lambda view: iter([("disk", "/", view.data("disks")["used"])]))
    monkeypatch.setattr(
        _registry, "sightings", lambda view: iter(("pending", name) for name in view.data("disks")["names"])
    )
    for day, (used, names) in enumerate([(10, ["a", "b"]), (12, ["b"]), (14, []), (15, ["b", "c"])]):
        release = {"id": "rocky", "id_like": ["rhel", "centos"]} if day else {"id": "centos"}
        system = {"boot": {"boot_id": f"boot-{day // 2}"}, "os": release}
        probes = {"disks": {"used": used, "names": names}, "system": system}
        states = {"capacity.space": "act" if day % 2 else "ok", "time.offset": "watch"}
        at = NOW + day * DAY
        record(store, [host_evidence(host, states, at=at, probes=probes) for host in ("web1", "db1")], at=at)
    index = history.History(store)
    grown = index.dump()
    assert grown["series"]
    assert grown["sightings"]
    assert grown["boots"]
    assert grown["findings"]
    assert grown["systems"] == [("db1", "rocky rhel centos"), ("web1", "rocky rhel centos")]
    with store.sealing():
        assert index.rebuild() == 4
    assert index.dump() == grown
    known = index.of("web1", NOW + 4 * DAY)
    assert known.series("disk", "/") == [(NOW + day * DAY, value) for day, value in enumerate([10.0, 12.0, 14.0, 15.0])]
    assert known.first_seen("pending", "a") is None, "it was gone while others of its kind were seen"
    assert known.first_seen("pending", "b") == NOW, "a run that saw nothing of a kind perhaps did not look"
    assert known.first_seen("pending", "c") == NOW + 3 * DAY
    assert known.boots() == [("boot-0", NOW), ("boot-1", NOW + 2 * DAY)]
    assert known.previous("disks") == {"used": 15, "names": ["b", "c"]}
    assert known.previous_at() == NOW + 3 * DAY


def test_series_are_kept_for_ninety_days(store: evidence.Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_registry, "series", lambda view: iter([("disk", "/", 1.0)]))
    record(store, [host_evidence("web1", {})])
    known = history.History(store)
    assert len(known.of("web1", NOW + 89 * DAY).series("disk", "/")) == 1
    assert known.of("web1", NOW + 91 * DAY).series("disk", "/") == []


def test_a_missing_index_comes_back_by_itself(store: evidence.Store) -> None:
    record(store, [host_evidence("web1", {"capacity.space": "act"})])
    before = history.History(store).dump()
    store.history.unlink()
    assert history.open_history(store).dump() == before


def test_a_run_that_was_sealed_but_not_indexed_is_added_alone(
    store: evidence.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(store, [host_evidence("web1", {"capacity.space": "act"})])
    with monkeypatch.context() as killed:
        killed.setattr(history.History, "catch_up", lambda self: None)
        record(store, [host_evidence("web1", {"capacity.space": "act"})], at=NOW + 60)
    index = history.History(store)
    assert index.behind()
    monkeypatch.setattr(history.History, "rebuild", lambda self: pytest.fail("reads every run there ever was"))
    history.open_history(store)
    assert not index.behind()


def test_a_look_reads_the_index_as_it_is_and_writes_nothing(
    store: evidence.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def files() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in store.root.iterdir() if path.is_file()}

    record(store, [host_evidence("web1", {})], changes=[change("web1", "done", at=NOW)])
    (store.root / ".sealing").unlink()
    before = files()
    known = history.read_history(store)
    assert known is not None
    assert [entry.host for entry in known.changes("patching")] == ["web1"]
    assert files() == before
    with monkeypatch.context() as killed:
        killed.setattr(history.History, "catch_up", lambda self: None)
        record(store, [host_evidence("web1", {})], at=NOW + 60)
    behind = files()
    assert history.read_history(store) is None
    assert files() == behind
    store.history.write_bytes(b"no database at all" * 500)
    assert history.read_history(store) is None
    store.history.unlink()
    assert history.read_history(store) is None
    assert not store.history.exists()


def test_a_run_under_way_reads_the_old_index_while_it_is_made_anew(
    store: evidence.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(store, [host_evidence("web1", {"capacity.space": "act"})])
    seen = []
    add = history.History.add

    def look_meanwhile(self: history.History, manifest: Manifest) -> None:
        seen.append(first_seen(store, "capacity.space"))
        add(self, manifest)

    monkeypatch.setattr(history.History, "add", look_meanwhile)
    history.History(store).rebuild()
    assert seen == [NOW]


def test_a_damaged_index_is_kept_aside_and_made_anew(store: evidence.Store) -> None:
    record(store, [host_evidence("web1", {"capacity.space": "act"})])
    before = history.History(store).dump()
    store.history.write_bytes(b"no database at all" * 500)
    assert history.open_history(store).dump() == before
    assert store.history.with_suffix(".sqlite3.damaged").exists()


def test_what_the_database_says_is_one_sentence(store: evidence.Store, monkeypatch: pytest.MonkeyPatch) -> None:
    record(store, [host_evidence("web1", {})])
    index = history.History(store)
    store.history.write_bytes(store.history.read_bytes()[:4096] + b"x" * 8192)
    with pytest.raises(documents.EvidenceError, match=r"^The history index \S+ cannot be used: [^\n]+$"):
        index.of("web1", NOW)

    def full(self: history.History, manifest: Manifest) -> None:
        raise OperationalError("INSERT", {}, Exception("database or disk is full"))

    monkeypatch.setattr(history.History, "add", full)
    with pytest.raises(documents.EvidenceError, match="database or disk is full"):
        record(store, [host_evidence("web1", {})], at=NOW + 60)
    monkeypatch.undo()
    history.open_history(store)
    assert not index.behind(), "what was sealed on a full disk is indexed later"


def test_a_host_without_history_is_no_error(store: evidence.Store) -> None:
    record(store, [host_evidence("web1", {})])
    known = history.History(store).of("new", NOW)
    assert known.previous("disks") is None
    assert known.previous_at() is None
    assert known.boots() == []


def test_a_system_is_remembered_from_when_it_was_seen_last(store: evidence.Store) -> None:
    debian = {"system": {"os": {"id": "debian"}}}
    record(store, [host_evidence("web1", {}, at=NOW, probes=debian), host_evidence("db1", {}, reached=False)])
    index = history.History(store)
    assert index.systems() == {"web1": ["debian"]}
    later = [host_evidence("web1", {}, at=NOW + DAY, reached=False), host_evidence("db1", {}, probes={"system": {}})]
    record(store, later, at=NOW + DAY)
    assert index.systems() == {"web1": ["debian"]}, "neither silence nor a look that missed it forgets"
    rebuilt = {"system": {"os": {"id": "rocky", "id_like": ["rhel"]}}}
    record(store, [host_evidence("web1", {}, at=NOW + 2 * DAY, probes=rebuilt)], at=NOW + 2 * DAY)
    assert index.systems() == {"web1": ["rocky", "rhel"]}


def test_changes_come_back_whole_and_oldest_first(store: evidence.Store) -> None:
    versions = [{"name": "openssl", "before": "3.0.1", "after": "3.0.2"}]
    first = change("web2", "failed", at=NOW, ring=1, versions=versions, findings_new=["services.failed"])
    record(store, [host_evidence("web2", {})], changes=[first])
    release = change("web2", "released", at=NOW + DAY, chore="release")
    record(store, [host_evidence("web1", {})], changes=[change("web1", "done", at=NOW + DAY), release], at=NOW + DAY)
    known = history.open_history(store)
    found = known.changes("patching")
    assert [(entry.host, entry.outcome) for entry in found] == [("web2", "failed"), ("web1", "done")]
    assert found[0] == first.model_copy(update={"run_id": found[0].run_id})
    assert [entry.host for entry in known.changes("patching", since=NOW + 1)] == ["web1"]
    assert [entry.host for entry in known.changes("release")] == ["web2"]
    before = known.dump()
    known.rebuild()
    assert known.dump() == before


def test_an_index_of_an_older_version_is_made_anew(store: evidence.Store) -> None:
    record(store, [host_evidence("web1", {})], changes=[change("web1", "done")])
    with sqlite3.connect(store.history) as connection:
        connection.execute("DROP TABLE changes")
        connection.execute("PRAGMA user_version = 1")
    assert [entry.outcome for entry in history.open_history(store).changes("patching")] == ["done"]
