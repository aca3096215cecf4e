# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to keepwell.fleet: the hardware section of the policy, and what its checks share."""

from __future__ import annotations

import typing as t

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import Section, View, threshold


class HardwarePolicy(Section):
    """Thresholds for hardware."""

    wear_watch_percent: float = threshold(90.0, "NVMe: percentage of the rated endurance used (House)", gt=0)
    wear_act_percent: float = threshold(100.0, "NVMe: rated endurance used up", gt=0)
    corrected_per_day_watch: float = threshold(10.0, "House: growth of corrected memory errors", ge=0)
    kernel_recent_days: float = threshold(7.0, "House: older kernel messages are history", gt=0)
    throttled_per_day_watch: float = threshold(24.0, "House: slowed down by heat about once an hour", ge=0)
    heat_watch_percent: float = threshold(90.0, "House: share of the sensor's critical temperature", gt=0)
    scrub_max_age_days: float = threshold(35.0, "House: ZFS is scrubbed monthly by distributions", gt=0)


def machine_kind(view: View) -> str:
    """physical, vm, container or unknown (also when the system probe gave no answer)."""
    record = view.probes.get("system")
    if record is None or record.status != "ok":
        return "unknown"
    return str((record.data.get("virtualisation") or {}).get("kind") or "unknown")


def is_virtual(view: View) -> bool:
    """True where hardware belongs to somebody else: what cannot be seen there does not apply."""
    return machine_kind(view) in ("vm", "container")


def why_missing(view: View, probe: str, source: str) -> str:
    """Plain words for why a source told nothing."""
    status = view.record(probe).status_of(source)
    detail = view.record(probe).sources.get(source, {}).get("detail", "")
    rights = view.command("needs root rights", "needs an administrator")
    words = {"denied": rights, "absent": "is not there", "timeout": "did not answer in time"}
    return detail or words.get(status, "told nothing")


def number(value: t.Any) -> float | None:
    """A number as float, anything else as None."""
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
