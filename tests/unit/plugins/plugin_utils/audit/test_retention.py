"""Evidence whose time is over goes, the chain stays; and what must not go does not."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from fleet_runs import NOW, header, host_evidence, record
from sealed_client import ACME, DAY, carry_out, prepared, signed_runs

from ansible_collections.keepwell.fleet.plugins.plugin_utils import identifiers, runs
from ansible_collections.keepwell.fleet.plugins.plugin_utils.audit import pack, retention, signing, verify
from ansible_collections.keepwell.fleet.plugins.plugin_utils.audit.options import AuditOptions
from ansible_collections.keepwell.fleet.plugins.plugin_utils.evidence import Store
from ansible_collections.keepwell.fleet.plugins.plugin_utils.history import History
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import epoch

LATER = NOW + 1200 * DAY


def look(store: Store, told: AuditOptions) -> verify.Verification:
    return verify.Verification(verify.Folder(str(store.root)), told.allowed_signers).look()


def payload(store: Store, run_id: str) -> list[str]:
    folder = store.run_dir(run_id)
    there = [path.relative_to(folder).as_posix() for path in folder.rglob("*")]
    return sorted(name for name in there if name not in verify.SEALS)


@pytest.fixture
def told(tmp_path: Path) -> AuditOptions:
    return prepared(tmp_path / "files")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "state", "acme")


def test_months_are_those_of_the_calendar() -> None:
    assert retention.limit(epoch("2026-03-31T10:00:00Z"), 1) == "2026-02-28T10:00:00Z"
    assert retention.limit(epoch("2026-11-27T10:00:00Z"), 36) == "2023-11-27T10:00:00Z"


def test_what_is_due_is_shown_and_left(store: Store, told: AuditOptions) -> None:
    ids = signed_runs(store, told)
    before = {run_id: payload(store, run_id) for run_id in ids}
    what = retention.plan(store, told, LATER)
    assert [entry.run_id for entry in what.due] == ids[:2]
    assert what.kept == [f"Run {ids[2]} ({day(store, ids[2])}) stays: the next run is compared with it"]
    assert {run_id: payload(store, run_id) for run_id in ids} == before
    assert retention.plan(store, told, NOW + 30 * DAY).due == []


def day(store: Store, run_id: str) -> str:
    manifest = store.read_manifest(run_id)
    assert manifest is not None
    return manifest.ended_at[:10]


def test_deleting_keeps_the_chain_and_records_itself(store: Store, told: AuditOptions) -> None:
    ids = signed_runs(store, told)
    head = store.manifest_hash(ids[1])
    what, manifest = carry_out(store, told, LATER)
    assert manifest is not None
    assert [entry.run_id for entry in what.due] == ids[:2]
    assert [payload(store, run_id) for run_id in ids[:2]] == [[], []]
    assert manifest.deleted == {run_id: ["hosts/web1.json", "run.json"] for run_id in ids[:2]}
    assert manifest.signed_by == told.signing_identity
    run = store.read_run(manifest.run_id)
    assert run.verdict.startswith("Evidence was deleted because its time was over: runs that ended before ")
    assert run.header.trigger.user == "ops"
    seen = verify.Verification(verify.Folder(str(store.root)), told.allowed_signers).look(heads=[head])
    assert seen.holds, seen.sentences
    assert carry_out(store, told, LATER + DAY)[1] is None


def test_runs_go_on_after_it_and_the_index_holds_nothing_of_it(store: Store, told: AuditOptions) -> None:
    signed_runs(store, told)
    carry_out(store, told, LATER)
    rows = History(store).dump()
    [run_id] = signed_runs(store, told, 1, at=LATER + DAY)
    run = store.read_run(run_id)
    assert run.altered_evidence == []
    assert run.grade is not None
    assert run.grade.letter is not None
    assert run.delta is not None
    assert run.delta.previous_run_id is not None
    assert len(rows["hosts"]) == 1
    after = History(store).dump()
    with store.sealing():
        History(store).rebuild()
    assert History(store).dump() == after
    assert look(store, told).holds


def test_a_legal_hold_keeps_everything(store: Store, told: AuditOptions) -> None:
    ids = signed_runs(store, told)
    held = told.model_copy(update={"legal_hold": "dispute with the insurer, J. de Vries"})
    what, manifest = carry_out(store, held, LATER)
    assert manifest is None
    assert what.due == []
    assert len(what.kept) == 3
    assert what.kept[0].endswith("stays: legal hold, dispute with the insurer, J. de Vries")
    assert all(payload(store, run_id) for run_id in ids)


def test_changed_evidence_is_not_deleted_with_its_proof(store: Store, told: AuditOptions) -> None:
    ids = signed_runs(store, told)
    host = store.host_path(ids[0], "web1")
    host.write_bytes(host.read_bytes() + b" ")
    what, _manifest = carry_out(store, told, LATER)
    assert [entry.run_id for entry in what.due] == [ids[1]]
    assert f"stays: its evidence was changed: {host} was changed after the run was sealed" in what.kept[0]
    assert host.exists()


def test_nothing_is_deleted_through_a_link(store: Store, told: AuditOptions, tmp_path: Path) -> None:
    ids = signed_runs(store, told)
    hosts = store.run_dir(ids[0]) / "hosts"
    hosts.rename(tmp_path / "outside")
    hosts.symlink_to(tmp_path / "outside")
    what, _manifest = carry_out(store, told, LATER)
    assert ids[0] not in [entry.run_id for entry in what.due]
    assert (tmp_path / "outside" / "web1.json").exists()


def test_reports_and_packs_of_it_go_as_well(store: Store, told: AuditOptions) -> None:
    ids = signed_runs(store, told)
    old, kept = (store.root / "reports" / f"2026-11-23-{run_id}" for run_id in (ids[0], ids[2]))
    for folder in (old, kept):
        folder.mkdir(parents=True)
        (folder / "engineer.html").write_text("x")
    (store.root / "packs").mkdir()
    first, last = (store.root / "packs" / f"{name}.zip" for name in ("first", "last"))
    chain = store.sealed()
    pack.make(store, ACME, told, pack.choose(chain, "", chain[0].ended_at[:10]), first)
    pack.make(store, ACME, told, pack.choose(chain, chain[2].ended_at[:10]), last)
    carry_out(store, told, LATER)
    assert (old.exists(), kept.exists(), first.exists(), last.exists()) == (False, True, False, True)


def test_cut_off_between_the_record_and_the_deed_it_is_finished_by_the_next(
    store: Store, told: AuditOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = signed_runs(store, told)

    def cut_off(*_arguments: t.Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(retention, "_delete", cut_off)
        with pytest.raises(KeyboardInterrupt):
            carry_out(store, told, LATER)
    assert payload(store, ids[0])
    assert look(store, told).holds
    what, manifest = carry_out(store, told, LATER + DAY)
    assert manifest is not None
    assert [entry.run_id for entry in what.due] == ids[:2]
    assert payload(store, ids[0]) == []
    assert look(store, told).holds


def test_a_file_put_in_the_place_of_a_deleted_one_is_told(store: Store, told: AuditOptions) -> None:
    ids = signed_runs(store, told)
    carry_out(store, told, LATER)
    path = store.host_path(ids[0], "web1")
    path.parent.mkdir(exist_ok=True)
    path.write_text("{}")
    told_of = [one.text for one in look(store, told).sentences if one.holds is False]
    assert told_of == [f"{path} was changed after the run was sealed."]


def test_deleting_without_a_record_is_told(store: Store, told: AuditOptions) -> None:
    ids = signed_runs(store, told)
    store.host_path(ids[0], "web1").unlink()
    told_of = [one.text for one in look(store, told).sentences if one.holds is False]
    assert told_of == [f"{store.host_path(ids[0], 'web1')} is missing."]


def test_the_newest_whole_run_stays_even_when_parts_are_newer(store: Store, told: AuditOptions) -> None:
    [whole] = signed_runs(store, told, 1)
    run_id = identifiers.new_run_id(NOW + DAY)
    part = header(run_id, at=NOW + DAY).model_copy(update={"partial": ["a part"]})
    runs.begin(store, part, NOW + DAY)
    store.write_host(host_evidence("web1", {}, run_id=run_id, at=NOW + DAY))
    runs.conclude(store, run_id, NOW + DAY + 10, signer=signing.signer_of(told))
    what, _manifest = carry_out(store, told, LATER)
    assert [entry.run_id for entry in what.due] == [run_id]
    assert payload(store, whole)
    assert record(store, [host_evidence("web1", {"capacity.space": "ok"})], at=LATER + DAY)
