# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: how often did units restart? Pure, as checks are."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import HOUR, View, count_text

# Two boots of systemd are told apart by its start; a stepped clock moves that by less than this.
BOOT_TOLERANCE_S = 30.0


@dataclass(frozen=True)
class Flaps:
    """Restarts of one unit. None: that source could not tell."""

    last_hour: int | None
    since_previous: int | None
    per_hour: float
    down_now: bool
    text: str


def countable(data: Mapping[str, t.Any]) -> bool:
    """True when systemd itself counts restarts (since version 235)."""
    return any(unit.get("restarts") is not None for unit in data["units"].values())


def restarted(now: Mapping[str, t.Any], before: Mapping[str, t.Any]) -> int | None:
    """Return how often a unit was at least restarted between two runs of the same boot.

    systemd's count falls to 0 whenever somebody stops and starts the unit, so a smaller count means one start by hand
    and as many automatic restarts as it shows since; an equal count with another invocation means one by hand.
    """
    count, past = now.get("restarts"), before.get("restarts")
    if count is None or past is None:
        return None
    if count < past:
        return int(count) + 1
    if count > past:
        return int(count - past)
    same = now.get("invocation") == before.get("invocation")
    return 0 if same or not now.get("invocation") or not before.get("invocation") else 1


def flaps(view: View) -> dict[str, Flaps]:
    """Return the restarts of every unit that restarted or waits to be started again."""
    data = view.data("services")
    before = view.history.previous("services")
    past_units = (before or {}).get("units") or {}
    hours = _hours_since_previous(view, data, before)
    journal = data.get("restarts_last_hour")
    found = {}
    for name in sorted(set(data["units"]) | set(journal or {})):
        unit = data["units"].get(name) or {}
        logged = None if journal is None else int(journal.get(name, 0))
        grown = restarted(unit, past_units[name]) if hours is not None and name in past_units else None
        rates = [float(logged)] if logged is not None else []
        if grown is not None and hours is not None:
            rates.append(grown / max(1.0, hours))
        if not rates and unit.get("restarts"):
            rates.append(unit["restarts"] / max(1.0, _hours_up(view, data)))
        down = unit.get("sub") == "auto-restart"
        if down or any(rates):
            rate = max(rates, default=0.0)
            found[name] = Flaps(logged, grown, rate, down, _text(logged, grown, rate, hours))
    return found


def _hours_since_previous(view: View, data: Mapping[str, t.Any], before: Mapping[str, t.Any] | None) -> float | None:
    """Hours since the previous run, or None when the counters began anew since (another boot) or there was none."""
    moment = view.history.previous_at()
    if before is None or moment is None:
        return None
    started, past = data.get("manager_since"), before.get("manager_since")
    if started is None or past is None or abs(started - past) > BOOT_TOLERANCE_S:
        return None
    return max(0.0, view.now - moment) / HOUR


def _hours_up(view: View, data: Mapping[str, t.Any]) -> float:
    since = data.get("manager_since")
    return (view.now - since) / HOUR if since is not None else 1.0


def _text(logged: int | None, grown: int | None, rate: float, hours: float | None) -> str:
    if logged:
        return f"{count_text(logged, 'automatic restart')} in the last hour"
    if grown and hours is not None:
        return f"{count_text(grown, 'restart')} since the previous run"
    return f"{int(rate * 10) / 10:g} restarts an hour since boot" if rate else "restarting"
