# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: how soft facts (load, pressure, a lost packet) become findings.

One bad sample proves little: a soft fact counts when two of the last three samples are bad. Pure, as checks are.
"""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import State, View

SAMPLES = 3
NEEDED = 2


def earlier(view: View, metric: str, name: str) -> list[float]:
    """Values of the samples before this one that count: the last two, oldest first."""
    return [value for moment, value in view.history.series(metric, name) if moment < view.now][-(SAMPLES - 1) :]


def persistent(view: View, metric: str, name: str, value: float, grade: Callable[[float], State]) -> tuple[State, str]:
    """Return (state, note) of a value that is only believed when it lasts.

    The state is the worst that at least two of the last three samples reach. A host without earlier samples gets
    ``watch`` at most, because nobody can know yet whether it lasts; the note says so.
    """
    now = grade(value)
    if now == "ok":
        return "ok", ""
    before = [grade(point) for point in earlier(view, metric, name)]
    if not before:
        return "watch", "seen for the first time"
    for state in ("crit", "watch"):
        if [*before, now].count(state) + ([*before, now].count("crit") if state == "watch" else 0) >= NEEDED:
            return ("crit" if state == "crit" else "watch"), ""
    return "ok", "in this sample only"
