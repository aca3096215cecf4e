# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is known of datasets reaches the evidence of a host and run.json, also of a host that is dead."""

from __future__ import annotations

import datetime as dt
import typing as t
from pathlib import Path

import pytest
from fleet_runs import NOW, host_evidence, record, verification

from ansible_collections.keepwell.fleet.plugins.plugin_utils import assessment, evidence, history, policy
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification import declaring, options
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._registry import CHECKS
from ansible_collections.keepwell.fleet.plugins.plugin_utils.exceptions import Waiver
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import Contact, HostEvidence
from ansible_collections.keepwell.fleet.plugins.plugin_utils.settings import SettingsError

DAY = 86400.0
HOUR = 3600.0
SECRET = "correct-horse-battery"
FIVE = tuple(f"backup.{name}" for name in ("freshness", "completeness", "integrity", "restorability", "survivability"))
GONE = Contact(reached=False, reason="not reachable: no answer")
DECLARED = options.declared(
    {
        "backup_verification_datasets": [
            {
                "id": "files",
                "protects": "the files of accounting",
                "tool": "restic",
                "repository": "/srv/r",
                "verifier": "vault",
                "rto_hours": 4,
                "expected_paths": ["/srv/files", "/srv/mail"],
                "credentials": {"environment": {"RESTIC_PASSWORD": SECRET}},
            }
        ]
    }
)
SNAPSHOTS = [{"id": "old", "time": NOW - 3 * DAY, "bytes": 1000, "host": "web1", "paths": ["/srv/files"]}]
PROOFS = [
    {"id": "1", "kind": "data", "at": NOW - DAY, "outcome": "proven"},
    {
        "id": "2",
        "kind": "sample",
        "at": NOW - 2 * DAY,
        "outcome": "proven",
        "identical": 3,
        "bytes": 100,
        "seconds": 1.0,
        "paths": ["/srv/files/a"],
    },
    {"id": "3", "kind": "sample", "at": NOW - HOUR, "outcome": "refused"},
]


@pytest.fixture
def store(tmp_path: Path) -> evidence.Store:
    return evidence.Store(tmp_path, "acme")


def judge(store: evidence.Store, **more: t.Any) -> HostEvidence:
    """Judge a host of which nobody heard anything, with what the index knows of its dataset."""
    known = history.open_history(store).of("web1", NOW)
    backups = declaring.known(store, None, "web1", DECLARED, known)
    judging = assessment.Judging(
        "01K0000000000000000000000A", "acme", "web1", (), NOW, policy.build([]), backups=backups, **more
    )
    return assessment.judge_silence(judging, GONE, known.finding_first_seen, known)


def looked(store: evidence.Store) -> None:
    seen = {"status": "ok", "missing": [], "snapshots": SNAPSHOTS}
    key = DECLARED.datasets[0].repository_key
    made = verification("web1", at=NOW - HOUR, look=seen, proofs=PROOFS, repository_key=key, verifier="vault")
    record(store, [host_evidence("vault", {})], verifications=[made], at=NOW - HOUR)


def test_a_dead_host_is_judged_by_what_another_machine_saw(store: evidence.Store) -> None:
    looked(store)
    found = judge(store)
    results = {result.check: result for result in found.result.results}
    assert found.result.state == "crit"
    assert results["backup.freshness"].state == "crit"
    [finding] = results["backup.freshness"].findings
    assert finding.data["rpo_factor"] > 2
    assert results["backup.proof"].state == "act"
    assert results["backup.present"].state == "unknown"
    assert len(results["availability.contact"].findings) == 1
    assert {check.id for check in CHECKS} == set(results) | set(found.result.not_applicable)


def test_a_dead_host_without_datasets_is_unknown_and_no_more(store: evidence.Store) -> None:
    judging = assessment.Judging("01K0000000000000000000000A", "acme", "web1", (), NOW, policy.build([]))
    found = assessment.judge_silence(judging, GONE)
    assert {result.state for result in found.result.results} == {"unknown"}
    assert found.result.state == "unknown"
    assert set(found.result.not_applicable) == {*FIVE, "availability.schedule", "availability.awx"}
    assert found.backups == []


def test_a_dataset_in_short(store: evidence.Store) -> None:
    looked(store)
    [short] = judge(store).backups
    assert short.model_dump(exclude={"repository_key", "reason"}) == {
        "host": "web1",
        "dataset": "files",
        "protects": "the files of accounting",
        "tool": "restic",
        "verifier": "vault",
        "freshness": "crit",
        "completeness": "ok",
        "integrity": "ok",
        "restorability": "unknown",
        "survivability": "act",
        "looked_at": "2026-11-23T01:00:00Z",
        "data_age_s": 3 * DAY,
        "rpo_s": 26 * HOUR,
        "tested_kind": "sample",
        "tested_at": "2026-11-23T01:00:00Z",
        "tested_outcome": "refused",
        "proven_kind": "sample",
        "proven_at": "2026-11-21T02:00:00Z",
        "read_percent": 100,
        "read_all_days": 90.0,
        "rto_estimate_s": 10.0,
        "rto_target_s": 4 * HOUR,
        "next_kind": "full",
        "next_due": "2026-11-23T02:00:00Z",
        "never_restored": 1,
        "restored": {"/srv/files": "2026-11-21T02:00:00Z", "/srv/mail": None},
        "restored_paths": 1,
        "proven": False,
    }
    assert short.reason == "the data is 3 days old, 26 hours are agreed."


def test_what_somebody_accepted_is_shown_as_accepted(store: evidence.Store) -> None:
    looked(store)
    day = dt.date(2027, 1, 1)
    waiver = Waiver(check="backup.freshness", object="files", reason="is moved", approver="Ada", expires=day)
    assert judge(store, waivers=[waiver]).backups[0].freshness == "accepted"


def test_run_json_has_every_dataset_and_nothing_has_the_secret(store: evidence.Store) -> None:
    looked(store)
    known = history.open_history(store)
    run_id = record(store, [judge(store)], at=NOW, population=["vault", "web1"])
    run = store.read_run(run_id)
    assert [(entry.host, entry.dataset, entry.freshness) for entry in run.backups] == [("web1", "files", "crit")]
    assert run.grade is not None
    assert "a backup is more than twice as old as agreed" in [cap.reason for cap in run.grade.caps]
    assert "no restore has been proven within the agreed interval" in [cap.reason for cap in run.grade.caps]
    assert not known.behind()
    for path in store.root.rglob("*"):
        if path.is_file():
            assert SECRET.encode() not in path.read_bytes(), path


def test_what_this_run_saw_is_newer_than_the_index(store: evidence.Store) -> None:
    looked(store)
    known = history.open_history(store).of("web1", NOW)
    store.begin(store.read_run(store.run_ids()[0]).header.model_copy(update={"run_id": "01K9000000000000000000000A"}))
    store.write_verification(
        verification("web1", run_id="01K9000000000000000000000A", at=NOW, look={"status": "locked"}, looked_at=None)
    )
    [found] = declaring.known(store, "01K9000000000000000000000A", "web1", DECLARED, known)
    assert found.look is not None
    assert found.look.status == "ok", "a document without a look takes no look away"
    store.write_verification(
        verification("web1", run_id="01K9000000000000000000000A", at=NOW, look={"status": "locked"})
    )
    [found] = declaring.known(store, "01K9000000000000000000000A", "web1", DECLARED, known)
    assert found.look is not None
    assert (found.look.status, found.looked_at, len(found.proofs)) == ("locked", NOW, 3)


class Templar:
    """Gives back what it gets."""

    def template(self, value: object) -> object:
        return value


def test_what_a_host_declares_is_read_from_its_variables_alone() -> None:
    assert declaring.read(Templar(), {"backup_verification_act": "perhaps"}) == options.Declared()
    with pytest.raises(SettingsError, match=r"^backup_verification_datasets\.0\.protects: Field required"):
        declaring.read(Templar(), {"backup_verification_datasets": [{"id": "files"}]})
