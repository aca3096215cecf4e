# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: read files, folders, locks and filesystems of the host (part of Machine).

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import errno
import fcntl
import glob as globbing
import os
import pwd
import stat as stat_module
import struct

from ansible_collections.keepwell.fleet.plugins.module_utils.probes._sources import SourceLog

# Whole files are tables such as /proc/self/mountinfo: ten thousand mounts take 2 MiB.
FILE_CAP = 4 * 1024 * 1024


# Not there, or no longer: processes and control groups end while they are read.
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ESRCH, errno.ENXIO, errno.ENODEV, errno.ELOOP)
# The kernel has the file and keeps nothing in it: the speed of a link without cable, pressure where that is off.
_NOT_KEPT = (errno.EINVAL, errno.EOPNOTSUPP)


def _read(descriptor, limit):
    """At most ``limit`` bytes from here on."""
    chunks = []
    size = 0
    while size < limit:
        data = os.read(descriptor, min(65536, limit - size))
        if not data:
            break
        chunks.append(data)
        size += len(data)
    return b"".join(chunks)


class Files(SourceLog):
    """The methods of Machine that look at the filesystem."""

    def read(self, path, limit=None, source=None, asleep=()):
        """Text of a file, or None when it does not exist or may not be read (then noted under ``source`` or path)."""
        data = self.read_bytes(path, limit, source, asleep)
        return None if data is None else data.decode("utf-8", "replace")

    def read_bytes(self, path, limit=None, source=None, asleep=()):
        """Like ``read``, but bytes. Only regular files, /proc and /sys are opened; a device or a pipe is not.

        ``asleep`` are numbers of errors by which a driver says that its device has nothing to tell now: not noted.
        ``limit`` takes the head of a file on purpose; without it a file beyond FILE_CAP is cut and noted as an error.
        """
        try:
            descriptor = self._open_regular(path, source or path)
            if descriptor is None:
                return None
            try:
                data = _read(descriptor, FILE_CAP + 1 if limit is None else limit)
            finally:
                os.close(descriptor)
        except OSError as exc:
            self._note_os_error(exc, source or path, asleep)
            return None
        if limit is None and len(data) > FILE_CAP:
            self.truncated = True
            self.note(source or path, "error", "longer than %d bytes, the rest was not read" % FILE_CAP)
            return data[:FILE_CAP]
        return data

    def tail(self, path, size=16384, source=None):
        """The last ``size`` bytes of a file as text, or None as in ``read``."""
        try:
            descriptor = self._open_regular(path, source or path)
            if descriptor is None:
                return None
            try:
                os.lseek(descriptor, max(0, os.fstat(descriptor).st_size - size), os.SEEK_SET)
                return _read(descriptor, size).decode("utf-8", "replace")
            finally:
                os.close(descriptor)
        except OSError as exc:
            self._note_os_error(exc, source or path)
            return None

    def _open_regular(self, path, source):
        """Descriptor of a regular file; None for anything else (then noted, folders aside). Raises OSError.

        Users write into some of the folders that are looked at, and root looks. So nothing is opened before it is
        known to be a file: opening a device can start a watchdog or rewind a tape, opening a pipe can wait for ever.
        And root follows no link by which somebody else points at a file that is not theirs: what stands in it could
        end up in a message.
        """
        look = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            info = os.fstat(look)
            if stat_module.S_ISLNK(info.st_mode):
                linked_by = info.st_uid
                os.close(look)
                look = -1
                look = os.open(path, os.O_PATH | os.O_CLOEXEC)
                info = os.fstat(look)
                if os.geteuid() == 0 and linked_by not in (0, info.st_uid):
                    self.note(
                        source, "error", "a link that user %d set to a file of user %d" % (linked_by, info.st_uid)
                    )
                    return None
            if stat_module.S_ISDIR(info.st_mode):
                return None
            if not stat_module.S_ISREG(info.st_mode):
                self.note(source, "error", "neither a file nor a folder")
                return None
            return os.open("/proc/self/fd/%d" % look, os.O_RDONLY | os.O_CLOEXEC)
        finally:
            if look >= 0:
                os.close(look)

    def _note_os_error(self, exc, source, asleep=()):
        if exc.errno in asleep:
            return
        if exc.errno in (errno.EACCES, errno.EPERM):
            self.note(source, "denied", "may not be read by this user")
        elif exc.errno not in _GONE + _NOT_KEPT:
            self.note(source, "error", exc.strerror or "cannot be read")

    def listdir(self, path, source=None):
        """Sorted names in a folder; empty when it does not exist or may not be read (then noted)."""
        try:
            return sorted(os.listdir(path))
        except OSError as exc:
            self._note_os_error(exc, source or path)
            return []

    def glob(self, pattern):
        """Sorted paths that match a shell pattern."""
        return sorted(globbing.glob(pattern))

    def exists(self, path):
        """True when the path exists and this user may see it."""
        return os.path.exists(path)

    def readlink(self, path):
        """Target of a symbolic link, or None."""
        try:
            return os.readlink(path)
        except OSError:
            return None

    def stat(self, path):
        """Mapping of mode, size, mtime, ctime, uid, gid, nlink, dev, ino, blocks (512 bytes) and kind; or None.

        Follows links. ``kind`` is one of ``file dir block char fifo socket other``.
        """
        try:
            info = os.stat(path)
        except OSError:
            return None
        kinds = (
            (stat_module.S_ISREG, "file"),
            (stat_module.S_ISDIR, "dir"),
            (stat_module.S_ISBLK, "block"),
            (stat_module.S_ISCHR, "char"),
            (stat_module.S_ISFIFO, "fifo"),
            (stat_module.S_ISSOCK, "socket"),
        )
        kind = next((word for test, word in kinds if test(info.st_mode)), "other")
        return {
            "mode": stat_module.S_IMODE(info.st_mode),
            "kind": kind,
            "size": info.st_size,
            "mtime": info.st_mtime,
            "ctime": info.st_ctime,
            "uid": info.st_uid,
            "gid": info.st_gid,
            "nlink": info.st_nlink,
            "dev": info.st_dev,
            "ino": info.st_ino,
            "blocks": info.st_blocks,
        }

    def statvfs(self, path):
        """Mapping of bsize, frsize, blocks, bfree, bavail, files, ffree of a filesystem; or None.

        May hang on a dead network filesystem: callers isolate that in ``in_child``.
        """
        try:
            info = os.statvfs(path)
        except OSError as exc:
            self._note_os_error(exc, "statvfs " + path)
            return None
        names = ("bsize", "frsize", "blocks", "bfree", "bavail", "files", "ffree")
        return dict((name, getattr(info, "f_" + name)) for name in names)

    def lock_holder(self, path):
        """Who holds a POSIX (fcntl) lock on a file: {"state": free|held|absent|denied|error, "pid": number or None}.

        Only asks (F_GETLK): a lock file that merely exists is free. The pid is None when the holder lives in another
        pid namespace.
        """
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as exc:
            self._note_os_error(exc, path)
            if exc.errno in (errno.ENOENT, errno.ENOTDIR):
                return {"state": "absent", "pid": None}
            return {"state": "denied" if exc.errno in (errno.EACCES, errno.EPERM) else "error", "pid": None}
        try:
            # struct flock: l_type, l_whence, l_start, l_len, l_pid
            answer = fcntl.fcntl(descriptor, fcntl.F_GETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))
            kind, _whence, _start, _length, pid = struct.unpack("hhqqi4x", answer)
        except OSError as exc:
            self._note_os_error(exc, path)
            return {"state": "error", "pid": None}
        finally:
            os.close(descriptor)
        if kind == fcntl.F_UNLCK:
            return {"state": "free", "pid": None}
        return {"state": "held", "pid": pid if pid > 0 else None}

    def user_name(self, uid):
        """Name of a user id on this host, or the number as text."""
        try:
            return pwd.getpwuid(uid).pw_name
        except KeyError:
            return str(uid)
