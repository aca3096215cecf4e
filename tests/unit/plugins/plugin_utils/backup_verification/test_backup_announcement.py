# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The announcement tells what would be read and restored, and what is left to another run."""

from __future__ import annotations

import typing as t

from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification import announcement
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.models import DueTest
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.plans import (
    Looked,
    PlannedTest,
    TestPlan,
    Told,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import Client, epoch

NOW = epoch("2026-11-23T06:36:12Z")
CLIENT = Client(id="acme", name="Acme Ltd")
TOLD: dict[str, t.Any] = {
    "snapshot": "4a1f",
    "snapshot_time": NOW - 3600,
    "files": [f"/srv/accounting/{name}" for name in "abcdefg"],
    "files_count": 20,
    "bytes": 3 << 20,
    "total_files": 4000,
    "target": "/var/lib/keepwell/sandbox",
    "free_bytes": 9 << 30,
    "notes": ["noexec"],
    "steps": ["Restore 20 files into a new folder.", "Remove all of it again."],
}


def planned(kind: t.Any = "sample", chosen: bool = True, reason: str = "never done", **told: t.Any) -> PlannedTest:
    return PlannedTest(
        host="files1",
        dataset="accounting",
        protects="The files of accounting",
        tool="restic",
        repository="/srv/backup/restic",
        test=DueTest(kind=kind, reason=reason),
        chosen=chosen,
        minutes=5,
        told=Told(**{**TOLD, **told}) if chosen else None,
    )


def text(*tests: PlannedTest, acting: bool = False, **more: t.Any) -> str:
    looked = more.pop("looked", [Looked(name="files1/accounting", status="ok")])
    plans = [
        TestPlan(
            run_id="r", client="acme", host="vault1", made_at="2026-11-23T06:36:12Z", looked=looked, tests=list(tests)
        )
    ]
    return announcement.client(CLIENT, plans, more.get("absent", {}), more.get("silent", ()), "R1", NOW, acting=acting)


def test_a_test_is_told_with_everything_that_somebody_has_to_agree_to() -> None:
    assert text(planned(), planned("full", chosen=False, reason="not now: the budget is used up (never done)")) == (
        "Tests of backups of Acme Ltd, planned 2026-11-23T06:36:12Z (run R1)\n"
        "This is an announcement: nothing has been read for a test, restored or written.\n"
        "\n"
        "vault1: 1 test; looked at 1 dataset\n"
        "  files1/accounting, sample: never done\n"
        "    Protects: The files of accounting\n"
        "    restic: /srv/backup/restic\n"
        "    Snapshot: 4a1f, from 2026-11-23T05:36:12Z\n"
        "    Files: 20 of 4000, 3.0 MiB\n"
        "      /srv/accounting/a\n"
        "      /srv/accounting/b\n"
        "      /srv/accounting/c\n"
        "      /srv/accounting/d\n"
        "      /srv/accounting/e\n"
        "      and 15 more\n"
        "    Into: /var/lib/keepwell/sandbox, 9.0 GiB free (noexec)\n"
        "    - Restore 20 files into a new folder.\n"
        "    - Remove all of it again.\n"
        "  Left to another run:\n"
        "    files1/accounting full: not now: the budget is used up (never done)\n"
        "\n"
        "To do these tests, inside a maintenance window that allows backup_verification\n"
        "(with backup_verification_slot: any at any time):\n"
        "  -e backup_verification_act=true\n"
    )


def test_a_snapshot_is_told_by_as_much_of_its_hash_as_its_tool_shows() -> None:
    name = "a59b72efc591" + "0" * 52
    said = text(planned(snapshot=name, steps=[f"Restore 20 files of the snapshot {name} into a new folder."]))
    assert "    Snapshot: a59b72efc591, from 2026-11-23T05:36:12Z\n" in said
    assert "    - Restore 20 files of the snapshot a59b72efc591 into a new folder.\n" in said


def test_a_snapshot_without_what_is_to_come_back_is_told() -> None:
    said = text(planned("canary", files_count=0, files=[], bytes=0))
    assert "    Files: none; the snapshot has nothing of what is to be restored\n" in said


def test_what_stands_against_a_test_is_told() -> None:
    assert "    NOT READY: The sandbox has too little room.\n" in text(
        planned(code="no_space", refused="The sandbox has too little room.")
    )


def test_an_acting_run_does_not_call_itself_an_announcement() -> None:
    said = text(planned(), acting=True)
    assert "one after the other" in said
    assert "backup_verification_act" not in said


def test_what_could_not_be_seen_is_named() -> None:
    said = text(
        looked=[Looked(name="files1/accounting", status="bad_password", detail="The password does not open it.")],
        absent={"web1/shop": "vault9"},
        silent=["vault2"],
    )
    assert "  NOT SEEN files1/accounting: bad_password. The password does not open it.\n" in said
    assert "web1/shop: its verifier vault9 is no part of this run; not looked at.\n" in said
    assert "Could not look, see the run's messages: vault2\n" in said
    assert "vault1: nothing is due; looked at 1 dataset\n" in said


def test_a_client_without_datasets_is_told_so() -> None:
    said = announcement.client(CLIENT, [], {}, (), "R1", NOW, acting=False)
    assert "No dataset is declared (backup_verification_datasets).\n" in said


def test_names_from_hosts_cannot_steer_the_terminal() -> None:
    said = text(planned(files=["/srv/\u202egpj.exe\x1b[2J"], snapshot="\x1b[31m", steps=["Restore \x07."]))
    assert not [character for character in said if ord(character) < 32 and character != "\n"]
    assert "\u202e" not in said
