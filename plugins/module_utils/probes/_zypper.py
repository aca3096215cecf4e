# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what zypper would change, without a refresh and without taking its lock.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import re
from xml.etree import ElementTree

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _rpm
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import LIST_CAP

REPOSITORIES = "/etc/zypp/repos.d"
LOCKS = "/etc/zypp/locks"
_BASE = ["zypper", "--non-interactive", "--no-refresh", "--xmlout"]
# libzypp then reads beside a running zypper instead of refusing with 7 and blocking it in turn.
_BESIDE = {"ZYPP_READONLY_HACK": "1"}
_CLASSES = {
    "security": "security",
    "recommended": "bugfix",
    "bugfix": "bugfix",
    "optional": "feature",
    "feature": "feature",
}
# Return codes that are answers: 100 to 103 say what kind of patches there are, 106 that a repository was skipped.
_ANSWERS = (0, 100, 101, 102, 103, 106)
_INCOMPLETE = {
    103: "the package manager itself must be updated first, then the list is made again",
    106: "zypper left a repository out",
}


def parse_updates(text):
    """Parse the XML of ``list-patches`` and ``list-updates``: [{attributes..., "source", "issued", "cves", "blocked"}].

    ``restart="true"`` means reboot, ``pkgmanager="true"`` restart of the update stack (zypper's update.cc). Blocked
    patches wait until the update stack has been updated. Raises ValueError when the text is not such a document.
    """
    start = text.find("<?xml")
    try:
        root = ElementTree.fromstring(text[max(0, start) :])  # noqa: S314 - zypper writes it, on this host
    except ElementTree.ParseError as exc:
        raise ValueError("zypper: not XML: %s in %r" % (exc, text[:80])) from None
    status = root.find(".//update-status")
    if status is None:
        raise ValueError("zypper: no update-status in the answer")
    entries = []
    for group, blocked in (("update-list", False), ("blocked-update-list", True)):
        for item in status.findall("%s/update" % group):
            entry = dict(item.attrib)
            source = item.find("source")
            date = item.find("issue-date")
            stamp = date.get("time_t", "") if date is not None else ""
            entry["source"] = source.get("alias", "") if source is not None else ""
            entry["issued"] = float(stamp) if stamp.isdigit() and stamp != "0" else None
            entry["cves"] = sorted(issue.get("id", "") for issue in item.iter("issue") if issue.get("type") == "cve")
            entry["blocked"] = blocked
            entries.append(entry)
    return entries


def parse_locks(text):
    """Names and patterns in /etc/zypp/locks."""
    return [match.strip() for match in re.findall(r"^solvable_name:\s*(.+)$", text, re.MULTILINE)]


def _patch(entry):
    severity = entry.get("severity", "").lower()
    return {
        "name": entry["name"],
        "kind": "patch",
        "arch": entry.get("arch"),
        "installed": None,
        "candidate": entry.get("edition"),
        "origins": [entry["source"]],
        "class": _CLASSES.get(entry.get("category", "").lower(), "unknown"),
        "security_version": None,
        "severity": severity if severity in ("low", "moderate", "important", "critical") else None,
        "advisories": [entry["name"]],
        "cves": entry["cves"],
        "published_at": entry["issued"],
        "held_by": "update_stack" if entry["blocked"] else None,
        "phased_percent": None,
        "needs_reboot": entry.get("restart") == "true",
        "needs_stack_restart": entry.get("pkgmanager") == "true",
        "size": None,
    }


def _package(entry):
    return {
        "name": entry["name"],
        "kind": "package",
        "arch": entry.get("arch"),
        "installed": entry.get("edition-old"),
        "candidate": entry.get("edition"),
        "origins": [entry["source"]],
        "class": "unknown",
        "security_version": None,
        "severity": None,
        "advisories": [],
        "cves": [],
        "published_at": None,
        "held_by": None,
        "phased_percent": None,
        "needs_reboot": True if entry["name"].startswith("kernel-") else None,
        "size": None,
    }


def collect(machine):
    """Return the zypper part of the packages document.

    Patches carry the classes; single packages are listed only where their repository has no patches at all, because
    there nothing says what an update is for.
    """
    repositories = _rpm.repositories(machine, REPOSITORIES)
    outputs = machine.run_all(
        [
            {
                "argv": _BASE + ["list-patches"],
                "timeout": 30.0,
                "accepted": _ANSWERS,
                "source": "list-patches",
                "env": _BESIDE,
            },
            {
                "argv": _BASE + ["list-updates"],
                "timeout": 30.0,
                "accepted": _ANSWERS,
                "source": "list-updates",
                "env": _BESIDE,
            },
            {"argv": _rpm.QUERY, "timeout": 20.0, "cap": LIST_CAP},
        ]
    )
    patches = machine.parsed_output("list-patches", outputs[0], parse_updates)
    updates = machine.parsed_output("list-updates", outputs[1], parse_updates)
    packages = machine.parsed_output("rpm", outputs[2], _rpm.parse_packages)
    metadata = _rpm.metadata(machine, repositories, lambda name: ["/var/cache/zypp/raw/%s/repodata" % name])
    for output, verb in zip(outputs, ("list-patches", "list-updates")):  # noqa: B905 - not in Python 3.6
        if output.ok and output.rc in _INCOMPLETE:
            metadata["errors"].append({"source": "zypper " + verb, "error": _INCOMPLETE[output.rc]})
    silent = set(source["id"] for source in metadata["sources"] if not source["updateinfo"])
    pending = None
    if patches is not None and updates is not None:
        pending = [_patch(entry) for entry in patches if entry.get("status", "needed") == "needed"]
        pending += [_package(entry) for entry in updates if entry["source"] in silent]
    locks = parse_locks(machine.read(LOCKS) or "")
    return {
        "manager": "zypper",
        "metadata": metadata,
        "pending": pending,
        "plan": None,
        "excluded": [{"name": name, "by": "lock"} for name in locks],
        "not_offered": {"releasever_lock": None, "registered": _registered(machine)},
        "not_running": [],
        "broken_state": None if packages is None else _rpm.duplicates(packages),
        "packages": packages,
    }


def _registered(machine):
    """Whether a SUSE Linux Enterprise host has credentials for updates; None for systems that need none."""
    release = machine.read("/etc/os-release") or ""
    if not re.search(r"^ID=\"?sles(?:_sap)?\"?$", release, re.MULTILINE):
        return None
    return machine.exists("/etc/zypp/credentials.d/SCCcredentials")
