# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to keepwell.fleet: follow a piece of work on a host to its end, or say that nobody knows its end.

Runs on the control node.
"""

from __future__ import annotations

import time
import typing as t

from ansible.errors import AnsibleConnectionFailure

from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.work import Job
from ansible_collections.keepwell.fleet.plugins.plugin_utils.host_action import HostAction, HostError

# Between two looks.
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 5.0
# What it may need besides its own time.
_SLACK_S = 180.0


def follow(action: HostAction, job: Job[t.Any], identifier: str, limit_s: float) -> dict[str, t.Any]:
    """Wait for the end of a piece of work and return its last state.

    Connections that break are made again for ``<chore>_reconnect_s``; then AnsibleConnectionFailure is raised and
    the work goes on by itself. Raises HostError when it takes longer than it may.
    """
    end = time.monotonic() + limit_s + _SLACK_S
    pause = _FIRST_PAUSE_S
    while True:
        state = action.ask_until({"operation": "status", "id": identifier}, job.task_vars, job.options.reconnect_s)
        if state.get("phase") == "ended" or state.get("outcome"):
            return state
        if time.monotonic() > end:
            raise late(action, job, identifier, limit_s)
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE_S)


def late(action: HostAction, job: Job[t.Any], identifier: str, limit_s: float) -> HostError:
    """Return the error for a piece of work that takes longer than it may."""
    return HostError(
        f"The work {identifier} has not ended after {limit_s / 60:.0f} minutes and goes on. "
        f"Look on the host: {_look(action, job, identifier)}"
    )


def _look(action: HostAction, job: Job[t.Any], identifier: str) -> str:
    """Return how a person looks at the work on the host."""
    name = f"keepwell-{job.chore.replace('_', '-')}-{identifier}"
    if not action.on_windows():
        return f"systemctl status {name}"
    if job.chore == "patching":
        # Windows Update does the work there; what is known of it is a note.
        return f"Get-Item 'HKLM:\\SOFTWARE\\Keepwell\\patching\\{identifier}'"
    return f"Get-ScheduledTask -TaskPath '\\Keepwell\\' -TaskName {name}"


def leave(job: Job[t.Any], record: ChangeRecord, exc: HostError, step: str) -> None:
    """The host cannot say how its work ended, or it takes too long: it is left to the next run."""
    record.outcome, record.code = "lost", "no_end"
    record.text = f"Nobody knows how the work ended: {exc} The next run takes up what became of it."
    job.step(record, step, "failed", str(exc), job.now())


def lose(job: Job[t.Any], record: ChangeRecord, exc: AnsibleConnectionFailure | str, step: str) -> None:
    """The host does not answer any more: say so; what goes on there is taken up by a later run."""
    record.outcome, record.code = "lost", "connection_lost"
    record.text = (
        f"The connection was lost during '{step}' and did not come back within {job.options.reconnect_s:.0f} s. "
        + (
            "The work on the host goes on by itself; the next run takes up what became of it."
            if record.transaction
            else "Nothing had been begun there."
        )
    )
    job.step(record, step, "failed", " ".join(str(exc).split())[:300], job.now())
