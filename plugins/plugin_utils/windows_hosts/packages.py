# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: Windows Update (``packages.psm1``) as the document of ``packages.py``. Pure."""

from __future__ import annotations

import re
import typing as t
from collections import Counter
from collections.abc import Mapping, Sequence

from ansible_collections.keepwell.fleet.plugins.plugin_utils.windows_hosts import months, policies, reboots

Raw = Mapping[str, t.Any]
# Classifications by their ids, for their names are translated (learn.microsoft.com, "Classifications" of WSUS).
_CLASSES = {
    "0fa1201d-4330-4fa8-8ae9-b877473b6441": "security",
    "e6cf1350-c01b-414d-a61f-263d14d133b4": "bugfix",
    "28bc880e-0592-4cbf-8f95-c79b17911d5f": "bugfix",
    "cd5ffd1e-e932-4e3a-bf74-18bf0b1bbd83": "bugfix",
    "68c5b0a3-d1a6-4553-ae49-01d3a7827828": "bugfix",
    "b54e7d24-7add-428f-8b75-90a396fa584f": "feature",
    "3689bdc8-b205-4af4-8d4a-a63924c5e9d5": "feature",
    "5c9376ab-8ce6-464a-b136-22113dd69801": "feature",
    "434de588-ed14-48f5-8eed-a15e09a991f6": "feature",
    "e140075d-8433-45c3-ad87-e72345b36078": "feature",
    "9511d615-35b2-47bb-927f-f73d8e9260bb": "feature",
    "b4832bd8-e735-4761-8daf-37f882276dab": "bugfix",
    "e0789628-ce08-4437-be74-2495b842f43b": "definition",
    "ebfc1fc5-71a4-4f7b-9aca-3b9a503104a0": "driver",
}
# One that brings a fix for a security hole is a security update, whatever else it is.
_ORDER = ("security", "definition", "driver", "feature", "bugfix")
_SEVERITIES = {"critical": "critical", "important": "important", "moderate": "moderate", "low": "low"}
_DRIVER = 2
_OPERATIONS = {1: "install", 2: "uninstall"}
_RESULTS = ("not_started", "in_progress", "succeeded", "succeeded_with_errors", "failed", "aborted")
# Of CBS, for a package: to be installed with the next start, and installed.
_PENDING, _INSTALLED = 96, 112
_ROLLUP = re.compile(r"~~(\d+)\.(\d+)\.\d+\.\d+$")
_KB = re.compile(r"\bKB(\d{6,8})\b", re.IGNORECASE)
_NEVER, _ALWAYS = 0, 1
# An update is in the history before the restart that puts it in place.
_RESTART_S = 14 * 86400.0


def read(raw: Raw, at: float) -> dict[str, t.Any]:
    """Return the data of the packages probe; Windows-only keys are told below.

    ``build`` (this Windows, and of which month it is), ``rollups`` (monthly updates in the component store),
    ``history``, ``search`` and ``searched`` (how well and when updates were looked for), ``office``, ``secure_boot``.
    """
    search = raw.get("search")
    rollups = [rollup for rollup in map(_rollup, raw.get("rollups") or []) if rollup]
    history = None if raw.get("history") is None else [_entry(entry) for entry in raw["history"]]
    build = _build(raw.get("build"), rollups, history or [], at)
    source = policies.source(raw["policy"])
    updates = None if search is None or search["result"] not in (2, 3) else search["updates"]
    pending = None if updates is None else [_update(update, source, build, at) for update in updates]
    running = f"10.0.{build['build']}.{build['ubr']}" if build and build["ubr"] is not None else None
    waiting = [rollup for rollup in rollups if rollup["state"] == _PENDING]
    newest = max(waiting, key=lambda rollup: (int(rollup["build"]), rollup["ubr"]), default=None)
    return {
        "manager": "wua",
        "metadata": _metadata(raw, source, search),
        "pending": pending,
        "plan": None,
        "excluded": None
        if pending is None
        else [{"name": update["name"], "by": "hidden"} for update in pending if update["held_by"] == "hidden"],
        "not_offered": policies.not_offered(raw["policy"], raw.get("services") or {}),
        "not_running": [],
        "broken_state": [],
        "installed_count": None,
        "services_restart": None,
        "services_seen": None,
        "kernel": {
            "running": running,
            "newest": f"10.0.{newest['build']}.{newest['ubr']}" if newest else running,
            "default_boot": None,
            "livepatch": None,
            "container": None,
        },
        "reboot": reboots.read(raw.get("reboot") or {}),
        "auto_updaters": policies.updaters(raw["policy"], raw.get("services") or {}, raw),
        "locks": None if raw.get("busy") is None else [_lock(entry) for entry in raw["busy"]],
        "build": build,
        "rollups": rollups,
        "history": history,
        "search": None if search is None else {key: search[key] for key in ("result", "warnings", "seconds")},
        "searched": raw.get("searched"),
        "office": _office(raw.get("office")),
        "secure_boot": _secure_boot(raw.get("secure_boot")),
    }


def _metadata(raw: Raw, source: str, search: Raw | None) -> dict[str, t.Any]:
    """When anybody last searched on line and how that went: what is offered is not more recent than that."""
    searched = raw.get("searched") or {}
    moments = [float(searched[key]) for key in ("automatic_at", "found_at") if searched.get(key)]
    checked = max(moments, default=None)
    errors = []
    failed = searched.get("failed_at")
    if failed and (checked is None or float(failed) > checked):
        codes = [str(value) for value in (searched.get("failed") or {}).values() if str(value).lower().startswith("0x")]
        code = f" with {codes[0].lower()}" if codes else ""
        errors.append({"source": source, "error": f"the last search failed{code}"})
    if search is not None and search["result"] not in (2, 3):
        errors.append({"source": source, "error": f"the list of updates could not be read (result {search['result']})"})
    entry = {
        "id": source,
        "checked_at": checked,
        "class": "security",
        "priority": None,
        "updateinfo": True,
        "valid_until": None,
    }
    return {"configured": 1, "sources": [entry], "errors": errors, "checked_at": checked, "stamp_at": None}


def _update(update: Raw, source: str, build: Raw | None, at: float) -> dict[str, t.Any]:
    kbs = [f"KB{number}" for number in update["kbs"]]
    kind = _kind(update)
    cumulative = kind in ("security", "bugfix", "feature") and months.is_cumulative(update)
    behaviour = update.get("reboot_behavior")
    behind = months.successor(build, at) if cumulative and build and kind == "security" else None
    return {
        "name": kbs[0] if kbs else update["title"],
        "kind": "update",
        "arch": None,
        "installed": None,
        "candidate": str(update["revision"]),
        "origins": [source],
        "class": kind,
        "security_version": None,
        "severity": _SEVERITIES.get(str(update.get("severity") or "").lower()),
        "advisories": [*kbs, *update.get("bulletins", ())],
        "cves": list(update.get("cves") or ()),
        "published_at": update.get("changed_at"),
        # The host lacks the fixes since the update after the one it has came out, not since the newest one did.
        "behind_since": behind,
        "held_by": "hidden" if update.get("hidden") else None,
        "phased_percent": None,
        "needs_reboot": True if behaviour == _ALWAYS or cumulative else False if behaviour == _NEVER else None,
        "size": update.get("size"),
        "update_id": str(update["update_id"]),
        "revision": update["revision"],
        "title": update["title"],
        "categories": list(update["categories"]),
        "cumulative": cumulative,
        "month": months.of_title(update["title"]) if cumulative else None,
        "reboot_behavior": behaviour,
        "impact": update.get("impact"),
        "user_input": update.get("user_input"),
        "eula_accepted": update.get("eula_accepted"),
        "downloaded": update.get("downloaded"),
        "mandatory": update.get("mandatory"),
        "optional": update.get("browse_only"),
        "uninstallable": update.get("uninstallable"),
        "deadline": update.get("deadline"),
        "deployment_action": update.get("deployment_action"),
    }


def _kind(update: Raw) -> str:
    known = {_CLASSES[category] for category in update["categories"] if category in _CLASSES}
    if update.get("severity"):
        known.add("security")
    if update.get("type") == _DRIVER:
        known = {"driver"}
    kind = next((name for name in _ORDER if name in known), "unknown")
    # What nobody gets without asking for it: previews of next month's fixes.
    return "feature" if kind == "bugfix" and update.get("browse_only") else kind


def _rollup(entry: Raw) -> dict[str, t.Any] | None:
    found = _ROLLUP.search(str(entry["name"]))
    if not found:
        return None
    return {
        "build": found[1],
        "ubr": int(found[2]),
        "state": entry["state"],
        "installed_at": entry.get("installed_at"),
    }


def _entry(entry: Raw) -> dict[str, t.Any]:
    result = entry["result"]
    return {
        "at": None if entry["at"] is None else float(entry["at"]),
        "operation": _OPERATIONS.get(entry["operation"], "other"),
        "result": _RESULTS[result] if result in range(len(_RESULTS)) else "other",
        "hresult": entry["hresult"],
        "title": entry["title"],
        "update_id": str(entry["update_id"]),
        "revision": entry["revision"],
        "kbs": [f"KB{number}" for number in _KB.findall(entry["title"])],
    }


def _build(release: Raw | None, rollups: Sequence[Raw], history: Sequence[Raw], at: float) -> dict[str, t.Any] | None:
    """Return this Windows, with the month of the monthly update it runs: by its own history, else by the day it came.

    A later month of installing than of publishing makes the host look more recent than it is, never older.
    """
    if release is None:
        return None
    mine = [rollup for rollup in rollups if rollup["state"] == _INSTALLED and rollup["ubr"] == release.get("ubr")]
    installed = max((float(rollup["installed_at"]) for rollup in mine if rollup["installed_at"]), default=None)
    titles = [
        entry["title"]
        for entry in history
        if entry["operation"] == "install"
        and entry["result"] in ("succeeded", "succeeded_with_errors")
        and months.is_dated(entry["title"])
        and (installed is None or _came_with(entry, installed))
    ]
    month = max((months.of_title(title) or "" for title in titles), default=None)
    basis = "history" if month else None
    if month is None and installed is not None:
        month, basis = months.newest_at(installed), "day of installation"
    return {
        "build": str(release["build"]),
        "ubr": release.get("ubr"),
        "display_version": release.get("display_version") or None,
        "edition_id": release.get("edition_id") or None,
        "install_type": release.get("install_type") or None,
        "installed_at": installed,
        "month": month,
        "month_basis": basis,
        "expected_month": months.newest_at(at),
    }


def _came_with(entry: Raw, installed: float) -> bool:
    """True for an update that history has from the days before a monthly update was in place: that takes a restart."""
    return entry["at"] is not None and installed - _RESTART_S <= float(entry["at"]) <= installed + 3600.0


def _lock(entry: Raw) -> dict[str, t.Any]:
    return {
        "path": str(entry["name"]).removesuffix(".exe"),
        "program": entry["name"],
        "pid": entry["pid"],
        "started_at": entry["started_at"],
    }


def _office(office: Raw | None) -> dict[str, t.Any] | None:
    if office is None:
        return None
    switch = str(office.get("updates_enabled") or "").lower()
    return {
        "version": office["version"],
        "channel": office.get("channel") or None,
        "updates_enabled": None if not switch else switch in ("true", "1"),
    }


def _secure_boot(facts: Raw | None) -> dict[str, t.Any] | None:
    if facts is None:
        return None
    enabled, status, error = facts.get("enabled"), facts.get("status"), facts.get("error")
    return {
        "enabled": None if enabled is None else enabled == 1,
        "status": None if status is None else str(status),
        "error": error if isinstance(error, int) else None,
        "available_updates": facts.get("available_updates"),
    }


def failures(history: Sequence[Raw], since: float) -> dict[str, dict[str, t.Any]]:
    """Return the updates whose last attempt since then failed: name -> {update_id, title, count, hresult, at}.

    An update is known by its KB number: every day's malware definitions have an id of their own and the number of all
    the others, so that one which failed is made good by the next. A monthly update holds all those before it.
    """
    last: dict[str, Raw] = {}
    counts: Counter[str] = Counter()
    good_month = ""
    for entry in sorted((entry for entry in history if entry["at"]), key=lambda entry: float(entry["at"])):
        if entry["at"] < since or entry["operation"] != "install" or entry["result"] in ("not_started", "in_progress"):
            continue
        name = str((entry["kbs"] or [entry["title"]])[0])
        last[name] = entry
        if entry["result"] in ("failed", "aborted"):
            counts[name] += 1
            continue
        counts[name] = 0
        if months.is_dated(entry["title"]):
            good_month = max(good_month, months.of_title(entry["title"]) or "")
    return {
        name: {
            "update_id": entry["update_id"],
            "title": entry["title"],
            "count": counts[name],
            "hresult": entry["hresult"],
            "at": entry["at"],
        }
        for name, entry in last.items()
        if entry["result"] in ("failed", "aborted") and not _is_held_by(entry["title"], good_month)
    }


def _is_held_by(title: str, month: str) -> bool:
    """True for a monthly update that the one of a later month, which is in place, holds."""
    return months.is_dated(title) and (months.of_title(title) or "") < month
