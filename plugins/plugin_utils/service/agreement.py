# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what the settings of a client's hosts say was agreed, as it stands at one moment. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows import preview
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows.calendar import Calendar
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import iso
from ansible_collections.keepwell.fleet.plugins.plugin_utils.plan import ServicePlan
from ansible_collections.keepwell.fleet.plugins.plugin_utils.service.models import AgreedPlan, Agreement, ComingWindow
from ansible_collections.keepwell.fleet.plugins.plugin_utils.settings import Settings

WINDOWS_TOLD = 6


def agreed(told: Mapping[str, Settings], now: float) -> Agreement:
    """Return what holds for these hosts, by name. Where hosts differ, the longest time is what all of them have."""
    settings = list(told.values())
    return Agreement(
        plans=_plans(settings),
        security_days=_longest(settings, "patching", "sla_high_or_unrated_d"),
        restore_days=_longest(settings, "backup", "restore_max_days"),
        windows=_windows({host: entry.calendar for host, entry in told.items()}, now),
        agenda=settings[0].agenda if settings else Agreement().agenda,
    )


def _longest(settings: list[Settings], section: str, key: str) -> float | None:
    return max((float(getattr(entry.policy[section], key)) for entry in settings), default=None)


def _plans(settings: list[Settings]) -> list[AgreedPlan]:
    different: list[tuple[ServicePlan, int]] = []
    for entry in settings:
        if entry.plan is None:
            continue
        for place, (plan, hosts) in enumerate(different):
            if plan == entry.plan:
                different[place] = (plan, hosts + 1)
                break
        else:
            different.append((entry.plan, 1))
    return [
        AgreedPlan(
            name=plan.name,
            hosts=hosts,
            services=list(plan.services),
            availability_percent=plan.sla.availability_percent,
            price_model=plan.price.model if plan.price else "",
        )
        for plan, hosts in sorted(different, key=lambda pair: (-pair[1], pair[0].name))
    ]


def _windows(calendars: Mapping[str, Calendar], now: float) -> list[ComingWindow]:
    """Return the next openings. Most hosts share a calendar, which is asked once."""
    shared: dict[str, Calendar] = {}
    sizes: dict[str, int] = {}
    for host, calendar in calendars.items():
        first = next((name for name, other in shared.items() if other == calendar), host)
        shared.setdefault(first, calendar)
        sizes[first] = sizes.get(first, 0) + 1
    return [
        ComingWindow(
            name=entry.name,
            begin=iso(entry.begin),
            end=iso(entry.end),
            allow=list(entry.allow),
            hosts=sum(sizes[host] for host in entry.hosts),
        )
        for entry in preview.coming(shared, now, WINDOWS_TOLD)
    ]
