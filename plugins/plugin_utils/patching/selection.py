# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: which of the pending updates the policy wants, and why the others stay out. Pure."""

from __future__ import annotations

import datetime as dt
import typing as t
from collections.abc import Mapping, Sequence

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks import _patching_policy as patching
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import DAY, View, duration_text
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import iso
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.models import Item, UpdateClass, Withheld
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.options import Emergency, Options
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.wua import choosing as wua

# An update whose repository gives no advisories may be anything: it counts as security.
_WANTED: Mapping[str, tuple[str, ...]] = {
    "security": ("security", "unknown"),
    "security_and_point_release": ("security", "unknown", "point_release"),
    "all": ("security", "unknown", "point_release", "bugfix", "feature", "driver", "definition"),
}
_HELD = {
    "hold": "is on hold on the host",
    "pin": "is kept back by a pin of the host's package configuration",
    "versionlock": "is locked to its version on the host",
    "exclude": "is excluded in the host's package configuration",
    "lock": "is locked on the host",
    "dependency": "cannot be installed without other changes: its dependencies keep it back",
    "phasing": "is not yet offered to this host by its vendor, who rolls it out in phases",
    "hidden": "is hidden on the host, so that nobody is offered it",
    "update_stack": "waits for an update of the package manager itself, which comes first",
}
_CLASS_WORDS = {
    "security": "a security update",
    "point_release": "an update of a point release",
    "bugfix": "a bug fix",
    "feature": "a new feature",
    "driver": "a driver",
    "definition": "a malware definition",
    "unknown": "an update without advisory",
}
Reason = tuple[str, str, str | None]


def select(
    view: View,
    policy: patching.Policy,
    options: Options,
    suspects: Mapping[tuple[str, str], str],
    exploited: frozenset[str] = frozenset(),
) -> tuple[list[Item], list[Withheld]]:
    """Return what to install and what is left out; every pending update is in one of them.

    ``suspects`` are (package, version) -> sentence from rings in which a change went wrong; ``exploited`` are CVEs
    known to be exploited, whose updates wait for nothing. Versions: for the policy
    "security" the smallest that closes the security update, else the one that is offered.
    """
    pending: Sequence[patching.Update] = view.data("packages")["pending"] or []
    # zypper must be updated before it can say what else there is.
    first = [update for update in pending if _is_stack(update) and update["held_by"] is None]
    today = dt.datetime.fromtimestamp(view.now, dt.UTC).date()
    items, withheld = [], []
    for update in sorted(pending, key=lambda entry: (entry["name"], entry["candidate"], entry.get("arch") or "")):
        aged = patching.aged(view, update, _limit(view, update, policy))
        version = _version(update, options)
        urgent = not exploited.isdisjoint(update["cves"])
        reason = _held_back(view, update, version, aged, options, suspects, urgent)
        if reason is None and first and update not in first:
            reason = ("update_stack", f"{update['name']} {_HELD['update_stack']}.", None)
        if reason is None:
            items.append(_item(update, version, aged, options, urgent, today))
        else:
            withheld.append(_withheld(update, version, reason))
    return items, withheld


def _names(update: patching.Update) -> list[str]:
    """What an exclusion may call an update: its name, and where Windows offers it its title."""
    return [str(name) for name in (update["name"], update.get("title")) if name]


def _is_windows(update: patching.Update) -> bool:
    """True for an update of Windows Update."""
    return bool(update.get("update_id"))


def _is_stack(update: patching.Update) -> bool:
    """True for a patch of zypper itself (pkgmanager="true")."""
    return bool(update.get("needs_stack_restart"))


def _limit(view: View, update: patching.Update, policy: patching.Policy) -> float:
    """Seconds that the policy allows for an update of this class."""
    if update["class"] == "point_release":
        return policy.point_release_d * DAY
    if update["class"] in ("bugfix", "feature", "driver", "definition"):
        return policy.other_updates_d * DAY
    return patching.sla(update, view.exposure, policy)


def _version(update: patching.Update, options: Options) -> str:
    """The version to install: only the fix where nothing but fixes is wanted (domain 1.2, 1.8)."""
    fix = update.get("security_version")
    candidate = str(update["candidate"])
    if update["class"] != "security" or not fix:
        return candidate
    return candidate if options.policy == "all" else str(fix)


def _held_back(
    view: View,
    update: patching.Update,
    version: str,
    aged: patching.Aged,
    options: Options,
    suspects: Mapping[tuple[str, str], str],
    urgent: bool,
) -> Reason | None:
    """Return (code, sentence, until) of the first reason against an update, or None."""
    name = update["name"]
    today = dt.datetime.fromtimestamp(view.now, dt.UTC).date()
    if update["held_by"] is not None:
        words = _HELD.get(str(update["held_by"]), f"is held back ({update['held_by']})")
        return str(update["held_by"]), f"{name} {words}.", None
    for exclusion in options.exclusions:
        if any(exclusion.holds(known, today) for known in _names(update)):
            text = f"Left out by {exclusion.approver} until {exclusion.expires.isoformat()}: {exclusion.reason}"
            return "exclusion", text, _day(exclusion.expires)
    for frozen in options.freeze:
        if frozen.holds(name, version, today):
            text = f"Version {version} is known to be bad: {frozen.reason} (until {frozen.expires.isoformat()})"
            return "freeze", text, _day(frozen.expires)
    own = wua.against(update, options) if _is_windows(update) else None
    if own is not None:
        return *own, None
    if (name, version) in suspects:
        return "ring", f"Not before its cause is dealt with: {suspects[name, version]}.", None
    if options.emergency is not None:
        if not _named(update, options.emergency) and not _is_stack(update):
            return "emergency", "This is an emergency, and the update is not named by it.", None
        return None
    never = wua.never(update) if _is_windows(update) else None
    if never is not None:
        return *never, None
    # Without it the host cannot even say what else is open: no policy leaves it out.
    if not _is_stack(update) and update["class"] not in _WANTED[options.policy]:
        words = _CLASS_WORDS.get(update["class"], str(update["class"]))
        return "policy", f"It is {words}, and the policy is '{options.policy}'.", None
    ready = aged.since + options.soak_days * DAY
    if ready > view.now and not urgent:
        age = duration_text(view.now - aged.since)
        return "soak", f"Known for {age}; updates are taken after {options.soak_days:g} days.", iso(ready)
    return None


def _named(update: patching.Update, emergency: Emergency) -> bool:
    return (
        update["name"] in emergency.packages
        or bool(set(update["advisories"]) & set(emergency.advisories))
        or bool(set(update["cves"]) & set(emergency.cves))
    )


def _day(day: dt.date) -> str:
    return f"{day.isoformat()}T23:59:59Z"


def _item(
    update: patching.Update, version: str, aged: patching.Aged, options: Options, urgent: bool, today: dt.date
) -> Item:
    published = update.get("published_at")
    reason = ""
    if options.emergency is not None:
        reason = f"emergency, approved by {options.emergency.approver}: {options.emergency.reason}"
    elif urgent:
        reason = "known to be exploited"
    elif update["class"] == "unknown":
        reason = "its source has no advisories, so it counts as a security update"
    elif _is_stack(update):
        reason = "the package manager itself comes first; plan again afterwards"
    ended = [
        f"{exclusion.approver}'s exclusion ended on {exclusion.expires.isoformat()}"
        for exclusion in options.exclusions
        if today > exclusion.expires and any(map(exclusion.matches, _names(update)))
    ]
    return Item(
        name=update["name"],
        kind=update.get("kind") or "package",
        arch=update.get("arch") or "",
        installed=update.get("installed"),
        version=version,
        update_class=t.cast(UpdateClass, update["class"]),
        severity=update.get("severity"),
        advisories=list(update["advisories"]),
        cves=list(update["cves"]),
        published_at=iso(published) if published else None,
        deadline=iso(aged.deadline),
        reason="; ".join(filter(None, [reason, *ended])),
        title=str(update.get("title") or ""),
        update_id=str(update.get("update_id") or ""),
        alone=wua.alone(update),
        cumulative=bool(update.get("cumulative")),
    )


def _withheld(update: patching.Update, version: str, reason: Reason) -> Withheld:
    code, sentence, until = reason
    return Withheld(
        name=update["name"],
        arch=update.get("arch") or "",
        installed=update.get("installed"),
        version=version,
        update_class=t.cast(UpdateClass, update["class"]),
        code=code,
        reason=sentence,
        until=until,
        title=str(update.get("title") or ""),
        update_id=str(update.get("update_id") or ""),
    )
