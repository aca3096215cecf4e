# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: which files of a snapshot are restored for a test. Pure.

Every file has a number drawn from the seed and its path, so that the plan and the work choose the same ones, in
whatever order the tool tells them; files that never came back before are drawn ten times as often. Memory depends on
the size of the sample alone. Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import hashlib
import heapq
import math

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import _paths

_WEIGHT_KNOWN = 0.1
_WEIGHT_EMPTY = 0.05
# Candidates for each file of the sample: some will be too large for what room is left.
_SPARE = 4
# One file takes no more than this part of the room.
_LARGEST = 0.5


def digest(path):
    """The first 8 hex digits of the SHA-256 of a path: how the ledger remembers it."""
    return hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()[:8]


class Sample(object):
    """Takes the files of a snapshot one by one, and in the end has chosen some."""

    def __init__(self, files, size_bytes, seed, known=(), critical=(), is_canary=None, live=None):
        """At most so many files and bytes; ``known`` are digests of paths that came back before, ``critical`` paths
        of which the largest file is wanted (empty: all), ``is_canary(path)`` tells the file that is always wanted,
        ``live(path)`` where a file is on the protected host (None: as the snapshot says)."""
        self._files = files
        self._bytes = size_bytes
        self._seed = seed
        self._known = frozenset(known)
        self._critical = [path.strip("/") for path in critical]
        self._live = live or (lambda path: path)
        self._is_canary = is_canary or (lambda path: False)
        self._drawn = []
        self._largest = None
        self._oldest = None
        self._smallest = None
        self.canary = None
        self.total_files = 0
        self.total_bytes = 0

    def take(self, path, size, mtime):
        """Hear of one file of the snapshot."""
        size = size or 0
        self.total_files += 1
        self.total_bytes += size
        entry = (path, size, mtime)
        if self._is_canary(path):
            self.canary = entry
            return
        if size:
            self._smallest = min(self._smallest or entry, entry, key=lambda known: (known[1], known[0]))
        if size > self._bytes * _LARGEST:
            return
        if self._matters(self._live(path).strip("/")):
            self._largest = max(self._largest or entry, entry, key=lambda known: (known[1], known[0]))
        if mtime and size:
            self._oldest = min(self._oldest or entry, entry, key=lambda known: (known[2], known[0]))
        # The heap has the worst of the drawn ones first.
        item = (-self._draw(path, size), path, entry)
        if len(self._drawn) < self._files * _SPARE:
            heapq.heappush(self._drawn, item)
        elif self._drawn and item > self._drawn[0]:
            heapq.heapreplace(self._drawn, item)

    def _matters(self, plain):
        return not self._critical or any(_paths.below(plain, path) for path in self._critical)

    def _draw(self, path, size):
        """Sampling with weights (Efraimidis and Spirakis): the smallest numbers win."""
        text = ("%s\0%s" % (self._seed, path)).encode("utf-8", "surrogateescape")
        drawn = (int(hashlib.sha256(text).hexdigest()[:13], 16) + 1) / float(1 << 52)
        weight = _WEIGHT_KNOWN if self._known and digest(self._live(path)) in self._known else 1.0
        return -math.log(drawn) / (weight if size else weight * _WEIGHT_EMPTY)

    def chosen(self):
        """[(path, size, mtime)] that are to be restored: the canary, the largest, the oldest, and those drawn."""
        found, room = [], self._bytes
        wanted = [self._largest, self._oldest] + [item[2] for item in sorted(self._drawn, reverse=True)]
        # When all others are too large for the room.
        wanted.append(self._smallest)
        seen = set()
        for entry in wanted:
            if entry is None or entry[0] in seen or len(found) >= self._files or entry[1] > room:
                continue
            seen.add(entry[0])
            found.append(entry)
            room -= entry[1]
        return ([self.canary] if self.canary else []) + found
