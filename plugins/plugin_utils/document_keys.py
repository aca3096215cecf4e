# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: which keys the data of a probe has, on every system. Data, no code but the question.

A probe always sends all its keys; one whose value could not be determined is null. A key that is not there was lost on
the way, and so was a null where there is always something to tell: a check would take it for "none of these here".
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

# Probe -> keys that hold a value, and keys that may be null.
KEYS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "access": (
        ("accounts", "admins", "keys", "keys_unread", "last_logins_known", "sshd"),
        ("failed_logins", "sudo"),
    ),
    "antivirus": (("conflicts", "engines"), ("coverage_reason",)),
    "backups": (("agents", "configurations", "dump_jobs", "jobs", "jobs_complete", "tools"), ("databases",)),
    "certificates": (("certificates", "files", "left_out", "renewal", "served"), ("listening",)),
    "disks": (("btrfs", "filesystems", "skipped_network"), ("deleted_open", "lvm", "raid", "swap", "zfs")),
    "hardware": (
        ("block_disks", "ipmi_device"),
        ("kernel_log", "memory_controllers", "multipath", "smart", "temperatures", "throttle_counts", "ups"),
    ),
    "network": (
        ("bonds", "fleeting_links", "links", "listeners_left_out", "names_given", "search"),
        ("addresses", "boot_id", "default_routes", "ephemeral_ports", "listeners", "resolvers", "targets"),
    ),
    "packages": (
        ("auto_updaters", "kernel", "manager", "metadata", "not_offered", "not_running", "reboot"),
        (
            *("broken_state", "excluded", "installed_count", "locks", "pending", "plan", "services_restart"),
            "services_seen",
        ),
    ),
    "pressure": (
        ("limits", "rates"),
        (
            *("boot_id", "cgroup_oom", "cpus", "load", "memory", "processes", "psi", "runnable", "uptime_s"),
            "vmstat",
        ),
    ),
    "services": (
        ("counts", "left_out", "manager", "units", "watched"),
        (
            *("cron", "lingering_users", "manager_since", "masked", "restarts_last_hour", "running"),
            *("system_state", "timers", "version"),
        ),
    ),
    "system": (
        ("boot", "kernel", "virtualisation"),
        (
            *("cpu_count", "entitlement", "fqdn", "hardware", "hostname", "init", "memory_total_bytes", "os"),
            *("pythons", "timezone"),
        ),
    ),
    "timesync": (
        ("in_container", "providers"),
        (
            *("clock_source", "kernel_synchronised", "leap", "local_rtc", "offset_s", "provider", "ptp_clocks"),
            *("reference", "sources", "stratum", "synchronised"),
        ),
    ),
}


def lost(probe: str, data: Mapping[str, t.Any]) -> list[str]:
    """Return the keys that the data of a probe lacks; none for a probe that is not known here."""
    held, nullable = KEYS.get(probe, ((), ()))
    return [key for key in held if data.get(key) is None] + [key for key in nullable if key not in data]
