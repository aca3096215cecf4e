# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: recurrence rules of AWX, made from a schedule, and looked at before AWX is asked.

A rule is one line, ``DTSTART;TZID=Europe/Amsterdam:20260101T221500 RRULE:FREQ=WEEKLY;INTERVAL=1;BYDAY=TU``. Made are
DAILY, WEEKLY and MONTHLY ones alone: rules by the hour went wrong in AWX when clocks changed. Pure.
"""

from __future__ import annotations

import datetime
import hashlib
import itertools
import re
from zoneinfo import ZoneInfo

from dateutil import rrule as dateutil_rrule

from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows.rules import DAYS
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows.times import find_zone
from ansible_collections.keepwell.fleet.plugins.plugin_utils.schedule.model import Entry
from ansible_collections.keepwell.fleet.plugins.plugin_utils.schedule.times import changing

# Rules count from here, for ever: a rule that began at the moment of its making would differ with every look.
_FIRST_DAY = "20260101"
# An execution environment takes seconds to start, and every job is kept in AWX's database.
SHORTEST_GAP = datetime.timedelta(minutes=5)
# So many moments are looked at: more than a day of the shortest beat.
_LOOKED_AT = 300
_MOST_COUNT = 999
_DAY_MINUTES = 24 * 60


def render(client: str, name: str, entry: Entry, zone: ZoneInfo, year: int) -> str:
    """Return the rule by which AWX begins an entry of a client's schedule.

    ``splay`` becomes a fixed number of minutes that differs from client to client. It is left out where it would put
    the start on another day, or into an hour that clocks skip in this year or the next.
    """
    late = _late(client, name, entry)
    if entry.every is not None:
        beat = entry.every // 60
        moments = range(late, _DAY_MINUTES, beat)
        hours = sorted({moment // 60 for moment in moments})
        minutes = sorted({moment % 60 for moment in moments})
        by = f"BYHOUR={','.join(map(str, hours))};BYMINUTE={','.join(map(str, minutes))}"
        return f"DTSTART;TZID=UTC:{_FIRST_DAY}T{_clock(late)} RRULE:FREQ=DAILY;INTERVAL=1;{by}"
    start = entry.clock.hour * 60 + entry.clock.minute
    unsteady = {at.hour * 60 + at.minute for at in changing(zone, year) | changing(zone, year + 1)}
    if start + late < _DAY_MINUTES and start + late not in unsteady:
        start += late
    if entry.days is not None:
        days = [day[:2].upper() for day in DAYS if day in entry.days]
        rule = f"FREQ=WEEKLY;INTERVAL=1;BYDAY={','.join(days)}"
    elif entry.month_days is not None:
        rule = f"FREQ=MONTHLY;INTERVAL=1;BYMONTHDAY={','.join(map(str, sorted(set(entry.month_days))))}"
    else:
        rule = "FREQ=DAILY;INTERVAL=1"
    return f"DTSTART;TZID={zone.key}:{_FIRST_DAY}T{_clock(start)} RRULE:{rule}"


def _late(client: str, name: str, entry: Entry) -> int:
    """Return the whole minutes of its splay by which an entry of this client begins late, the same every time."""
    digest = hashlib.sha256(f"{client}/{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % (int(entry.splay) // 60 + 1)


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02d}{minutes % 60:02d}00"


def lint(rule: str, now: datetime.datetime) -> list[str]:
    """Return what AWX would refuse in a rule, or else what it takes and nobody can mean; a sentence each."""
    return refused(rule) or unwise(rule, now)


def refused(rule: str) -> list[str]:
    """Return why AWX 24.6.1 would refuse a rule, a sentence each; empty when it takes it."""
    parts = rule.split()
    starts = [part for part in parts if part.startswith("DTSTART")]
    rules = [part.partition(":")[2] for part in parts if re.match(r"(?:RRULE|EXRULE):", part)]
    found = []
    if not starts:
        found.append("it has no DTSTART; begin with DTSTART;TZID=Europe/Amsterdam:20260101T220000")
    if len(starts) > 1:
        found.append("it has more than one DTSTART")
    found += [problem for start in starts[:1] for problem in _start_problem(start)]
    if not any(part.startswith("RRULE:") for part in parts):
        found.append("it has no RRULE")
    if any(part.startswith("EXDATE") for part in parts):
        found.append("AWX knows no EXDATE; leave days out with a blackout (keepwell_blackouts)")
    for text in rules:
        found += _rule_problems(dict(pair.partition("=")[::2] for pair in text.split(";")))
    if not found:
        try:
            _read(rule)
        except (ValueError, TypeError, KeyError) as exc:
            found.append(f"it cannot be read: {exc}")
    return found


def _start_problem(start: str) -> list[str]:
    match = re.fullmatch(r"DTSTART(?:;TZID=(?P<zone>[^:]+))?:(?P<at>\d{8}T\d{6})(?P<utc>Z?)", start)
    if match is None:
        return [f"'{start}' should be like DTSTART;TZID=Europe/Amsterdam:20260101T220000"]
    if not (match["zone"] or match["utc"]):
        return ["DTSTART has no time zone; say DTSTART;TZID=Europe/Amsterdam:..."]
    if match["zone"] and find_zone(match["zone"]) is None:
        return [f"'{match['zone']}' is no time zone"]
    try:
        datetime.datetime.strptime(match["at"], "%Y%m%dT%H%M%S")  # noqa: DTZ007 - its zone stands beside it
    except ValueError:
        return [f"{match['at']} is no date and time"]
    return []


def _rule_problems(rule: dict[str, str]) -> list[str]:
    found = []
    if "INTERVAL" not in rule:
        found.append("it has no INTERVAL; AWX wants INTERVAL=1 as well")
    if rule.get("FREQ") == "SECONDLY":
        found.append("AWX knows no FREQ=SECONDLY")
    if "COUNT" in rule and "UNTIL" in rule:
        found.append("it has both COUNT and UNTIL")
    if rule.get("COUNT", "").isdigit() and int(rule["COUNT"]) > _MOST_COUNT:
        found.append(f"COUNT is more than {_MOST_COUNT}")
    numbered = re.search(r"(?:^|,)[+-]?(\d+)([A-Z]{2})", rule.get("BYDAY", ""))
    if numbered:
        number, day = numbered.groups()
        found.append(f"AWX takes no number in BYDAY; write BYDAY={day};BYSETPOS={number} for '{number}{day}'")
    return found


def unwise(rule: str, now: datetime.datetime) -> list[str]:
    """Return what AWX takes although it goes wrong, a sentence each. The rule has to be one that AWX takes."""
    for text in re.findall(r"\bRRULE:(\S+)", rule):
        values = dict(pair.partition("=")[::2] for pair in text.split(";"))
        if values.get("INTERVAL") == "0":
            return ["INTERVAL=0 never moves on; AWX takes it all the same"]
        if values.get("FREQ") in ("HOURLY", "MINUTELY"):
            return [f"FREQ={values['FREQ']} goes wrong in AWX when clocks change; use DAILY with BYHOUR and BYMINUTE"]
    moments = list(itertools.islice(_read(rule).xafter(now), _LOOKED_AT))
    if not moments:
        return ["it never begins again; AWX keeps such a schedule and runs nothing"]
    gap = min((after - before for before, after in itertools.pairwise(moments)), default=None)
    if gap is not None and gap < SHORTEST_GAP:
        return [f"it begins every {int(gap.total_seconds())} seconds; leave five minutes between two jobs"]
    return []


def _read(rule: str) -> dateutil_rrule.rruleset:
    """Return a rule as dateutil reads it, which AWX uses as well. An UNTIL without Z is by the clock of DTSTART."""
    zone = re.search(r"TZID=([^:]+):", rule)

    def in_utc(match: re.Match[str]) -> str:
        local = datetime.datetime.strptime(match[1], "%Y%m%dT%H%M%S").replace(
            tzinfo=ZoneInfo(zone[1]) if zone else datetime.UTC
        )
        return f"UNTIL={local.astimezone(datetime.UTC):%Y%m%dT%H%M%SZ}"

    text = re.sub(r"UNTIL=(\d{8}T\d{6})(?!Z)\b", in_utc, rule)
    return dateutil_rrule.rrulestr("\n".join(text.split()), forceset=True)
