# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: follow a transaction on a host, and take what it tells into the change record.

Runs on the control node.
"""

from __future__ import annotations

import time
import typing as t
from collections.abc import Mapping

from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord, Outcome, Version
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores import following
from ansible_collections.keepwell.fleet.plugins.plugin_utils.host_action import HostAction, HostError
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.work import Job
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.wua import standing

# Between two looks at a Windows host: each reads its whole history of updates.
_PAUSE_S: t.Final = 15.0
# Going back is a transaction, too. On packages that the last one left in between nobody can promise how it ends, and
# the scripts that just failed would run again.
_STAYS: t.Final = (
    "Not taken back by itself: the package manager did not finish, and only a change that it finished is taken back. "
    "Mend the host by hand. What was kept of the old packages is below /var/lib/keepwell/patching."
)

_STAYS_ON_WINDOWS: t.Final = (
    "Not taken back: Windows takes back by itself what it could not finish, and nothing else can be taken back from "
    "here. Restore the machine from a snapshot or a backup where that is needed."
)


def follow(action: HostAction, job: Job, transaction: str) -> dict[str, t.Any]:
    """Wait for the end of a transaction and return its last state. Raises as ``following.follow``."""
    limits = job.options.limits
    limit_s = limits.runtime_minutes * 60 + limits.lock_timeout_s
    if action.on_windows():
        return _read_history(action, job, transaction, limit_s)
    return following.follow(action, job, transaction, limit_s)


def _read_history(action: HostAction, job: Job, identifier: str, limit_s: float) -> dict[str, t.Any]:
    """Wait until a Windows host is done with what it noted; what came of it is in its own history of updates."""
    end = time.monotonic() + limit_s
    patience_s = job.options.reconnect_s
    while True:
        noted = action.ask_until({"operation": "status", "id": identifier}, job.task_vars, patience_s)
        data = packages(action.patiently(lambda: action.observe(["packages"], {}, job.task_vars), patience_s))
        # The module's helper outlives its work when nobody fetches its last word.
        if not noted["alive"] or standing.accounted(noted, data):
            return standing.state(noted, data)
        if time.monotonic() > end:
            raise following.late(action, job, identifier, limit_s)
        time.sleep(_PAUSE_S)


def packages(document: Mapping[str, t.Any]) -> Mapping[str, t.Any]:
    """Return what the packages probe told. Raises HostError when it told nothing."""
    record = document["probes"]["packages"]
    if record["status"] != "ok":
        raise HostError(f"the packages could not be looked at: {record.get('detail') or record['status']}")
    return t.cast("Mapping[str, t.Any]", record["data"])


def touched(record: ChangeRecord) -> bool:
    """True once something was done on the host that only a comparison can judge: updates, or a reboot."""
    return bool(record.versions) or (record.reboot is not None and record.reboot.done)


def absorb(job: Job, record: ChangeRecord, state: Mapping[str, t.Any], step: str) -> None:
    """Take the end of a transaction into the record.

    A good one leaves the record running: it is not verified yet. So does one that did nothing on a host which was
    touched before: what kept it back is then why the change was stopped.
    """
    since = float(state.get("started_at") or job.now()) if job.simulated_now is None else job.now()
    text = str(state.get("text") or "")
    outcome = state.get("outcome")
    record.versions += [
        Version(
            name=move["name"],
            arch=move.get("arch") or "",
            before=move.get("before"),
            after=move.get("after"),
            update_id=move.get("update_id") or "",
            title=move.get("title") or "",
            cumulative=bool(move.get("cumulative")),
        )
        for move in state.get("moves_done") or []
    ]
    # What succeeds at last has not failed.
    record.failures = {
        name: why
        for name, why in {**record.failures, **(state.get("failures") or {})}.items()
        if name not in {move["name"] for move in state.get("moves_done") or []}
    }
    record.config_files += [str(path) for path in state.get("config_files") or []]
    record.half_done = [str(entry) for entry in state.get("half_done") or []]
    record.stopped = str(state.get("stopped") or "") if touched(record) else ""
    record.bounded = str(state.get("bounded") or "")
    record.log = str(state.get("log_tail") or "")[-4000:]
    if outcome == "done":
        if state.get("kind") != "rollback":
            # A way back that went well does not undo the reason for it.
            record.code = str(state.get("code") or "")
        job.step(record, step, "done", text or f"{len(state.get('moves_done') or [])} packages changed", since)
        return
    untouched = outcome in ("refused", "skipped")
    job.step(record, step, "skipped" if untouched else "failed", text, since)
    record.code = str(state.get("code") or "failed")
    if untouched and touched(record) and state.get("kind") != "rollback":
        # What came before is in place: the comparison decides what the host is worth.
        record.stopped = record.stopped or text
        return
    record.outcome = t.cast(Outcome, outcome) if untouched and not touched(record) else "failed"
    record.text = text
    if outcome == "failed" and state.get("kind") != "rollback" and job.options.rollback == "when_failed":
        record.rollback = _STAYS_ON_WINDOWS if "failures" in state else _STAYS
        job.step(record, "rollback", "skipped", record.rollback, job.now())
