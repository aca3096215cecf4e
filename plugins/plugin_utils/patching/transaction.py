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

from ansible.errors import AnsibleConnectionFailure

from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord, Version
from ansible_collections.keepwell.fleet.plugins.plugin_utils.host_action import HostAction, HostError
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.work import Job

# Between two looks at a transaction.
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 5.0
# What a transaction may need besides the package manager's own time: waiting for locks is counted apart.
_SLACK_S = 180.0


def follow(action: HostAction, job: Job, transaction: str) -> dict[str, t.Any]:
    """Wait for the end of a transaction and return its last state.

    Connections that break are made again for ``patching_reconnect_s``; then AnsibleConnectionFailure is raised and
    the transaction goes on by itself. Raises HostError when it takes longer than it may.
    """
    limits = job.options.limits
    end = time.monotonic() + limits.runtime_minutes * 60 + limits.lock_timeout_s + _SLACK_S
    pause = _FIRST_PAUSE_S
    while True:
        state = action.ask_until({"operation": "status", "id": transaction}, job.task_vars, job.options.reconnect_s)
        if state.get("phase") == "ended" or state.get("outcome"):
            return state
        if time.monotonic() > end:
            raise HostError(
                f"The transaction {transaction} has not ended after {limits.runtime_minutes} minutes and goes on. "
                f"Look on the host: systemctl status keepwell-patching-{transaction}"
            )
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE_S)


def absorb(job: Job, record: ChangeRecord, state: Mapping[str, t.Any], step: str) -> None:
    """Take the end of a transaction into the record. A good one leaves the record running: it is not verified yet."""
    since = float(state.get("started_at") or job.now()) if job.simulated_now is None else job.now()
    text = str(state.get("text") or "")
    outcome = state.get("outcome")
    record.versions += [
        Version(name=move["name"], arch=move.get("arch") or "", before=move.get("before"), after=move.get("after"))
        for move in state.get("moves_done") or []
    ]
    record.config_files += [str(path) for path in state.get("config_files") or []]
    record.half_done = [str(entry) for entry in state.get("half_done") or []]
    record.bounded = str(state.get("bounded") or "")
    record.log = str(state.get("log_tail") or "")[-4000:]
    if outcome == "done":
        job.step(record, step, "done", text or f"{len(state.get('moves_done') or [])} packages changed", since)
        return
    refused = outcome == "refused"
    job.step(record, step, "skipped" if refused else "failed", text, since)
    record.outcome = "refused" if refused and not record.versions else "failed"
    record.code = str(state.get("code") or "failed")
    record.text = text


def leave(job: Job, record: ChangeRecord, exc: HostError, step: str) -> None:
    """The host cannot say how its transaction ended, or it takes too long: it is left to the next run."""
    record.outcome, record.code = "lost", "no_end"
    record.text = f"Nobody knows how the transaction ended: {exc} The next run takes up what became of it."
    job.step(record, step, "failed", str(exc), job.now())


def lose(job: Job, record: ChangeRecord, exc: AnsibleConnectionFailure | str, step: str) -> None:
    """The host does not answer any more: say so; what goes on there is taken up by a later run."""
    record.outcome, record.code = "lost", "connection_lost"
    record.text = (
        f"The connection was lost during '{step}' and did not come back within {job.options.reconnect_s:.0f} s. "
        + (
            "A transaction on the host goes on by itself; the next run takes up what became of it."
            if record.transaction
            else "Nothing had been begun there."
        )
    )
    job.step(record, step, "failed", " ".join(str(exc).split())[:300], job.now())
