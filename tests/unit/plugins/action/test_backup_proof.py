"""The gate that other playbooks ask: an answer from evidence alone, with its reason."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from fleet_runs import NOW, host_evidence, record, verification

from ansible_collections.keepwell.fleet.plugins.action import backup_proof
from ansible_collections.keepwell.fleet.plugins.plugin_utils import evidence, settings
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.datasets import Dataset

DAY = 86400.0
FILES = {"id": "files", "protects": "the files", "tool": "restic", "repository": "/srv/r"}


class Templar:
    """Gives back what it gets."""

    def template(self, value: object) -> object:
        return value


def ask(tmp_path: Path, max_age_days: float | None = None, fail: bool = False, **variables: t.Any) -> dict[str, t.Any]:
    action = object.__new__(backup_proof.ActionModule)
    action._templar = Templar()
    told = {
        "inventory_hostname": "web1",
        "keepwell_client": "acme",
        "keepwell_state_dir": str(tmp_path),
        "keepwell_lab": True,
        "keepwell_now": "2026-11-23T02:00:00Z",
        "backup_verification_datasets": [FILES],
        **variables,
    }
    return action.work({"max_age_days": max_age_days, "fail": fail}, told)


def proven(tmp_path: Path, days: float) -> None:
    """A run that saw a fresh snapshot and restored a sample so many days ago."""
    sample = {"id": "1", "kind": "sample", "at": NOW - days * DAY, "outcome": "proven", "identical": 3}
    look = {"status": "ok", "snapshots": [{"id": "a", "time": NOW - 3600}]}
    key = Dataset.model_validate(FILES).repository_key
    made = verification("web1", look=look, proofs=[sample], repository_key=key)
    record(evidence.Store(tmp_path, "acme"), [host_evidence("web1", {})], verifications=[made])


def test_what_was_restored_lately_is_proven(tmp_path: Path) -> None:
    proven(tmp_path, 20)
    found = ask(tmp_path, fail=True)
    assert (found["proven"], found["failed"], found["changed"]) == (True, False, False)
    assert found["reason"] == "files: fresh, and proven by a sample restore 20 days ago."
    assert found["datasets"] == [
        {"id": "files", "proven": True, "reason": "fresh, and proven by a sample restore 20 days ago."}
    ]


def test_who_asks_may_want_a_younger_proof(tmp_path: Path) -> None:
    proven(tmp_path, 20)
    found = ask(tmp_path, max_age_days=10)
    assert (found["proven"], found["failed"]) == (False, False)
    assert ask(tmp_path, max_age_days=10, fail=True)["failed"]
    assert found["msg"] == "web1: files: the last proven restore (sample) was 20 days ago, 10 days are agreed."
    with pytest.raises(settings.SettingsError, match=r"max_age_days must be above 0 \(given: 0\)"):
        ask(tmp_path, max_age_days=0)


def test_without_evidence_nothing_is_proven_and_nothing_is_written(tmp_path: Path) -> None:
    found = ask(tmp_path)
    assert (found["proven"], found["reason"]) == (False, "files: nobody has looked at the repository yet.")
    assert list(tmp_path.iterdir()) == []


def test_without_datasets_nothing_is_proven(tmp_path: Path) -> None:
    found = ask(tmp_path, backup_verification_datasets=[], fail=True)
    assert (found["proven"], found["failed"]) == (False, True)
    assert found["reason"].startswith("No dataset is declared")


def test_a_host_that_needs_no_backup_never_fails(tmp_path: Path) -> None:
    waived = {"backup": {"required": False, "not_required_reason": "rebuilt from code"}}
    found = ask(tmp_path, fail=True, backup_verification_datasets=[], keepwell_policy=waived)
    assert (found["proven"], found["needed"], found["failed"]) == (False, False, False)
    assert found["reason"] == "The policy says that this host needs no backup: rebuilt from code"
