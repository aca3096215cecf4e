# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Time: is the clock right, and does somebody keep it right?"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import (
    Section,
    Verdict,
    View,
    check,
    threshold,
)


class Policy(Section):
    """Thresholds for clocks."""

    offset_watch_s: float = threshold(0.5, "House; node-mixin warns at 0.05 s", gt=0)
    offset_crit_s: float = threshold(5.0, "House; Kerberos breaks at 300 s", gt=0)


@check(
    "time.offset",
    title="Clock offset",
    advice="Find out why the clock is off before stepping it: databases and log correlation suffer from jumps.",
    needs=("timesync",),
    thresholds=("offset_watch_s", "offset_crit_s"),
)
def offset(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge the offset that the time service itself reports."""
    seconds = view.data("timesync").get("offset_s")
    if seconds is None:
        yield Verdict("unknown", observed="no offset reported", expected=f"below {policy.offset_watch_s} s")
        return
    size = abs(seconds)
    state = "crit" if size >= policy.offset_crit_s else "watch" if size >= policy.offset_watch_s else "ok"
    yield Verdict(state, observed=f"{size:.3f} s", expected=f"below {policy.offset_watch_s} s")
