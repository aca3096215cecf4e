# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: how Windows keeps time (``timesync.psm1``) as the document of ``timesync.py``. Pure."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

# Services by name -> providers, as elsewhere. NTP is Meinberg's port of the reference implementation.
_PROVIDERS = {"W32Time": "w32time", "NTP": "ntpd"}
_LEAPS = {0: "no warning", 1: "insert second", 2: "delete second", 3: "not synchronised"}
# Events of Microsoft-Windows-Time-Service in the log System: 35 it follows this source, 37 it receives good time.
_GOOD = (35, 37)


def read(raw: Mapping[str, t.Any], at: float) -> dict[str, t.Any]:
    """Return the data of the timesync probe.

    ``synchronised`` is put together, for the service tells it in the language of Windows alone: a source of its own
    answered now, and the last thing that it wrote of itself in a week is no complaint.
    """
    services = raw.get("services") or {}
    running = [_PROVIDERS[name] for name, facts in services.items() if name in _PROVIDERS and _steers(facts)]
    sources = [_source(sample) for sample in raw.get("samples") or []]
    answered = [source for source in sources if source["reachable"]]
    ours = "w32time" in running and raw.get("type") != "NoSync" and raw.get("client_enabled") != 0
    # A guest of Hyper-V may take the time of its host; that source cannot be asked.
    from_host = raw.get("guest_enabled") == 1 and (services.get("vmictimesync") or {}).get("state") == "Running"
    events = raw.get("events")
    last = max(events or [], key=lambda event: float(event["at"]), default=None)
    complains = last is not None and last["id"] not in _GOOD
    best = min(answered, key=lambda source: source["stratum"] or 16, default=None)
    if best:
        best["state"] = "selected"
    says_so = last is not None and last["id"] in _GOOD
    return {
        "providers": sorted(running),
        "provider": "w32time" if ours else None,
        "synchronised": (bool(answered) or (from_host and says_so)) and not complains if ours else None,
        "offset_s": best["offset_s"] if best and ours else None,
        "stratum": best["stratum"] + 1 if best and best["stratum"] else None,
        "leap": best["leap"] if best else None,
        "reference": best["address"] if best else "the hypervisor" if from_host else None,
        "sources": [{key: value for key, value in source.items() if key != "leap"} for source in sources],
        "kernel_synchronised": None,
        "local_rtc": raw.get("local_rtc"),
        "clock_source": None,
        "ptp_clocks": ["hyperv"] if from_host else [],
        "in_container": False,
        "type": raw.get("type") or None,
        "complaint": last["id"] if last is not None and complains else None,
    }


def _steers(facts: Mapping[str, t.Any]) -> bool:
    """True for a service that runs, or that Windows starts when it is time: so it is on clients outside domains."""
    if facts["state"] == "Running":
        return True
    return facts["start"] == "Manual" and facts.get("trigger") is True


def _source(sample: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return one source. Stratum 0 and 16, and leap 3, are what a server says that has no time itself."""
    good = bool(sample["answered"]) and sample["stratum"] in range(1, 16) and sample["leap"] != 3
    return {
        "address": sample["address"],
        "state": "usable" if good else "unusable",
        "stratum": sample["stratum"],
        "reachable": good,
        "offset_s": sample["offset_s"] if good else None,
        "leap": _LEAPS.get(sample["leap"]),
    }
