# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make believable work on the hosts of a made-up run: the same arguments give the same work, always."""

from __future__ import annotations

import hashlib
import typing as t

from fleet_maker import HOSTILE_TEXT, NOW

from ansible_collections.keepwell.fleet.plugins.plugin_utils import acted, run_document
from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord, Outcome
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import iso
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.models import Plan

PACKAGES = (
    ("openssl", "3.0.15-1~deb12u1", "3.0.17-1~deb12u3", "security"),
    ("libssl3", "3.0.15-1~deb12u1", "3.0.17-1~deb12u3", "security"),
    ("linux-image-amd64", "6.1.137-1", "6.1.153-1", "security"),
    ("nginx", "1.22.1-9+deb12u1", "1.22.1-9+deb12u3", "security"),
    ("base-files", "12.4+deb12u10", "12.4+deb12u12", "point_release"),
    ("libpq5", "15.12-0+deb12u2", "15.14-0+deb12u1", "security"),
)
STORIES: tuple[tuple[Outcome, str, str], ...] = (
    ("done", "", "6 packages changed, nothing else is other than before."),
    ("failed", "unit_lost", "nginx.service does not run any more after the update. Look at its log, then run again."),
    ("done", "", "6 packages changed, rebooted into the new kernel."),
    ("skipped", "ring", "Ring 2 waits: web01.demolen.example of ring 1 is well for 3 of 24 hours."),
    ("rolled_back", "probe_failed", "The shop did not answer after the update; the packages from before are back."),
    ("nothing", "", "Nothing that the policy wants is pending."),
    ("refused", "disk_full", "space:/boot: 41 MiB free (100 MiB are needed). Remove an old kernel."),
    ("lost", "connection_lost", "The connection was lost during 'apply' and did not come back within 300 s."),
    ("skipped", "window_closed", "No maintenance window is open. The next is 'sunday-night', Sun 2026-11-29 22:00."),
    ("running", "", "The run was killed while the packages were installed."),
)


def with_work(
    run: run_document.Run, *, changes: bool = True, plans: bool = True, hostile: bool = False, bad: bool = False
) -> run_document.Run:
    """Return the run with plans for its hosts and, with ``changes``, with what became of them."""
    hosts = [host.host for host in run.hosts if host.contact.reached]
    told = [_plan(run, host, number, hostile) for number, host in enumerate(hosts)] if plans else []
    made = [_change(run, host, 1 if bad else number, hostile) for number, host in enumerate(hosts)] if changes else []
    header = run.header.model_copy(update={"acting": ["patching"] if changes else []})
    return run.model_copy(update={"header": header, "plans": acted.plans(told), "changes": acted.changes(made)})


def _hash(host: str) -> str:
    return hashlib.sha256(host.encode("utf-8", "replace")).hexdigest()


def _plan(run: run_document.Run, host: str, number: int, hostile: bool) -> Plan:
    many = 1 if number % 5 else 60
    items: list[dict[str, t.Any]] = [
        {
            "name": name if not copy else f"{name}-{copy}",
            "installed": before,
            "version": HOSTILE_TEXT if hostile else after,
            "update_class": kind,
            "cves": [f"CVE-2026-{1000 + copy}"],
        }
        for copy in range(many)
        for name, before, after, kind in PACKAGES
    ]
    if number % 4 == 3:
        items = []
    wrong = [{"name": "space:/boot", "passed": False, "observed": "41 MiB free", "expected": "100 MiB"}]
    return Plan.model_validate(
        {
            "run_id": run.header.run_id,
            "client": run.header.client.id,
            "host": host,
            "made_at": iso(NOW - 60),
            "manager": "apt",
            "policy": "security",
            "items": items,
            "withheld": [
                {"name": "postgresql", "version": "15", "update_class": "security", "code": "exclusion", "reason": "x"}
            ]
            * (number % 3),
            "transaction": [{"name": item["name"], "action": "upgrade"} for item in items],
            "plan_hash": _hash(host),
            "preflight": wrong if number % 7 == 6 else [],
            "reboot": {"expected": ("yes", "no", "unknown")[number % 3]},
            "rollback": {"possible": "yes", "text": "old packages are kept"},
            "download_bytes": 41_000_000,
            "ring": number % 3 + 1,
            "doubts": ["the lists of packages are 9 days old"] if number % 9 == 8 else [],
        }
    )


def _change(run: run_document.Run, host: str, number: int, hostile: bool) -> ChangeRecord:
    outcome, code, text = STORIES[number % len(STORIES)]
    touched = outcome not in ("skipped", "nothing", "refused")
    said = HOSTILE_TEXT if hostile else text
    record: dict[str, t.Any] = {
        "run_id": run.header.run_id,
        "client": run.header.client.id,
        "host": host,
        "chore": "patching",
        "outcome": outcome,
        "code": code,
        "text": said,
        "started_at": iso(NOW - 900),
        "ended_at": None if outcome == "running" else iso(NOW - 200),
        "ring": number % 3 + 1,
        "approver": "Maria Jansen",
        "ticket": "CHG-2217",
        "plan_hash": _hash(host),
    }
    if touched:
        record |= {
            "window": "sunday-night",
            "transaction": "01KARN3T5V7X9Z1B3D5F7H9K2M",
            "versions": [
                {"name": name, "arch": "amd64", "before": old, "after": new} for name, old, new, _k in PACKAGES
            ],
            "cves": [f"CVE-2026-{1000 + n}" for n in range(14)],
            "reboot": {
                "required": "yes",
                "reasons": ["the kernel 6.1.153-1 is installed and not running"],
                "done": number % 2 == 0,
                "boot_before": "5f0c2b1e-1111-4222-8333-444455556666" if number % 2 == 0 else "",
                "boot_after": "9a8b7c6d-1111-4222-8333-444455556666" if number % 2 == 0 else "",
                "kernel_before": "6.1.0-37-amd64",
                "kernel_after": "6.1.0-40-amd64" if number % 2 == 0 else "",
            },
            "services": {"nginx.service": "restarted", "dbus.service": "left alone: it is never restarted"},
            "steps": [
                {"name": name, "outcome": how, "text": words, "started_at": iso(NOW - 800), "ended_at": iso(NOW - 700)}
                for name, how, words in (
                    ("apply", "done", "6 packages changed"),
                    ("restart_services", "skipped" if number % 3 else "done", "dbus.service is never restarted"),
                    ("verify", "failed" if outcome in ("failed", "rolled_back") else "done", said),
                )
            ],
            "rollback": "The packages from before are kept on the host until 7 Dec.",
            "bounded": "systemd unit, 120 minutes",
        }
    if outcome in ("failed", "rolled_back"):
        record |= {
            "differences": [
                {"kind": "unit", "name": "nginx.service", "before": "active", "after": said if hostile else "failed"},
                {"kind": "listener", "name": "tcp/9100", "after": "node_exporter", "bad": False},
            ],
            "findings_new": ["services.failed"],
            "residual": ["libpq5: left out until the database is moved"],
            "config_files": ["/etc/nginx/nginx.conf.dpkg-dist"],
            "log": f"Setting up nginx (1.22.1-9+deb12u3) ...\n{said}\n" * 30,
        }
    return ChangeRecord.model_validate(record)
