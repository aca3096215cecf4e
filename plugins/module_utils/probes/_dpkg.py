# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the state of dpkg's own database.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import re

QUERY = ["dpkg-query", "-W", "-f", "${db:Status-Abbrev}\t${Package}\t${Architecture}\t${Version}\n"]
AUDIT = ["dpkg", "--audit"]
LOCKS = (
    "/var/lib/dpkg/lock-frontend",
    "/var/lib/dpkg/lock",
    "/var/lib/apt/lists/lock",
    "/var/cache/apt/archives/lock",
)
# Second letter of dpkg's status: how far the package is from installed (i), removed (c) or unknown (n).
_BROKEN = {
    "H": "half-installed",
    "U": "unpacked, not configured",
    "F": "configuration failed",
    "W": "waits for a trigger of another package",
    "t": "trigger pending",
}
_LINE = re.compile(r"^(.)(.)(.)\t(\S+)\t(\S*)\t(\S*)$")


def parse_packages(text):
    """Parse the output of QUERY: [{"name", "arch", "version", "wanted", "state", "error"}], letters as dpkg has them.

    Raises ValueError with the line when one has another form.
    """
    packages = []
    for line in text.splitlines():
        match = _LINE.match(line)
        if not match:
            raise ValueError("dpkg-query: unexpected line %r" % line[:120])
        wanted, state, error, name, arch, version = match.groups()
        packages.append(
            {"name": name, "arch": arch, "version": version, "wanted": wanted, "state": state, "error": error.strip()}
        )
    return packages


def parse_audit(text):
    """Parse ``dpkg --audit``: [(what is wrong, package)]."""
    findings = []
    reason = ""
    for line in text.splitlines():
        if line.startswith(" ") and line.strip():
            findings.append((reason.strip(), line.split()[0]))
        elif not line.strip():
            reason = ""
        else:
            reason = (reason + " " + line.strip())[:200]
    return findings


def broken_packages(packages):
    """Packages that dpkg left half-way, as [{"package", "state", "detail"}]."""
    broken = []
    for package in packages:
        words = _BROKEN.get(package["state"])
        if package["error"] == "R":
            words = (words + ", " if words else "") + "must be reinstalled"
        if words:
            state = package["wanted"] + package["state"] + package["error"]
            broken.append({"package": package["name"], "state": state, "detail": words})
    return broken


def broken_state(machine, packages, audit):
    """Everything that makes the next dpkg run fail or repair: half-way packages, audit findings, journal left over.

    ``packages`` is None when dpkg-query failed, ``audit`` the Output of ``dpkg --audit``. Returns None when neither
    could be asked.
    """
    if packages is None and not audit.ok:
        return None
    broken = broken_packages(packages or [])
    known = set(entry["package"] for entry in broken)
    for reason, name in parse_audit(audit.out):
        if name not in known:
            known.add(name)
            broken.append({"package": name, "state": "audit", "detail": reason})
    journal = machine.listdir("/var/lib/dpkg/updates")
    if journal:
        detail = "dpkg was interrupted: %d files wait in /var/lib/dpkg/updates" % len(journal)
        broken.append({"package": "dpkg", "state": "interrupted", "detail": detail})
    return broken


def native_name(package, native):
    """The name apt uses: without the architecture for native packages."""
    if package["arch"] in (native, "all", ""):
        return package["name"]
    return package["name"] + ":" + package["arch"]
