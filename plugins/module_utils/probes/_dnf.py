# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what dnf 4, dnf 5 or yum 3 would change, from its cache alone.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import fnmatch
import json
import re

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _dnf_text, _rpm
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import LIST_CAP, Output
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._package_versions import rpm_key

REPOSITORIES = "/etc/yum.repos.d"
# A read-only look must not grow dnf's logs (the level alone still leaves those of librepo, hawkey and rpm: they go to
# memory) nor rewrite the list of names that the shell completes.
DNF4 = ["dnf", "-q", "-C", "--setopt=logfilelevel=0", "--setopt=logdir=/run"]
DNF4 += ["--disableplugin=generate_completion_cache"]
_DNF5 = ["dnf5", "-q", "-C"]
_YUM = ["yum", "-q", "-C"]
_CACHES = {
    "dnf4": ("/var/cache/dnf/%s-*/repodata",),
    "dnf5": ("/var/cache/libdnf5/%s-*/repodata",),
    "yum": ("/var/cache/yum/*/*/%s", "/var/cache/yum/*/%s", "/var/cache/yum/%s"),
}
_CONFIGURATION = {
    "dnf4": "/etc/dnf/dnf.conf",
    "dnf5": "/etc/dnf/dnf.conf",
    "yum": "/etc/yum.conf",
}
_VERSION_LOCKS = {
    "dnf4": "/etc/dnf/plugins/versionlock.list",
    "dnf5": "/etc/dnf/versionlock.toml",
    "yum": "/etc/yum/pluginconf.d/versionlock.list",
}
_ALL = {
    "dnf4": ["--disableexcludes=all", "--disableplugin=versionlock"],
    "dnf5": ["--setopt=disable_excludes=*"],
    "yum": ["--disableexcludes=all", "--disableplugin=versionlock"],
}
_KERNEL = re.compile(r"^kernel(?:-(?:core|uek|uek-core|rt|rt-core|default|lt|ml|64k-core))?$")
# Packages whose update takes effect at boot (dnf-plugins-core, needs_restarting.py).
_REBOOT = ("glibc", "linux-firmware", "systemd", "dbus", "dbus-broker", "dbus-daemon", "microcode_ctl")


def collect(machine, manager):
    """Return the dnf (or yum) part of the packages document."""
    base = {"dnf4": DNF4, "dnf5": _DNF5, "yum": _YUM}[manager]
    repositories = _rpm.repositories(machine, REPOSITORIES)
    locked = parse_version_lock(machine.read(_VERSION_LOCKS[manager]) or "")
    settings = _settings(machine, _CONFIGURATION[manager])
    excludes = re.split(r"[\s,]+", (settings.get("excludepkgs") or settings.get("exclude") or "").strip())
    excludes = [word for word in excludes if word]
    for repository in repositories:
        excludes += repository["excludes"]
    verb = "check-upgrade" if manager == "dnf5" else "check-update"
    requests = [
        {"argv": base + [verb], "timeout": 30.0, "accepted": (0, 100), "source": "check-update"},
        {"argv": _rpm.QUERY, "timeout": 20.0, "cap": LIST_CAP},
    ]
    # Excludes hide advisories, too.
    every_option = _ALL[manager] if locked or excludes else []
    requests += _advisory_requests(base + every_option, manager)
    if every_option:
        argv = base + every_option + [verb]
        requests.append(
            {"argv": argv, "timeout": 30.0, "accepted": (0, 100), "source": "check-update without excludes"}
        )
    outputs = run_all(machine, manager, requests)
    updates = machine.parsed_output("check-update", outputs[0], _dnf_text.parse_check_update)
    packages = machine.parsed_output("rpm", outputs[1], _rpm.parse_packages)
    advisories = _advisories(machine, manager, outputs[2:5])
    hidden = []
    if every_option:
        every = machine.parsed_output("check-update without excludes", outputs[-1], _dnf_text.parse_check_update)
        known = set((entry["name"], entry["arch"]) for entry in updates or [])
        hidden = [entry for entry in every or [] if (entry["name"], entry["arch"]) not in known]
    metadata = _rpm.metadata(machine, repositories, lambda name: _folders(machine, manager, name))
    pending = None
    if updates is not None and packages is not None:
        versions = _installed(packages)
        pending = [_entry(entry, versions, advisories, None) for entry in updates]
        for entry in hidden:
            name = entry["name"]
            by = "versionlock" if any(_matches_lock(lock, name) for lock in locked) else "exclude"
            pending.append(_entry(entry, versions, advisories, by))
    return {
        "manager": manager,
        "metadata": metadata,
        "pending": None if pending is None else sorted(pending, key=lambda entry: entry["name"]),
        "plan": None,
        "excluded": [{"name": word, "by": "exclude"} for word in excludes]
        + [{"name": word, "by": "versionlock"} for word in locked],
        "not_offered": {"releasever_lock": release_lock(machine), "registered": registered(machine)},
        "not_running": _not_running(advisories, packages),
        "broken_state": None if packages is None else _rpm.duplicates(packages),
        "packages": packages,
    }


def run_all(machine, manager, requests):
    """Outputs in order; without root dnf 4 and yum are not asked.

    They keep a cache of their own for every user, make a folder for it in /var/tmp and know nothing of the system's.
    """
    if machine.privileged or manager == "dnf5":
        return machine.run_all(requests)
    asked = iter(machine.run_all([request for request in requests if request["argv"][0] not in ("dnf", "yum")]))
    outputs = []
    for request in requests:
        if request["argv"][0] in ("dnf", "yum"):
            machine.note(request["source"], "denied", "needs root: %s knows no metadata without" % manager)
            outputs.append(Output("denied"))
        else:
            outputs.append(next(asked))
    return outputs


def _advisory_requests(base, manager):
    if manager == "dnf5":
        commands = (["advisory", "list", "--json"], ["advisory", "list", "--with-cve", "--json"])
    else:
        commands = (["updateinfo", "list"], ["updateinfo", "list", "cves"], ["updateinfo", "info", "--security"])
    names = ("advisories", "advisories with CVEs", "advisory details")
    requests = []
    for name, words in zip(names, commands):  # noqa: B905 - not in Python 3.6
        requests.append({"argv": base + words, "timeout": 25.0, "source": name})
    return requests


def _advisories(machine, manager, outputs):
    """[{"id", "class", "severity", "name", "evr", "arch", "published_at", "cves"}]; None when nothing could be read."""
    if manager == "dnf5":
        advisories = machine.parsed_output("advisories", outputs[0], _dnf_text.parse_advisory_json)
        cves = machine.parsed_output("advisories with CVEs", outputs[1], _dnf_text.parse_advisory_cves_json) or {}
        for entry in advisories or []:
            entry["cves"] = cves.get(entry["id"], [])
        return advisories
    advisories = machine.parsed_output("advisories", outputs[0], _dnf_text.parse_updateinfo_list)
    cves = machine.parsed_output("advisories with CVEs", outputs[1], _dnf_text.parse_updateinfo_list) or []
    # Descriptions can exceed the cap; the dates read until there are still right.
    dates = {}
    if outputs[2].ok:
        try:
            dates = _dnf_text.parse_updateinfo_dates(outputs[2].out)
        except ValueError as exc:
            machine.note("advisory details", "error", str(exc))
    for entry in advisories or []:
        same = [cve["id"] for cve in cves if (cve["name"], cve["evr"], cve["arch"]) == _nevra(entry)]
        entry["cves"] = sorted(set(name for name in same if name.startswith("CVE-"))) if _is_security(entry) else []
        entry["published_at"] = dates.get(entry["id"])
    return advisories


def _nevra(entry):
    return entry["name"], entry["evr"], entry["arch"]


def _is_security(entry):
    return entry["class"] == "security"


def _installed(packages):
    """Newest installed version of every (name, arch)."""
    versions = {}
    for package in packages:
        name = (package["name"], package["arch"])
        if name not in versions or rpm_key(package["evr"]) > rpm_key(versions[name]):
            versions[name] = package["evr"]
    return versions


def _entry(update, versions, advisories, held_by):
    """One entry of ``pending``; an update that no advisory names has class unknown: its vendor says nothing of it."""
    name = (update["name"], update["arch"])
    installed = versions.get(name)
    mine = [entry for entry in advisories or [] if (entry["name"], entry["arch"]) == name]
    mine = [entry for entry in mine if rpm_key(entry["evr"]) <= rpm_key(update["evr"])]
    mine = [entry for entry in mine if installed is None or rpm_key(entry["evr"]) > rpm_key(installed)]
    security = [entry for entry in mine if _is_security(entry)]
    kinds = [entry["class"] for entry in mine]
    order = ("security", "bugfix", "feature")
    versions_fixed = sorted((entry["evr"] for entry in security), key=rpm_key)
    ranks = ("low", "moderate", "important", "critical")
    severities = [entry["severity"] for entry in security if entry["severity"] in ranks]
    dates = [entry["published_at"] for entry in security or mine if entry.get("published_at")]
    return {
        "name": update["name"],
        "kind": "package",
        "arch": update["arch"],
        "installed": _rpm.short_evr(installed) if installed else None,
        "candidate": _rpm.short_evr(update["evr"]),
        "origins": [update["repository"]],
        "class": next((word for word in order if word in kinds), "unknown"),
        "security_version": _rpm.short_evr(versions_fixed[-1]) if versions_fixed else None,
        "severity": max(severities, key=ranks.index) if severities else None,
        "advisories": sorted(set(entry["id"] for entry in mine)),
        "cves": sorted(set(cve for entry in security for cve in entry["cves"])),
        "published_at": min(dates) if dates else None,
        "held_by": held_by,
        "phased_percent": None,
        "needs_reboot": True if _KERNEL.match(update["name"]) or update["name"] in _REBOOT else None,
        "size": None,
    }


def _not_running(advisories, packages):
    """Kernel advisories whose package is installed, but dnf still lists them: that kernel is not the running one."""
    if advisories is None or packages is None:
        return []
    installed = set((package["name"], package["evr"], package["arch"]) for package in packages)
    found = {}
    for entry in advisories:
        if _KERNEL.match(entry["name"]) and _nevra(entry) in installed:
            keys = ("id", "class", "severity", "name", "published_at", "cves")
            found[entry["id"]] = dict((key, entry.get(key)) for key in keys)
            found[entry["id"]]["version"] = _rpm.short_evr(entry["evr"])
    return [found[name] for name in sorted(found)]


def _folders(machine, manager, name):
    return [path for pattern in _CACHES[manager] for path in machine.glob(pattern % name)]


def _settings(machine, path):
    try:
        return _rpm.parse_ini(machine.read(path) or "").get("main", {})
    except ValueError as exc:
        machine.note(path, "error", str(exc))
        return {}


def parse_version_lock(text):
    """Patterns of a versionlock file of dnf 4 or yum, or package names of dnf 5's versionlock.toml."""
    names = re.findall(r"^\s*name\s*=\s*[\"']([^\"']+)[\"']", text, re.MULTILINE)
    if names or "[[packages]]" in text:
        return names
    lines = [line.split("#", 1)[0].strip() for line in text.splitlines()]
    return [line.lstrip("!") for line in lines if line]


def _matches_lock(lock, name):
    """Does a lock such as ``kw-crit-0:3.0-1.el9.*`` or ``kernel*`` concern the package?"""
    return lock == name or lock.startswith(name + "-") or fnmatch.fnmatchcase(name, lock)


def release_lock(machine):
    """A release that the host is tied to, so that newer updates are never offered: {"value", "source"} or None."""
    text = machine.read("/var/lib/rhsm/cache/releasever.json")
    if text:
        try:
            value = json.loads(text).get("releaseVer")
        except (ValueError, AttributeError):
            machine.note("/var/lib/rhsm/cache/releasever.json", "error", "not JSON: %r" % text[:60])
            value = None
        if value:
            return {"value": value, "source": "/var/lib/rhsm/cache/releasever.json", "dated": None}
    value = (machine.read("/etc/dnf/vars/releasever") or machine.read("/etc/yum/vars/releasever") or "").strip()
    if not value:
        release = machine.read("/etc/os-release") or ""
        if re.search(r"^ID=\"?amzn\"?$", release, re.MULTILINE):
            # Amazon Linux 2023 ties every host to the dated release it was made from.
            match = re.search(r"\b(20\d\d\.\d+\.20\d{6})\b", (machine.read("/etc/system-release") or "") + release)
            value = match.group(1) if match else ""
    if "." not in value:
        return None
    dated = re.search(r"\.(20\d{6})$", value)
    date = "%s-%s-%s 00:00:00" % (dated.group(1)[:4], dated.group(1)[4:6], dated.group(1)[6:]) if dated else None
    return {
        "value": value,
        "source": "/etc/dnf/vars/releasever or the release package",
        "dated": _dnf_text.parse_date(date) if date else None,
    }


def registered(machine):
    """Whether a RHEL host has a subscription identity; None for systems that need none."""
    release = machine.read("/etc/os-release") or ""
    if not re.search(r"^ID=\"?rhel\"?$", release, re.MULTILINE):
        return None
    return machine.exists("/etc/pki/consumer/cert.pem")
