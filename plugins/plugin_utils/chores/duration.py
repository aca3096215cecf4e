# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: how long a piece of work takes, by what earlier changes took. Pure.

A maintenance window is asked whether this much time is left of it. Times are those of the control node; what an
earlier run began, and what a simulated clock measured, says nothing and is left out.
"""

from __future__ import annotations

import math
import statistics
import typing as t
from collections.abc import Sequence

from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord, Step
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import count_text
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import epoch

# Of fewer changes nothing can be said.
LEAST = 5
# Older ones are of another machine, or of another way of working.
NEWEST = 40
_SHARE = 0.95
# What took this many times as long as half of them is a hang (a suspended control node, a lost connection): reckoned
# with, it would be longer than every window, and as nothing would be begun any more, it would be so for ever.
_HANG = 3.0
# Less than that is a clock that stands still.
_MEASURABLE_S = 1.0
# Steps of antivirus work that take the time they take; a scan is fitted into what its window leaves.
_ANTIVIRUS = ("repair", "quarantine", "rescan", "restore")
_WORK = ("apply", "reboot", "clean up", "grow", *_ANTIVIRUS)

# turn: what comes after the first updates of a Windows host, from there to the end of its comparison.
Work = t.Literal["patch", "turn", "reboot", "antivirus", "clean up", "grow"]


class Expected(t.NamedTuple):
    """Seconds that a piece of work is expected to take, and where that comes from."""

    seconds: float
    source: str


def expected(of_host: Sequence[float], of_client: Sequence[float], default_s: float, setting: str) -> Expected:
    """Return what to expect from earlier durations in seconds: of this host, else of all, else the reserve.

    ``setting`` is the variable that gives the reserve, for the source.
    """
    for durations, whose in ((of_host, "this host"), (of_client, "this client")):
        if len(durations) >= LEAST:
            usual = without_hangs(durations, default_s)
            hangs = (
                f", without {count_text(len(durations) - len(usual), 'hang')}" if len(usual) < len(durations) else ""
            )
            return Expected(round(high(usual), 1), f"p95 of {len(usual)} changes of {whose}{hangs}")
    return Expected(default_s, f"{setting}: fewer than {LEAST} changes are known")


def without_hangs(durations: Sequence[float], default_s: float) -> list[float]:
    """Return the durations but those far above the median; what the reserve has room for is none."""
    longest = max(_HANG * statistics.median(durations), default_s)
    return [seconds for seconds in durations if seconds <= longest]


def high(durations: Sequence[float]) -> float:
    """Return the duration that 95 of 100 do not exceed (nearest rank). Needs at least one."""
    ordered = sorted(durations)
    return ordered[math.ceil(_SHARE * len(ordered)) - 1]


def of(record: ChangeRecord) -> dict[Work, float]:
    """Return how many seconds each piece of work of a change took; empty when nothing can be said."""
    if record.begun_by or record.entered_at is None:
        return {}
    steps = {step.name: step for step in record.steps if step.outcome != "skipped"}
    if any(steps[name].outcome == "failed" for name in _WORK if name in steps):
        # It ended where it broke, or at its time limit: that says nothing of how long the work takes.
        return {}
    if record.stopped:
        # Half of the work says nothing of the whole.
        return {}
    found: dict[Work, float] = {}
    if record.chore == "patching" and "apply" in steps:
        end = max(epoch(step.ended_at) for step in steps.values())
        found["patch"] = end - epoch(record.entered_at)
        begun = [epoch(step.started_at) for step in record.steps if step.name == "install"]
        if len(begun) > 1:
            found["turn"] = end - begun[1]
        if "reboot" in steps:
            found["reboot"] = end - epoch(steps["reboot"].started_at)
    elif record.chore == "disk_cleanup":
        if "clean up" in steps:
            found["clean up"] = epoch(steps["clean up"].ended_at) - epoch(record.entered_at)
        if "grow" in steps:
            found["grow"] = _length(steps["grow"])
    elif record.chore == "antivirus":
        found["antivirus"] = sum(_length(steps[name]) for name in _ANTIVIRUS if name in steps)
    return {work: seconds for work, seconds in found.items() if seconds >= _MEASURABLE_S}


def _length(step: Step) -> float:
    return epoch(step.ended_at) - epoch(step.started_at)
