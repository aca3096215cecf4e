# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the policy for certificates, and what its checks share."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import (
    DAY,
    Section,
    threshold,
)

Facts = Mapping[str, t.Any]


class Policy(Section):
    """Thresholds for certificates. The limits are shares of the lifetime, because lifetimes keep getting shorter."""

    watch_share: float = threshold(1 / 3, "House: one third of the lifetime is left when renewal is due", gt=0, lt=1)
    crit_share: float = threshold(1 / 6, "House: one sixth of the lifetime", gt=0, lt=1)
    crit_days: float = threshold(7.0, "House: or 7 days, for lifetimes of 28 days and more", ge=0)
    watch_days_at_most: float = threshold(
        90.0, "House: a ten-year certificate needs no warning three years ahead", gt=0
    )
    crit_days_at_most: float = threshold(45.0, "House: as above, for the urgent stage", gt=0)


def limits(facts: Facts, policy: Policy) -> tuple[float, float]:
    """Seconds before the end at which a certificate becomes ``watch`` and ``crit``."""
    lifetime = max(0.0, facts["not_after"] - facts["not_before"])
    watch = min(lifetime * policy.watch_share, policy.watch_days_at_most * DAY)
    crit = min(lifetime * policy.crit_share, policy.crit_days_at_most * DAY)
    if lifetime >= 4 * policy.crit_days * DAY:
        crit = max(crit, policy.crit_days * DAY)
    return watch, crit


def name_of(facts: Facts) -> str:
    """What people call a certificate."""
    names = facts.get("names") or []
    return str(facts.get("common_name") or (names[0] if names else facts.get("subject") or "without a name"))
