# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What backs up a host, when it last ran, and which databases wait to be backed up.

Presence, schedule and the end of the last run only: whether the copies are any good is proven elsewhere. No
repository is opened, no configuration is read, no password is asked for. Runs on managed hosts: standard library
only, Python 3.6 syntax.
"""

import re

from ansible_collections.keepwell.fleet.plugins.module_utils.probes._backup_jobs import (
    DUMP_TOOLS,
    cron_jobs,
    timer_jobs,
)
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._command_names import running_names
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._systemd import parse_blocks

TIME_LIMIT_S = 12
# Command -> package it comes in. Asking the package manager costs 20 ms; Python tools take up to a second to say it.
PACKAGES = {
    "restic": "restic",
    "borg": "borgbackup",
    "borgmatic": "borgmatic",
    "kopia": "kopia",
    "rsnapshot": "rsnapshot",
    "rdiff-backup": "rdiff-backup",
    "duplicity": "duplicity",
    "pgbackrest": "pgbackrest",
    "barman": "barman",
    "timeshift": "timeshift",
    "proxmox-backup-client": "proxmox-backup-client",
    "tarsnap": "tarsnap",
    "veeamconfig": "veeam",
}
# Quick native programs that are often installed without a package.
ASKED = {"restic": "version", "kopia": "--version", "pgbackrest": "version", "proxmox-backup-client": "version"}
# Where tools keep what they are told; the files are named, never opened.
CONFIGURATIONS = {
    "borgmatic": ("/etc/borgmatic/config.yaml", "/etc/borgmatic.d/*.yaml", "/root/.config/borgmatic/config.yaml",
                  "/root/.config/borgmatic.d/*.yaml"),
    "restic": ("/etc/restic/*", "/etc/default/restic*", "/root/.config/restic/*", "/etc/resticprofile/*"),
    "kopia": ("/root/.config/kopia/repository.config",),
    "rsnapshot": ("/etc/rsnapshot.conf",),
    "pgbackrest": ("/etc/pgbackrest.conf", "/etc/pgbackrest/pgbackrest.conf", "/etc/pgbackrest/conf.d/*.conf"),
    "barman": ("/etc/barman.conf", "/etc/barman.d/*.conf"),
    "timeshift": ("/etc/timeshift/timeshift.json", "/etc/timeshift.json"),
    "duply": ("/etc/duply/*/conf", "/root/.duply/*/conf"),
    "backupninja": ("/etc/backup.d/*",),
    "bacula": ("/etc/bacula/bacula-fd.conf",),
    "bareos": ("/etc/bareos/bareos-fd.d/*/*.conf",),
}  # fmt: skip
# Agents whose schedule lives on a server elsewhere.
AGENTS = {
    "veeamservice.service": "Veeam Agent",
    "bacula-fd.service": "Bacula",
    "bareos-fd.service": "Bareos",
    "bareos-filedaemon.service": "Bareos",
    "urbackupclientbackend.service": "UrBackup",
    "amanda.socket": "Amanda",
    "acronis_mms.service": "Acronis",
    "nakivo-transporter.service": "NAKIVO",
    "cbagent.service": "Comet",
    "backup-client.service": "Comet",
    "dsmcad.service": "IBM Storage Protect",
    "netbackup.service": "NetBackup",
}
# Process name -> database system.
DATABASES = {
    "postgres": "postgresql",
    "postmaster": "postgresql",
    "mysqld": "mysql",
    "mariadbd": "mysql",
    "mongod": "mongodb",
    "redis-server": "redis",
    "valkey-server": "redis",
}
_VERSION = re.compile(r"\b(\d+(?:\.\d+)+[\w.~+-]*)")


def collect(machine, parameters):
    """Return the facts of ``backups``.

    Keys: ``tools`` (name, path, version or None), ``agents`` (name, unit, active, enabled), ``configurations`` (tool,
    path), ``jobs`` (see ``_backup_jobs``; those that systemd or cron start), ``jobs_complete`` (False: some tables or
    scripts could not be read), ``databases`` (system -> number of processes; None: processes are hidden),
    ``dump_jobs`` (database system -> names of jobs that dump it).
    """
    timers = timer_jobs(machine)
    jobs = (timers or []) + cron_jobs(machine)
    read = [machine.sources.get(name, {}).get("status", "ok") for name in ("cron tables", "backup scripts", "timers")]
    processes = running_names(machine)
    return {
        "tools": _tools(machine),
        "agents": _agents(machine),
        "configurations": _configurations(machine),
        "jobs": jobs,
        "jobs_complete": all(status == "ok" for status in read) and machine.privileged,
        "databases": None if processes is None else databases_in(processes),
        "dump_jobs": dump_jobs(jobs),
    }


def databases_in(processes):
    """Database system -> number of its processes."""
    found = {}
    for name, count in processes.items():
        if name in DATABASES:
            found[DATABASES[name]] = found.get(DATABASES[name], 0) + count
    return found


def dump_jobs(jobs):
    """Database system -> sorted names of the jobs that run one of its dump tools."""
    found = {}
    for job in jobs:
        for tool in job["tools"]:
            if tool in DUMP_TOOLS:
                found.setdefault(DUMP_TOOLS[tool], set()).add(job["name"])
    return dict((system, sorted(found[system])) for system in found)


def parse_version(text):
    """First version number in what a tool prints. Raises ValueError when there is none."""
    match = _VERSION.search(text)
    if not match:
        raise ValueError("no version in %r" % text[:80])
    return match.group(1)


def _tools(machine):
    present = [(name, machine.which(name)) for name in sorted(PACKAGES)]
    present = [(name, path) for name, path in present if path]
    packaged = _packaged(machine, [PACKAGES[name] for name, _path in present]) if present else {}
    tools = []
    for name, path in present:
        version = packaged.get(PACKAGES[name])
        if version is None and name in ASKED:
            shown = machine.run([name, ASKED[name]], source="version of " + name)
            try:
                version = parse_version(shown.out or shown.err) if shown.ok else None
            except ValueError as exc:
                machine.note("version of " + name, "error", str(exc))
        tools.append({"name": name, "path": path, "version": version})
    return tools


def _packaged(machine, packages):
    """Package -> version of those the package manager knows; it ends with an error when it does not know them all."""
    if machine.which("dpkg-query"):
        command = ["dpkg-query", "-W", "-f", "${Package} ${Version}\\n"]
    elif machine.which("rpm"):
        command = ["rpm", "-q", "--qf", "%{NAME} %{VERSION}\\n"]
    else:
        return {}
    shown = machine.run(command + packages, accepted=None, source="package versions")
    pairs = [line.split() for line in shown.lines()]
    return dict((pair[0], pair[1]) for pair in pairs if len(pair) == 2)


def _agents(machine):
    if not machine.exists("/run/systemd/system"):
        return []
    command = ["systemctl", "show", "-p", "Id,LoadState,ActiveState,UnitFileState"] + sorted(AGENTS)
    shown = machine.run(command, source="agents")
    if not shown.ok:
        return []
    try:
        blocks = parse_blocks(shown.out)
    except ValueError as exc:
        machine.note("agents", "error", str(exc))
        return []
    return [
        {
            "name": AGENTS.get(block.get("Id"), block.get("Id")),
            "unit": block.get("Id"),
            "active": block.get("ActiveState") == "active",
            "enabled": block.get("UnitFileState") in ("enabled", "enabled-runtime"),
        }
        for block in blocks
        if block.get("LoadState") not in ("not-found", None)
    ]


def _configurations(machine):
    return [
        {"tool": tool, "path": path}
        for tool in sorted(CONFIGURATIONS)
        for pattern in CONFIGURATIONS[tool]
        for path in machine.glob(pattern)[:20]
    ]
