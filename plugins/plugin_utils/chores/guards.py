# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to keepwell.fleet: what has to be true before any chore does more than look.

What keeps a host back without anything being wrong (not bought, on hold, not reached, no window, the brake) makes the
change ``skipped``; what is wrong with the host or the request makes it ``refused``. Runs on the control node.
"""

from __future__ import annotations

import typing as t

from ansible_collections.keepwell.fleet.plugins.plugin_utils import hold_files, holds
from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import BAD, ChangeRecord, Chore, Outcome
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores import brake, duration
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.work import Job
from ansible_collections.keepwell.fleet.plugins.plugin_utils.history import History
from ansible_collections.keepwell.fleet.plugins.plugin_utils.lease import Leases
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows import decision
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import iso


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


def allowed(job: Job[t.Any]) -> Stop | None:
    """The host may be worked on (see ``bought``), was reached, is not in doubt, and the chore's brake is not pulled."""
    return bought(job) or reached(job) or in_doubt(job) or braked(job)


def paused(job: Job[t.Any]) -> Stop | None:
    """The reason why a change that was begun goes no further: nothing more is begun on the host, or the brake holds."""
    return halted(job) or braked(job)


def reached(job: Job[t.Any]) -> Stop | None:
    """A host that is away is not in a bad state: its turn comes when it is back."""
    seen = job.store.read_host(job.run_id, job.host)
    if seen is None or seen.result.contact.reached or not seen.result.contact.reason.startswith("not reachable"):
        return None
    text = f"The host was not reached ({seen.result.contact.reason}). It has the first turn once it is back."
    return Stop("skipped", "unreached", text)


def in_doubt(job: Job[t.Any]) -> Stop | None:
    """After a change that went wrong nothing else is done on its host in the same run: a person looks first."""
    for chore in t.get_args(Chore):
        other = job.store.read_change(job.run_id, job.host, chore) if chore != job.chore else None
        if other is not None and other.outcome in BAD:
            words = chore.replace("_", " ").capitalize()
            text = f"{words} of this host went wrong in this run: nothing else is done on it."
            return Stop("skipped", "in_doubt", text)
    return None


def braked(job: Job[t.Any]) -> Stop | None:
    """Too many hosts of this run show the same after this chore, or failed: ask before every step that disturbs."""
    bought_by = job.store.read_run(job.run_id).header.bought.get(job.chore, [])
    changes = job.store.read_changes(job.run_id, job.chore)
    why = brake.pulled(job.chore, changes, len(bought_by), job.settings.brake)
    return Stop("skipped", "brake", why) if why else None


def expected(job: Job[t.Any], work: duration.Work, reserve_minutes: float) -> duration.Expected:
    """Return how long a piece of work is expected to take: as it did before, or the reserve where nobody knows."""
    history = History(job.store)
    return duration.expected(
        history.durations(job.chore, work, job.host),
        history.durations(job.chore, work),
        reserve_minutes * 60.0,
        f"{job.chore}_reserve_minutes",
    )


def window(job: Job[t.Any], what: str, needed_s: float) -> decision.Decision:
    """Return whether a window that allows this kind of work is open, and will be for as long as it may need."""
    return decision.is_open(job.settings.calendar, job.now(), needed_s, what)


def enter(
    job: Job[t.Any],
    record: ChangeRecord,
    found: decision.Decision | None = None,
    needed: duration.Expected | None = None,
) -> None:
    """Write down when the work begins, and for work that needs a window in which, and for how long that was asked for.

    Outside of windows it is who answers for it.
    """
    record.entered_at = record.entered_at or iso(job.now())
    if found is not None:
        record.window = found.name
        record.emergency = found.reason if found.name == decision.EMERGENCY else ""
    if needed is not None:
        record.expected_s, record.expected_from = needed


def closed(job: Job[t.Any], what: str, needed_s: float) -> Stop | None:
    """The reason why no window is open for that."""
    found = window(job, what, needed_s)
    return None if found.open else Stop("skipped", "window_closed", found.reason)
