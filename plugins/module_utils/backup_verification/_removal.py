# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: remove a folder of our own with all that was restored into it.

What was restored may be anything: links to /, files that must not be changed, folders without rights, deeper than a
path may be long. Nothing is followed, no other filesystem is entered. Every folder is first renamed up to the top and
emptied there: depth costs nothing, and the kernel renames no mount point.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import errno
import fcntl
import os
import stat
import struct

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification._paths import FOLDER, shown

# linux/fs.h: _IOR('f', 1, long), _IOW('f', 2, long); FS_IMMUTABLE_FL | FS_APPEND_FL
_LONG = struct.calcsize("l")
_GET_FLAGS = (2 << 30) | (_LONG << 16) | (ord("f") << 8) | 1
_SET_FLAGS = (1 << 30) | (_LONG << 16) | (ord("f") << 8) | 2
_FIXED = 0x10 | 0x20


def remove_tree(parent, name, path, last):
    """Remove the folder ``name`` in ``parent`` (a descriptor); return what could not be: [path and reason].

    ``path`` is where it is, for words; the file ``last`` in it goes last, so that a second try can still tell it.
    """
    removal = _Removal(parent, name, path)
    try:
        removal.empty(removal.top, path, last)
        while removal.pending:
            removal.folder(*removal.pending.pop())
        if not removal.left:
            removal.attempt(path, lambda: _unlink_if_there(last, removal.top))
        if not removal.left:
            removal.attempt(path, lambda: os.rmdir(name, dir_fd=parent))
        return removal.left
    finally:
        os.close(removal.top)


def _unlink_if_there(name, folder):
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        pass


class _Removal(object):
    """One removal: the folder at the top, folders that wait there to be emptied, and what could not be removed."""

    def __init__(self, parent, name, path):
        self.top = os.open(name, FOLDER, dir_fd=parent)
        self.pending = []
        self.left = []
        self._prefix = ".removing-%s-" % os.urandom(8).hex()
        self._count = 0

    def attempt(self, path, act):
        """Do it, or note what is left; False then."""
        try:
            act()
        except OSError as exc:
            self.left.append("%s (%s)" % (shown(path), exc.strerror))
            return False
        return True

    def empty(self, folder, path, spared=""):
        """Remove files of ``folder`` (a descriptor) and move its folders to the top."""
        for name in os.listdir(folder):
            if name != spared:
                where = os.path.join(path, name)
                self.attempt(where, lambda name=name, where=where: self._take(folder, name, where))

    def folder(self, name, path):
        """Empty and remove a folder that was moved to the top."""
        opened = []
        if not self.attempt(path, lambda: opened.append(self._opened(name))):
            return
        try:
            self.empty(opened[0], path)
        finally:
            os.close(opened[0])
        try:
            os.rmdir(name, dir_fd=self.top)
        except OSError as exc:
            # Then what is in it is in the list already.
            if exc.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                self.left.append("%s (%s)" % (shown(path), exc.strerror))

    def _opened(self, name):
        try:
            return os.open(name, FOLDER, dir_fd=self.top)
        except PermissionError:
            _give_rights(self.top, name)
            return os.open(name, FOLDER, dir_fd=self.top)

    def _take(self, folder, name, path):
        if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            self._count += 1
            new = self._prefix + str(self._count)
            _again(lambda: os.rename(name, new, src_dir_fd=folder, dst_dir_fd=self.top), folder, name)
            self.pending.append((new, path))
        else:
            _again(lambda: os.unlink(name, dir_fd=folder), folder, name)


def _again(act, folder, name):
    """Do it; when it is not permitted once more, without what makes files and folders unchangeable."""
    try:
        act()
    except PermissionError:
        _loosen(folder)
        info = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISDIR(info.st_mode):
            _give_rights(folder, name)
        # A file with a second name may be one of the host's.
        if stat.S_ISDIR(info.st_mode) or (stat.S_ISREG(info.st_mode) and info.st_nlink == 1):
            descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
            try:
                _loosen(descriptor)
            finally:
                os.close(descriptor)
        act()


def _give_rights(folder, name):
    """chmod 0700 on a folder; through a descriptor, since chmod alone follows links."""
    descriptor = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        os.chmod("/proc/self/fd/%d" % descriptor, 0o700)
    except OSError as exc:
        # Unchangeable: that is taken away next.
        if exc.errno != errno.EPERM:
            raise
    finally:
        os.close(descriptor)


def _loosen(descriptor):
    """Take "immutable" and "append only" away where the filesystem knows them."""
    try:
        flags = struct.unpack("l", fcntl.ioctl(descriptor, _GET_FLAGS, struct.pack("l", 0)))[0]
        if flags & _FIXED:
            fcntl.ioctl(descriptor, _SET_FLAGS, struct.pack("l", flags & ~_FIXED))
    except OSError as exc:
        if exc.errno not in (errno.ENOTTY, errno.EOPNOTSUPP, errno.EINVAL, errno.EPERM, errno.ENOSYS):
            raise
