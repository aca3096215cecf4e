# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: read what dnf 4, dnf 5 and yum 3 print (with LC_ALL=C).

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import calendar
import json
import re
import time

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _rpm

_TYPES = {
    "security": "security",
    "bugfix": "bugfix",
    "enhancement": "feature",
    "newpackage": "feature",
    "recommended": "bugfix",
    "unspecified": "unknown",
}
_SEVERITY = re.compile(r"^(?:(?P<severity>\w+)/Sec\.|(?P<type>\w+))$")
_NOISE = re.compile(
    r"^(?:Last metadata expiration check|Loaded plugins|Loading mirror|Updating and loading|Repositories loaded"
    r"|Security: |\* |Upgrades$|Available upgrades$|Waiting for process)"
)


def clean_type(word):
    """Our class for an advisory's type."""
    return _TYPES.get((word or "").lower(), "unknown")


def parse_check_update(text):
    """Parse ``check-update``: [{"name", "arch", "evr", "repository"}].

    Long names push the other columns to the next line; obsoleting packages at the end are left out. Raises ValueError
    with the words that make no whole entry.
    """
    entries = []
    words = []
    for line in text.splitlines():
        if line.startswith("Obsoleting"):
            break
        if not line.strip() or _NOISE.match(line):
            continue
        words += line.split()
        if len(words) < 3:
            continue
        name, dot, arch = words[0].rpartition(".")
        if len(words) != 3 or not dot:
            raise ValueError("check-update: unexpected line %r" % line[:120])
        entries.append({"name": name, "arch": arch, "evr": _rpm.full_evr(words[1]), "repository": words[2]})
        words = []
    if words:
        raise ValueError("check-update: incomplete entry %r" % " ".join(words)[:120])
    return entries


def parse_updateinfo_list(text):
    """Parse dnf 4's ``updateinfo list`` (also ``list cves``): [{"id", "class", "severity", "name", "evr", "arch"}].

    Raises ValueError with the line when one has another form.
    """
    entries = []
    for line in text.splitlines():
        if not line.strip() or _NOISE.match(line) or line.startswith("updateinfo list"):
            continue
        words = line.split()
        if words[0] == "i":
            words = words[1:]
        match = _SEVERITY.match(words[1]) if len(words) == 3 else None
        if not match:
            raise ValueError("updateinfo list: unexpected line %r" % line[:120])
        name, evr, arch = _rpm.split_nevra(words[2])
        kind = "security" if match.group("severity") else clean_type(match.group("type"))
        severity = (match.group("severity") or "").lower() or None
        if severity in ("unknown", "none"):
            severity = None
        entries.append({"id": words[0], "class": kind, "severity": severity, "name": name, "evr": evr, "arch": arch})
    return entries


def parse_advisory_json(text):
    """Parse dnf 5's ``advisory list --json``: as parse_updateinfo_list, with "published_at" (build time)."""
    entries = []
    for item in _json_list(text):
        name, evr, arch = _rpm.split_nevra(item["nevra"])
        severity = str(item.get("severity") or "").lower()
        built = str(item.get("buildtime") or "")
        entries.append(
            {
                "id": item["name"],
                "class": clean_type(item.get("type")),
                "severity": None if severity in ("", "none", "unknown") else severity,
                "name": name,
                "evr": evr,
                "arch": arch,
                "published_at": float(built) if built.isdigit() else None,
            }
        )
    return entries


def parse_advisory_cves_json(text):
    """Parse dnf 5's ``advisory list --with-cve --json``: {advisory: [CVE]}.

    Its ``advisory_severity`` is not read: dnf 5.4.4 fills it from the type (libdnf5-cli/output/advisorylist.cpp).
    """
    cves = {}
    for item in _json_list(text):
        for reference in item.get("references") or []:
            if str(reference.get("reference_type", "")).lower() == "cve":
                cves.setdefault(item["advisory_name"], set()).add(reference["reference_id"])
    return dict((name, sorted(names)) for name, names in cves.items())


def _json_list(text):
    try:
        items = json.loads(text or "[]")
    except ValueError:
        raise ValueError("dnf5 advisory list: not JSON: %r" % text[:120]) from None
    if not isinstance(items, list):
        raise ValueError("dnf5 advisory list: not a list: %r" % text[:120])
    return items


def parse_updateinfo_dates(text):
    """Parse dnf 4's ``updateinfo info``: {advisory: date as epoch seconds}.

    dnf 4 prints the date of the last revision ("Updated") in UTC, never before the date of issue.
    """
    dates = {}
    current = None
    for line in text.splitlines():
        key, _colon, value = line.partition(": ")
        key = key.strip()
        if key == "Update ID":
            current = value.strip()
        elif key == "Updated" and current:
            dates[current] = parse_date(value.strip())
    return dates


def parse_date(text):
    """Epoch seconds of ``2026-01-01 00:00:00`` (UTC). Raises ValueError otherwise."""

    return float(calendar.timegm(time.strptime(text[:19], "%Y-%m-%d %H:%M:%S")))


def parse_reboot_text(text):
    """Parse ``needs-restarting -r`` of dnf 4 and yum-utils: (True, False or None, package names).

    The return code tells nothing: 1 means "reboot" and "failed". None means that the text says neither.
    """
    names = []
    for line in text.splitlines():
        match = re.match(r"^\s+\* (\S+)", line)
        if match:
            names.append(match.group(1))
    if "Reboot is required" in text:
        return True, names
    if "Reboot should not be necessary" in text or "No core libraries or services have been updated" in text:
        return False, []
    return None, []


def parse_reboot_json(text):
    """Parse dnf 5's ``needs-restarting --json``: (bool, package names). Raises ValueError when it says nothing."""
    for item in _json_list(text):
        if item.get("type") == "reboot":
            names = [
                package if isinstance(package, str) else package.get("name", "")
                for package in item.get("packages") or []
            ]
            return bool(item.get("reboot_required")), sorted(names)
    raise ValueError("dnf5 needs-restarting: no word on reboot: %r" % text[:120])
