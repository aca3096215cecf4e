# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: how far a Windows host is behind the monthly updates, whatever Windows Update offers it.

Build and revision tell that by themselves. An update that is paused, deferred, not approved on WSUS or lost in a broken
agent is not offered, which is not the same as installed.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import DAY, View
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks.lifecycle import gets_updates
from ansible_collections.keepwell.fleet.plugins.plugin_utils.windows_hosts import months


@dataclass(frozen=True)
class Gap:
    """The host lacks the monthly updates after its own: since when, how many, and the newest one's month."""

    since: float
    count: int
    newest: str


def gap(view: View) -> Gap | None:
    """Return how far the host is behind; None when it is not, when nobody can tell, or when no more updates come."""
    build = view.data("packages").get("build") or {}
    if not build.get("month"):
        return None
    since = months.after(build["month"])
    if since > view.now or not gets_updates(view, since):
        return None
    newest = months.newest_at(view.now)
    return Gap(since, months.between(build["month"], newest), newest)


def offered(view: View) -> bool:
    """True when a monthly update is on the list, held back or not."""
    return any(update.get("cumulative") for update in view.data("packages")["pending"] or [])


def kept_away(view: View) -> list[tuple[str, str]]:
    """Return (what, in words) for all that keeps monthly updates from being offered by somebody's will."""
    data = view.data("packages")["not_offered"]
    found = []
    paused, deferred = data.get("paused_until"), data.get("deferred_days")
    if paused and paused > view.now:
        found.append(("pause", f"updates are paused for {max(1, int((paused - view.now) // DAY))} more days"))
    if deferred:
        found.append(("deferral", f"security updates are deferred by {deferred} days"))
    return found


def doubt(view: View, grace_s: float) -> list[str]:
    """Return why a list of updates without a monthly one cannot be believed.

    ``grace_s`` is how long a host may take to hear of a new one.
    """
    lacks = gap(view)
    away = dict(kept_away(view))
    found = [away["pause"]] if "pause" in away else []
    if lacks and not offered(view) and view.now - lacks.since > grace_s:
        waits = view.data("packages")["not_offered"].get("deferred_days") or 0
        if view.now - lacks.since > waits * DAY + grace_s:
            found.append(f"the monthly update of {lacks.newest} is out and not offered")
    return found


def build_text(build: t.Mapping[str, t.Any]) -> str:
    """Return ``build 20348.4405 of 2025-11``."""
    revision = f"{build['build']}.{build['ubr']}" if build.get("ubr") is not None else str(build["build"])
    return f"build {revision}" + (f" of {build['month']}" if build.get("month") else "")
