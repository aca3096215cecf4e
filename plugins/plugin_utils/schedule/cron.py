# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: a client's schedule as one file in /etc/cron.d. Pure.

Debian's cron has no CRON_TZ: it would take the line for an ordinary variable and start everything by the control node's
clock. So times of another zone are asked for every hour, and the line itself looks at the client's clock. That holds
with any cron, and over clock changes on both sides.
"""

from __future__ import annotations

import datetime
import hashlib
import shlex
from collections.abc import Iterable, Mapping
from zoneinfo import ZoneInfo

from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows.rules import DAYS
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows.times import MINUTE, ONE_DAY
from ansible_collections.keepwell.fleet.plugins.plugin_utils.schedule import jobs
from ansible_collections.keepwell.fleet.plugins.plugin_utils.schedule.jobs import Site
from ansible_collections.keepwell.fleet.plugins.plugin_utils.schedule.model import Entry
from ansible_collections.keepwell.fleet.plugins.plugin_utils.settings import SettingsError

FOLDER = "/etc/cron.d"
# Debian's cron cuts commands at 998 characters.
LONGEST_COMMAND = 990
_UTC = ("UTC", "Etc/UTC")
_QUARTERS = frozenset({0, 15, 30, 45})


def path(client: str) -> str:
    """Return the file of a client."""
    return f"{FOLDER}/keepwell-{client}"


def render(
    schedule: Mapping[str, Entry], site: Site, zone: str, node_zone: ZoneInfo | None, year: int
) -> dict[str, str]:
    """Return the file (path -> text) of all enabled entries; none without entries.

    ``node_zone`` is the zone of the control node's clock where it is known. Raises SettingsError when a line would be
    too long for cron, or a variable cannot be said to it.
    """
    lines = []
    for name, entry in schedule.items():
        if not entry.enabled:
            continue
        fields, guard = _every(entry, node_zone, year) if entry.every else _at(entry, zone, node_zone, year)
        command = _guarded(guard, _run(name, entry, site))
        if len(command) > LONGEST_COMMAND:
            raise SettingsError(
                [
                    f"keepwell_schedule.{name}: its line for cron has {len(command)} characters, and Debian's cron "
                    f"cuts at {LONGEST_COMMAND}. Use shorter paths, or scheduler_kind: systemd."
                ]
            )
        lines += [f"# {name}", f"{fields} {site.user} {command}"]
    if not lines:
        return {}
    variables = {"SHELL": "/bin/sh", "PATH": "/usr/local/bin:/usr/bin:/bin", "MAILTO": site.alert_mail}
    variables |= jobs.environment(site)
    if site.vault_file:
        variables["KEEPWELL_VAULT_FILE"] = site.vault_file
    settings = [_setting(key, value) for key, value in variables.items()]
    return {path(site.client): "\n".join([jobs.mark(site.client), *settings, *lines]) + "\n"}


def delay(client: str, name: str, entry: Entry) -> int:
    """Return by how many seconds a start is put off: at random within ``splay``, always the same for an entry."""
    digest = hashlib.sha256(jobs.job_name(client, name).encode()).digest()
    return int.from_bytes(digest[:4], "big") % (int(entry.splay) + 1)


def _at(entry: Entry, zone: str, node_zone: ZoneInfo | None, year: int) -> tuple[str, str]:
    """Return the five fields, and which answer of the client's clock lets the run begin ("" for any)."""
    at = entry.clock
    days = sorted(DAYS.index(day) + 1 for day in entry.days or ())
    if node_zone is not None and (node_zone.key == zone or {node_zone.key, zone} <= {*_UTC}):
        dates = _numbers(entry.month_days) if entry.month_days else "*"
        return f"{at.minute} {at.hour} {dates} * {_numbers(days) if days else '*'}", ""
    shifts = {(mine - theirs) % 60 for mine in _offsets(node_zone, year) for theirs in _offsets(ZoneInfo(zone), year)}
    minutes = _numbers({(at.minute + shift) % 60 for shift in shifts})
    time = f"{at:%H:%M}"
    if days:
        form, answers = r"\%u-\%H:\%M", [f"[{''.join(map(str, days))}]-{time}"]
    elif entry.month_days:
        form, answers = r"\%d-\%H:\%M", [f"{day:02}-{time}" for day in sorted(set(entry.month_days))]
    else:
        form, answers = r"\%H:\%M", [time]
    return f"{minutes} * * * *", f'case "$(TZ={zone} date +{form})" in {"|".join(answers)})'


def _every(entry: Entry, node_zone: ZoneInfo | None, year: int) -> tuple[str, str]:
    """Return the same for a beat, which is counted in UTC."""
    minutes = int(entry.beat // MINUTE)
    offsets = _offsets(node_zone, year)
    if minutes < 60:
        shifts = {offset % minutes for offset in offsets}
        fields = f"{_numbers({n for n in range(60) for shift in shifts if n % minutes == shift})} * * * *"
        answers = "|".join(f"{n:02}" for n in range(0, 60, minutes))
        return fields, "" if len(shifts) == 1 else rf'case "$(TZ=UTC date +\%M)" in {answers})'
    if minutes == 60 and len(offsets) == 1:
        return f"{_numbers(offsets)} * * * *", ""
    hours = range(0, 24, minutes // 60)
    if node_zone is not None and node_zone.key in _UTC:
        return f"0 {_numbers(hours)} * * *", ""
    answers = "|".join(f"{hour:02}:00" for hour in hours)
    return f"{_numbers(offsets)} * * * *", rf'case "$(TZ=UTC date +\%H:\%M)" in {answers})'


def _offsets(zone: ZoneInfo | None, year: int) -> frozenset[int]:
    """Return how far past the hour of UTC a zone's clock is, in minutes, in a year and the next."""
    if zone is None:
        return _QUARTERS
    found = set()
    day = datetime.datetime(year, 1, 1, tzinfo=zone)
    while day.year < year + 2:
        found.add(int((day.utcoffset() or datetime.timedelta()).total_seconds() // 60) % 60)
        day += ONE_DAY
    return frozenset(found)


def _run(name: str, entry: Entry, site: Site) -> str:
    job = jobs.job_name(site.client, name)
    wait = delay(site.client, name, entry)
    told = [f"{site.helpers}/cron_run.sh", job, str(entry.timeout_s), *jobs.command(site, name, entry)]
    command = f"cd {shlex.quote(site.project)} && {f'sleep {wait} && ' if wait else ''}{shlex.join(told)}"
    if site.alert_command:
        command += f" || KEEPWELL_CLIENT={site.client} KEEPWELL_UNIT={job} {shlex.join(site.alert_command)}"
    # To cron a percent sign is the end of a line.
    return command.replace("%", r"\%")


def _setting(key: str, value: str) -> str:
    if '"' in value:
        # In the quotes of a crontab nothing can be escaped.
        raise SettingsError(
            [
                f"{key}: '{value}' has a quotation mark, and cron has no way to write one in a variable. Use a path "
                "without it, or scheduler_kind: systemd."
            ]
        )
    return f'{key}="{value}"'


def _guarded(guard: str, command: str) -> str:
    return f"{guard} {command};; esac" if guard else command


def _numbers(values: Iterable[int]) -> str:
    return ",".join(str(value) for value in sorted(set(values)))
