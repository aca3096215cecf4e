# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: is a snapshot as large as usual, and did too much change at once? Arithmetic only."""

from __future__ import annotations

import math
import statistics
import typing as t
from collections.abc import Iterator, Sequence

from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.models import Snapshot
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._backup_policy import Policy
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import State, size_text

# Makes the median absolute deviation of normal values their standard deviation.
_MAD_TO_SIGMA = 1.4826
# Snapshots that are compared with: what was usual long ago says little.
_COMPARED = 30
# Where all were alike, a change by less than about a fifth is no anomaly, however exact the others were.
_LEAST_SPREAD = 0.05
# A file whose data is new adds more than this; less is a change of owner, mode or time.
_DATA_PER_FILE = 512


class Change(t.NamedTuple):
    """A size that is not as usual."""

    state: State
    observed: str
    summary: str


class Alarm(t.NamedTuple):
    """How many files of a snapshot were replaced at once."""

    changed: int
    files: int
    percent: int


def comparable(earlier: Sequence[Snapshot]) -> list[Snapshot]:
    """Earlier snapshots that are whole and have a size."""
    whole = [entry for entry in earlier if entry.complete is not False and not entry.errors]
    return [entry for entry in whole if entry.bytes is not None or entry.files is not None][-_COMPARED:]


def changes(newest: Snapshot, earlier: Sequence[Snapshot], policy: Policy) -> Iterator[Change]:
    """Yield in what the newest snapshot differs from what is usual: its bytes, its number of files."""
    sizes = [float(entry.bytes) for entry in earlier if entry.bytes is not None]
    counts = [float(entry.files) for entry in earlier if entry.files is not None]
    if newest.bytes is not None and sizes:
        yield from _judge("bytes", float(newest.bytes), sizes, policy)
    if newest.files is not None and counts:
        yield from _judge("files", float(newest.files), counts, policy)


def _judge(what: str, value: float, before: Sequence[float], policy: Policy) -> Iterator[Change]:
    usual = statistics.median(before)
    text = f"{_text(what, value)}, usually {_text(what, usual)}"
    drop = 100 * (1 - value / usual) if usual > 0 else 0.0
    if drop > policy.size_drop_watch_percent:
        state: State = "crit" if drop > policy.size_drop_crit_percent else "watch"
        yield Change(
            state, f"{int(drop)} % smaller: {text}", f"The newest snapshot has {text}: {int(drop)} % are gone."
        )
    elif _is_outlier(what, value, before, policy):
        yield Change("watch", f"unusual: {text}", f"The newest snapshot has {text}.")


def _is_outlier(what: str, value: float, before: Sequence[float], policy: Policy) -> bool:
    """Modified z-score over the last snapshots; bytes by their logarithm, because they grow by shares."""
    if len(before) < policy.anomaly_history:
        return False
    if what == "bytes":
        before, value = [math.log1p(size) for size in before], math.log1p(value)
    middle = statistics.median(before)
    least = _LEAST_SPREAD * (1.0 if what == "bytes" else middle)
    spread = max(_MAD_TO_SIGMA * statistics.median(abs(entry - middle) for entry in before), least)
    return abs(value - middle) > policy.anomaly_deviations * spread


def _text(what: str, value: float) -> str:
    return size_text(value) if what == "bytes" else f"{int(value)} files"


def mass_change(newest: Snapshot, earlier: Sequence[Snapshot], policy: Policy) -> Alarm | None:
    """Return how much was replaced when that is what encryption looks like, else None.

    Replaced are changed files, and new ones beyond the growth in number: encryption also renames. The first snapshot
    replaces nothing. Where hardly any data was added, only owner, mode or time changed.
    """
    before = earlier[-1].files if earlier else None
    if not before or before < policy.mass_change_files or newest.changed_files is None:
        return None
    growth = max(0, (newest.files or before) - before)
    changed = newest.changed_files + max(0, (newest.new_files or 0) - growth)
    if newest.added_bytes is not None and newest.added_bytes < changed * _DATA_PER_FILE:
        return None
    percent = 100 * changed / before
    return Alarm(changed, before, int(percent)) if percent > policy.mass_change_percent else None
