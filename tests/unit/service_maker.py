# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Give a made-up run what only the owner's page tells: an agreement, and a record of the weeks before."""

from __future__ import annotations

import datetime
import typing as t

from fleet_maker import DAY, HOSTILE_TEXT, NOW

from ansible_collections.keepwell.fleet.plugins.plugin_utils import assessment, run_document
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import iso
from ansible_collections.keepwell.fleet.plugins.plugin_utils.service.models import Agreement, ServiceRecord

# The made-up checks are fewer and have short names; the page looks for some, and translates the titles of real ones.
_REAL = {
    "patching.security": "patching.security_pending",
    "patching.reboot": "patching.reboot_required",
    "backup.age": "backup.freshness",
    "backup.restore_test": "backup.restorability",
    "services.failed": "services.failed_units",
    "capacity.filesystems": "capacity.space",
    "lifecycle.os": "lifecycle.os_support",
    "hardware.smart": "hardware.disk_health",
}
_TITLES = {check.id: check.title for check in assessment.check_infos()}
_TODAY = datetime.date(2026, 11, 23)


def with_service(
    run: run_document.Run, *, hostile: bool = False, empty: bool = False, locale: str = "en"
) -> run_document.Run:
    """Return the run as a client of that language gets it. ``empty``: on the first day, with nothing agreed."""
    hosts = [
        host.model_copy(
            update={
                "results": [r.model_copy(update={"check": _REAL.get(r.check, r.check)}) for r in host.results],
            }
        )
        for host in run.hosts
    ]
    checks = [check.model_copy(update=_real(check.id, check.title, "id")) for check in run.checks]
    problems = [problem.model_copy(update=_real(problem.check, problem.title)) for problem in run.problems]
    grade = run.grade
    if grade:
        steps = [step.model_copy(update={"check": _REAL.get(step.check, step.check)}) for step in grade.steps]
        grade = grade.model_copy(update={"steps": steps})
    client = run.header.client.model_copy(update={"locale": locale})
    update: dict[str, t.Any] = {"client": client}
    if not empty:
        update["agreement"] = Agreement.model_validate(
            _agreement(len(run.hosts), HOSTILE_TEXT[:100] if hostile else "")
        )
    return run.model_copy(
        update={
            "header": run.header.model_copy(update=update),
            "hosts": hosts,
            "checks": checks,
            "problems": problems,
            "grade": grade,
            "service": ServiceRecord.model_validate(_record(run, empty, hostile)),
        }
    )


def _real(check: str, title: str, key: str = "check") -> dict[str, str]:
    real = _REAL.get(check, check)
    return {key: real, "title": _TITLES.get(real, title)}


def _agreement(hosts: int, text: str) -> dict[str, t.Any]:
    return {
        "plans": [{"name": text[:60] or "Care", "hosts": hosts, "availability_percent": 99.5, "price_model": "flat"}],
        "security_days": 14,
        "restore_days": 90,
        "windows": [
            {
                "name": "sunday-night",
                "begin": iso(NOW + days * DAY),
                "end": iso(NOW + days * DAY + 4 * 3600),
                "allow": ["patch", "reboot"],
                "hosts": hosts,
            }
            for days in (6, 13, 20)
        ],
        "agenda": {
            "decisions": [
                {
                    "ask": text or "Replace the cash desk computer before it gets no more fixes?",
                    "by": _TODAY + datetime.timedelta(days=22),
                    "otherwise": text or "After 31 December nobody closes new holes in it.",
                    "price": text[:60] or "EUR 740 once",
                },
                {"ask": text or "May we restart the shop server on a Sunday afternoon?", "by": _TODAY},
                {"ask": "Answered", "by": _TODAY, "answer": "yes"},
            ],
            "promises": [
                {
                    "what": text or "Move the backups to a second site",
                    "by": _TODAY - datetime.timedelta(days=3),
                    "kept": _TODAY - datetime.timedelta(days=5),
                },
                {
                    "what": text or "Replace the second disk of files1",
                    "by": _TODAY - datetime.timedelta(days=8),
                    "note": text or "The part is on its way.",
                },
            ],
            "dates": [
                {"what": text or "The contract for the web shop ends", "when": _TODAY + datetime.timedelta(days=39)}
            ],
        },
    }


def _record(run: run_document.Run, empty: bool, hostile: bool) -> dict[str, t.Any]:
    record: dict[str, t.Any] = {"begin": iso(NOW - 30 * DAY), "end": iso(NOW)}
    if empty:
        return record
    size = len(run.hosts)
    name = run.hosts[0].host if run.hosts else "web01"
    return {
        **record,
        "days": [
            {
                "day": (_TODAY - datetime.timedelta(days=ago)).isoformat(),
                "asked": size,
                "answered": 0 if ago == 41 else size - (ago % 11 == 3) - (size // 3 if ago == 17 else 0),
                "worked": 3 if ago % 7 == 1 else 0,
            }
            for ago in range(80, -1, -1)
            if ago not in (30, 31)
        ],
        "disk": {
            "host": name,
            "mount": "/srv" + (HOSTILE_TEXT if hostile else ""),
            "points": [(iso(NOW - ago * DAY), 90.0 - ago * 0.4) for ago in range(40, -1, -2)],
            "full_at": iso(NOW + 26 * DAY),
            "early_at": iso(NOW + 24 * DAY),
            "late_at": iso(NOW + 31 * DAY),
        },
        "work": {
            "looks": 31,
            "jobs": 68,
            "updates": 1384,
            "updated_hosts": 12,
            "reboots": 9,
            "cves": 211,
            "antivirus": 24,
            "cleaned_hosts": 2,
            "freed_bytes": 41_300_000_000,
            "restores": 6,
            "restored": 5,
            "failed": 1,
            "examples": [
                {"at": iso(NOW - 22 * DAY), "host": name, "kind": "updates", "amount": 41, "rebooted": True},
                {"at": iso(NOW - 12 * DAY), "host": name, "kind": "restore", "amount": 20},
                {"at": iso(NOW - 4 * DAY), "host": name, "kind": "cleanup", "amount": 31_000_000_000},
            ],
        },
        "earlier_at": iso(NOW - 31 * DAY),
        "earlier": [
            {**_real("backup.age", ""), "state": "crit", "hosts": 2, "left": 0},
            {**_real("patching.reboot", ""), "state": "act", "hosts": 5, "left": 2},
            {**_real("lifecycle.os", ""), "state": "act", "hosts": 1, "left": 1},
        ],
    }
