# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests of rules share: a tree of everything that rules look at, a host, and a request."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup import (
    _rules,
)
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import Machine, Output

JOURNAL = "system@0123456789abcdef0123456789abcdef-0000000000000001-0005aabbccddeeff.journal"
FUTURE = time.time() + 100 * 86400
# What the rules find on a tree in which everything is 100 days old: the rule, or None for what stays for ever.
TREE = {
    "var/log/syslog": None,
    "var/log/syslog.1": "rotated_logs",
    "var/log/app/app.log.2.gz": "rotated_logs",
    "var/log/app/app-20260101": "rotated_logs",
    "var/log/app/app.log-20260101.gz": "rotated_logs",
    "var/log/app/app-99999999": None,
    "var/log/app/v1.2345": None,
    "var/log/wtmp": None,
    "var/log/wtmp.1": None,
    "var/log/btmp.1": None,
    "var/log/lastlog.1": None,
    "var/log/audit/audit.log.1": None,
    f"var/log/journal/abc/{JOURNAL}": "journal",
    "var/log/journal/abc/system@0005aabbccddeeff-0005aabbccddeeff.journal~": "journal",
    "var/log/journal/abc/system.journal": None,
    "var/log/journal/abc/notes.gz": None,
    "var/cache/apt/archives/a_1_all.deb": "package_cache",
    "var/cache/apt/archives/lock": None,
    "var/cache/apt/pkgcache.bin": None,
    "var/crash/_usr_bin_x.0.crash": "crash_data",
    "var/crash/dmesg.txt": None,
    "var/lib/systemd/coredump/core.x.0.zst": "crash_data",
    "var/lib/mysql/binlog.1": None,
    "var/lib/keepwell/patching/01/kept/a.deb": None,
    "var/spool/mail/root.1": None,
    "var/lib/docker/volumes/v/_data/x.gz": None,
    "boot/vmlinuz-1.gz": None,
}
TERMS = {"log_days": 90, "log_retention_days": 90, "package_keep_days": 14, "crash_keep": 1}


class Host(Machine):
    """This machine with another set of programs and files."""

    def __init__(self, programs: t.Mapping[str, str] = {}, files: t.Mapping[str, str] = {}) -> None:
        super().__init__()
        self.programs = programs
        self.files = files
        self.ran: list[list[str]] = []

    def which(self, name: str) -> str | None:
        return "/usr/bin/" + name if any(line.split()[0] == name for line in self.programs) else None

    def exists(self, path: str) -> bool:
        return path in self.files

    def read(self, path: str, limit: t.Any = None, source: t.Any = None) -> str | None:
        return self.files.get(path)

    def run(self, argv: list[str], timeout: float = 3.0, accepted: t.Any = (0,), **_more: t.Any) -> Output:
        self.ran.append(argv)
        line = " ".join(argv)
        known = [key for key in self.programs if line.startswith(key)]
        if not known:
            return Output("absent", None, "", "not installed")
        text = self.programs[max(known, key=len)]
        return Output("error", 1, "", text[1:]) if text.startswith("!") else Output("ok", 0, text)


DEBIAN = Host({"apt-get": ""}, {"/var/lib/dpkg/status": ""})


def request(*rules: str, **terms: t.Any) -> dict[str, t.Any]:
    return {
        "rules": list(rules),
        "filesystems": [{"mount": "/", "target_percent": None}],
        "terms": {**TERMS, **terms},
    }


FILE_RULES = tuple(rule.id for rule in _rules.RULES if rule.how == "files" and rule.id != "temporary_files")
