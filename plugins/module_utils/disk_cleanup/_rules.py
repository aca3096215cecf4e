# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what may be cleaned up, as data: one rule for each kind of thing.

``how`` is ``files`` (the walk of _engine), ``command`` (the program whose things they are), or ``report`` (Keepwell
only says what is there). ``default`` is ``on``; ``ask`` has to be named in ``disk_cleanup_rules``; ``off`` is never
carried out.

Runs on managed hosts, and tells the control node what there is: standard library only, Python 3.6 syntax.
"""

import collections

Rule = collections.namedtuple("Rule", "id title how default scope guard")

RULES = (
    Rule(
        "package_cache",
        "Packages that were fetched",
        "files",
        "on",
        "*.deb in /var/cache/apt/archives; *.rpm below /var/cache/dnf, /var/cache/libdnf5, /var/cache/yum and "
        "/var/cache/zypp/packages",
        "Nothing while a package manager works. What was fetched within disk_cleanup_package_keep_days stays, so that "
        "an update can be taken back; packages that patching keeps are elsewhere and are never touched.",
    ),
    Rule(
        "journal",
        "Archived journal files",
        "files",
        "on",
        "*@*.journal and *.journal~ below /var/log/journal",
        "Archived files only, and only when their last entry is older than disk_cleanup_log_days; never below "
        "disk_cleanup_log_retention_days.",
    ),
    Rule(
        "rotated_logs",
        "Logs that were rotated away",
        "files",
        "on",
        "*.gz *.xz *.bz2 *.zst *.[0-9] *-YYYYMMDD* below /var/log",
        "Never a log that is written to, never audit, wtmp, btmp, lastlog or the journal, only of root and system "
        "accounts, only older than disk_cleanup_log_days and never below disk_cleanup_log_retention_days.",
    ),
    Rule(
        "temporary_files",
        "Temporary files",
        "files",
        "on",
        "/tmp and /var/tmp, as far as tmpfiles.d gives them an age",  # noqa: S108
        "By the host's own tmpfiles.d: its ages, its exclusions, PrivateTmp, locked folders. No age there means that "
        "nothing goes.",
    ),
    Rule(
        "crash_data",
        "Crash dumps",
        "files",
        "ask",
        "/var/crash and /var/lib/systemd/coredump; of kdump's folders (/var/crash/<time>) all or nothing",
        "Each is recorded before it goes. The newest disk_cleanup_crash_keep of files and of folders stay, and all of "
        "the last seven days; so does a folder in which anything is not kdump's, or in use.",
    ),
    Rule(
        "old_kernels",
        "Kernels that are not needed any more",
        "command",
        "ask",
        "packages of kernels (apt-get, dnf, zypper)",
        "The running kernel, the newest and the one before it stay. It is simulated first, and refused when any other "
        "package would go with them.",
    ),
    Rule(
        "container_images",
        "Container images that nothing uses",
        "command",
        "ask",
        "docker or podman image prune --all, older than seven days",
        "By the program itself, from versions on that know the filter. Never volumes, never containers, and not on "
        "Kubernetes nodes.",
    ),
    Rule(
        "container_build_cache",
        "Build caches of containers",
        "command",
        "ask",
        "docker builder prune, older than seven days",
        "By the program itself. Not on Kubernetes nodes.",
    ),
    Rule(
        "orphans",
        "Packages that nothing needs any more",
        "report",
        "off",
        "apt-get autoremove, dnf autoremove",
        "Databases and applications are marked as installed by themselves on many images: a person decides.",
    ),
    Rule(
        "package_leftovers",
        "Leftovers of packages",
        "report",
        "off",
        "removed packages with configuration left, disabled snaps",
        "They hold settings and data: a person decides.",
    ),
)
IDS = tuple(rule.id for rule in RULES)
BY_DEFAULT = tuple(rule.id for rule in RULES if rule.default == "on")
NAMEABLE = tuple(rule.id for rule in RULES if rule.default != "off")


def by_id(name):
    """The rule with that name; None when there is none."""
    return next((rule for rule in RULES if rule.id == name), None)
