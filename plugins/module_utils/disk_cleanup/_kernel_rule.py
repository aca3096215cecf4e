# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: kernels that are not needed any more, as packages.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import os

from ansible_collections.keepwell.fleet.plugins.module_utils.patching import _apt_moves, _backends, _locks
from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _kernels
from ansible_collections.keepwell.fleet.plugins.module_utils.probes.packages import find_manager

KEPT_OF_A_FLAVOUR = 2
_DEBIAN_PARTS = "image image-unsigned headers modules modules-extra tools cloud-tools objects signatures buildinfo"
_DPKG = "-f=${binary:Package}\t${db:Status-Abbrev}\t${Version}\n"
_RPM = "%{NAME}\t%{EPOCHNUM}:%{VERSION}-%{RELEASE}\t%{ARCH}\t%{INSTALLTIME}\n"
_REFUSED_MANAGERS = ("dnf5", "yum", None)


def look(machine):
    """{"packages", "releases", "kept", "paths", "note"}: what could go, and what it consists of on the disk.

    ``note`` says why nothing could; raises nothing.
    """
    found = {"packages": [], "releases": [], "kept": [], "paths": [], "note": ""}
    manager = find_manager(machine)
    if _kernels.container(machine):
        return dict(found, note="this host is a container and has no kernel of its own")
    if manager in _REFUSED_MANAGERS:
        return dict(found, note="kernels are not removed with %s" % (manager or "this package manager"))
    packages = _packages(machine, manager)
    if packages is None:
        return dict(found, note="the installed packages could not be listed")
    running = (machine.read("/proc/sys/kernel/osrelease") or "").strip()
    kernels = _kernels.installed(manager, packages)
    if running not in [kernel["release"] for kernel in kernels]:
        return dict(found, note="the running kernel %s belongs to no installed package" % (running or "?"))
    default = _kernels.default_boot(machine) or {}
    gone, kept = choose(kernels, running, default.get("release"))
    names = _names(manager, packages, gone)
    found.update(packages=names, releases=[kernel["release"] for kernel in gone], kept=kept)
    if not names:
        return found
    held = _locks.held(machine, manager)
    if held:
        return dict(found, packages=[], note="nothing was done: " + _locks.words(held, 0))
    against = _simulated(machine, manager, names)
    if against:
        return dict(found, packages=[], note=against)
    found["paths"] = [path for kernel in gone for path in _paths(machine, kernel["release"])]
    return found


def choose(kernels, running, default):
    """(kernels that can go, releases that stay): the running one, the default one, and the newest two of each kind."""
    kept = set(release for release in (running, default) if release)
    kinds = sorted(set(kernel["flavour"] for kernel in kernels))
    for kind in kinds:
        mine = [kernel["release"] for kernel in kernels if kernel["flavour"] == kind]
        kept.update(mine[-KEPT_OF_A_FLAVOUR:])
        if running in mine:
            # The one before the running one is the way back.
            kept.update(mine[max(0, mine.index(running) - 1) : mine.index(running)])
    return [kernel for kernel in kernels if kernel["release"] not in kept], sorted(kept)


def remove(commands, found):
    """Let the packages go; return "" or what went wrong."""
    manager = find_manager(commands.machine)
    commands.patient = True
    try:
        if manager == "apt":
            argv = ["apt-get", "--yes", "--quiet", "-o", "DPkg::Lock::Timeout=0", "purge"] + found["packages"]
        elif manager == "zypper":
            argv = ["zypper", "--non-interactive", "remove", "--no-clean-deps"] + found["packages"]
        else:
            argv = ["dnf", "--assumeyes", "--quiet", "--setopt=clean_requirements_on_remove=False", "remove"]
            argv += found["packages"]
        done = commands.run(argv, env=_backends.ENVIRONMENT)
    finally:
        commands.patient = False
    if done.rc == 0:
        return ""
    return "%s ended with %s: %s" % (argv[0], done.rc, " ".join((done.err or done.out).split())[-300:])


def _packages(machine, manager):
    if manager == "apt":
        output = machine.run(["dpkg-query", "-W", _DPKG, "linux-*"], timeout=20, accepted=(0, 1))
        rows = [line.split("\t") for line in output.lines()] if output.ok else None
        return rows and [
            {"name": row[0].split(":")[0], "state": row[1][1:2], "version": row[2]} for row in rows if len(row) == 3
        ]
    output = machine.run(["rpm", "-qa", "--qf", _RPM, "kernel*"], timeout=30)
    if not output.ok:
        return None
    rows = [line.split("\t") for line in output.lines()]
    return [
        {"name": row[0], "evr": row[1], "arch": row[2], "installed_at": int(row[3])} for row in rows if len(row) == 4
    ]


def _names(manager, packages, gone):
    """Names of all packages of these kernels, as the package manager wants to hear them."""
    if manager == "apt":
        wanted = set("linux-%s-%s" % (part, kernel["release"]) for part in _DEBIAN_PARTS.split() for kernel in gone)
        return sorted(wanted & set(package["name"] for package in packages if package["state"] == "i"))
    versions = set(kernel["version"] for kernel in gone)
    return sorted(
        "%s-%s.%s" % (package["name"], package["evr"].split(":", 1)[1], package["arch"])
        for package in packages
        if package["evr"].split(":", 1)[1] in versions
    )


def _simulated(machine, manager, names):
    """Why it must not be done; "" when exactly these packages would go."""
    if manager == "apt":
        output = machine.run(["apt-get", "--simulate", "--quiet", "purge"] + names, timeout=60, accepted=None)
        if output.rc != 0:
            return "refused, apt-get does not want to: %s" % "; ".join(_apt_moves.errors(output)[:2])
        try:
            moves = _apt_moves.parse_simulation(output.out)
        except ValueError as exc:
            return "refused, the simulation cannot be read: %s" % exc
        others = sorted(move["name"] for move in moves if move["name"] not in names)
        if others:
            return "refused, these would go or change as well: %s" % ", ".join(others[:10])
        return ""
    output = machine.run(["rpm", "--erase", "--test"] + names, timeout=60, accepted=None)
    if output.rc != 0:
        return "refused, other packages need them: %s" % " ".join((output.err or output.out).split())[:300]
    return ""


def _paths(machine, release):
    return list(machine.glob("/boot/*-" + release)) + [
        path for path in ("/lib/modules/" + release,) if machine.exists(path)
    ]


def bytes_of(paths, device):
    """Bytes that files and folders take on one filesystem."""
    total = 0
    for path in paths:
        places = [path]
        for folder, folders, names in os.walk(path):
            places += [os.path.join(folder, name) for name in folders + names]
        for place in places:
            try:
                info = os.lstat(place)
            except OSError:
                continue
            total += info.st_blocks * 512 if info.st_dev == device else 0
    return total
