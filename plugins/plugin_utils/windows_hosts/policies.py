# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what decides which updates a Windows host is offered, and what installs them. Pure."""

from __future__ import annotations

import datetime
import re
import typing as t
from collections.abc import Mapping

Policy = Mapping[str, t.Any]
# The service that brings updates of other products of Microsoft, too.
_MICROSOFT_UPDATE = "7971f918-a847-4430-9279-4a52d1efe18d"
_DISABLED = 4
# AUOptions: 2 tells, 3 downloads and tells, 4 installs by schedule, 5 lets the administrator choose, 7 downloads and
# tells for install and restart.
_BY_SCHEDULE = 4
_DAYS = ("every day", "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
# Of device management (AllowAutoUpdate): these install by themselves; 5 switches all of it off.
_DEVICE_INSTALLS = (1, 2, 3, 4)
_DEVICE_OFF = 5
_USER = re.compile(r"//[^/@]*@")


def _wsus(policy: Policy) -> str:
    """Address of the server that updates come from by policy; "" where they come from Microsoft."""
    address = str(policy["windows_update"].get("WUServer") or "")
    return _USER.sub("//", address) if address and policy["automatic"].get("UseWUServer") == 1 else ""


def source(policy: Policy) -> str:
    """Name of where updates come from."""
    server = _wsus(policy)
    if server:
        return f"WSUS {server}"
    known = {str(entry["id"]) for entry in policy.get("sources") or ()}
    return "Microsoft Update" if _MICROSOFT_UPDATE in known else "Windows Update"


def _moment(value: t.Any) -> float | None:
    """Epoch seconds of the times in these settings (``2026-12-10T09:00:00Z``); None for "" and what is no time."""
    try:
        moment = datetime.datetime.fromisoformat(str(value).strip())
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)).timestamp()


def _paused(policy: Policy, kind: str) -> float | None:
    """Until when updates of a kind (Quality, Feature) are paused. A policy names the start of at most 35 days."""
    settings = policy["settings"]
    moments = [_moment(settings.get(f"Pause{kind}UpdatesEndTime")), _moment(settings.get("PauseUpdatesExpiryTime"))]
    started = _moment(policy["windows_update"].get(f"Pause{kind}UpdatesStartTime"))
    if started is not None:
        moments.append(started + 35 * 86400.0)
    return max((moment for moment in moments if moment is not None), default=None)


def _deferred(policy: Policy, kind: str) -> int:
    days = [
        policy["windows_update"].get(f"Defer{kind}UpdatesPeriodInDays"),
        policy["device"].get(f"Defer{kind}UpdatesPeriodInDays"),
    ]
    return max((int(value) for value in days if value is not None), default=0)


def not_offered(policy: Policy, services: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return what keeps updates from being offered; what is absent from policy is not set."""
    windows_update, device = policy["windows_update"], policy["device"]
    server = str(windows_update.get("WUServer") or "")
    target = windows_update.get("TargetReleaseVersionInfo") or device.get("TargetReleaseVersion")
    return {
        "releasever_lock": None,
        "registered": None,
        "paused_until": _paused(policy, "Quality"),
        "feature_paused_until": _paused(policy, "Feature"),
        "deferred_days": _deferred(policy, "Quality"),
        "feature_deferred_days": _deferred(policy, "Feature"),
        "target_release": str(target) if target else None,
        "wsus": {"server": _USER.sub("//", server), "used": bool(_wsus(policy))} if server else None,
        "internet_blocked": windows_update.get("DoNotConnectToWindowsUpdateInternetLocations") == 1,
        "access_disabled": windows_update.get("DisableWindowsUpdateAccess") == 1,
        "service_disabled": (services.get("wuauserv") or {}).get("start") == _DISABLED,
    }


def updaters(policy: Policy, services: Mapping[str, t.Any], raw: Mapping[str, t.Any]) -> list[dict[str, t.Any]]:
    """Return the ``auto_updaters`` of the packages document.

    Without a policy a client installs by itself and restarts outside its active hours; a server downloads and waits.
    """
    automatic, settings, device = policy["automatic"], policy["settings"], policy["device"]
    client = (raw.get("build") or {}).get("install_type") == "Client"
    option, by_device = automatic.get("AUOptions"), device.get("AllowAutoUpdate")
    off = (
        automatic.get("NoAutoUpdate") == 1
        or by_device == _DEVICE_OFF
        or (services.get("wuauserv") or {}).get("start") == _DISABLED
    )
    if option is not None:
        applies = int(option) == _BY_SCHEDULE
    elif by_device is not None:
        applies = by_device in _DEVICE_INSTALLS
    else:
        applies = client
    applies = applies and not off
    found = [_updater("Windows Update", enabled=not off, applies=applies, last_run=_last(raw))]
    if applies:
        found[0]["reboots"] = True
        found[0]["reboot_time"] = _time(automatic, settings)
    return found


def _last(raw: Mapping[str, t.Any]) -> float | None:
    value = (raw.get("searched") or {}).get("automatic_at")
    return None if value is None else float(value)


def _time(automatic: Mapping[str, t.Any], settings: Mapping[str, t.Any]) -> str:
    if automatic.get("AUOptions") == _BY_SCHEDULE and automatic.get("ScheduledInstallTime") is not None:
        day = int(automatic.get("ScheduledInstallDay") or 0)
        text = f"{_DAYS[day] if day < len(_DAYS) else 'every day'} at {int(automatic['ScheduledInstallTime']):02}:00"
    else:
        start, end = settings.get("ActiveHoursStart"), settings.get("ActiveHoursEnd")
        hours = f" ({int(start)} to {int(end)} o'clock)" if start is not None and end is not None else ""
        text = f"outside its active hours{hours}"
    return f"{text}, if nobody is logged on" if automatic.get("NoAutoRebootWithLoggedOnUsers") == 1 else text


def _updater(name: str, *, enabled: bool, applies: bool, last_run: float | None) -> dict[str, t.Any]:
    return {
        "name": name,
        "enabled": enabled,
        "applies": applies,
        "reboots": False,
        "reboot_time": None,
        "scheduled": None,
        "blacklist": [],
        "kept_back": [],
        "last_run": last_run,
        "scope": [],
    }
