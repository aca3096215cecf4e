# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: coming windows as a calendar file (RFC 5545) that people subscribe to.

An event keeps its UID for as long as its window and its day exist; SEQUENCE grows when it changes, so that calendars
move it and do not show it twice.
"""

from __future__ import annotations

import dataclasses
import datetime
import gettext
import hashlib
import typing as t
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import EvidenceError, write_atomic
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows.preview import Coming
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.visible import visible

FILE_NAME = "windows.ics"
_DIGEST = "X-KEEPWELL-DIGEST"


class Kept(t.NamedTuple):
    """The calendar file as it is, or would be, and whether that differs from before."""

    content: bytes
    changed: bool


class _Known(t.NamedTuple):
    """An event of the former file."""

    digest: str
    sequence: int
    stamp: datetime.datetime


def keep(
    path: Path,
    client: str,
    name: str,
    found: Sequence[Coming],
    now: float,
    texts: gettext.NullTranslations,
    *,
    act: bool,
) -> Kept:
    """Write the calendar file where it differs. Raises EvidenceError when that is impossible."""
    try:
        former = path.read_bytes() if path.exists() else None
        content = render(client, name, found, now, former, texts)
        if content != former and act:
            write_atomic(path, content)
    except OSError as exc:
        raise EvidenceError(f"{path} cannot be written: {exc.strerror}.") from exc
    return Kept(content, content != former)


def render(
    client: str,
    name: str,
    found: Sequence[Coming],
    now: float,
    former: bytes | None,
    texts: gettext.NullTranslations | None = None,
) -> bytes:
    """Return the file of a client's coming windows; ``former`` is what it was before, None when there was none."""
    # Loads for a quarter of a second, and few runs write a calendar.
    import icalendar

    texts = texts or gettext.NullTranslations()
    known = _known(former)
    calendar: t.Any = icalendar.Calendar()
    calendar.add("prodid", "-//Keepwell//keepwell.fleet//EN")
    calendar.add("version", "2.0")
    name = _readable(name)
    for entry in map(_entry, found):
        event: t.Any = icalendar.Event()
        event.add("uid", _uid(client, entry))
        event.add("dtstart", _utc(entry.begin))
        event.add("dtend", _utc(entry.end))
        summary = texts.gettext("{client}: maintenance '{window}'")
        event.add("summary", summary.format(client=name, window=entry.name))
        event.add("description", _description(entry, texts))
        digest = hashlib.sha256(event.to_ical()).hexdigest()[:16]
        before = known.get(str(event["uid"]), _Known(digest, 0, _utc(now)))
        changed = before.digest != digest
        event.add("sequence", before.sequence + changed)
        event.add("dtstamp", _utc(now) if changed else before.stamp)
        event.add(_DIGEST, digest)
        calendar.add_component(event)
    return t.cast(bytes, calendar.to_ical())


def _description(entry: Coming, texts: gettext.NullTranslations) -> str:
    """What may be done, on which hosts, and which blackout ends it early."""
    told = texts.gettext("{work} on {hosts}").format(
        work=", ".join(texts.pgettext("work", kind) for kind in entry.allow), hosts=", ".join(entry.hosts)
    )
    return told + (texts.gettext(", cut by '{blackout}'").format(blackout=entry.cut_by) if entry.cut_by else "")


def _uid(client: str, entry: Coming) -> str:
    """The same window on the same day of the client is the same event, whatever else changes."""
    day = datetime.datetime.fromtimestamp(entry.begin, entry.zone).date().isoformat()
    part = hashlib.sha256("\0".join((entry.name, day, *entry.allow)).encode()).hexdigest()[:20]
    return f"{part}@{client}.keepwell.invalid"


def _utc(at: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(int(at), datetime.UTC)


def _known(former: bytes | None) -> dict[str, _Known]:
    """Return the events of the former file by UID; one that is no calendar has none."""
    import icalendar

    try:
        calendar: t.Any = icalendar.Calendar.from_ical(former or b"")
        return {
            str(event["uid"]): _Known(str(event[_DIGEST]), int(event["sequence"]), event["dtstamp"].dt)
            for event in calendar.walk("VEVENT")
        }
    except (ValueError, KeyError, IndexError):
        return {}


def _entry(entry: Coming) -> Coming:
    """Return an opening whose texts are safe to look at."""
    hosts = tuple(map(_readable, entry.hosts))
    return dataclasses.replace(entry, name=_readable(entry.name), hosts=hosts, cut_by=_readable(entry.cut_by))


def _readable(text: str) -> str:
    """Return a text without control characters, which RFC 5545 does not know, and what deceives the eye."""
    return visible(text).encode("utf-8", "replace").decode("utf-8")
