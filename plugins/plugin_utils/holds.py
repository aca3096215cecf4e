# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: holds: a person keeps a host or a whole client from being changed until a date. Pure.

What is judged here are documents that nobody rewrites (see ``hold_files``): a hold says who keeps what back until when
and why, a release says who let which hosts of it go again.
"""

from __future__ import annotations

import datetime
import typing as t
from collections.abc import Collection, Iterable, Sequence
from zoneinfo import ZoneInfo

from pydantic import Field

from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows.times import (
    clock,
    day_of,
    find_zone,
    moment,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import SCHEMA_VERSION, Model, Timestamp, epoch, iso
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import HoldSummary, Trigger
from ansible_collections.keepwell.fleet.plugins.plugin_utils.settings import SettingsError

DEFAULT_DAYS: t.Final = 7
LONGEST_DAYS: t.Final = 90
_DAY_S = 86400.0
_LAST_MINUTE = datetime.time(23, 59)


class Hold(Model):
    """Hosts of a client that nothing is changed on until then."""

    schema_version: str = SCHEMA_VERSION
    hold_id: str
    client: str
    hosts: list[str] = Field([], description="empty: the whole client, hosts that come later included")
    reason: str
    placed_at: Timestamp
    until: Timestamp
    placed_by: Trigger


class Release(Model):
    """A person let hosts of a hold go again before its end."""

    schema_version: str = SCHEMA_VERSION
    hold_id: str
    client: str
    hosts: list[str] = Field([], description="empty: all of the hold")
    reason: str
    released_at: Timestamp
    released_by: Trigger


class Holds(t.NamedTuple):
    """All holds that a client ever had, oldest first, and what was released of them."""

    holds: Sequence[Hold]
    releases: Sequence[Release]

    def active(self, now: float) -> list[Hold]:
        """Return the holds that still keep something back."""
        return [hold for hold in self.holds if now < epoch(hold.until) and not self._all_gone(hold)]

    def against(self, host: str, now: float) -> Hold | None:
        """Return the hold that keeps a host back the longest, or None."""
        found = [hold for hold in self.active(now) if self.covers(hold, host)]
        return max(found, key=lambda hold: hold.until, default=None)

    def covers(self, hold: Hold, host: str) -> bool:
        """True when a hold is about a host and has not let it go."""
        if hold.hosts and host not in hold.hosts:
            return False
        return not any(not release.hosts or host in release.hosts for release in self._releases(hold))

    def lapsed(self, since: float, now: float) -> list[Hold]:
        """Return the holds that ended by themselves after ``since``."""
        return [hold for hold in self.holds if since < epoch(hold.until) <= now and not self._all_gone(hold)]

    def let_go(self, hold: Hold) -> list[str]:
        """Return the hosts that a hold has let go one by one."""
        return sorted({host for release in self._releases(hold) for host in release.hosts})

    def summary(self, hold: Hold) -> HoldSummary:
        """Return a hold as a run shows it."""
        gone = self.let_go(hold)
        return HoldSummary(
            hold_id=hold.hold_id,
            hosts=[host for host in hold.hosts if host not in gone],
            except_hosts=[] if hold.hosts else gone,
            reason=hold.reason,
            by=by(hold.placed_by),
            placed_at=hold.placed_at,
            until=hold.until,
        )

    def _releases(self, hold: Hold) -> list[Release]:
        return [release for release in self.releases if release.hold_id == hold.hold_id]

    def _all_gone(self, hold: Hold) -> bool:
        if any(not release.hosts for release in self._releases(hold)):
            return True
        return bool(hold.hosts) and set(hold.hosts) <= {*self.let_go(hold)}


def by(trigger: Trigger) -> str:
    """Return who did it, and where."""
    return f"{trigger.user} on {trigger.controller}"


def sentence(hold: Hold, zone: ZoneInfo) -> str:
    """Return why nothing is changed, for a person."""
    until = clock(epoch(hold.until), zone)
    return f"On hold until {until}: {hold.reason.rstrip('.')} (placed by {by(hold.placed_by)})."


def reason(value: t.Any) -> str:
    """Return a reason as one line that steers no terminal. Raises SettingsError for one that says nothing."""
    text = "".join(sign for sign in " ".join(str(value or "").split()) if sign.isprintable())
    if len(text) < 3:
        raise SettingsError(["keepwell_reason: say in a few words why, for whoever finds the hold later."])
    return text


def end(value: t.Any, now: float, zone_name: str) -> float:
    """Return when a hold ends (epoch): a day, to its last minute by the client's clock, or a time with its zone.

    Without a value that is DEFAULT_DAYS from now. Raises SettingsError for a time that is past or too far away.
    """
    zone = find_zone(zone_name) or ZoneInfo("UTC")
    text = str(value or "").strip()
    if not text:
        return moment(day_of(now + DEFAULT_DAYS * _DAY_S, zone), _LAST_MINUTE, zone)
    try:
        if len(text) == len("2026-12-05"):
            until = moment(datetime.date.fromisoformat(text), _LAST_MINUTE, zone)
        else:
            given = datetime.datetime.fromisoformat(text)
            if given.tzinfo is None:
                raise SettingsError([f"keepwell_until: '{text}' has no zone. Write 2026-12-05T18:00Z, or a day alone."])
            until = given.timestamp()
    except (ValueError, OverflowError) as exc:
        if isinstance(exc, SettingsError):
            raise
        raise SettingsError(
            [f"keepwell_until: '{text}' is no day like 2026-12-05, and no time like 2026-12-05T18:00Z."]
        ) from exc
    if until <= now:
        raise SettingsError([f"keepwell_until: '{text}' is past; a hold ends later than now."])
    if until - now > (LONGEST_DAYS + 1) * _DAY_S:
        raise SettingsError(
            [f"keepwell_until: '{text}' is more than {LONGEST_DAYS} days away. Place a hold again when it ends."]
        )
    return until


def same(holds: Holds, hosts: Collection[str], why: str, until: float, now: float) -> Hold | None:
    """Return the active hold that says just this already, or None."""
    return next(
        (
            hold
            for hold in holds.active(now)
            if set(hold.hosts) == set(hosts)
            and hold.reason == why
            and hold.until == iso(until)
            and not holds.let_go(hold)
        ),
        None,
    )


def to_release(holds: Holds, hosts: Collection[str], now: float) -> list[tuple[Hold, list[str]]]:
    """Return which active holds keep these hosts back, and which of the hosts; no hosts are all of every hold."""
    found: list[tuple[Hold, list[str]]] = []
    for hold in holds.active(now):
        kept = sorted(host for host in hosts if holds.covers(hold, host))
        if kept or not hosts:
            found.append((hold, kept))
    return found


def names(hosts: Iterable[str], but: Iterable[str] = ()) -> str:
    """Return whom a hold is about, in a few words."""
    listed, left = list(hosts), list(but)
    if not listed:
        return "the whole client" + (f" but {', '.join(left)}" if left else "")
    return ", ".join(listed[:5]) + (f" and {len(listed) - 5} more" if len(listed) > 5 else "")
