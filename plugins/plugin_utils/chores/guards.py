# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to keepwell.fleet: what has to be true before any chore does more than look.

What keeps a host back without anything being wrong (not bought, on hold, no window) makes the change ``skipped``;
what is wrong with the host or the request makes it ``refused``. Runs on the control node.
"""

from __future__ import annotations

import typing as t

from ansible_collections.keepwell.fleet.plugins.plugin_utils import hold_files, holds
from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord, Outcome
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.work import Job
from ansible_collections.keepwell.fleet.plugins.plugin_utils.lease import Leases
from ansible_collections.keepwell.fleet.plugins.plugin_utils.windows import decision


class Stop(t.NamedTuple):
    """Why nothing is done."""

    outcome: Outcome
    code: str
    text: str


def bought(job: Job[t.Any]) -> Stop | None:
    """Nothing stops the host (see ``halted``), the contract is in force, and the service plan has the chore."""
    stop = halted(job)
    if stop:
        return stop
    unsigned = job.settings.unsigned(job.now())
    if unsigned:
        return Stop("skipped", "not_bought", unsigned)
    if job.settings.plan is None or not job.settings.plan.buys(job.chore):
        words = job.chore.replace("_", " ")
        return Stop("skipped", "not_bought", f"The service plan (keepwell_plan) of this host does not have {words}.")
    return None


def halted(job: Job[t.Any]) -> Stop | None:
    """The reason why nothing more is begun on the host: a hold, or the run has no lease to change hosts (any more).

    Asked again before every step that cannot be taken back: a hold may be placed while a run goes on.
    """
    return held(job) or _leaseless(job)


def held(job: Job[t.Any]) -> Stop | None:
    """The hold on the host, by its variable ``<chore>_hold`` or by a person (``playbooks/hold.yml``)."""
    if job.options.hold:
        words = job.chore.replace("_", " ").capitalize()
        return Stop("skipped", "held", f"{words} of this host is on hold: {job.options.hold}")
    hold = hold_files.read(job.store).against(job.host, job.now())
    return Stop("skipped", "held", holds.sentence(hold, job.settings.calendar.zone)) if hold else None


def _leaseless(job: Job[t.Any]) -> Stop | None:
    why = Leases(job.store).lost(job.run_id)
    return Stop("refused", "no_lease", why) if why else None


def window(job: Job[t.Any], what: str, needed_s: float) -> decision.Decision:
    """Return whether a window that allows this kind of work is open, and will be for as long as it may need."""
    return decision.is_open(job.settings.calendar, job.now(), needed_s, what)


def enter(record: ChangeRecord, found: decision.Decision) -> None:
    """Write down in which window the work begins, or who answers for it outside of them."""
    record.window = found.name
    record.emergency = found.reason if found.name == decision.EMERGENCY else ""


def closed(job: Job[t.Any], what: str, needed_s: float) -> Stop | None:
    """The reason why no window is open for that."""
    found = window(job, what, needed_s)
    return None if found.open else Stop("skipped", "window_closed", found.reason)
