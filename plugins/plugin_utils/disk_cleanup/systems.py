# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: which cleanup rules hosts have, by their system. Pure.

A client's inventory names rules for all of its hosts; what a host's system does not have is passed over with a word.
The rules of Windows are carried out by ``module_utils/disk_cleanup/rules.psm1`` and its neighbours.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup import _rules
from ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup._rules import Rule

WINDOWS: tuple[Rule, ...] = (
    Rule(
        "temporary_files",
        "Temporary files",
        "files",
        "on",
        r"Windows\Temp, and AppData\Local\Temp of every profile",
        "Older than disk_cleanup_temp_days; nothing that is in use, and nothing of a profile that Windows is about to "
        "remove.",
    ),
    Rule(
        "rotated_logs",
        "Logs that were rotated away",
        "files",
        "on",
        r"CbsPersist_*.cab and *.log in Windows\Logs\CBS",
        "Never a log that is written to, only older than disk_cleanup_log_days and never below "
        "disk_cleanup_log_retention_days.",
    ),
    Rule(
        "web_server_logs",
        "Logs of the web server",
        "files",
        "ask",
        r"ex*.log and u_ex*.log below inetpub\logs\LogFiles",
        "Who visited whom is often a record that has to be kept: only older than disk_cleanup_log_days and never below "
        "disk_cleanup_log_retention_days.",
    ),
    Rule(
        "crash_data",
        "Crash dumps",
        "files",
        "ask",
        r"*.dmp in Windows\Minidump and below Windows\LiveKernelReports, Windows\MEMORY.DMP, and reports of Windows "
        "Error Reporting",
        "Each is recorded before it goes. The newest disk_cleanup_crash_keep of a folder stay, and all of the last "
        "seven days; MEMORY.DMP goes when so many minidumps are newer.",
    ),
    Rule(
        "update_cache",
        "Updates that were fetched",
        "command",
        "ask",
        r"files below Windows\SoftwareDistribution\Download",
        "Nothing while Windows waits for a restart, services, installs or transfers. wuauserv, bits and dosvc are "
        "stopped meanwhile and started again. What was fetched within disk_cleanup_package_keep_days stays, and so "
        "does the history of updates.",
    ),
    Rule(
        "delivery_optimization",
        "Updates that are kept for others",
        "command",
        "ask",
        "Delete-DeliveryOptimizationCache",
        "By Windows itself, never what is pinned; nothing on Server 2016, which has no command for it.",
    ),
    Rule(
        "recycle_bin",
        "Things in recycle bins",
        "files",
        "ask",
        "$Recycle.Bin of every disk",
        "What was deleted longer ago than disk_cleanup_recycle_days, each thing as a whole or not at all.",
    ),
    Rule(
        "component_store",
        "Replaced components of Windows",
        "command",
        "ask",
        "dism.exe /Cleanup-Image /StartComponentCleanup",
        "Where DISM recommends it itself, and nothing while Windows waits for a restart or services. Never /ResetBase: "
        "updates can be taken back afterwards.",
    ),
    Rule(
        "previous_windows",
        "What an upgrade left",
        "report",
        "off",
        "Windows.old, $WINDOWS.~BT and $Windows.~WS",
        "It is the way back to the version before: a person decides.",
    ),
)
NAMEABLE = tuple(dict.fromkeys([*_rules.NAMEABLE, *(rule.id for rule in WINDOWS if rule.default != "off")]))
# They change what the system boots or keep it busy for long, so they need a window.
DISTURBING = ("old_kernels", "update_cache", "component_store")


def find(name: str) -> Rule | None:
    """Return a rule of any system; None when there is none."""
    return _rules.by_id(name) or next((rule for rule in WINDOWS if rule.id == name), None)


def split(names: Iterable[str], windows: bool) -> tuple[list[str], list[str]]:
    """Return those of some rules that a host's system has, and the others."""
    known = {rule.id for rule in (WINDOWS if windows else _rules.RULES)}
    chosen = list(names)
    return [name for name in chosen if name in known], [name for name in chosen if name not in known]


def disturbs(names: Collection[str], windows: bool) -> bool:
    """Return True when one of some rules needs a window on a host of this system, whatever the variables say."""
    return any(name in DISTURBING for name in split(names, windows)[0])
