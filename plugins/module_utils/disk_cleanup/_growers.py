# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what is large on a filesystem, and whose it is.

A walk over one filesystem that follows no link and crosses no mount, counts a file with several names once, and ends
when its time or its number of entries is used up (then it says so: ``partial``). It reads names and sizes, no contents.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import os
import stat
import time

from ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup import _bases, _space
from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _deleted_open

# How deep folders are told apart, and how many of each filesystem are told.
LEVELS = 4
TOLD = 60
# Smaller ones are no growers.
_LEAST_SHARE = 0.002
_OWNED = 12
_NEARLY_ALL = 0.95
# Somebody else's tree may be deeper than our stack.
_DEEPEST = 200


class Tree(object):
    """The sums of one filesystem."""

    def __init__(self, mount, entries, end):
        self.mount = mount
        self.sums = {}
        self.entries = 0
        self.partial = ""
        self._left = entries
        self._end = end
        self._seen = set()

    def walk(self):
        """Sum up the whole filesystem."""
        folder = os.open(self.mount, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self._device, self._id = os.fstat(folder).st_dev, _bases.mount_id(folder)
            self._folder(folder, self.mount.rstrip("/"), 0, [])
        finally:
            os.close(folder)

    def _folder(self, folder, path, depth, above):
        if depth <= LEVELS:
            above = above + [path or "/"]
        for name in os.listdir(folder):
            self._left -= 1
            if self._left < 0 or time.monotonic() > self._end:
                self.partial = self.partial or ("entries" if self._left < 0 else "seconds")
                return
            try:
                info = os.stat(name, dir_fd=folder, follow_symlinks=False)
            except OSError:
                continue
            if info.st_dev != self._device:
                continue
            self.entries += 1
            self._add(above, info)
            if stat.S_ISDIR(info.st_mode) and depth < _DEEPEST:
                self._below(folder, name, path + "/" + name, depth + 1, above)

    def _below(self, folder, name, path, depth, above):
        try:
            below = _bases.enter(name, folder)
        except OSError:
            return
        try:
            if _bases.mount_id(below) == self._id:
                self._folder(below, path, depth, above)
        finally:
            os.close(below)

    def _add(self, above, info):
        if info.st_nlink > 1 and not stat.S_ISDIR(info.st_mode):
            if info.st_ino in self._seen:
                return
            self._seen.add(info.st_ino)
        size = info.st_blocks * 512
        for path in above:
            sums = self.sums.setdefault(path, [0, 0, {}])
            sums[0] += size
            sums[1] += 1
            sums[2][info.st_uid] = sums[2].get(info.st_uid, 0) + size

    def told(self):
        """The folders worth telling, the largest first: what is nearly all of the one above it stands for it."""
        whole = self.sums.get(self.mount, [0])[0] or 1
        large = [item for item in self.sums.items() if item[1][0] >= whole * _LEAST_SHARE]
        hidden = set()
        for path, sums in large:
            above = os.path.dirname(path)
            if path != self.mount and above != self.mount and sums[0] >= _NEARLY_ALL * self.sums[above][0]:
                hidden.add(above)
        large.sort(key=lambda item: (-item[1][0], item[0]))
        return [(path, sums) for path, sums in large if path not in hidden][:TOLD]


def collect(machine, mounts, entries=2000000, seconds=60.0):
    """[{"mount", "entries", "bytes", "partial", "seconds", "folders": [...]}] for these mounted filesystems.

    ``folders``: [{"path", "bytes", "files", "user", "package", "unit"}], largest first. What is not known is "".
    """
    known = set(mount for mount, _fstype, _members in _space.table())
    found = []
    for mount in mounts:
        if mount not in known:
            continue
        begun = time.monotonic()
        tree = Tree(mount, entries, begun + seconds / max(1, len(mounts)))
        tree.walk()
        folders = [
            {
                "path": _bases.shown(path),
                "bytes": sums[0],
                "files": sums[1],
                "user": machine.user_name(max(sums[2].items(), key=lambda item: item[1])[0]),
                "package": "",
                "unit": "",
            }
            for path, sums in tree.told()
        ]
        _name_owners(machine, folders)
        found.append(
            {
                "mount": mount,
                "entries": tree.entries,
                "bytes": tree.sums.get(mount, [0])[0],
                "partial": tree.partial,
                "seconds": round(time.monotonic() - begun, 2),
                "folders": folders,
            }
        )
    return found


def _name_owners(machine, folders):
    """Fill in packages and the units that write there, for the largest."""
    paths = [entry["path"] for entry in folders if entry["path"].count("/") > 1][:_OWNED]
    packages = _packages(machine, paths)
    units = _writers(paths)
    for entry in folders:
        entry["package"] = packages.get(entry["path"], "")
        entry["unit"] = units.get(entry["path"], "")


def _packages(machine, paths):
    if not paths or not machine.which("dpkg-query"):
        return {}
    output = machine.run(["dpkg-query", "-S"] + paths, timeout=10, accepted=(0, 1))
    found = {}
    for line in output.lines():
        names, colon, path = line.rpartition(": ")
        # A folder of many packages is nobody's.
        if colon and "," not in names:
            found[path] = names.split(":")[0]
    return found


def _writers(paths):
    """The unit that has most files below a path open for writing: {path: unit}."""
    counts = {}
    for pid in os.listdir("/proc"):
        if not pid.isdigit():
            continue
        folder = "/proc/%s/fd" % pid
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        for name in names:
            try:
                target = os.readlink(folder + "/" + name)
                hits = [path for path in paths if target.startswith(path + "/")]
                if not hits or not os.lstat(folder + "/" + name).st_mode & stat.S_IWUSR:
                    continue
                with open("/proc/%s/cgroup" % pid) as stream:
                    unit = _deleted_open.unit_of(stream.read())
            except OSError:
                continue
            for path in hits if unit else ():
                counts.setdefault(path, {}).setdefault(unit, 0)
                counts[path][unit] += 1
    return dict((path, max(sorted(units), key=units.get)) for path, units in counts.items())
