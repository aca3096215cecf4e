# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make believable backups of the hosts of a made-up run: the same arguments give the same backups, always."""

from __future__ import annotations

import typing as t

from fleet_maker import DAY, HOSTILE_TEXT, NOW

from ansible_collections.keepwell.fleet.plugins.plugin_utils import run_document
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import DatasetSummary, iso

HOUR = 3600.0
# What the five verdicts are, how old the newest snapshot is (hours), how many days ago something came back, when the
# next test is due (days), and what is said of it.
STORIES: tuple[tuple[tuple[str, ...], float | None, float | None, float | None, str], ...] = (
    (("ok", "ok", "ok", "ok", "ok"), 7, 3, 27, "Fresh, and a sample came back 3 days ago."),
    (("crit", "ok", "ok", "ok", "watch"), 75, 12, 18, "The newest snapshot is 75 hours old; agreed are 26."),
    (("ok", "act", "ok", "watch", "ok"), 9, 41, -11, "/srv/accounting/ledger is not in the newest snapshot."),
    (("ok", "ok", "crit", "crit", "ok"), 3, None, -2, "A pack of the repository is damaged: nothing came back."),
    (("unknown", "unknown", "unknown", "unknown", "unknown"), None, None, None, "The verifier was not reached."),
    (("watch", "ok", "ok", "ok", "act"), 27, 20, 10, "The newest snapshot is 27 hours old; agreed are 26."),
)
TOOLS = ("restic", "borg", "kopia", "pg_dump", "mysql_dump", "archive")
# (kind, outcome, text) of the tests of the run.
ENDS = (
    ("sample", "proven", "20 files came back; 18 are identical with the live ones, 2 were changed since."),
    ("subset", "damaged", "Part 3 of 13 of the data cannot be read: pack 7d1c2a is damaged."),
    ("database", "failed", "The dump restores with errors: relation orders does not exist."),
    ("structure", "locked", "A lock of files1 from 07:12 keeps the repository; it is left alone."),
    ("full", "refused", "The sandbox has too little room: 3 GiB are free, 41 GiB are needed."),
)


def with_backups(run: run_document.Run, *, per_host: int = 1, hostile: bool = False) -> run_document.Run:
    """Return the run with datasets for its hosts, and with tests of every second of them."""
    hosts = [host.host for host in run.hosts]
    entries = [
        _dataset(host, number * per_host + copy, copy, hostile)
        for number, host in enumerate(hosts)
        for copy in range(per_host)
    ]
    tests = [_test(entry, number, hostile) for number, entry in enumerate(entries[::2])]
    return run.model_copy(update={"backups": entries, "backup_tests": tests})


def _dataset(host: str, number: int, copy: int, hostile: bool) -> DatasetSummary:
    states, age, proof, due, said = STORIES[number % len(STORIES)]
    fresh, complete, integrity, restorable, survives = states
    paths = {"/etc": proof, "/srv/accounting/ledger": None if number % 3 == 2 else proof, "/srv/shop": proof}
    document: dict[str, t.Any] = {
        "host": host,
        "dataset": f"files{copy or ''}",
        "protects": HOSTILE_TEXT if hostile else "The files of accounting since 2012",
        "tool": TOOLS[number % len(TOOLS)],
        "verifier": host if number % 2 else "vault1.demolen.example",
        "repository_key": "00112233445566aa",
        "freshness": fresh,
        "completeness": complete,
        "integrity": integrity,
        "restorability": restorable,
        "survivability": survives,
        "looked_at": iso(NOW - 60),
        "data_age_s": None if age is None else age * HOUR,
        "rpo_s": 26 * HOUR,
        "tested_kind": "sample" if proof else "",
        "tested_at": iso(NOW - proof * DAY) if proof else None,
        "tested_outcome": "proven" if proof else "",
        "proven_kind": "sample" if proof else "",
        "proven_at": iso(NOW - proof * DAY) if proof else None,
        "read_percent": (37 * number) % 101,
        "read_all_days": 90,
        "rto_estimate_s": 5000.0 if proof else None,
        "rto_target_s": 4 * HOUR if number % 2 else None,
        "next_kind": "sample" if due else "",
        "next_due": iso(NOW + due * DAY) if due else None,
        "never_restored": sum(days is None for days in paths.values()),
        "restored": {
            path + (HOSTILE_TEXT if hostile else ""): None if days is None else iso(NOW - days * DAY)
            for path, days in paths.items()
        },
        "restored_paths": 20 * number,
        "proven": states == ("ok",) * 5,
        "reason": HOSTILE_TEXT if hostile else said,
    }
    return DatasetSummary.model_validate(document)


def _test(entry: DatasetSummary, number: int, hostile: bool) -> run_document.BackupTest:
    kind, outcome, text = ENDS[number % len(ENDS)]
    restored = kind in ("sample", "full", "database")
    return run_document.BackupTest(
        host=entry.host,
        dataset=entry.dataset,
        verifier=entry.verifier,
        kind=kind,
        at=iso(NOW - 300),
        outcome=outcome,
        text=HOSTILE_TEXT if hostile else text,
        snapshot_at=iso(NOW - 7 * HOUR),
        files=20 if restored and outcome == "proven" else None,
        bytes=41_000_000 if outcome in ("proven", "damaged") else None,
        seconds=3.4 if outcome in ("proven", "damaged") else None,
        compared=18 if outcome == "proven" else 0,
        changed=2 if outcome == "proven" else 0,
        wrong=1 if outcome == "failed" else 0,
        left="/var/lib/keepwell/sandbox/x: read-only" if outcome == "failed" else "",
    )
