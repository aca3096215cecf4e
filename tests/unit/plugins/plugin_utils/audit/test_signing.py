"""Manifests are signed with a real key, or the run says that they are not, and why."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from fleet_runs import NOW, header
from sealed_client import DAY, IDENTITY, allow, make_key, options, prepared, signed_runs

from ansible_collections.keepwell.fleet.plugins.plugin_utils import runs
from ansible_collections.keepwell.fleet.plugins.plugin_utils.audit import signing, verify
from ansible_collections.keepwell.fleet.plugins.plugin_utils.audit.options import AuditOptions
from ansible_collections.keepwell.fleet.plugins.plugin_utils.evidence import Store
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import iso


def look(store: Store, told: AuditOptions) -> verify.Verification:
    return verify.Verification(verify.Folder(str(store.root)), told.allowed_signers).look()


def texts(seen: verify.Verification, holds: bool | None) -> list[str]:
    return [sentence.text for sentence in seen.sentences if sentence.holds is holds]


def unsigned(store: Store, told: AuditOptions) -> str:
    """Record a run and return why it is not signed."""
    [run_id] = signed_runs(store, told, 1)
    manifest = store.read_manifest(run_id)
    assert manifest is not None
    assert manifest.signed_by is None
    assert not (store.run_dir(run_id) / verify.SIGNATURE).exists()
    assert store.read_run(run_id).status == "complete"
    return manifest.unsigned


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_every_run_is_signed_and_the_signature_counts(tmp_path: Path, kind: str) -> None:
    allow(tmp_path / "allowed_signers", make_key(tmp_path / "key", kind))
    store, told = Store(tmp_path / "state", "acme"), options(tmp_path)
    ids = signed_runs(store, told)
    assert all((store.run_dir(run_id) / verify.SIGNATURE).exists() for run_id in ids)
    seen = look(store, told)
    assert seen.holds, seen.sentences
    assert any(text.startswith(f"Runs signed by {IDENTITY} with key SHA256:") for text in texts(seen, True))


def test_without_a_key_nothing_is_signed_and_that_is_no_mistake(tmp_path: Path) -> None:
    store = Store(tmp_path / "state", "acme")
    told = AuditOptions(signing_identity=IDENTITY, allowed_signers=str(tmp_path / "none"))
    assert signing.signer_of(told) is None
    assert unsigned(store, told) == ""
    seen = verify.Verification(verify.Folder(str(store.root))).look()
    assert seen.holds
    assert "No run is signed: edits show only against a head that was noted elsewhere." in texts(seen, None)


def test_a_key_that_cannot_be_used_leaves_the_run_unsigned_and_says_what_to_do(tmp_path: Path) -> None:
    told = prepared(tmp_path)
    key = tmp_path / "key"
    store = Store(tmp_path / "state", "acme")
    if os.geteuid() != 0:
        key.chmod(0o000)
        assert "cannot be read by the user" in unsigned(store, told)
    key.chmod(0o644)
    assert "can be read by other users: ssh-keygen refuses it. Run chmod 600 on it." in unsigned(store, told)
    key.chmod(0o600)
    key.write_text("no key at all\n")
    assert "is no private key of ssh-keygen." in unsigned(store, told)
    key.unlink()
    assert f"The signing key {key} does not exist. Correct keepwell_signing_key." in unsigned(store, told)
    make_key(tmp_path / "locked", passphrase="secret")
    locked = told.model_copy(update={"signing_key": str(tmp_path / "locked")})
    assert "has a passphrase, which nobody can type in a scheduled run." in unsigned(store, locked)
    seen = look(store, told)
    assert texts(seen, False)[0].startswith(
        "The newest runs, 4 from " if os.geteuid() == 0 else "The newest runs, 5 from "
    )
    assert "has a passphrase" in texts(seen, False)[0]


def test_a_key_that_nobody_could_check_does_not_sign(tmp_path: Path) -> None:
    store = Store(tmp_path / "state", "acme")
    public = make_key(tmp_path / "key")
    told = options(tmp_path)
    line = f'{IDENTITY} namespaces="keepwell-evidence" {public}'
    why = unsigned(store, told)
    assert why.startswith(f"Nobody could check a signature: {tmp_path}/allowed_signers does not exist.")
    assert why.endswith(line)
    allow(tmp_path / "allowed_signers", make_key(tmp_path / "another"))
    why = unsigned(store, told)
    assert "allowed_signers does not allow for keepwell@acme" in why
    assert why.endswith(line)


def test_what_a_later_signature_covers_is_not_held_against_it(tmp_path: Path) -> None:
    told = prepared(tmp_path)
    store = Store(tmp_path / "state", "acme")
    missing = told.model_copy(update={"signing_key": str(tmp_path / "away")})
    [first] = signed_runs(store, missing, 1)
    assert texts(look(store, told), False)[0].startswith(f"The newest runs, 1 from {first} on, are not signed")
    [second] = signed_runs(store, told, 1, at=NOW + DAY)
    seen = look(store, told)
    assert seen.holds
    assert f"Runs without a signature of their own: 1, the newest of them {first}; that of run {second}" in " ".join(
        texts(seen, None)
    )


def test_keys_are_rotated_by_dates_and_old_signatures_still_count(tmp_path: Path) -> None:
    old, new = make_key(tmp_path / "key"), make_key(tmp_path / "key2")
    day = iso(NOW + 2 * DAY)[:10].replace("-", "")
    allow(tmp_path / "allowed_signers", old, more=f',valid-before="{day}"')
    allow(tmp_path / "allowed_signers", new, more=f',valid-after="{day}"')
    store, told = Store(tmp_path / "state", "acme"), options(tmp_path)
    after = told.model_copy(update={"signing_key": str(tmp_path / "key2")})
    signed_runs(store, told, 2)
    signed_runs(store, after, 2, at=NOW + 3 * DAY)
    seen = look(store, told)
    assert seen.holds, seen.sentences
    assert len([text for text in texts(seen, True) if ": 2; the newest of them is" in text]) == 2
    # The old key signs no more, and what it signs with a later date does not count.
    [late] = signed_runs(store, told, 1, at=NOW + 6 * DAY)
    manifest = store.read_manifest(late)
    assert manifest is not None
    assert "does not allow for keepwell@acme at" in manifest.unsigned


def test_a_run_that_was_cut_off_is_signed_by_the_next(tmp_path: Path) -> None:
    told = prepared(tmp_path)
    store, signer = Store(tmp_path / "state", "acme"), signing.signer_of(told)
    store.begin(header("01K00000000000000000000001"))
    # A signature without its manifest, as a power cut between the two leaves it.
    (store.run_dir("01K00000000000000000000001") / verify.SIGNATURE).write_text("half")
    assert runs.begin(store, header("01K00000000000000000000002"), NOW, signer) == ["01K00000000000000000000001"]
    manifest = store.read_manifest("01K00000000000000000000001")
    assert manifest is not None
    assert (manifest.status, manifest.signed_by) == ("interrupted", IDENTITY)
    assert look(store, told).holds


def test_a_client_that_moves_its_state_can_still_be_verified(tmp_path: Path) -> None:
    told = prepared(tmp_path)
    store = Store(tmp_path / "state", "acme")
    signed_runs(store, told)
    shutil.move(tmp_path / "state", tmp_path / "elsewhere")
    assert look(Store(tmp_path / "elsewhere", "acme"), told).holds


def test_what_stands_against_signing_is_found_by_day(tmp_path: Path) -> None:
    told = prepared(tmp_path)
    assert signing.obstacles(told, iso(NOW)) == []
    broken = told.model_copy(update={"signing_key": "/none", "timestamp_url": "https://x", "timestamp_ca": "/no.pem"})
    assert signing.obstacles(broken, iso(NOW)) == [
        "Runs would not be signed: The signing key /none does not exist. Correct keepwell_signing_key.",
        "Runs would not be stamped: /no.pem does not exist (keepwell_timestamp_ca).",
    ]
