# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: everything that has to be true before a host is cleaned up, asked in one order.

Deleting by safe rules disturbs nobody and needs no window, unless ``disk_cleanup_window`` asks for one; kernels and
growth always need one. Runs on the control node.
"""

from __future__ import annotations

import typing as t

from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores import duration, guards
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.guards import Stop
from ansible_collections.keepwell.fleet.plugins.plugin_utils.disk_cleanup.work import CHORE, Job, freed_text, part_of
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows.decision import Decision

Work = t.Literal["clean up", "grow"]


def first(job: Job, record: ChangeRecord) -> Stop | None:
    """Return the first reason against cleaning up, or None."""
    part = part_of(record)
    if not part.filesystems:
        return Stop("nothing", "", "No filesystem asks for room.")
    stop = guards.allowed(job)
    if stop is None and (job.options.window or job.disturbs()):
        stop = guards.closed(job, CHORE, expected(job).seconds)
    if stop is None and not any(
        rule.predicted and (rule.predicted.files or rule.predicted.folders) for rule in part.rules
    ):
        return Stop("nothing", "", f"No rule finds anything that may go. {freed_text(part)}.")
    return stop


def growth(job: Job) -> Stop | None:
    """Return the first reason against making a filesystem larger, or None."""
    return guards.allowed(job) or guards.closed(job, CHORE, expected(job, "grow").seconds)


def window(job: Job, work: Work = "clean up") -> Decision:
    """Return the window that is open, where one is needed."""
    return guards.window(job, CHORE, expected(job, work).seconds)


def expected(job: Job, work: Work = "clean up") -> duration.Expected:
    """Return how long a piece of the work takes."""
    return guards.expected(job, work, job.options.reserve_minutes)
