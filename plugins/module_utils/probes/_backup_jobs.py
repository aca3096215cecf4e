# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: which timers and cron tables run a backup tool, and how that ended.

Command lines and scripts hold passwords: they are looked through for the names of known tools on the spot, and only
those names are kept. Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import re

from ansible_collections.keepwell.fleet.plugins.module_utils.probes._systemd import (
    parse_blocks,
    parse_count,
    parse_timestamp,
)

TOOLS = (
    "restic",
    "borg",
    "borgmatic",
    "kopia",
    "rsnapshot",
    "rdiff-backup",
    "duplicity",
    "duply",
    "pgbackrest",
    "barman",
    "timeshift",
    "proxmox-backup-client",
    "veeamconfig",
    "autorestic",
    "resticprofile",
    "backupninja",
    "rclone",
    "tarsnap",
)
DUMP_TOOLS = {
    "pg_dump": "postgresql",
    "pg_dumpall": "postgresql",
    "pg_basebackup": "postgresql",
    "pgbackrest": "postgresql",
    "barman": "postgresql",
    "autopostgresqlbackup": "postgresql",
    "wal-g": "postgresql",
    "mysqldump": "mysql",
    "mariadb-dump": "mysql",
    "mariabackup": "mysql",
    "mariadb-backup": "mysql",
    "xtrabackup": "mysql",
    "mydumper": "mysql",
    "automysqlbackup": "mysql",
    "mongodump": "mongodb",
}
WORDS = tuple(sorted(set(TOOLS) | set(DUMP_TOOLS), key=len, reverse=True))
_WORD = re.compile(r"(?<![\w-])(%s)(?![\w-])" % "|".join(re.escape(word) for word in WORDS))
_BACKUP_NAME = re.compile(r"(?<![a-z])(?:backup|sicherung|snapshot-backup)(?:s|-|_|\.|$|\d)", re.IGNORECASE)
# Copies of package databases and partition tables that Debian itself makes: no backups of the host's data.
OWN_COPIES = ("dpkg-db-backup.timer", "dpkg-db-backup.service")
TIMER_PROPERTIES = "Id,LoadState,ActiveState,UnitFileState,Unit,LastTriggerUSec,NextElapseUSecRealtime"
SERVICE_PROPERTIES = (
    "Id,ExecStart,ExecStartPre,ExecStartPost,ActiveState,Result,ExecMainStatus,"
    "ExecMainStartTimestamp,ExecMainExitTimestamp"
)
CRON_LINE = re.compile(r"^\s*(@\w+|(?:[\d*,/A-Za-z-]+\s+){4}[\d*,/A-Za-z-]+)\s+(\S.*)$")
# Debian, SUSE, the RHEL family.
CRON_FOLDERS = ("/etc/cron.d", "/var/spool/cron/crontabs", "/var/spool/cron/tabs", "/var/spool/cron")
CRON_SCRIPTS = ("/etc/cron.hourly", "/etc/cron.daily", "/etc/cron.weekly", "/etc/cron.monthly")
SCRIPT_SIZE = 65536
TABLE_SIZE = 262144
JOB_CAP = 60


def tools_in(text):
    """Sorted names of the known tools that occur as words outside of comments."""
    body = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return sorted(set(_WORD.findall(body)))


def scripts_in(command):
    """Paths of files that a command line names and that may be scripts worth a look (at most 3)."""
    found = [
        word for word in re.findall(r"(?<![\w=])(/[\w./@+-]+)", command) if not word.startswith(("/dev/", "/proc/"))
    ]
    return found[:3]


def tools_of_command(machine, command):
    """Names of backup tools that a command line runs, directly or through a script it names."""
    found = set(tools_in(command))
    for path in scripts_in(command):
        data = machine.read_bytes(path, limit=SCRIPT_SIZE, source="backup scripts")
        if data and data[:2] == b"#!":
            found.update(tools_in(data.decode("utf-8", "replace")))
    return sorted(found)


def timer_jobs(machine):
    """Jobs that systemd's timers run; None when systemd does not run or cannot be asked."""
    if not machine.exists("/run/systemd/system"):
        return None
    shown = machine.run(["systemctl", "show", "--type=timer", "--all", "-p", TIMER_PROPERTIES, "*"], source="timers")
    if not shown.ok:
        return None
    try:
        timers = [block for block in parse_blocks(shown.out) if block.get("LoadState") == "loaded"]
        timers = [block for block in timers if block.get("Unit") and block.get("Id") not in OWN_COPIES]
        names = sorted(set(block["Unit"] for block in timers))
        if not names:
            return []
        shown = machine.run(["systemctl", "show", "-p", SERVICE_PROPERTIES] + names, source="timer services")
        services = dict((block.get("Id"), block) for block in parse_blocks(shown.out if shown.ok else ""))
        jobs = []
        for block in timers:
            service = services.get(block["Unit"], {})
            commands = " ".join(service.get(key, "") for key in ("ExecStartPre", "ExecStart", "ExecStartPost"))
            tools = tools_of_command(machine, commands)
            if tools or _BACKUP_NAME.search(block["Id"]):
                jobs.append(timer_job(block, service, tools))
        return jobs[:JOB_CAP]
    except ValueError as exc:
        machine.note("timers", "error", str(exc))
        return None


def timer_job(timer, service, tools):
    """Facts of one timer and the service it starts; ``last_end`` is None before the first end since boot."""
    return {
        "kind": "timer",
        "name": timer["Id"],
        "tools": tools,
        "schedule": None,
        "active": timer.get("ActiveState") == "active",
        "enabled": timer.get("UnitFileState") in ("enabled", "enabled-runtime", "static", "generated"),
        "last": parse_timestamp(timer.get("LastTriggerUSec", "")),
        "next": parse_timestamp(timer.get("NextElapseUSecRealtime", "")),
        "service": timer.get("Unit"),
        "running": service.get("ActiveState") in ("activating", "active"),
        "result": service.get("Result") or None,
        "exit": parse_count(service.get("ExecMainStatus", "")),
        "last_start": parse_timestamp(service.get("ExecMainStartTimestamp", "")),
        "last_end": parse_timestamp(service.get("ExecMainExitTimestamp", "")),
    }


def parse_crontab(text, with_user):
    """Return (schedule, command line) of every job in a cron table. Raises ValueError naming a line it cannot read."""
    jobs = []
    for line in text.splitlines():
        stripped = line.strip()
        if not stripped or stripped.startswith("#") or re.match(r"^[A-Za-z_][\w]*\s*=", stripped):
            continue
        match = CRON_LINE.match(line)
        if not match:
            # Never the command itself: it may hold a password.
            raise ValueError("cron: no schedule in a line that starts with %r" % stripped[:12])
        command = match.group(2)
        if with_user:
            command = command.split(None, 1)[1] if len(command.split(None, 1)) == 2 else ""
        jobs.append((" ".join(match.group(1).split()), command))
    return jobs


def cron_jobs(machine):
    """Jobs in cron tables and in cron's script folders. Cron keeps no result: ``result`` and ``last_end`` are None."""
    jobs = []
    tables = [("/etc/crontab", True)]
    for folder in CRON_FOLDERS:
        for name in machine.listdir(folder, source="cron tables") if machine.exists(folder) else []:
            if not name.startswith(".") and "/" not in name and name not in ("crontabs", "tabs"):
                tables.append((folder + "/" + name, folder == "/etc/cron.d"))
    for path, with_user in tables:
        text = machine.read(path, limit=TABLE_SIZE, source="cron tables")
        try:
            lines = parse_crontab(text or "", with_user)
        except ValueError as exc:
            machine.note("cron tables", "error", "%s: %s" % (path, exc))
            continue
        for schedule, command in lines:
            tools = tools_of_command(machine, command)
            if tools or _BACKUP_NAME.search(command.split()[0] if command.split() else ""):
                jobs.append(_cron_job(path, schedule, tools))
    for folder in CRON_SCRIPTS:
        for name in machine.listdir(folder, source="cron tables") if machine.exists(folder) else []:
            text = machine.read(folder + "/" + name, limit=SCRIPT_SIZE, source="cron tables")
            tools = tools_in(text or "")
            # Debian's daily script "dpkg" only copies the package database.
            if (tools or _BACKUP_NAME.search(name)) and not name.startswith(".") and name != "dpkg":
                jobs.append(_cron_job(folder + "/" + name, "@" + folder.rpartition(".")[2], tools))
    return jobs[:JOB_CAP]


def _cron_job(path, schedule, tools):
    return {
        "kind": "cron",
        "name": path,
        "tools": tools,
        "schedule": schedule,
        "active": True,
        "enabled": True,
        "last": None,
        "next": None,
        "service": None,
        "running": None,
        "result": None,
        "exit": None,
        "last_start": None,
        "last_end": None,
    }
