# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: a client's schedule as systemd timers and services. Pure.

Options of systemd 247 and newer: Debian 11, Ubuntu 22.04, EL 9.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import DAY, HOUR
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows.rules import DAYS
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows.times import MINUTE
from ansible_collections.keepwell.fleet.plugins.plugin_utils.schedule import jobs
from ansible_collections.keepwell.fleet.plugins.plugin_utils.schedule.jobs import Site
from ansible_collections.keepwell.fleet.plugins.plugin_utils.schedule.model import FLEET, Entry

FOLDER = "/etc/systemd/system"
# A beat of five minutes that fails all night is told once an hour.
_ALERT_EVERY = "1h"
# No ProtectProc: a run tells by its process whether another one is still alive, whoever started that.
# No MemoryDenyWriteExecute: Python's libraries make code at run time.
_HARDENING = """
NoNewPrivileges=true
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=read-only
PrivateDevices=true
ProtectKernelTunables=true
ProtectKernelModules=true
ProtectKernelLogs=true
ProtectControlGroups=true
ProtectClock=true
ProtectHostname=true
RestrictNamespaces=true
RestrictRealtime=true
RestrictSUIDSGID=true
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
LockPersonality=true
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
RemoveIPC=true
KeyringMode=private
""".strip()


def render(schedule: Mapping[str, Entry], site: Site, zone: str) -> dict[str, str]:
    """Return the unit files (path -> text) of all enabled entries."""
    entries = {name: entry for name, entry in schedule.items() if entry.enabled}
    units: dict[str, str] = {}
    for name, entry in entries.items():
        job = jobs.job_name(site.client, name)
        units[f"{FOLDER}/{job}.timer"] = _timer(name, entry, site, zone)
        units[f"{FOLDER}/{job}.service"] = _service(name, entry, site)
    if entries:
        units[f"{FOLDER}/{_alert_name(site.client)}.service"] = _alert(site)
    return units


def timers(schedule: Mapping[str, Entry], client: str) -> list[str]:
    """Return the names of the timers that have to be enabled and active."""
    return sorted(f"{jobs.job_name(client, name)}.timer" for name, entry in schedule.items() if entry.enabled)


def on_calendar(entry: Entry, zone: str) -> str:
    """Return the time of an entry as OnCalendar has it (systemd.time(7))."""
    if entry.every is not None:
        minutes = entry.every // int(MINUTE)
        if minutes < 60:
            return f"*-*-* *:00/{minutes}:00 UTC"
        return f"*-*-* {f'00/{minutes // 60}' if entry.every < DAY else '00'}:00:00 UTC"
    days = ",".join(day.capitalize() for day in DAYS if day in entry.days) + " " if entry.days else ""
    dates = ",".join(f"{day:02}" for day in sorted(set(entry.month_days))) if entry.month_days else "*"
    return f"{days}*-*-{dates} {entry.at:%H:%M}:00 {zone}"


def _timer(name: str, entry: Entry, site: Site, zone: str) -> str:
    # Work that disturbs is never caught up: it would begin at nine in the morning when the control node comes back.
    persistent = entry.at is not None and not entry.disruptive
    lines = [f"OnCalendar={on_calendar(entry, zone)}", "AccuracySec=1s", f"Persistent={str(persistent).lower()}"]
    if entry.splay:
        lines += [f"RandomizedDelaySec={int(entry.splay)}", "FixedRandomDelay=true"]
    return _file(
        site,
        {
            "Unit": [f"Description=When to run {entry.playbook} for {site.client} ({name})"],
            "Timer": lines,
            "Install": ["WantedBy=timers.target"],
        },
    )


def _service(name: str, entry: Entry, site: Site) -> str:
    variables = {
        **jobs.environment(site),
        # Below the private /tmp: the home folder stays read-only, and paths of sockets short.
        "ANSIBLE_HOME": "/tmp/ansible",  # noqa: S108 - PrivateTmp
        "ANSIBLE_SSH_CONTROL_PATH_DIR": "/tmp/cp",  # noqa: S108 - PrivateTmp
    }
    lines = [
        "Type=oneshot",
        f"User={site.user}",
        f"WorkingDirectory={_plain(site.project)}",
        *(f"Environment={_quoted(f'{key}={value}')}" for key, value in sorted(variables.items())),
        f"ExecStart={_argv(jobs.command(site, name, entry))}",
        f"SuccessExitStatus={jobs.LOCKED}",
        f"TimeoutStartSec={entry.timeout_s}",
        "UMask=0027",
        "PrivateTmp=true",
    ]
    if site.vault_file:
        lines.append(f"LoadCredential=vault:{_plain(site.vault_file)}")
    if not site.local_sudo:
        lines += [*_HARDENING.splitlines(), f"ReadWritePaths={_quoted(site.folder)}"]
        if entry.playbook == FLEET:
            lines.append(f"ReadWritePaths={_quoted(site.overview)}")
        # A folder that is not there is a warning of the run, not the end of it.
        lines += [f"ReadWritePaths={_quoted(f'-{folder}')}" for folder in site.metrics]
    return _file(
        site,
        {
            "Unit": [
                f"Description=Keepwell: {entry.playbook} for {site.client} ({name})",
                "Wants=network-online.target",
                "After=network-online.target time-sync.target",
                f"OnFailure={_alert_name(site.client)}%N.service",
            ],
            "Service": lines,
        },
    )


def _alert_name(client: str) -> str:
    """Return the name of the template unit that tells of failures, up to its instance."""
    return f"{jobs.job_name(client, 'alert')}@"


def _alert(site: Site) -> str:
    variables = {
        "KEEPWELL_CLIENT": site.client,
        "KEEPWELL_ALERT_MAIL": site.alert_mail,
        "LANG": "C.UTF-8",
    }
    commands = [[f"{site.helpers}/alert.sh"], *([list(site.alert_command)] if site.alert_command else [])]
    return _file(
        site,
        {
            "Unit": [
                "Description=Keepwell: tell that %i failed",
                f"StartLimitIntervalSec={_ALERT_EVERY}",
                "StartLimitBurst=1",
            ],
            "Service": [
                "Type=oneshot",
                f"User={site.user}",
                # To quote what the run said.
                "SupplementaryGroups=systemd-journal",
                *(f"Environment={_quoted(f'{key}={value}')}" for key, value in sorted(variables.items())),
                "Environment=KEEPWELL_UNIT=%i.service",
                *(f"ExecStart={_argv(argv)}" for argv in commands),
                f"TimeoutStartSec={int(HOUR / 12)}",
                "PrivateTmp=true",
                # Programs that send mail change their group, so no NoNewPrivileges and no more than this.
                "ProtectSystem=full",
                "ProtectHome=read-only",
            ],
        },
    )


def _file(site: Site, sections: Mapping[str, Sequence[str]]) -> str:
    parts = ["\n".join([f"[{section}]", *lines]) for section, lines in sections.items()]
    return "\n\n".join([jobs.mark(site.client), *parts]) + "\n"


def _plain(value: str) -> str:
    """Return a value of which systemd reads the whole rest of the line."""
    return value.replace("%", "%%")


def _quoted(value: str) -> str:
    """Return one word, in quotes where it needs them."""
    word = _plain(value).replace("\\", "\\\\").replace('"', '\\"')
    return word if word and not set(word) & set(" \t;'\"\\#") else f'"{word}"'


def _argv(arguments: Sequence[str]) -> str:
    """Return a command line; variables are not replaced in it."""
    return " ".join(_quoted(argument).replace("$", "$$") for argument in arguments)
