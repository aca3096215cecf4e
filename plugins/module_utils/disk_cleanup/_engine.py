# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the walk that finds what may go, and lets it go when it is asked to.

There is one walk. A preview is this walk without its last step, so both see, judge and count the same.

Every step works on a descriptor of a folder that was opened without following a link. A name is looked at, then
judged, then looked at again, and only when it still is the same file it is unlinked from that very folder. Somebody
who swaps names meanwhile gets at most a link of his own removed: unlink follows nothing.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import array
import errno
import fcntl
import os
import stat

from ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup import _bases
from ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup._account import Stopped

MAX_DEPTH = 60
_FS_IOC_GETFLAGS = 0x80086601
_IMMUTABLE = 0x10 | 0x20
_FATAL = {errno.EROFS: "read_only", errno.EIO: "disk_error", errno.ESTALE: "disk_error"}
REASONS = {
    errno.EPERM: "immutable",
    errno.EACCES: "denied",
    errno.EBUSY: "busy",
    errno.ENOENT: "gone",
    errno.ENOTEMPTY: "not_empty",
    errno.EEXIST: "not_empty",
    errno.ELOOP: "symlink",
    errno.ENOTDIR: "changed",
}


class Walk(object):
    """One walk of one rule through one folder.

    ``targets`` are the filesystems that want room, by device; a folder on another one is left alone.
    """

    def __init__(self, act, opened, budget, account, selector, targets):
        self.act = act
        self.opened = opened
        self.budget = budget
        self.account = account
        self.selector = selector
        self.target = None
        self._targets = targets
        self._device = None
        self._mount = None

    def run(self, path):
        """Walk through the allowed folder ``path``; everything that is to tell is in the account."""
        try:
            folder = _bases.open_folder(path)
        except _bases.NotThere as exc:
            if str(exc) != "absent":
                self.account.notes.append("%s was left alone: %s." % (_bases.shown(path), exc))
            return
        try:
            self._device, self._mount = os.fstat(folder).st_dev, _bases.mount_id(folder)
            self.target = self._targets.get(self._device)
            if self.target is None:
                return
            if self._locked(folder):
                self.account.skip("locked")
                return
            self._folder(folder, path, 0)
        except Stopped as exc:
            self.account.stopped = str(exc)
        finally:
            os.close(folder)

    def _folder(self, folder, path, depth):
        """Deal with what is in a folder; return how many entries stay in it."""
        files = []
        folders = []
        stay = 0
        for name in sorted(os.listdir(folder)):
            # Also where nothing goes: a tree of millions of young files takes time as well.
            if self.budget.late():
                raise Stopped("budget_seconds")
            info = look(name, folder)
            if info is None:
                continue
            stay += 1
            if stat.S_ISDIR(info.st_mode):
                folders.append((name, info))
                continue
            word = self.selector.judge(path + "/" + name, name, info)
            if word == "":
                files.append((max(info.st_mtime, info.st_ctime), name, info))
            elif word is not None:
                self.account.skip(word)
        # The oldest first: where a target ends the work, what is left is the youngest.
        files.sort(key=lambda entry: entry[:2])
        for _when, name, info in self.selector.choose(path, files, self.account):
            stay -= self._file(folder, path + "/" + name, name, info)
        return stay - self._folders(folder, path, depth, folders)

    def _folders(self, folder, path, depth, folders):
        """Deal with the folders in a folder; return how many of them went."""
        gone = 0
        for name, info in folders:
            if self.selector.enters(path + "/" + name, name, depth):
                gone += self._below(folder, path + "/" + name, name, info, depth + 1)
        return gone

    def _below(self, parent, path, name, info, depth):
        """Deal with a folder in a folder; return 1 when it goes itself."""
        if depth > MAX_DEPTH:
            self.account.skip("depth")
            return 0
        try:
            folder = _bases.enter(name, parent)
        except OSError as exc:
            self.account.skip(REASONS.get(exc.errno, "error"))
            return 0
        try:
            now = os.fstat(folder)
            if (now.st_dev, now.st_ino) != (info.st_dev, info.st_ino):
                self.account.skip("changed")
                return 0
            if not self._is_here(folder, now):
                self.account.skip("mount")
                return 0
            if self._locked(folder):
                self.account.skip("locked")
                return 0
            stay = self._folder(folder, path, depth)
            if stay or not self.selector.removes(path, name, info):
                return 0
            return self._remove_folder(parent, path, name, now)
        finally:
            os.close(folder)

    def _is_here(self, folder, info):
        """True while a folder is on the filesystem and the mount of the walk."""
        return info.st_dev == self._device and _bases.mount_id(folder) == self._mount

    def _remove_folder(self, parent, path, name, info, wanted=False):
        """Remove an empty folder; one that is not ``wanted`` for itself stays when the work is over."""
        if not wanted:
            self._end_of_work()
            if self.target.reached():
                return 0
        again = look(name, parent)
        if again is None or (again.st_dev, again.st_ino) != (info.st_dev, info.st_ino):
            self.account.skip("changed")
            return 0
        if self.act:
            try:
                os.rmdir(name, dir_fd=parent)
            except OSError as exc:
                self._failed(exc)
                return 0
        self.account.folders += 1
        return 1

    def _file(self, folder, path, name, info):
        """Let a file go when nothing stands against it; return 1 when it went (or would have gone)."""
        self._end_of_work()
        again = look(name, folder)
        reason = self._against(again, info)
        if reason:
            self.account.skip(reason)
            return 0
        if self.target.reached():
            if self.act:
                raise Stopped("target")
            # A preview also tells what the rules could bring beyond the target.
            self.account.stopped = "target"
            self.account.rest_files += 1
            self.account.rest_bytes += again.st_blocks * 512
            return 0
        return int(self._gone(folder, path, name, again))

    def _gone(self, folder, path, name, info):
        """Unlink a file and count it; False when it stays."""
        if not self._unlink(folder, name):
            return False
        size = info.st_blocks * 512
        self.account.add(path, info, self.target.mount)
        self.budget.take(size)
        self.target.freed(size)
        return True

    def _against(self, again, info):
        if again is None:
            return "gone"
        if not stat.S_ISREG(again.st_mode):
            return "not_regular"
        if _identity(again) != _identity(info):
            return "changed"
        if again.st_dev != self._device:
            return "mount"
        if again.st_nlink > 1:
            return "hardlink"
        if self.opened.has(again):
            return "open"
        return ""

    def _unlink(self, folder, name):
        """The last step; in a preview only what would be told by it is looked at."""
        if not self.act:
            if _immutable(folder, name):
                self.account.skip("immutable")
                return False
            return True
        try:
            os.unlink(name, dir_fd=folder)
        except OSError as exc:
            self._failed(exc)
            return False
        return True

    def _failed(self, exc):
        if exc.errno in _FATAL:
            raise Stopped(_FATAL[exc.errno]) from exc
        self.account.skip(REASONS.get(exc.errno, "error"))

    def _end_of_work(self):
        spent = self.budget.spent()
        if spent:
            raise Stopped("budget_" + spent)

    def _locked(self, folder):
        """True when a program holds the lock that keeps cleaners out of its folder; else it is held until the end."""
        if not self.selector.locks:
            return False
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def look(name, folder):
    """What a name in an open folder is, following no link; None when it is gone."""
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return None


def _identity(info):
    return (info.st_dev, info.st_ino, info.st_mode, info.st_nlink, info.st_size, info.st_mtime_ns, info.st_ctime_ns)


def _immutable(folder, name):
    """True when the filesystem itself refuses to let a file go (chattr +i or +a)."""
    try:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOATIME
        descriptor = os.open(name, flags, dir_fd=folder)
    except OSError:
        return False
    try:
        answer = array.array("L", [0])
        fcntl.ioctl(descriptor, _FS_IOC_GETFLAGS, answer, True)
        return bool(answer[0] & _IMMUTABLE)
    except OSError:
        return False
    finally:
        os.close(descriptor)
