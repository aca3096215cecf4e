# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: patch with apt: exact versions, nothing removed, configuration files kept as they are.

What is new and would need an answer is put beside a changed configuration file, as apt does it. From the simulation
to the end the lists stay as they are: what is installed is what was announced, or nothing.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import os
import shutil

from ansible_collections.keepwell.fleet.plugins.module_utils.patching import _apt_moves, _rpm_moves
from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _dpkg
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import LIST_CAP

ARCHIVES = "/var/cache/apt/archives"
# A look must not write apt's caches anew.
_LOOKING = ["-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache=", "-o", "Debug::NoLocking=1"]
# Even a simulation writes down for its planner what it was asked (/var/log/apt/eipp.log.xz).
_LOOKING += ["-o", "Dir::Log::Planner=/dev/null"]
_LOCK_S = 60
_ACT = [
    "apt-get",
    "-y",
    "-q",
    "--no-remove",
    "-o",
    "Dpkg::Options::=--force-confdef",
    "-o",
    "Dpkg::Options::=--force-confold",
    "-o",
    "DPkg::Lock::Timeout=%d" % _LOCK_S,
    "-o",
    "Dpkg::Use-Pty=0",
]
_UPGRADE = ["install", "--only-upgrade"]
_LONG_LIST = 16 * 1024 * 1024
_LOOK_S = 25.0
_ASIDE = (".dpkg-dist", ".dpkg-old", ".ucf-dist", ".ucf-old")


def refused(_machine):
    """Why Keepwell does not patch this host with apt: it always does."""
    return ""


def simulate(machine, items):
    """What apt would do for exactly these versions: {"moves", "download_bytes", "installed_bytes", "errors"}.

    Sizes are None when apt came to nothing. Nothing is fetched, locked or written.
    """
    if not items:
        return {"moves": [], "download_bytes": 0, "installed_bytes": 0, "errors": []}
    return _simulated(machine, _UPGRADE + _names(items), items)


def _simulated(machine, words, items):
    base = ["apt-get", "-y"] + _LOOKING
    simulated, sized = machine.run_all(
        [
            {"argv": base + ["-s"] + words, "timeout": _LOOK_S, "accepted": None, "cap": LIST_CAP},
            {"argv": base + ["--print-uris"] + words, "timeout": _LOOK_S, "accepted": None, "cap": LIST_CAP},
        ]
    )
    nothing = {"moves": [], "download_bytes": None, "installed_bytes": None}
    if simulated.rc != 0:
        return dict(nothing, errors=_apt_moves.errors(simulated))
    try:
        moves = _apt_moves.parse_simulation(simulated.out)
    except ValueError as exc:
        return dict(nothing, errors=[str(exc)])
    fetched, grown = _apt_moves.parse_sizes(sized.out) if sized.rc == 0 else (None, None)
    return {
        "moves": moves,
        "download_bytes": fetched,
        "installed_bytes": grown,
        "errors": _rpm_moves.not_reached(items, moves),
    }


def _names(items):
    return [
        "%s%s=%s" % (item["name"], _suffix(item.get("arch")), item["version"])
        for item in sorted(items, key=lambda item: (item["name"], item.get("arch") or ""))
    ]


def _suffix(arch):
    return ":" + arch if arch and arch != "all" else ""


def _packages(machine):
    """The list of packages, and the Output it came from; None when it cannot be read."""
    output = machine.run(_dpkg.QUERY, timeout=20.0, cap=_LONG_LIST)
    return (machine.parsed_output("dpkg-query", output, _dpkg.parse_packages) if output.ok else None), output


def state(machine):
    """{"clean", "problems": [text]}: whether dpkg and apt are in a state to be built on."""
    problems = half_done(machine, [], "")
    check = machine.run(["apt-get", "check"] + _LOOKING, timeout=_LOOK_S, accepted=None, source="apt-get check")
    if check.rc != 0:
        problems += ["apt-get check: %s" % text for text in _apt_moves.errors(check)]
    return {"clean": not problems, "problems": problems}


def half_done(machine, _moves, _text):
    """What dpkg left in between, in words."""
    packages, output = _packages(machine)
    audit = machine.run(_dpkg.AUDIT, timeout=20.0, accepted=None, source="dpkg --audit")
    if packages is None:
        return ["the list of installed packages cannot be read: %s" % _rpm_moves.reason(output)]
    broken = _dpkg.broken_state(machine, packages, audit) or []
    if not audit.ok:
        broken.append({"package": "dpkg --audit", "detail": _rpm_moves.reason(audit)})
    return ["%s: %s" % (entry["package"], entry["detail"]) for entry in broken]


def versions(machine):
    """{"name:arch": version} of all installed packages, half-installed ones too; None when unreadable."""
    packages, _output = _packages(machine)
    if packages is None:
        return None
    return dict(
        ("%s:%s" % (package["name"], package["arch"]), package["version"])
        for package in packages
        if package["state"] not in ("n", "c") and package["version"]
    )


def refresh(commands):
    """Fetch all lists: {"rc", "errors": [text]}. One that cannot be had is an error, which apt's return code hides."""
    argv = ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=%d" % _LOCK_S, "-o", "APT::Update::Error-Mode=any", "update"]
    output = commands.run(argv)
    # Error-Mode is unknown to old versions of apt: there only the words tell.
    lines = (output.out + "\n" + output.err).splitlines()
    errors = [line[3:].strip() for line in lines if line.startswith(("E: ", "W: Failed to fetch"))]
    if not errors and output.rc != 0:
        errors = [_rpm_moves.reason(output)]
    return {"rc": output.rc, "errors": sorted(set(errors), key=errors.index)}


def offered(machine, moves):
    """Keys of the moves whose former version can still be had: kept in the cache, or offered by an archive."""
    wanted = [entry for entry in moves if entry["before"] and entry["after"]]
    if not wanted:
        return []
    found = set(_rpm_moves.key(entry) for entry in wanted if machine.exists(_cached(entry)))
    output = machine.run(
        ["apt-cache"] + _LOOKING + ["madison"] + sorted(set(entry["name"] for entry in wanted)),
        timeout=_LOOK_S,
        accepted=None,
        cap=LIST_CAP,
    )
    if output.rc is None:
        return None
    rows = set(tuple(part.strip() for part in line.split("|")[:2]) for line in output.out.splitlines() if "|" in line)
    found.update(_rpm_moves.key(entry) for entry in wanted if (entry["name"], entry["before"]) in rows)
    return sorted(found)


def marker(_machine):
    """apt has no history that can be undone."""
    return


def _cached(entry):
    """Where apt's cache has the package that a move replaces."""
    version = entry["before"].replace(":", "%3a")
    return os.path.join(ARCHIVES, "%s_%s_%s.deb" % (entry["name"], version, entry["arch"]))


def keep_old(commands, moves, folder):
    """Get the packages that the moves replace into ``folder``: {"kept": {key: path}, "missing": {key: reason}}.

    They go through apt's own cache: there apt fetches them without root's rights and checks them. What is in the
    cache because of us alone leaves it again.
    """
    wanted = [entry for entry in moves if entry["before"] and entry["after"]]
    absent = [entry for entry in wanted if not os.path.isfile(_cached(entry))]
    why = ""
    if absent:
        names = ["%s%s=%s" % (entry["name"], _suffix(entry["arch"]), entry["before"]) for entry in absent]
        # What no archive offers any more is left out with a remark; the others are fetched.
        output = commands.run(_ACT + ["-d", "--reinstall", "install"] + names)
        why = "" if output.rc == 0 else "; ".join(_apt_moves.errors(output))[:200]
    kept = {}
    missing = {}
    for entry in wanted:
        key = _rpm_moves.key(entry)
        source = _cached(entry)
        target = os.path.join(folder, os.path.basename(source))
        try:
            if entry in absent:
                shutil.move(source, target)
            else:
                shutil.copyfile(source, target)
            os.chmod(target, 0o600)
            kept[key] = target
        except OSError as exc:
            if os.path.exists(target):
                os.unlink(target)
            reason = why or "%s is in no cache, and no archive offers it any more" % entry["before"]
            missing[key] = reason if not os.path.exists(source) else "cannot be kept: %s" % exc.strerror
    return {"kept": kept, "missing": missing}


def download(commands, items):
    """Fetch the packages of the transaction into apt's cache; return the Output of apt."""
    return commands.run(_ACT + ["-d"] + _UPGRADE + _names(items))


def apply(commands, items):
    """Install exactly these versions, from the cache alone; return the Output of apt."""
    return commands.run(_ACT + ["--no-download"] + _UPGRADE + _names(items))


def undo(commands, moves, kept):
    """Go back to the versions before ``moves``: {"rc", "text", "stays": {key: reason}}.

    From kept packages, or where an archive still offers them. What came new stays: taking it away could take others
    along.
    """
    stays = {}
    targets = []
    possible = []
    there = offered(commands.machine, moves)
    for entry in moves:
        key = _rpm_moves.key(entry)
        if entry["action"] == "install":
            stays[key] = "came new and stays, nothing is removed"
        elif entry["action"] != "upgrade":
            stays[key] = "was no upgrade (%s)" % entry["action"]
        elif key not in kept and there is not None and key not in there:
            stays[key] = "%s was not kept, and no archive offers it any more" % entry["before"]
        else:
            possible.append(entry)
            exact = "%s%s=%s" % (entry["name"], _suffix(entry["arch"]), entry["before"])
            targets.append(kept.get(key) or exact)
    if not possible:
        return {"rc": 1, "text": "No package of this change can go back", "stays": stays}
    words = ["--allow-downgrades", "install"] + targets
    planned = _simulated(commands.machine, words, [])
    lacking = planned["errors"] or _rpm_moves.not_undone(possible, planned["moves"])
    if lacking:
        return {"rc": 1, "text": "apt finds no way back: " + "; ".join(lacking), "stays": stays}
    lent = _lend(kept.values())
    try:
        done = commands.run(_ACT + words)
    finally:
        for path in lent:
            if os.path.exists(path):
                os.unlink(path)
    text = "" if done.rc == 0 else "; ".join(_apt_moves.errors(done))
    return {"rc": done.rc, "text": text, "stays": stays}


def _lend(paths):
    """Copy packages into apt's cache; return what was not there before.

    A version that an archive offers, too, apt wants from there and not from a file that it is given.
    """
    lent = []
    for path in paths:
        target = os.path.join(ARCHIVES, os.path.basename(path))
        if not os.path.exists(target):
            try:
                shutil.copyfile(path, target)
            except OSError:
                # A full cache: then the archive has to help, or apt says that it cannot.
                continue
            lent.append(target)
    return lent


def config_files(machine, _text):
    """Configuration files that lie beside another version of themselves: what dpkg and ucf put there, ever."""
    names = []
    for ending in _ASIDE:
        names += ["-o", "-name", "*" + ending]
    argv = ["find", "/etc", "-xdev", "-type", "f", "("] + names[1:] + [")"]
    output = machine.run(argv, timeout=20.0, accepted=None, cap=LIST_CAP)
    return sorted(line for line in output.lines() if line.startswith("/"))
