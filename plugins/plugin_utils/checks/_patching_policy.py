# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the patching policy, the age of an update, and whether the list can be believed."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks import _patching_months
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import (
    DAY,
    HOUR,
    Section,
    View,
    duration_text,
    threshold,
)

Update = Mapping[str, t.Any]


class Policy(Section):
    """Deadlines and limits for patching."""

    sla_critical_internet_h: float = threshold(
        48.0, "Essential Eight: internet-facing servers, critical or exploited", gt=0
    )
    sla_high_or_unrated_d: float = threshold(
        14.0, "Cyber Essentials v3.3: 14 days from release, unrated counts as high", gt=0
    )
    sla_other_d: float = threshold(30.0, "Essential Eight, CIS 7.3 and 7.7, PCI DSS 6.3.3: one month", gt=0)
    point_release_d: float = threshold(
        30.0, "House; CIS 7.3 monthly: point releases carry fixes without an advisory", gt=0
    )
    other_updates_d: float = threshold(90.0, "House", gt=0)
    metadata_max_age_h: float = threshold(48.0, "House; Debian's security index is valid for 7 days", gt=0)
    reboot_max_d: float = threshold(7.0, "House", gt=0)
    reboot_critical_max_h: float = threshold(48.0, "House; Essential Eight for a critical kernel fix", gt=0)
    services_restart_max_d: float = threshold(7.0, "House; as long as a reboot may wait", gt=0)
    lock_max_h: float = threshold(2.0, "House", gt=0)
    automatic_updates_max_age_d: float = threshold(7.0, "House; the timers run daily", gt=0)
    release_lock_max_age_d: float = threshold(
        90.0, "House; Amazon Linux 2023 makes a release every one to two weeks", gt=0
    )
    allow_automatic_reboot: bool = threshold(False, "House: nothing reboots outside the window")


@dataclass(frozen=True)
class Aged:
    """An update with its clock: since when it was there, how that is known, and how long policy allows."""

    update: Update
    since: float
    basis: str
    limit_s: float

    @property
    def deadline(self) -> float:
        """When policy wants it installed (epoch seconds)."""
        return self.since + self.limit_s


def sla(update: Update, exposure: str, policy: Policy) -> float:
    """Seconds that policy allows for a security update (or one that nobody classified) on a host of this exposure."""
    severity = update.get("severity")
    if exposure == "internet":
        if severity == "critical":
            return policy.sla_critical_internet_h * HOUR
        return (policy.sla_other_d if severity in ("moderate", "low") else policy.sla_high_or_unrated_d) * DAY
    return (policy.sla_high_or_unrated_d if severity == "critical" else policy.sla_other_d) * DAY


def aged(view: View, update: Update, limit_s: float) -> Aged:
    """Return an update with its clock: the vendor's date or the first time it was seen, whichever is earlier.

    A newer version must not reset the clock of a package that has been without its fix all along; so the package's
    own first sighting with an open security update counts, too.
    """
    name = update["name"]
    moments = [(view.now, "seen now")]
    if update.get("published_at"):
        moments.append((float(update["published_at"]), "advisory_issued"))
    if update.get("behind_since"):
        moments.append((float(update["behind_since"]), "successor_of_installed_build"))
    sightings = [view.history.first_seen("pending", key(update))]
    if update["class"] in ("security", "unknown"):
        sightings.append(view.history.first_seen("pending_security", name))
    moments += [(moment, "ledger_first_seen") for moment in sightings if moment is not None]
    since, basis = min(moments)
    return Aged(update, since, basis, limit_s)


def key(update: Update) -> str:
    """Name of the sighting of an update: package and version."""
    return f"{update['name']}|{update['candidate']}"


def oldest_first(items: Iterable[Aged]) -> list[Aged]:
    """Sort by deadline, then by name."""
    return sorted(items, key=lambda item: (item.deadline, item.update["name"]))


def names_text(names: Iterable[str], limit: int = 5) -> str:
    """Return ``a, b, c and 4 more``."""
    known = list(names)
    rest = len(known) - limit
    return ", ".join(known[:limit]) + (f" and {rest} more" if rest > 0 else "")


# Where package sources are written down.
_SOURCE_LISTS = ("/etc/apt/*", "/etc/yum.repos.d/*", "/etc/zypp/repos.d/*")


def doubts(view: View, policy: Policy) -> list[str]:
    """Return why the list of updates cannot be believed; empty when it can.

    Old or incomplete metadata reads as "0 updates": this is asked before any count is called ok.
    """
    data = view.data("packages")
    metadata = data["metadata"]
    reasons = []
    if metadata["configured"] == 0:
        reasons.append("no package source is configured")
    elif metadata["checked_at"] is None:
        reasons.append(view.command("the package sources were never read", "it never searched for updates"))
    reasons += [f"{error['source']}: {error['error']}" for error in metadata["errors"]]
    limit = policy.metadata_max_age_h * HOUR
    for source in metadata["sources"]:
        checked = source.get("checked_at")
        if checked is None:
            reasons.append(f"{source['id']}: not known when it was last read")
        elif view.now - checked > limit:
            reasons.append(f"{source['id']}: last read {duration_text(view.now - checked)} ago")
        elif checked - view.now > HOUR:
            reasons.append(f"{source['id']}: last read in the future, the clock is wrong")
        if source.get("valid_until") is not None and source["valid_until"] < view.now:
            reasons.append(f"{source['id']}: expired {duration_text(view.now - source['valid_until'])} ago")
    if data["pending"] is None:
        reasons.append(f"{view.command('the package manager', 'Windows Update')} gave no list of updates")
    unread = view.record("packages").unread(*_SOURCE_LISTS)
    reasons += [f"{path}: could not be read, so its sources are not known" for path in unread]
    if view.windows:
        reasons += _patching_months.doubt(view, limit)
    return reasons


def look_again(view: View) -> str:
    """Return what to do where the list of updates cannot be believed."""
    return view.command(
        "Refresh the package lists first, then look again.",
        "Let the host search for updates first; its own error says what stands in the way.",
    )


def open_updates(view: View, *classes: str) -> list[Update]:
    """Updates of these classes that nothing on the host holds back."""
    return [
        update
        for update in view.data("packages")["pending"] or []
        if update["class"] in classes and update["held_by"] is None
    ]
