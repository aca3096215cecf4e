# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what is in quarantine on this host, and how it comes back.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import base64
import contextlib
import errno
import hashlib
import json
import os
import stat

from ansible_collections.keepwell.fleet.plugins.module_utils.chores import _folder
from ansible_collections.keepwell.fleet.plugins.module_utils.chores._errors import AgentError
from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _mounts

HOME = os.path.join(_folder.ROOT, "quarantine")
# At the root of another filesystem: a file can only be moved within its own.
ELSEWHERE = ".keepwell-quarantine"
MANIFEST_END = ".json"
FILE_END = ".quarantined"
FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_BLOCK = 1024 * 1024


class Refused(Exception):
    """A file that is left where it is: a stable word, and why."""

    def __init__(self, code, text):
        super(Refused, self).__init__(text)
        self.code = code
        self.text = text


def _open_folder(path):
    """Descriptor of a folder, opened component by component without following a link. Raises Refused."""
    descriptor = os.open("/", FOLDER_FLAGS)
    try:
        for part in path.strip("/").split("/"):
            if part:
                deeper = os.open(part, FOLDER_FLAGS, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = deeper
    except OSError as exc:
        os.close(descriptor)
        if exc.errno in (errno.ELOOP, errno.ENOTDIR):
            raise Refused("link", "a folder on its path is a link") from exc
        if exc.errno == errno.ENOENT:
            raise Refused("gone", "it is no longer there") from exc
        raise
    return descriptor


@contextlib.contextmanager
def opened(path):
    """A folder as a descriptor, see ``_open_folder``."""
    descriptor = _open_folder(path)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def digest(descriptor):
    """SHA-256 of an open file, read from its beginning."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    total = hashlib.sha256()
    for block in iter(lambda: os.read(descriptor, _BLOCK), b""):
        total.update(block)
    return total.hexdigest()


@contextlib.contextmanager
def home_at(place):
    """The folder for quarantine at a place, as a descriptor; None where there is none that is root's alone.

    Whoever owns what is around it can put a folder of his own there at any moment: what is said of the descriptor
    holds for as long as it is open, so nothing in quarantine is ever read, written or removed by its path.
    """
    descriptor = None
    with contextlib.suppress(Refused, OSError):
        descriptor = _open_folder(place)
    try:
        yield descriptor if descriptor is not None and is_closed(os.fstat(descriptor)) else None
    finally:
        if descriptor is not None:
            os.close(descriptor)


def is_closed(status):
    """True when a folder belongs to root and nobody else can look into it."""
    return status.st_uid == 0 and not stat.S_IMODE(status.st_mode) & 0o077


def keep(home, manifest):
    """Write a manifest into a quarantine (a descriptor), whole or not at all."""
    name = manifest["id"] + MANIFEST_END
    scratch = name + ".new"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(scratch, flags, 0o600, dir_fd=home), "w", encoding="utf-8") as stream:
            stream.write(json.dumps(manifest, indent=1, sort_keys=True) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        os.rename(scratch, name, src_dir_fd=home, dst_dir_fd=home)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(scratch, dir_fd=home)
        raise


def _places(machine):
    """Every place at which this host can have a quarantine."""
    mounts = _mounts.parse_mountinfo(machine.read("/proc/self/mountinfo") or "")
    local = [mount["mount"] for mount in mounts if _mounts.kind_of(mount) in ("disk", "memory")]
    return [HOME] + sorted(set(os.path.join(mount, ELSEWHERE) for mount in local))


def _manifests(home, place):
    """The manifests in a quarantine; what cannot be read is none."""
    found = []
    for name in sorted(os.listdir(home)):
        if name.endswith(MANIFEST_END):
            with contextlib.suppress(OSError, ValueError):
                with os.fdopen(os.open(name, FILE_FLAGS, dir_fd=home), encoding="utf-8") as stream:
                    found.append(dict(json.load(stream), folder=place))
    return found


def entries(machine):
    """The manifests of all that is in quarantine, oldest first."""
    found = []
    for place in _places(machine):
        with home_at(place) as home:
            found += _manifests(home, place) if home is not None else []
    return sorted(found, key=lambda entry: (entry["at"], entry["id"]))


def settle(machine):
    """Finish what a program that was killed left half done; returns the manifests of what it had taken."""
    taken = []
    for place in _places(machine):
        with home_at(place) as home:
            for manifest in _manifests(home, place) if home is not None else []:
                if manifest["state"] == "taking" and _settled(home, manifest):
                    taken.append(dict(manifest, state="taken"))
    return sorted(taken, key=lambda entry: (entry["at"], entry["id"]))


def _settled(home, manifest):
    """True when the file had been moved; a manifest whose file had not been goes."""
    stored = manifest["id"] + FILE_END
    try:
        status = os.stat(stored, dir_fd=home, follow_symlinks=False)
    except FileNotFoundError:
        os.unlink(manifest["id"] + MANIFEST_END, dir_fd=home)
        return False
    # The number of a file that is gone may be a link's by now, and chmod follows links.
    if not stat.S_ISREG(status.st_mode) or status.st_ino != manifest["inode"]:
        return False
    os.chown(stored, 0, 0, dir_fd=home, follow_symlinks=False)
    os.chmod(stored, 0, dir_fd=home)
    keep(home, dict(manifest, state="taken"))
    return True


def restore(machine, identifier):
    """Put a file back to where it was, as it was: bytes, owner, mode, times, attributes. Raises AgentError.

    Nothing is overwritten: when there is a file in its place, it stays in quarantine.
    """
    for place in _places(machine):
        with home_at(place) as home:
            found = _manifests(home, place) if home is not None else []
            manifest = next((entry for entry in found if entry["id"] == identifier), None)
            if manifest is not None:
                _restore(home, manifest)
                return manifest
    raise AgentError("not_in_quarantine", "There is nothing in quarantine with the id %s." % identifier)


def _restore(home, manifest):
    stored = manifest["id"] + FILE_END
    folder, _slash, base = manifest["path"].rpartition("/")
    try:
        with opened(folder or "/") as target:
            descriptor = os.open(stored, FILE_FLAGS, dir_fd=home)
            try:
                _put_back(manifest, stored, base, home, target, descriptor)
            finally:
                os.close(descriptor)
    except Refused as exc:
        raise AgentError("not_restored", "%s is not put back: %s." % (manifest["path"], exc.text)) from exc
    except OSError as exc:
        raise AgentError("not_restored", "%s is not put back: %s." % (manifest["path"], exc.strerror)) from exc


def _put_back(manifest, stored, base, home, target, descriptor):
    if digest(descriptor) != manifest["sha256"]:
        raise Refused("changed", "what is in quarantine is not what was put there")
    if os.fstat(descriptor).st_dev != os.fstat(target).st_dev:
        raise Refused("no_quarantine", "its folder is on another filesystem by now")
    try:
        # A link does not replace what is there, a rename would.
        os.link(stored, base, src_dir_fd=home, dst_dir_fd=target, follow_symlinks=False)
    except FileExistsError:
        raise Refused("in_the_way", "there is a file in its place") from None
    try:
        os.fchown(descriptor, manifest["uid"], manifest["gid"])
        for name, value in sorted(manifest["xattrs"].items()):
            os.setxattr(descriptor, name, base64.b64decode(value))
        os.fchmod(descriptor, int(manifest["mode"], 8))
        os.utime(descriptor, ns=(manifest["atime_ns"], manifest["mtime_ns"]))
    except OSError:
        # Half put back is not put back.
        os.unlink(base, dir_fd=target)
        os.fchown(descriptor, 0, 0)
        os.fchmod(descriptor, 0)
        raise
    os.unlink(stored, dir_fd=home)
    os.unlink(manifest["id"] + MANIFEST_END, dir_fd=home)
