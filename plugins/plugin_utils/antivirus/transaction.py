# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: follow antivirus work on a host to its end, and take the end into the change record.

Runs on the control node.
"""

from __future__ import annotations

import typing as t

from ansible_collections.keepwell.fleet.plugins.plugin_utils.antivirus import outcome
from ansible_collections.keepwell.fleet.plugins.plugin_utils.antivirus.work import AntivirusAction, Job
from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord, Step
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores import following
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import iso

# Besides a scan: an update, a service that starts, what was found looked at again.
_OTHER_S = 3600.0


def limits(job: Job) -> dict[str, t.Any]:
    """Return by what the work on the host is limited."""
    scan = job.options.scan_limits
    return {
        "runtime_s": int(scan.minutes * 60 + job.splay_s() + _OTHER_S),
        "nice": scan.nice,
        "idle": True,
        # Ending the work ends the scanner, too.
        "whole": True,
        "cpu_percent": scan.cpu_percent,
        "memory_bytes": scan.memory_mb << 20,
        "read_limit": f"/ {scan.read_mb_s * 1000000}" if scan.read_mb_s else "",
    }


def take_up(action: AntivirusAction, job: Job, record: ChangeRecord) -> list[str]:
    """Wait for work that an earlier run began and take it into this record; return its ids.

    Raises as ``following.follow``; the record says then what is known.
    """
    left = action.ask({"operation": "unfinished"}, job.task_vars)["work"]
    taken = []
    for found in sorted(left, key=lambda entry: float(entry.get("started_at") or 0.0)):
        if record.transaction:
            # Its end is in this record already.
            action.ask({"operation": "recorded", "id": record.transaction}, job.task_vars)
        record.outcome, record.transaction = "running", str(found["id"])
        record.begun_by = str(found.get("run_id") or "")
        job.save(record)
        follow(action, job, record)
        taken.append(record.transaction)
    return taken


def follow(action: AntivirusAction, job: Job, record: ChangeRecord) -> None:
    """Wait for the end and take it in. A good one leaves the record running: the host is assessed again first."""
    state = following.follow(action, job, record.transaction, limits(job)["runtime_s"])
    record.bounded = str(state.get("bounded") or "")
    shown = job.options.paths == "shown"
    # These may hold paths.
    record.log = str(state.get("log_tail") or "")[-4000:] if shown else ""
    record.antivirus = outcome.change(state, shown=shown)
    results = state.get("results") or {}
    for name in state.get("steps") or []:
        if name not in results:
            continue
        word: t.Literal["done", "failed"] = "failed" if results[name]["result"] == "failed" else "done"
        text = str(results[name]["text"]) if shown else str(results[name].get("code") or word)
        began, ended = iso(results[name]["began"]), iso(results[name]["ended"])
        record.steps.append(Step(name=name, outcome=word, text=text, started_at=began, ended_at=ended))
    if state.get("outcome") != "done":
        record.outcome = "refused" if state.get("outcome") == "refused" else "failed"
        record.code = str(state.get("code") or "failed")
        record.text = str(state.get("text") or "") if shown else f"The work ended with '{record.code}'."
    job.save(record)
