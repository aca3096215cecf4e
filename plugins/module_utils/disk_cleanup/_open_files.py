# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: which files does somebody use right now?

By device and inode. /proc/PID/maps names another device than stat does on some filesystems, so of a mapped file with
the same inode the kernel is asked what it is; where it does not say, the file counts as used. The kernel's own users
(loop devices, swap) have no process and are asked for separately.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import os
import time

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _mounts

# Older knowledge is not used for a deletion.
FRESH_S = 1.0


class OpenFiles(object):
    """The files in use, looked at again when that was too long ago."""

    def __init__(self, fresh_s=FRESH_S):
        self._fresh_s = fresh_s
        self._at = None
        self._open = frozenset()
        self._deleted = frozenset()
        self._mapped = {}
        self.complete = True

    def has(self, info):
        """True when the file of this stat is in use."""
        if self._at is None or time.monotonic() - self._at > self._fresh_s:
            self.look()
        return self.holds(info.st_dev, info.st_ino)

    def holds(self, device, inode):
        """True when that file was in use at the last look."""
        return (device, inode) in self._open or any(
            _is_that(link, device, inode) for link in self._mapped.get(inode, {}).values()
        )

    def holds_deleted(self, device, inode):
        """True when a file without a name, which that one must be, was in use at the last look."""
        return (device, inode) in self._deleted

    def look(self):
        """Look at every process now."""
        hanging = tuple(_network_mounts())
        opened = set()
        deleted = set()
        mapped = {}
        own = os.getpid()
        self.complete = True
        for pid in os.listdir("/proc"):
            if not pid.isdigit() or int(pid) == own:
                continue
            try:
                _descriptors(pid, hanging, opened, deleted)
                _maps(pid, hanging, mapped)
            except FileNotFoundError:
                continue
            except OSError:
                self.complete = os.path.exists("/proc/" + pid) is False and self.complete
        opened.update(_kernel_files())
        self._open, self._mapped, self._deleted = frozenset(opened), mapped, frozenset(deleted)
        # A look that takes long on a host with many processes must not be repeated all the time.
        self._at = time.monotonic()


def _descriptors(pid, hanging, opened, deleted):
    folder = "/proc/%s/fd" % pid
    for descriptor in os.listdir(folder):
        path = folder + "/" + descriptor
        try:
            target = os.readlink(path)
            # Sockets and pipes have no path; asking a dead network filesystem would hang.
            if not target.startswith("/") or target.startswith(hanging):
                continue
            info = os.stat(path)
        except OSError:
            continue
        opened.add((info.st_dev, info.st_ino))
        if not info.st_nlink:
            deleted.add((info.st_dev, info.st_ino))


def _maps(pid, hanging, mapped):
    """Note mapped files: inode -> {device as it stands there: link to the file, "" where it must not be asked}."""
    with open("/proc/%s/maps" % pid, "rb") as stream:
        for line in stream:
            fields = line.split(None, 5)
            if len(fields) < 6 or fields[4] == b"0":
                continue
            known = mapped.setdefault(int(fields[4]), {})
            if fields[3] not in known:
                # In map_files the same range stands without leading zeros.
                begin, _dash, end = fields[0].partition(b"-")
                asked = not os.fsdecode(fields[5]).startswith(hanging)
                known[fields[3]] = "/proc/%s/map_files/%x-%x" % (pid, int(begin, 16), int(end, 16)) if asked else ""


def _is_that(link, device, inode):
    """True when what is mapped is that file, or nobody can tell (any more)."""
    try:
        info = os.stat(link)
    except OSError:
        return True
    return (info.st_dev, info.st_ino) == (device, inode)


def _network_mounts():
    try:
        with open("/proc/self/mountinfo", "rb") as stream:
            mounts = _mounts.parse_mountinfo(os.fsdecode(stream.read()))
    except (OSError, ValueError):
        return []
    return [entry["mount"].rstrip("/") + "/" for entry in mounts if _mounts.kind_of(entry) == "network"]


def _kernel_files():
    """Files behind loop devices and swap."""
    paths = []
    try:
        for name in os.listdir("/sys/block"):
            if name.startswith("loop"):
                try:
                    with open("/sys/block/%s/loop/backing_file" % name) as stream:
                        paths.append(stream.read().rstrip("\n"))
                except OSError:
                    continue
        with open("/proc/swaps") as stream:
            paths += [_mounts.unescape(line.split()[0]) for line in stream.read().splitlines()[1:]]
    except OSError:
        pass
    for path in paths:
        try:
            info = os.stat(path)
        except OSError:
            continue
        yield info.st_dev, info.st_ino
