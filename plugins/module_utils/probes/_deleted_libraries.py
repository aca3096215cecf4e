# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: which programs still run code that an update has replaced on disk?

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import re

_MAPPING = re.compile(r"^[0-9a-f]+-[0-9a-f]+ ..x. \S+ \S+ (\d+) +(/.+) \(deleted\)$")
_PLACES = ("/usr/", "/lib", "/opt/", "/bin/", "/sbin/")
_CONTAINER = re.compile(
    r"/(?:docker|lxc|libpod|kubepods|machine\.slice|crio|garden)[^/]*[-/]|/libpod-|/cri-containerd-"
)
# Time kept back for the rest of the probe.
_RESERVE_S = 4.0
_UNIT = re.compile(r"/([^/]+\.(?:service|scope|socket|mount))(?:/|$)")
# Units whose restart ends sessions, containers or machines, or which must not be restarted on a running system
# (needrestart ships the same list in its overrides).
_NEVER_RESTART = re.compile(
    r"^(?:dbus.*|systemd-logind|getty@.*|serial-getty@.*|console-getty|user@.*|gdm\d*|sddm|lightdm|xdm|display-manager"
    r"|docker|containerd|libvirtd|virtqemud|qemu.*|systemd-machined|.*@tty.*|session-.*)\.(?:service|scope)$"
)


def deleted_code(text):
    """Paths of executable mappings whose file is gone, from /proc/PID/maps."""
    found = set()
    for line in text.splitlines():
        if not line.endswith(" (deleted)"):
            continue
        match = _MAPPING.match(line)
        if match and match.group(1) != "0" and match.group(2).startswith(_PLACES):
            found.add(match.group(2))
    return found


def cgroup_path(text):
    """The systemd path in /proc/PID/cgroup: the unified hierarchy, or ``name=systemd`` where that holds the units."""
    path = ""
    for line in text.splitlines():
        number, controllers, rest = (line.split(":", 2) + ["", ""])[:3]
        if (number == "0" or controllers == "name=systemd") and len(rest) > len(path):
            path = rest
    return path


def unit_of(path, root=""):
    """Unit and kind of a process by its cgroup path: (name or None, service|session|user|container|other).

    ``root`` is where this system's own tree begins (not at the top inside a container).
    """
    if root and path != root and not path.startswith(root + "/"):
        return None, "container"
    path = path[len(root) :]
    if _CONTAINER.search(path):
        return None, "container"
    units = _UNIT.findall(path)
    if not units:
        return None, "other"
    if "/user.slice/" in path:
        return units[-1], "user" if any(unit.startswith("user@") for unit in units) else "session"
    # A service may have scopes of its own below it; the outermost unit is what systemctl restarts.
    return units[0], "service"


def collect(machine):
    """Return {"groups", "read", "unread"}; ``groups`` is None when no process could be read.

    A group is {"unit", "kind", "restartable", "programs" (names from /proc/PID/comm), "pids", "files"}. Containers
    are left out: their files belong to their image. ``unread`` counts processes of other users and those
    for which no time was left.
    """
    groups = {}
    read = unread = 0
    root = cgroup_path(machine.read("/proc/1/cgroup", source="/proc/*/cgroup") or "")
    root = re.sub(r"/init\.scope$", "", root).rstrip("/")
    for pid in [name for name in machine.listdir("/proc") if name.isdigit()]:
        if machine.remaining() < _RESERVE_S:
            unread += 1
            continue
        path = "/proc/%s/maps" % pid
        maps = machine.read(path, limit=4 * 1024 * 1024, source="/proc/*/maps")
        if maps is None:
            # One that has ended meanwhile hides nothing.
            unread += 1 if machine.exists(path) else 0
            continue
        read += 1
        files = deleted_code(maps)
        if not files:
            continue
        unit, kind = unit_of(cgroup_path(machine.read("/proc/%s/cgroup" % pid) or ""), root)
        if kind == "container":
            continue
        if pid == "1":
            unit, kind = "init", "init"
        program = (machine.read("/proc/%s/comm" % pid) or "").strip() or "?"
        blank = {"unit": unit, "kind": kind, "programs": set(), "pids": [], "files": set()}
        group = groups.setdefault(unit or program, blank)
        group["programs"].add(program)
        group["pids"].append(int(pid))
        group["files"].update(files)
    result = []
    for name in sorted(groups):
        group = groups[name]
        group["restartable"] = group["kind"] == "service" and not _NEVER_RESTART.match(group["unit"])
        group["programs"] = sorted(group["programs"])
        group["files"] = sorted(group["files"])[:20]
        group["pids"] = sorted(group["pids"])[:20]
        result.append(group)
    return {"groups": result if read else None, "read": read, "unread": unread}
