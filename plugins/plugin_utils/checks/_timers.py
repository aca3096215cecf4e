# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what can be wrong with a timer? Pure, as checks are."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import duration_text


def problem(timer: Mapping[str, t.Any], now: float, booted: float | None, overdue_s: float) -> str:
    """Return what is wrong with a timer, or ""."""
    running = timer.get("unit_active") in ("active", "activating", "reloading", "deactivating")
    if timer["active"] == "failed":
        return f"the timer itself failed ({timer.get('result')})"
    if timer["active"] != "active":
        # A timer whose conditions are not met (fstrim.timer in a container) stays down on purpose.
        return "" if timer.get("condition") is False else "enabled but not started"
    if timer.get("unit_active") == "failed" or timer.get("unit_result") not in (None, "", "success"):
        code = f", exit status {timer['unit_exit']}" if timer.get("unit_exit") else ""
        return f"last run failed ({timer.get('unit_result') or 'failed'}{code})"
    if running:
        return ""
    following = timer.get("next")
    if following is None and timer.get("by_event"):
        # A scheduled task of Windows that something else than the clock may start.
        return ""
    if following is None:
        # A timer that counts from boot only and has fired since is done until the next boot.
        done = timer.get("last") is not None and (booted is None or timer["last"] >= booted - 1)
        return "" if done else "will never run again"
    if now - following > overdue_s:
        return f"overdue by {duration_text(now - following)}"
    return ""
