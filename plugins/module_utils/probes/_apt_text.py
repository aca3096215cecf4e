# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: read what apt-get and apt-cache print (with LC_ALL=C).

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import re
from urllib.parse import unquote

from ansible_collections.keepwell.fleet.plugins.module_utils.probes._apt_lists import redact

# Headings of the package lists that apt-get prints before it acts. Older ones count phased updates as kept back.
_LISTS = {
    "The following packages have been kept back:": "kept_back",
    "The following upgrades have been deferred due to phasing:": "deferred",
    "The following packages will be upgraded:": "upgraded",
    "The following NEW packages will be installed:": "new",
    "The following packages will be REMOVED:": "removed",
    "The following packages will be DOWNGRADED:": "downgraded",
    "The following held packages will be changed:": "held_changed",
}
_COUNTS = re.compile(r"^(\d+) upgraded, (\d+) newly installed, .*?(\d+) to remove and (\d+) not upgraded\.$")
_URI = re.compile(r"^'([^']+)' (\S+)_([^_\s]+)_([^_\s]+)\.deb (\d+)")
_VERSION = re.compile(r"^ (\*\*\*|   ) (\S+) (-?\d+)(?: \(phased (\d+)%\))?$")
_ORIGIN = re.compile(r"^ {7,}\s*(-?\d+) (.+)$")
_RELEASE_FIELD = re.compile(r"(?:^|,)([a-z])=")


def parse_plan(text):
    """Parse ``apt-get --print-uris dist-upgrade``.

    Returns {"upgraded", "new", "removed", "kept_back", "deferred", "downgraded", "held_changed": names,
    "sizes": {(name, version): bytes to fetch}}. Raises ValueError when the closing line of numbers is missing or when
    it names another number of upgrades than the list.
    """
    plan = dict((key, []) for key in _LISTS.values())
    plan["sizes"] = {}
    current = None
    counts = None
    for line in text.splitlines():
        if line.startswith("  ") and current:
            plan[current] += [name.rstrip("*") for name in line.split()]
            continue
        current = _LISTS.get(line.strip())
        match = _COUNTS.match(line)
        if match:
            counts = [int(number) for number in match.groups()]
        match = _URI.match(line)
        if match:
            plan["sizes"][(match.group(2), unquote(match.group(3)))] = int(match.group(5))
    if counts is None:
        last = text.strip().splitlines()[-1:] or [""]
        raise ValueError("apt-get dist-upgrade: no count of upgrades, last line %r" % last[0][:120])
    if counts[0] != len(plan["upgraded"]):
        raise ValueError("apt-get dist-upgrade: %d upgrades named, %d counted" % (len(plan["upgraded"]), counts[0]))
    return plan


def parse_release_line(text):
    """Parse ``v=12,o=Debian,a=oldstable,n=bookworm,l=Debian,c=main,b=amd64``; values can have commas."""
    fields = {}
    marks = list(_RELEASE_FIELD.finditer(text))
    for mark, following in zip(marks, marks[1:] + [None]):  # noqa: B905 - not in Python 3.6
        fields[mark.group(1)] = text[mark.end() : following.start() if following else len(text)]
    names = (("o", "origin"), ("l", "label"), ("a", "suite"), ("n", "codename"), ("c", "component"), ("v", "version"))
    return dict((name, fields.get(letter)) for letter, name in names)


def parse_policy(text):
    """Parse ``apt-cache policy`` without arguments: ({index file: release fields + "priority"}, pinned names).

    Raises ValueError with the line when a ``release`` belongs to no file.
    """
    files = {}
    pinned = []
    current = None
    in_pins = False
    for line in text.splitlines():
        if line.startswith("Pinned packages:"):
            in_pins = True
            continue
        if in_pins:
            name = line.strip().split(" ", 1)[0]
            if name:
                pinned.append(name)
            continue
        words = line.split(None, 1)
        if len(words) == 2 and re.match(r"^-?\d+$", words[0]):
            current = redact(words[1])
            files[current] = {"priority": int(words[0])}
        elif len(words) == 2 and words[0] == "release":
            if current is None:
                raise ValueError("apt-cache policy: a release without a file: %r" % line[:120])
            files[current].update(parse_release_line(words[1]))
    return files, sorted(set(pinned))


def parse_versions(text):
    """Parse ``apt-cache policy NAME ...``.

    Returns {name: {"installed", "candidate", "pin", "versions": [{"version", "priority", "installed", "phased",
    "files": [[index file, priority]]}]}}, versions newest first as apt sorts them. Raises ValueError with the line
    when one fits nowhere.
    """
    packages = {}
    package = version = None
    for line in text.splitlines():
        if line and line[0] not in " \t" and line.endswith(":"):
            package = packages[line[:-1]] = {"installed": None, "candidate": None, "pin": None, "versions": []}
            version = None
            continue
        match = _VERSION.match(line)
        if package is not None and match:
            version = {
                "version": match.group(2),
                "priority": int(match.group(3)),
                "installed": match.group(1) == "***",
                "phased": int(match.group(4)) if match.group(4) else None,
                "files": [],
            }
            package["versions"].append(version)
            continue
        match = _ORIGIN.match(line)
        if version is not None and match:
            version["files"].append([redact(match.group(2)), int(match.group(1))])
            continue
        key, colon, value = line.strip().partition(": ")
        if package is not None and colon and key in ("Installed", "Candidate"):
            package[key.lower()] = None if value == "(none)" else value
        elif package is not None and colon and key == "Package pin":
            package["pin"] = value
        elif line.strip() not in ("Version table:", ""):
            raise ValueError("apt-cache policy: unexpected line %r" % line[:120])
    return packages
