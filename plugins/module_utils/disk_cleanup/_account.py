# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: how much a cleanup may do, what it is for, and what it found and did.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import hashlib
import heapq
import os
import time

from ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup import _bases

TOP = 20
# Files that somebody opened while they were deleted explain a gap; so many are remembered.
_REMEMBERED = 50000


class Stopped(Exception):
    """The walk ends here, for a reason that its account tells."""


class Budget(object):
    """How much may be done at most by all rules together: files, bytes and seconds (None: no limit)."""

    def __init__(self, files=None, size=None, seconds=None):
        self.files = files
        self.size = size
        self.end = None if seconds is None else time.monotonic() + seconds

    def late(self):
        """True when the time is over."""
        return self.end is not None and time.monotonic() >= self.end

    def spent(self):
        """Which limit is reached: files, bytes or seconds; "" while none is."""
        if self.files is not None and self.files <= 0:
            return "files"
        if self.size is not None and self.size <= 0:
            return "bytes"
        return "seconds" if self.late() else ""

    def take(self, size):
        """Count a file."""
        if self.files is not None:
            self.files -= 1
        if self.size is not None:
            self.size -= size


class Account(object):
    """What a rule found and did, as evidence."""

    def __init__(self, rule):
        self.rule = rule
        self.files = 0
        self.bytes = 0
        self.folders = 0
        self.rest_files = 0
        self.rest_bytes = 0
        self.oldest = None
        self.newest = None
        self.skipped = {}
        self.stopped = ""
        self.notes = []
        self.by_mount = {}
        self.inodes = {}
        self._top = []
        self._list = hashlib.sha256()

    def skip(self, reason, count=1):
        """Count something that stays although it looks like what the rule is about."""
        self.skipped[reason] = self.skipped.get(reason, 0) + count

    def add(self, path, info, mount):
        """Count a file that goes."""
        size = info.st_blocks * 512
        when = max(info.st_mtime, info.st_ctime)
        self.files += 1
        self.bytes += size
        self.by_mount[mount] = self.by_mount.get(mount, 0) + size
        self.oldest = when if self.oldest is None else min(self.oldest, when)
        self.newest = when if self.newest is None else max(self.newest, when)
        raw = os.fsencode(path)
        self._list.update(raw + b"\0")
        if len(self.inodes) < _REMEMBERED:
            self.inodes[(info.st_dev, info.st_ino)] = size
        entry = (size, raw, when, info.st_uid)
        if len(self._top) < TOP:
            heapq.heappush(self._top, entry)
        elif entry > self._top[0]:
            heapq.heapreplace(self._top, entry)

    def document(self):
        """The account as plain data; ``list_sha256`` is over all paths, a NUL after each, in the order of the walk."""
        return {
            "id": self.rule,
            "files": self.files,
            "folders": self.folders,
            "bytes": self.bytes,
            "rest_files": self.rest_files,
            "rest_bytes": self.rest_bytes,
            "oldest": self.oldest,
            "newest": self.newest,
            "skipped": dict(self.skipped),
            "stopped": self.stopped,
            "notes": list(self.notes),
            "by_mount": dict(self.by_mount),
            "top": [
                {"path": _bases.shown(os.fsdecode(raw)), "bytes": size, "changed_at": when, "uid": uid}
                for size, raw, when, uid in sorted(self._top, reverse=True)
            ],
            "list_sha256": self._list.hexdigest() if self.files else "",
        }


class Target(object):
    """The filesystem that wants room: what is free on it by our own reckoning, and how much is wanted."""

    def __init__(self, mount, dev, avail_bytes, wanted_bytes, inodes_free=None, wanted_inodes=None):
        self.mount = mount
        self.dev = dev
        self.avail_bytes = avail_bytes
        self.wanted_bytes = wanted_bytes
        self.inodes_free = inodes_free
        self.wanted_inodes = wanted_inodes

    def reached(self):
        """True when enough is free; never while everything that may go is wanted (``wanted_bytes`` None)."""
        if self.wanted_bytes is None or self.avail_bytes < self.wanted_bytes:
            return False
        return self.wanted_inodes is None or (self.inodes_free or 0) >= self.wanted_inodes

    def freed(self, size):
        """Count a file that goes."""
        self.avail_bytes += size
        if self.inodes_free is not None:
            self.inodes_free += 1
