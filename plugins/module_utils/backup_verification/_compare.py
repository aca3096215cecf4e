# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: is what was restored what was backed up?

The reference is a list of checksums when the dataset has one, else the live file, when this is the protected host and
the file has not changed since the snapshot began. With the live file it is compared byte by byte: that says more than
equal checksums and reads no more. A file that changed since is ``changed`` and never a mismatch.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import errno
import hashlib
import os
import stat

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import _paths
from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification._sample import digest
from ansible_collections.keepwell.fleet.plugins.module_utils.chores._errors import AgentError

PATH_CAP = 200
DIGEST_CAP = 5000
_BLOCK = 1024 * 1024
# Times of files come from a clock that ticks some hundred times a second.
_TICK_S = 0.05
_SUMS_CAP = 512 * 1024 * 1024


class Comparison(object):
    """Compares files below ``target`` one by one and counts."""

    def __init__(self, target, live, started_at, sums=None, metadata=False, told=None):
        """``live(path)`` is the live file of a path in the snapshot, None: this host has none; ``started_at`` when
        the snapshot began; ``sums`` {path as plain() has it: SHA-256}; ``metadata``: mode and owner count, too;
        ``told(path)`` is how the ledger knows a path (None: as the snapshot says)."""
        self._target = target
        self._root = os.open(target, _paths.FOLDER)
        self._live = live
        self._started_at = started_at
        self._sums = sums or {}
        self._metadata = metadata
        self._told = told or (lambda path: path)
        self._buffers = (bytearray(_BLOCK), bytearray(_BLOCK))
        self._lost = {"mismatches": 0, "missing": 0}
        self.found = dict.fromkeys(("files", "bytes", "identical", "unreferenced", "changed"), 0)
        self.found.update({"mismatches": [], "missing": [], "paths": [], "digests": []})

    def close(self):
        """The numbers and lists of the proof."""
        os.close(self._root)
        if self._lost["mismatches"]:
            text = "%d more are not told" % self._lost["mismatches"]
            self.found["mismatches"].append({"path": "...", "why": text})
        if self._lost["missing"]:
            self.found["missing"].append("... and %d more" % self._lost["missing"])
        return self.found

    def add(self, path, size, restored=None):
        """Compare one file; ``size`` is what the snapshot says, ``restored`` its path when it is another."""
        relative = path if restored is None else os.path.relpath(restored, self._target)
        try:
            descriptor, relative = self._opened(relative)
        except OSError as exc:
            self._not_there(path, exc)
            return
        with os.fdopen(descriptor, "rb", buffering=0) as stream:
            info = os.fstat(descriptor)
            self.found["files"] += 1
            self.found["bytes"] += info.st_size
            if len(self.found["paths"]) < PATH_CAP:
                self.found["paths"].append(_paths.shown(self._told(path)))
            if len(self.found["digests"]) < DIGEST_CAP:
                self.found["digests"].append(digest(self._told(path)))
            # Some tools give a further name of a file no size of its own.
            if size and size != info.st_size:
                self._wrong(path, "%d bytes came back, the snapshot says %d" % (info.st_size, size))
            else:
                # Where the tool cannot spell a name the restored file does.
                named = relative if _paths.spells(relative, path) else path
                self._compare(path, named, stream, info)

    def _opened(self, relative):
        """(Descriptor, path) of a restored file."""
        try:
            return _paths.open_below(self._root, relative), relative
        except FileNotFoundError:
            relative = _paths.spelled(self._root, relative)
            return _paths.open_below(self._root, relative), relative

    def _not_there(self, path, exc):
        if exc.errno in (errno.ENOENT, errno.ENOTDIR):
            self._note("missing", _paths.shown(path))
        elif exc.errno in (errno.ELOOP, errno.EINVAL):
            self._wrong(path, "it came back as something else than a file")
        else:
            self._wrong(path, "what came back cannot be read: %s" % exc.strerror)

    def _wrong(self, path, why):
        self._note("mismatches", {"path": _paths.shown(path), "why": why})

    def _note(self, name, entry):
        if len(self.found[name]) < PATH_CAP:
            self.found[name].append(entry)
        else:
            self._lost[name] += 1

    def _compare(self, path, named, stream, info):
        wanted = self._sums.get(plain(named))
        if wanted:
            got = self._sha256(stream)
            if got == wanted:
                self.found["identical"] += 1
            else:
                self._wrong(path, "its SHA-256 is %s..., the list of checksums says %s..." % (got[:12], wanted[:12]))
            return
        live = self._opened_live(named)
        if live is None:
            self.found["unreferenced"] += 1
            return
        with live:
            self._with_live(path, named, stream, info, live)

    def _opened_live(self, named):
        """The live file; None when it is gone, is no file any more, or this host has none."""
        if self._live is None:
            return None
        try:
            return os.fdopen(_paths.open_file(self._live(named)), "rb", buffering=0)
        except OSError:
            return None

    def _with_live(self, path, named, stream, info, live):
        before = os.fstat(live.fileno())
        recent = max(before.st_mtime, before.st_ctime) >= self._started_at - _TICK_S
        same = before.st_size == info.st_size and self._equal(stream, live)
        if not same and (recent or self._moved(named, before)):
            self.found["changed"] += 1
        elif not same:
            self._wrong(path, _difference(before, info))
        elif self._metadata and not recent and _rights(before) != _rights(info):
            self._wrong(path, "mode and owner are %s, the live file has %s" % (_rights(info), _rights(before)))
        else:
            self.found["identical"] += 1

    def _moved(self, named, before):
        """True when the live file changed while it was read."""
        try:
            after = os.lstat(self._live(named))
        except OSError:
            return True
        return _marks(after) != _marks(before)

    def _equal(self, one, other):
        """True when two files have the same content."""
        first, second = memoryview(self._buffers[0]), memoryview(self._buffers[1])
        while True:
            count, same = _fill(one, first), _fill(other, second)
            if count != same:
                return False
            if count == _BLOCK:
                # Views are compared byte by byte, the buffers themselves forty times as fast.
                if self._buffers[0] != self._buffers[1]:
                    return False
            else:
                return bytes(first[:count]) == bytes(second[:count])

    def _sha256(self, stream):
        block, summed = memoryview(self._buffers[0]), hashlib.sha256()
        while True:
            count = _fill(stream, block)
            if not count:
                return summed.hexdigest()
            summed.update(block[:count])


def _fill(stream, block):
    """Read until the block is full or the file ends; how much there was."""
    count = 0
    while count < len(block):
        got = stream.readinto(block[count:])
        if not got:
            break
        count += got
    return count


def _marks(info):
    return (info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns)


def _rights(info):
    return "%04o %d:%d" % (stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid)


def _difference(live, restored):
    if live.st_size != restored.st_size:
        text = "%d bytes came back, the live file, unchanged since the snapshot, has %d"
        return text % (restored.st_size, live.st_size)
    return "its content is not that of the live file, which has not changed since the snapshot"


def plain(path):
    """A path as the list of checksums is asked for it."""
    while path.startswith(("/", "./")):
        path = path.lstrip("/") if path.startswith("/") else path[2:]
    return path


def read_sums(path, wanted=None):
    """{path: SHA-256} of a file as sha256sum writes it; ``wanted``: only these paths. Raises AgentError."""
    found = {}
    try:
        descriptor = _paths.open_file(path)
        with os.fdopen(descriptor, encoding="utf-8", errors="surrogateescape", newline="\n") as stream:
            if os.fstat(descriptor).st_size > _SUMS_CAP:
                raise AgentError("bad_checksums", "The list of checksums %s is too large." % path)
            for number, line in enumerate(stream, 1):
                entry = _sum_of(line.rstrip("\n"))
                if entry is None:
                    text = "The list of checksums %s, line %d: this is no line of sha256sum."
                    raise AgentError("bad_checksums", text % (path, number))
                if wanted is None or entry[0] in wanted:
                    found[entry[0]] = entry[1]
    except OSError as exc:
        text = "The list of checksums %s cannot be read: %s."
        raise AgentError("bad_checksums", text % (path, exc.strerror)) from exc
    return found


def _sum_of(line):
    """(Path, SHA-256) of a line; None when it is none. A backslash before it: the name has escapes."""
    escaped = line.startswith("\\")
    value, name = line[escaped : 64 + escaped].lower(), line[66 + escaped :]
    if not name or line[64 + escaped] != " " or value.strip("0123456789abcdef"):
        return None
    if escaped:
        name = name.replace("\\\\", "\0").replace("\\n", "\n").replace("\\r", "\r").replace("\0", "\\")
    return plain(name), value
