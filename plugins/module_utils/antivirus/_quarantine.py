# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: take a file in which something was found out of its place, and put it back.

Whoever made the file may be at work while it is taken: swap folders for links, put another file in its place, plant a
hard link to a file of the system. So nothing is done by path twice. The folder is opened link by link without
following any, the file is opened in it, and everything that is asked (owner, content, is it still what was found) is
asked of the open file. It is moved by a rename within its filesystem, and what arrived is compared with what was open;
anything else goes back to where it came from. Nothing is ever deleted.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import base64
import contextlib
import errno
import os
import stat

from ansible_collections.keepwell.fleet.plugins.module_utils.antivirus import _allowed, _vault
from ansible_collections.keepwell.fleet.plugins.module_utils.antivirus._vault import Refused
from ansible_collections.keepwell.fleet.plugins.module_utils.chores import _folder
from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _mounts

_NOTE = "keepwell-quarantine.txt"
_NOTE_TEXT = "Files in which malware was found, moved here by Keepwell. Do not open them.\n"
_HEAD = 512
_SET_ID = stat.S_ISUID | stat.S_ISGID


def _same(before, after):
    """True when an open file did not change between two looks."""
    return all(
        getattr(before, name) == getattr(after, name)
        for name in ("st_dev", "st_ino", "st_size", "st_mtime_ns", "st_ctime_ns", "st_nlink")
    )


class Quarantine(object):
    """Takes files and puts them back.

    ``folders`` are where files may be taken from. ``confirm(descriptor)`` scans an open file once more and returns
    what is in it; ``owned(path)`` and ``used(status)`` return why a file must stay (its package, a process), or "".
    """

    def __init__(self, machine, folders, confirm, owned, used, archives, run_id, work_id):
        self._machine = machine
        self._folders = folders
        self._confirm = confirm
        self._owned = owned
        self._used = used
        self._archives = archives
        self._run_id = run_id
        self._work_id = work_id

    def take(self, path, name, identifier, sha256=None):
        """Move a file (path as text) in which ``name`` was found into quarantine; return its manifest.

        ``sha256`` is what was found, where that is known already. Raises Refused with why it stays.
        """
        against = _allowed.refusal(path, self._folders)
        if against:
            raise Refused(*against)
        folder, _slash, base = path.rpartition("/")
        with _vault.opened(folder) as source:
            descriptor = self._open(source, base)
            try:
                status = os.fstat(descriptor)
                self._judge(path, descriptor, status)
                found = self._still_there(descriptor)
                manifest = self._manifest(path, found, identifier, descriptor, status)
                if sha256 is not None and manifest["sha256"] != sha256:
                    raise Refused("changed", "it is no longer the file that was found")
                if not _same(status, os.fstat(descriptor)):
                    raise Refused("changed", "it was changed while it was looked at")
                with self._home(status.st_dev, path) as (home, place):
                    manifest["folder"] = place
                    self._move(source, base, home, manifest, descriptor, status)
            finally:
                os.close(descriptor)
        return manifest

    @staticmethod
    def _open(source, base):
        try:
            return os.open(base, _vault.FILE_FLAGS, dir_fd=source)
        except OSError as exc:
            if exc.errno == errno.ELOOP:
                raise Refused("link", "it is a link by now") from exc
            if exc.errno == errno.ENOENT:
                raise Refused("gone", "it is no longer there") from exc
            raise Refused("unreadable", "it cannot be opened: %s" % exc.strerror) from exc

    def _judge(self, path, descriptor, status):
        """Raise Refused for what must never be moved."""
        if not stat.S_ISREG(status.st_mode):
            raise Refused("special", "it is no regular file")
        if status.st_nlink != 1:
            text = "it has %d names, and another of them may be a file of the system" % status.st_nlink
            raise Refused("hard_link", text)
        if status.st_mode & _SET_ID:
            raise Refused("set_id", "it runs with the rights of its owner (setuid), as system programs do")
        head = os.read(descriptor, _HEAD)
        against = _allowed.content_refusal(head)
        if against:
            raise Refused(*against)
        if _allowed.is_archive(head) and self._archives != "quarantine":
            raise Refused("archive", "it was found inside an archive, and archives are left to a person")
        for code, why in (("package", self._owned(path)), ("in_use", self._used(status))):
            if why:
                raise Refused(code, why)

    def _still_there(self, descriptor):
        found = self._confirm(descriptor)
        if found is None:
            raise Refused("not_confirmed", "the scanner could not look at it again")
        if not found:
            raise Refused("changed", "nothing is found in it any more")
        return found

    def _manifest(self, path, name, identifier, descriptor, status):
        return {
            "id": identifier,
            "path": path,
            "sha256": _vault.digest(descriptor),
            "size": status.st_size,
            "uid": status.st_uid,
            "gid": status.st_gid,
            "owner": self._machine.user_name(status.st_uid),
            "mode": "%04o" % stat.S_IMODE(status.st_mode),
            "atime_ns": status.st_atime_ns,
            "mtime_ns": status.st_mtime_ns,
            "xattrs": _attributes(descriptor),
            "device": status.st_dev,
            "inode": status.st_ino,
            "signature": name,
            "run_id": self._run_id,
            "work": self._work_id,
            "at": _folder.now(),
            "state": "taking",
        }

    @contextlib.contextmanager
    def _home(self, device, path):
        """(descriptor, path) of the quarantine of a filesystem. Raises Refused when it cannot be one."""
        place = _vault.HOME if _device(_vault.HOME, _folder.ROOT) == device else self._elsewhere(path)
        parent, _slash, base = place.rpartition("/")
        with _vault.opened(parent or "/") as above:
            with contextlib.suppress(FileExistsError):
                os.mkdir(base, 0o700, dir_fd=above)
            descriptor = os.open(base, _vault.FOLDER_FLAGS, dir_fd=above)
        try:
            status = os.fstat(descriptor)
            if not _vault.is_closed(status):
                raise Refused("no_quarantine", "%s does not belong to root alone" % place)
            if status.st_dev != device:
                raise Refused("no_quarantine", "there is no folder for quarantine on its filesystem")
            _leave_note(descriptor)
            yield descriptor, place
        finally:
            os.close(descriptor)

    def _elsewhere(self, path):
        """The quarantine at the root of the filesystem that a path lies on."""
        mounts = _mounts.parse_mountinfo(self._machine.read("/proc/self/mountinfo") or "")
        best = max((mount["mount"] for mount in mounts if _allowed.within(path, mount["mount"])), key=len)
        return os.path.join(best, _vault.ELSEWHERE)

    @staticmethod
    def _move(source, base, home, manifest, descriptor, status):
        """Write down what is about to happen, move the file, and see that it is the one that arrived."""
        stored = manifest["id"] + _vault.FILE_END
        _vault.keep(home, manifest)
        try:
            os.rename(base, stored, src_dir_fd=source, dst_dir_fd=home)
        except OSError as exc:
            _drop(home, manifest["id"])
            if exc.errno == errno.EXDEV:
                raise Refused("no_quarantine", "there is no folder for quarantine on its mount") from exc
            raise Refused("gone", "it could not be moved: %s" % exc.strerror) from exc
        arrived = os.stat(stored, dir_fd=home, follow_symlinks=False)
        if (arrived.st_dev, arrived.st_ino, arrived.st_nlink) != (status.st_dev, status.st_ino, 1):
            _drop(home, manifest["id"])
            name = _put_away(home, stored, source, base, manifest["id"])
            raise Refused("swapped", "another file was put in its place at the last moment; it is %s now" % name)
        # Root's, and nobody can read or start it.
        os.fchown(descriptor, 0, 0)
        os.fchmod(descriptor, 0)
        _vault.keep(home, dict(manifest, state="taken"))
        manifest["state"] = "taken"


def _put_away(home, stored, source, base, identifier):
    """Put back what came instead, beside its place when that is taken by now; return the name it has."""
    folder = stat.S_ISDIR(os.stat(stored, dir_fd=home, follow_symlinks=False).st_mode)
    for name in (base, "%s.%s" % (base[:200], identifier)):
        with contextlib.suppress(OSError if folder else FileExistsError):
            if folder:
                # A folder has no second name, and takes no other's place unless that is an empty one.
                os.rename(stored, name, src_dir_fd=home, dst_dir_fd=source)
            else:
                os.link(stored, name, src_dir_fd=home, dst_dir_fd=source, follow_symlinks=False)
                os.unlink(stored, dir_fd=home)
            return name
    raise Refused("swapped", "another file was put in its place at the last moment, and is %s in quarantine" % stored)


def _drop(home, identifier):
    with contextlib.suppress(OSError):
        os.unlink(identifier + _vault.MANIFEST_END, dir_fd=home)


def _leave_note(home):
    """Tell whoever comes across the folder what it is."""
    with contextlib.suppress(FileExistsError):
        descriptor = os.open(_NOTE, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=home)
        with os.fdopen(descriptor, "w") as stream:
            stream.write(_NOTE_TEXT)


def _device(*paths):
    for path in paths:
        with contextlib.suppress(OSError):
            return os.stat(path).st_dev
    return None


def _attributes(descriptor):
    """Extended attributes of an open file, access lists among them: name -> base64."""
    try:
        names = os.listxattr(descriptor)
    except OSError as exc:
        if exc.errno in (errno.ENOTSUP, errno.EOPNOTSUPP):
            return {}
        raise
    return dict((name, base64.b64encode(os.getxattr(descriptor, name)).decode("ascii")) for name in names)
