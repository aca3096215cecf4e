# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: read what apt-get says it would do (with LC_ALL=C).

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import re

from ansible_collections.keepwell.fleet.plugins.module_utils.probes._package_versions import debian_key

# Inst libc6:i386 [2.36-9] (2.36-9+deb12u1 Debian:12.1/stable, Debian-Security:12 [i386]) [other:amd64 ]
_INST = re.compile(
    r"^Inst (?P<name>[^ :]+)(?::\S+)? (?:\[(?P<before>[^]]+)\] )?\((?P<after>\S+) .*?\[(?P<arch>\S+)\]\)"
)
_REMV = re.compile(r"^(?:Remv|Purg) (?P<name>[^ :]+)(?::(?P<arch>\S+))? \[(?P<before>[^]]+)\]")
_COUNTS = re.compile(
    r"^(\d+) upgraded, (\d+) newly installed, (?:(\d+) reinstalled, )?(?:(\d+) downgraded, )?(\d+) to remove and "
    r"\d+ not upgraded\.$",
    re.MULTILINE,
)
_SIZE = re.compile(r"^'[^']+' (\S+) (\d+)(?: |$)", re.MULTILINE)
_SPACE = re.compile(
    r"^(?:After this operation, (?P<old>[\d.,]+) (?P<oldunit>[kMGT]?B) (?:of additional )?disk space will be "
    r"(?P<oldway>used|freed)\.)|^ *Space needed: (?P<new>[\d.,]+) (?P<newunit>[kMGT]?B)",
    re.MULTILINE,
)
_UNITS = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def parse_simulation(text):
    """Parse ``apt-get -s install``: moves as a plan has them, sorted.

    Raises ValueError when a line cannot be read, or when the moves are not as many as apt counts.
    """
    moves = []
    for line in text.splitlines():
        if line.startswith("Inst "):
            match = _INST.match(line)
            if not match:
                raise ValueError("apt-get -s: unexpected line %r" % line[:160])
            before, after = match.group("before"), match.group("after")
            moves.append(_move(match.group("name"), match.group("arch"), _action(before, after), before, after))
        elif line.startswith(("Remv ", "Purg ")):
            match = _REMV.match(line)
            if not match:
                raise ValueError("apt-get -s: unexpected line %r" % line[:160])
            moves.append(_move(match.group("name"), match.group("arch") or "", "remove", match.group("before"), None))
    counts = _COUNTS.search(text)
    if not counts:
        last = [line for line in text.splitlines() if line.strip()][-1:] or ["no output"]
        raise ValueError("apt-get -s: no count of changes, last line %r" % last[0][:160])
    counted = sum(int(number or 0) for number in counts.groups())
    if counted != len(moves):
        raise ValueError("apt-get -s: %d changes counted, %d named" % (counted, len(moves)))
    return sorted(moves, key=lambda entry: (entry["name"], entry["arch"], entry["after"] or "", entry["before"] or ""))


def _action(before, after):
    if before is None:
        return "install"
    old, new = debian_key(before), debian_key(after)
    return "upgrade" if old < new else "downgrade" if old > new else "reinstall"


def _move(name, arch, action, before, after):
    return {"name": name, "arch": arch, "action": action, "before": before, "after": after}


def parse_sizes(text):
    """Parse ``apt-get --print-uris install``: (bytes to fetch, growth on disk in bytes or None).

    What lies in the cache already is not fetched and not named.
    """
    fetched = sum(int(size) for _name, size in _SIZE.findall(text))
    match = _SPACE.search(text)
    if not match:
        return fetched, None
    number, unit = match.group("old") or match.group("new"), match.group("oldunit") or match.group("newunit")
    grown = int(float(number.replace(",", "")) * _UNITS[unit])
    return fetched, -grown if match.group("oldway") == "freed" else grown


def errors(output):
    """What apt complains about, one sentence a line; its own words without the leading letter."""
    lines = [line.strip() for line in (output.err + "\n" + output.out).splitlines()]
    found = [line[3:] for line in lines if line.startswith("E: ")]
    unmet = [line for line in lines if re.match(r"^\S+ : (?:Pre)?(?:Depends|Conflicts|Breaks)", line)]
    if output.status == "timeout":
        found.append("apt-get gave no answer in time")
    return (unmet[:5] + found) or ["apt-get ended with return code %s" % output.rc]
