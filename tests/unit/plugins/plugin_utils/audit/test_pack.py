"""An evidence pack: the same bytes twice, a period, and what the chain needs beyond it."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest
from fleet_runs import NOW
from sealed_client import ACME, DAY, carry_out, prepared, signed_runs

from ansible_collections.keepwell.fleet.plugins.plugin_utils.audit import pack, verify
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import EvidenceError
from ansible_collections.keepwell.fleet.plugins.plugin_utils.evidence import Store
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import Client


def made(store: Store, told: pack.AuditOptions, target: Path, *days: str, client: Client = ACME) -> verify.Verification:
    pack.make(store, client, told, pack.choose(store.sealed(), *days), target)
    return verify.Verification(verify.Archive(str(target))).look()


def day_of(store: Store, run_id: str) -> str:
    manifest = store.read_manifest(run_id)
    assert manifest is not None
    return manifest.ended_at[:10]


def test_the_same_evidence_makes_the_same_bytes(tmp_path: Path) -> None:
    told, store = prepared(tmp_path / "files"), Store(tmp_path / "state", "acme")
    signed_runs(store, told)
    for name in ("one.zip", "two.zip"):
        assert made(store, told, tmp_path / name).holds
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_a_pack_of_a_period_stays_the_same_when_more_is_recorded(tmp_path: Path) -> None:
    told, store = prepared(tmp_path / "files"), Store(tmp_path / "state", "acme")
    ids = signed_runs(store, told)
    days = (day_of(store, ids[1]), day_of(store, ids[1]))
    seen = made(store, told, tmp_path / "one.zip", *days)
    assert seen.holds, seen.sentences
    assert "The pack begins with run number 2 of the client." in [one.text for one in seen.sentences]
    assert [link.run_id for link in seen.chain] == [ids[1]]
    signed_runs(store, told, 1, at=NOW + 9 * DAY)
    made(store, told, tmp_path / "two.zip", *days)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_the_manifest_that_covers_unsigned_runs_comes_along(tmp_path: Path) -> None:
    told, store = prepared(tmp_path / "files"), Store(tmp_path / "state", "acme")
    [first] = signed_runs(store, told.model_copy(update={"signing_key": str(tmp_path / "away")}), 1)
    day = day_of(store, first)
    seen = made(store, told, tmp_path / "alone.zip", day, day)
    assert next(one.text for one in seen.sentences if one.holds is False).startswith("The newest runs, 1 from ")
    [second] = signed_runs(store, told, 1, at=NOW + 40 * DAY)
    seen = made(store, told, tmp_path / "covered.zip", day, day)
    assert seen.holds, seen.sentences
    alone = f"Of 1 run the pack has the manifest alone, from {second} to {second}"
    assert any(one.text.startswith(alone) for one in seen.sentences)
    with zipfile.ZipFile(tmp_path / "covered.zip") as packed:
        names = [name for name in packed.namelist() if second in name]
        assert "the manifest alone" in packed.read("acme-evidence/README.txt").decode()
    assert [name.rsplit("/", 1)[1] for name in names] == ["manifest.json", "manifest.json.sig"]


def test_what_was_deleted_does_not_look_lost_in_a_pack(tmp_path: Path) -> None:
    told, store = prepared(tmp_path / "files"), Store(tmp_path / "state", "acme")
    ids = signed_runs(store, told)
    carry_out(store, told, NOW + 1200 * DAY)
    day = day_of(store, ids[0])
    seen = made(store, told, tmp_path / "old.zip", day, day)
    assert seen.holds, seen.sentences
    assert any("whose time was over were deleted" in one.text for one in seen.sentences)


def test_a_period_without_runs_is_refused(tmp_path: Path) -> None:
    told, store = prepared(tmp_path / "files"), Store(tmp_path / "state", "acme")
    [run_id] = signed_runs(store, told, 1)
    with pytest.raises(EvidenceError, match=f"They begin on {day_of(store, run_id)}.*keepwell_pack_from"):
        pack.choose(store.sealed(), "2001-01-01", "2001-12-31")
    with pytest.raises(EvidenceError, match="There are none"):
        pack.choose([])


def test_it_has_all_that_is_needed_and_the_right_hashes(tmp_path: Path) -> None:
    told, store = prepared(tmp_path / "files"), Store(tmp_path / "state", "acme")
    signed_runs(store, told, 1)
    client = Client(id="acme", name="A\x1b[2J\ncme <b>")
    made(store, told, tmp_path / "pack.zip", client=client)
    with zipfile.ZipFile(tmp_path / "pack.zip") as packed:
        names = {name.removeprefix("acme-evidence/") for name in packed.namelist()}
        sums = packed.read("acme-evidence/SHA256SUMS").decode()
        for line in sums.splitlines():
            digest, name = line.split("  ")
            assert hashlib.sha256(packed.read(f"acme-evidence/{name}")).hexdigest() == digest
        assert packed.read("acme-evidence/verify.py") == Path(verify.__file__).read_bytes()
        text = packed.read("acme-evidence/README.txt").decode()
    assert {"README.txt", "verify.py", "SHA256SUMS", "pack.json", "allowed_signers"} <= names
    assert not any("key" in name for name in names)
    assert text.startswith("Evidence of A [2J cme <b>\n")
    assert store.manifest_hash(store.sealed_ids()[0]) in text
