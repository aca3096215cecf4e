# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what dnf and zypper share: moves of a transaction, and what rpm says while it works.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import re

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _rpm
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._package_versions import rpm_key

LONG_LIST = 16 * 1024 * 1024
# Red Hat's article 186763: an older version of these is not supported on a running system. The last ones are the
# release packages, whose downgrade would be one of the distribution.
_NO_WAY_BACK = re.compile(
    r"^(?:dbus(?:-.*)?|glibc(?:-.*)?|selinux-policy.*"
    r"|(?:redhat|centos|centos-stream|rocky|almalinux|oraclelinux|system|sles|openSUSE)-release(?:-.*)?)$"
)
_SCRIPT_FAILED = re.compile(r"^(?:error|warning): %(\w+)\((\S+)\) scriptlet failed, (.+)$", re.MULTILINE)
_INSTALL_FAILED = re.compile(r"^(?:error: )?(\S+): install failed$", re.MULTILINE)
_ASIDE = re.compile(r"^(?:warning: )?(/\S.*?) (?:created|saved) as (/\S.*\.rpm(?:new|save|orig))$", re.MULTILINE)
# Words that say nothing of their own.
_IDLE = ("rpm: ", "Please see the above error", "Installation has been aborted as directed")
_VERIFIED = re.compile(r"^(?:[S.?][M.?][5.?]\S{5,6}|missing) +(?:(?P<kind>[a-z]) )?(?P<path>/.+)$")
_SCRIPTS = {
    "pre": "before its installation",
    "prein": "before its installation",
    "post": "after its installation",
    "postin": "after its installation",
    "preun": "before the removal of its old version",
    "postun": "after the removal of its old version",
    "pretrans": "before the transaction",
    "posttrans": "after the transaction",
}


def move(name, arch, action, before, after):
    """One line of a transaction; versions as people write them."""
    return {
        "name": name,
        "arch": arch,
        "action": action,
        "before": None if before is None else _rpm.short_evr(before),
        "after": None if after is None else _rpm.short_evr(after),
    }


def compared(before, after):
    """The action that leads from one version to another: upgrade, downgrade or reinstall."""
    old, new = rpm_key(before), rpm_key(after)
    return "upgrade" if old < new else "downgrade" if old > new else "reinstall"


def paired(install, remove):
    """Moves of what goes in and what goes out: entries {"name", "arch", "evr", "side_by_side"}.

    A kernel that goes because the next one comes is no removal but ``retire``: the host's own limit of kernels wants
    it, and dnf spares the running one.
    """
    moves = []
    left = list(remove)
    for new in install:
        old = _former(new, left)
        if old is not None:
            left.remove(old)
            moves.append(
                move(new["name"], new["arch"], compared(old["evr"], new["evr"]), old["evr"], new["evr"]),
            )
        else:
            moves.append(move(new["name"], new["arch"], "install", None, new["evr"]))
    fresh = set(new["name"] for new in install if new["side_by_side"])
    for old in left:
        action = "retire" if old["side_by_side"] and old["name"] in fresh else "remove"
        moves.append(move(old["name"], old["arch"], action, old["evr"], None))
    return in_order(moves)


def in_order(moves):
    """Sorted as a plan has them."""
    return sorted(moves, key=lambda entry: (entry["name"], entry["arch"], entry["after"] or "", entry["before"] or ""))


def _former(new, left):
    """The installed package that ``new`` takes the place of; None when it comes on top."""
    same = [old for old in left if old["name"] == new["name"]]
    if new["side_by_side"]:
        return next((old for old in same if old["evr"] == new["evr"] and old["arch"] == new["arch"]), None)
    exact = [old for old in same if old["arch"] == new["arch"]]
    if exact:
        return exact[0]
    # From noarch to x86_64 or back.
    return same[0] if len(same) == 1 else None


def scripts_failed(text):
    """Sentences on the packages whose scripts failed, from rpm's own words in dnf's or zypper's output."""
    found = []
    for script, package, how in _SCRIPT_FAILED.findall(text):
        when = _SCRIPTS.get(script.lower(), script)
        found.append("%s: its script %s failed (%s)" % (package, when, how.strip()))
    named = " ".join(found)
    found += ["%s: could not be installed" % name for name in _INSTALL_FAILED.findall(text) if name not in named]
    return sorted(set(found))


def kept_aside(text):
    """Configuration files that rpm wrote beside a changed one: paths ending in .rpmnew, .rpmsave or .rpmorig."""
    return sorted(set(aside for _path, aside in _ASIDE.findall(text)))


def way_back(moves):
    """(moves that can be taken back, {key: why another one cannot}).

    What came new stays: taking it away again could take others along. It harms nobody.
    """
    possible = []
    stays = {}
    for entry in moves:
        if entry["action"] in ("install", "retire"):
            stays[key(entry)] = (
                "came new and stays, nothing is removed" if entry["action"] == "install" else "an old kernel that went"
            )
        elif entry["action"] != "upgrade":
            stays[key(entry)] = "was no upgrade (%s)" % entry["action"]
        elif _NO_WAY_BACK.match(entry["name"]):
            stays[key(entry)] = "an older version is not supported on a running system"
        else:
            possible.append(entry)
    return possible, stays


def key(entry):
    """How versions and kept packages are named: ``kw-tool:noarch``."""
    return "%s:%s" % (entry["name"], entry["arch"]) if entry.get("arch") else entry["name"]


def not_reached(items, moves):
    """Sentences on items that no move brings to their version."""
    reached = set((entry["name"], entry["after"]) for entry in moves)
    return [
        "%s %s: nothing would be done for it, it is installed, not offered or locked" % (item["name"], item["version"])
        for item in items
        if item["kind"] == "package" and (item["name"], item["version"]) not in reached
    ]


def not_undone(wanted, planned):
    """Sentences on what a simulated way back lacks, or would do besides."""
    back = set((entry["name"], entry["arch"], entry["after"]) for entry in planned)
    lacking = [
        "%s %s is offered nowhere" % (entry["name"], entry["before"])
        for entry in wanted
        if (entry["name"], entry["arch"], entry["before"]) not in back
    ]
    ours = set((entry["name"], entry["arch"]) for entry in wanted)
    for entry in planned:
        if entry["action"] in ("remove", "retire"):
            lacking.append("%s would be removed" % entry["name"])
        elif (entry["name"], entry["arch"]) not in ours:
            lacking.append("%s would be changed, too" % entry["name"])
    return lacking


def file_name(entry):
    """What the package that a move replaces is called as a file; without its epoch."""
    return "%s-%s.%s.rpm" % (entry["name"], entry["before"].partition(":")[2] or entry["before"], entry["arch"])


def kept_and_missing(moves, paths):
    """{"kept": {key: path}, "missing": {key: reason}} of the packages that moves replace, among these files."""
    by_name = dict((path.rsplit("/", 1)[-1], path) for path in paths)
    kept = {}
    missing = {}
    for entry in moves:
        path = by_name.get(file_name(entry))
        if path:
            kept[key(entry)] = path
        else:
            missing[key(entry)] = "%s is in no cache, and no repository offers it any more" % entry["before"]
    return {"kept": kept, "missing": missing}


def broken_files(machine, moves):
    """Files of these packages that are missing or not what the package brought, configuration files aside: [text].

    Of a package that is in twice the new version counts: the files of the old one are overwritten already.
    """
    installed = versions(machine) or {}
    names = []
    for entry in moves:
        there = installed.get(key(entry), "").split(", ")
        version = entry["after"] if entry["after"] in there else entry["before"]
        if version in there:
            names.append(nevra(entry["name"], version, entry["arch"]))
    if not names:
        return []
    argv = ["rpm", "-V", "--nodeps", "--noscripts", "--nomtime", "--nouser", "--nogroup", "--nomode", "--nocaps"]
    output = machine.run(argv + sorted(names), timeout=60.0, accepted=(0, 1), source="rpm -V")
    matches = [match for match in map(_VERIFIED.match, output.lines()) if match and match.group("kind") != "c"]
    return sorted(set("%s is not what its package brought" % match.group("path") for match in matches))


def nevra(name, version, arch):
    """``kw-tool-1.0-2.el9.noarch``, as dnf and rpm name exactly one package."""
    return "%s-%s%s" % (name, version, "." + arch if arch else "")


def versions(machine):
    """{"name:arch": version} of all packages; several versions of a kernel joined by a comma. None when unreadable."""
    output = machine.run(_rpm.QUERY, timeout=60.0, cap=LONG_LIST)
    packages = machine.parsed_output("rpm", output, _rpm.parse_packages)
    if packages is None:
        return None
    found = {}
    for package in packages:
        found.setdefault("%s:%s" % (package["name"], package["arch"]), []).append(package["evr"])
    return dict(
        (name, ", ".join(_rpm.short_evr(evr) for evr in sorted(evrs, key=rpm_key))) for name, evrs in found.items()
    )


DATABASE = (
    {"argv": _rpm.QUERY, "timeout": 20.0, "cap": LONG_LIST},
    {"argv": ["rpmdb", "--verifydb"], "timeout": 20.0},
)


def database_problems(machine, listed=None, verified=None):
    """What is wrong with the database of packages itself: [text]; from the outputs of DATABASE, or asked for now."""
    if listed is None:
        listed, verified = machine.run_all([dict(request) for request in DATABASE])
    problems = []
    packages = machine.parsed_output("rpm", listed, _rpm.parse_packages)
    if packages is None:
        problems.append("the list of installed packages cannot be read: %s" % reason(listed))
    else:
        for entry in _rpm.duplicates(packages):
            problems.append("%s is %s" % (entry["package"], entry["detail"]))
    # Not every distribution ships it with rpm.
    if not verified.ok and verified.status != "absent":
        problems.append("rpmdb --verifydb: %s" % reason(verified))
    return problems


def reason(output):
    """One line that says why a command failed."""
    lines = [line.strip() for line in (output.err or output.out or "").splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith(_IDLE)] or lines
    if output.status == "timeout":
        return "no answer in time"
    return "; ".join(lines[-3:])[:300] or "return code %s" % output.rc
