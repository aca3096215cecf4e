# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: let ansible.windows.win_updates install what a round has, and take what comes back.

Runs on the control node.
"""

from __future__ import annotations

import time
import typing as t
from collections.abc import Sequence

from ansible.errors import AnsibleConnectionFailure

from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord
from ansible_collections.keepwell.fleet.plugins.plugin_utils.identifiers import new_run_id
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching import guards, transaction
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.models import Item
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.work import Job, PatchAction
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.wua import outcome, turns
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.wua.choosing import MANAGER

_MODULE: t.Final = "ansible.windows.win_updates"
# Between two questions whether another installation has ended.
_PAUSE_S = 10.0


def carry_out(action: PatchAction, job: Job, record: ChangeRecord, items: Sequence[Item], reserve_bytes: int) -> None:
    """Install these updates, as far as that goes before a reboot, and take it into the record.

    Before each turn it is asked again whether it may be begun; the record says what kept the rest back.
    """
    record.outcome, record.transaction = "running", new_run_id(job.now())
    # Before the host is asked: what is begun must be known, whatever happens then.
    job.save(record)
    started = _start(action, job, record, items, reserve_bytes)
    if not started.get("started") and not started.get("attached"):
        text = str(started.get("text") or "the host did not start it")
        code = str(started.get("code") or "not_started")
        job.step(record, "apply", "skipped", text, job.now())
        record.transaction = ""
        if transaction.touched(record):
            # What came before is in place: the comparison decides what the host is worth.
            record.stopped, record.code = text, code
        else:
            record.outcome, record.code, record.text = "refused", code, text
        return
    state = _install(action, job, record, items, float(started["started_at"]))
    if state is None:
        # Nobody heard the end of it: the host's own history says what came of it.
        state = transaction.follow(action, job, record.transaction)
    transaction.absorb(job, record, state, "apply")


def _start(
    action: PatchAction, job: Job, record: ChangeRecord, items: Sequence[Item], reserve_bytes: int
) -> dict[str, t.Any]:
    """Have the host look once more and note what begins; wait for installations of others as long as that may take."""
    limits = job.options.limits
    request = {
        "operation": "start",
        "id": record.transaction,
        "run_id": job.run_id,
        "client": job.store.client_id,
        "host": job.host,
        "plan_hash": record.plan_hash,
        "manager": MANAGER,
        "moves": [
            {
                "name": item.name,
                "update_id": item.update_id,
                "revision": int(item.version),
                "title": item.title,
                "cumulative": item.cumulative,
            }
            for item in items
        ],
        "licences": job.options.accept_licences,
        "runtime_s": limits.runtime_minutes * 60,
        "reserve_bytes": reserve_bytes,
    }
    end = time.monotonic() + limits.lock_timeout_s
    while True:
        started = action.ask_until(request, job.task_vars, job.options.reconnect_s)
        if started.get("code") != "locked" or time.monotonic() + _PAUSE_S > end:
            return started
        time.sleep(_PAUSE_S)


def _install(
    action: PatchAction, job: Job, record: ChangeRecord, items: Sequence[Item], started_at: float
) -> dict[str, t.Any] | None:
    """Take one turn after the other until a reboot is asked for; return None when the connection broke meanwhile."""
    found = outcome.Attempt()
    queue = turns.turns(items)
    begun = False
    while queue:
        found.stop = guards.further(job, "turn", reserve=begun)
        if found.stop is not None:
            break
        begun, since = True, job.now()
        turn = queue.pop(0)
        try:
            result = action.upstream(_MODULE, turns.arguments(turn), job.task_vars)
        except AnsibleConnectionFailure:
            return None
        if outcome.broke_off(result):
            return None
        attempt = outcome.read(turn, result)
        found.take(attempt)
        wrong = bool(attempt.failures or attempt.error)
        job.step(record, "install", "failed" if wrong else "done", turns.words(turn), since)
        # A run that is killed between two turns has said how far it was.
        job.save(record)
        if found.reboot or found.error:
            break
        # One that cannot be fetched keeps all of its turn from being installed: the others have another one.
        others = [item for item in turn if item.update_id in attempt.waiting]
        if attempt.failures and others:
            queue.insert(0, others)
    found.waiting |= {item.update_id for turn in queue for item in turn}
    return outcome.state(items, found, started_at)
