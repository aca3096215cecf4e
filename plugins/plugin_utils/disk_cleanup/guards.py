# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: everything that has to be true before a host is cleaned up, asked in one order.

Deleting by safe rules disturbs nobody and needs no window, unless ``disk_cleanup_window`` asks for one; kernels and
growth always need one. Runs on the control node.
"""

from __future__ import annotations

from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores import guards
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.guards import Stop, bought
from ansible_collections.keepwell.fleet.plugins.plugin_utils.disk_cleanup.work import CHORE, Job, freed_text, part_of
from ansible_collections.keepwell.fleet.plugins.plugin_utils.windows.decision import Decision


def first(job: Job, record: ChangeRecord) -> Stop | None:
    """Return the first reason against cleaning up, or None."""
    part = part_of(record)
    if not part.filesystems:
        return Stop("nothing", "", "No filesystem asks for room.")
    stop = bought(job)
    if stop is None and (job.options.window or job.options.disturbs):
        stop = guards.closed(job, CHORE, _needed_s(job))
    if stop is None and not any(
        rule.predicted and (rule.predicted.files or rule.predicted.folders) for rule in part.rules
    ):
        return Stop("nothing", "", f"No rule finds anything that may go. {freed_text(part)}.")
    return stop


def growth(job: Job) -> Stop | None:
    """Return the first reason against making a filesystem larger, or None."""
    return bought(job) or guards.closed(job, CHORE, _needed_s(job))


def window(job: Job) -> Decision:
    """Return the window that is open, where one is needed."""
    return guards.window(job, CHORE, _needed_s(job))


def _needed_s(job: Job) -> float:
    return job.options.reserve_minutes * 60.0
