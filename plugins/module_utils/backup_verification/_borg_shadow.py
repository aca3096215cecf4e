# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: a Borg repository that can be read without being touched.

Borg writes where it reads: locks, its configuration (every check), an index that is behind, and it removes segments of
transactions that were broken off. So it is given a shadow: a scratch folder with copies of the small files, and a
symbolic link for each segment. What it writes or removes there is ours, and no lock of anybody counts there.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import errno
import os
import shutil
import struct
import zlib

_SMALL = ("README", "config")
_GENERATED = ("index", "hints", "integrity")
# Of HashIndex: magic, entries, buckets, size of a key, size of a value; then the buckets: key, segment, offset.
_HEADER = struct.Struct("<8siibb")
_BUCKET = struct.Struct("<32sII")
_MAGIC = b"BORG_IDX"
# Segments from here on mark buckets that are empty or deleted.
_NO_SEGMENT = 0xFFFFFFFE
_BLOCK = _BUCKET.size * 16384
_ATTEMPTS = 3
# No more of the free room is taken for copies: while somebody only looks it is that of /run, which the host needs.
_ROOM_SHARE = 0.5


class TooLarge(Exception):
    """The small files are too large for the scratch folder, in words."""


class Shadow(object):
    """A shadow of the repository in ``path``, below ``folder``."""

    def __init__(self, path, folder):
        self.path = path
        self.folder = folder
        self.transaction = None
        self.linked = {}
        self._parts = None

    def is_current(self):
        """True when it has all segments and no transaction has ended since it was built."""
        index = os.path.join(self.path, "index.%s" % self.transaction)
        return self._parts == 1 and self.transaction is not None and os.path.exists(index)

    def build(self, part=1, parts=1):
        """Make it anew, with the segments of part n of t and the one that ends the last transaction.

        Each segment is in one part, by its number, so that t parts together are all of them. Raises OSError when the
        repository cannot be read, and TooLarge before anything is copied.
        """
        self._parts = None
        for attempt in range(_ATTEMPTS):
            shutil.rmtree(self.folder, ignore_errors=True)
            os.makedirs(os.path.join(self.folder, "data"), 0o700)
            try:
                self._copy()
                self._link(part, parts)
                self._parts = parts
                return
            except OSError as exc:
                # A transaction was ended or compacted in between.
                if exc.errno != errno.ENOENT or attempt + 1 == _ATTEMPTS or not os.path.isdir(self.path):
                    raise

    def _copy(self):
        names = os.listdir(self.path)
        ended = [int(name[6:]) for name in names if name.startswith("index.") and name[6:].isdigit()]
        self.transaction = max(ended) if ended else None
        wanted = [
            name
            for name in names
            if name in _SMALL or name in ["%s.%s" % (kind, self.transaction) for kind in _GENERATED]
        ]
        self._fits(sum(os.stat(os.path.join(self.path, name)).st_size for name in wanted))
        for name in wanted:
            shutil.copyfile(os.path.join(self.path, name), os.path.join(self.folder, name))

    def _fits(self, needed):
        room = os.statvfs(self.folder)
        free = room.f_bavail * room.f_frsize
        if needed > free * _ROOM_SHARE:
            text = "its index needs %.1f MiB in %s, and of the %.1f MiB that are free there only half may be taken. "
            text += "Verify the repository on a host with more memory"
            values = (needed / 1048576.0, self.folder, free / 1048576.0)
            raise TooLarge(text % values)

    def _link(self, part, parts):
        self.linked = {}
        data = os.path.join(self.path, "data")
        for folder in os.listdir(data):
            if not folder.isdigit():
                continue
            os.mkdir(os.path.join(self.folder, "data", folder), 0o700)
            for name in os.listdir(os.path.join(data, folder)):
                if not name.isdigit():
                    continue
                number = int(name)
                if part_of(number, parts) == part or number == self.transaction:
                    place = os.path.join(data, folder, name)
                    os.symlink(place, os.path.join(self.folder, "data", folder, name))
                    self.linked[number] = place

    def gone(self):
        """True when segments were removed since it was built: somebody compacted the repository."""
        return any(not os.path.lexists(place) for place in self.linked.values())

    def size(self, part=1, parts=1):
        """Bytes of the segments of a part."""
        total = 0
        for number, place in self.linked.items():
            if part_of(number, parts) == part:
                try:
                    total += os.stat(place).st_size
                except OSError:
                    continue
        return total

    def lacking(self):
        """Segments that the index names and that are not there, or shorter than it says: [text], a cheap look."""
        if self.transaction is None:
            return []
        ends = {self.transaction: 0}
        for segment, offset in _entries(os.path.join(self.folder, "index.%d" % self.transaction)):
            ends[segment] = max(ends.get(segment, 0), offset)
        data, found, per_folder = os.path.join(self.path, "data"), [], self._per_folder()
        for segment, offset in sorted(ends.items()):
            try:
                size = os.stat(os.path.join(data, str(segment // per_folder), str(segment))).st_size
            except OSError as exc:
                found.append("segment %d: %s" % (segment, exc.strerror))
                continue
            if size <= offset:
                found.append("segment %d is cut off: %d bytes, and there is an entry at %d" % (segment, size, offset))
        return found

    def _per_folder(self):
        with open(os.path.join(self.folder, "config")) as stream:
            for line in stream:
                key, _sign, value = line.partition("=")
                if key.strip() == "segments_per_dir":
                    return int(value)
        return 1000


def part_of(number, parts):
    """To which of ``parts`` parts a segment belongs: evenly, whatever rhythm the backups write them in."""
    return zlib.crc32(b"%d" % number) % parts + 1


def _entries(path):
    """(segment, offset) of every object in an index file; nothing where its form is not the one that is known."""
    with open(path, "rb") as stream:
        head = stream.read(_HEADER.size)
        if len(head) < _HEADER.size:
            return
        magic, _entries_count, buckets, key_size, value_size = _HEADER.unpack(head)
        if (magic, key_size, value_size) != (_MAGIC, 32, 8):
            return
        left = buckets * _BUCKET.size
        while left > 0:
            block = stream.read(min(_BLOCK, left))
            if not block:
                return
            left -= len(block)
            for _key, segment, offset in _BUCKET.iter_unpack(block[: len(block) // _BUCKET.size * _BUCKET.size]):
                if segment < _NO_SEGMENT:
                    yield segment, offset
