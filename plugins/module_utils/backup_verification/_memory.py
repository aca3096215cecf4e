# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: small things that must not reach a disk: secrets on their way, scratch of a look.

They are in a filesystem that is memory, for root alone, and carry the number of the process that made them, so that
whoever comes after a crash can tell what nobody needs any more. Runs on managed hosts: standard library only,
Python 3.6 syntax.
"""

import contextlib
import json
import os
import re

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import _paths, _removal
from ansible_collections.keepwell.fleet.plugins.module_utils.chores import _folder
from ansible_collections.keepwell.fleet.plugins.module_utils.chores._errors import AgentError
from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _mounts

_PLACES = ("/run", "/dev/shm")  # noqa: S108 - only used when it is memory, and by unguessable owners: root alone
_SCRATCH = re.compile(r"^keepwell-scratch-(\d+)-(\d+)$")
_SECRETS = "keepwell-secrets-"
# What scratch may take of this memory: the host needs it for its own work.
_MOST_BYTES = 512 * 1024 * 1024
_OF_FREE, _OF_AVAILABLE = 2, 4


def place(machine):
    """A folder that is memory. Raises AgentError when the host has none."""
    mounts = _mounts.parse_mountinfo(machine.read("/proc/self/mountinfo") or "")
    types = dict((mount["mount"], mount["fstype"]) for mount in mounts)
    for folder in _PLACES:
        if types.get(folder) in ("tmpfs", "ramfs"):
            return folder
    raise AgentError("no_memory", "Neither %s is a tmpfs here; secrets are not put on a disk." % " nor ".join(_PLACES))


@contextlib.contextmanager
def scratch(machine):
    """An empty folder in memory for this process, gone afterwards; what dead processes left goes, too."""
    sweep(machine)
    parent = os.open(place(machine), _paths.FOLDER)
    name = "keepwell-scratch-%d-%d" % (os.getpid(), _folder.started(os.getpid()))
    try:
        os.mkdir(name, 0o700, dir_fd=parent)
        try:
            yield os.path.join(place(machine), name)
        finally:
            _removal.remove_tree(parent, name, name, "")
    finally:
        os.close(parent)


def empty(folder):
    """Remove a folder of scratch before the rest of it goes."""
    parent = os.open(os.path.dirname(folder), _paths.FOLDER)
    try:
        _removal.remove_tree(parent, os.path.basename(folder), folder, "")
    finally:
        os.close(parent)


def room(machine):
    """Bytes that scratch may take at most: half of what is free there, a quarter of the available memory."""
    info = os.statvfs(place(machine))
    found = [_MOST_BYTES, info.f_bavail * info.f_frsize // _OF_FREE]
    available = _told(machine, "MemAvailable:")
    return min(found + ([] if available is None else [available // _OF_AVAILABLE]))


def half(machine):
    """Bytes that a test may take where nobody says: half of the host's memory; None when that is not known."""
    total = _told(machine, "MemTotal:")
    return total // 2 if total else None


def _told(machine, name):
    """Bytes of a line of /proc/meminfo; None when there is none."""
    for line in (machine.read("/proc/meminfo") or "").splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    return None


def taken(folder):
    """Bytes that files below a folder take; links are not followed, what goes meanwhile is not counted."""
    total, pending = 0, [folder]
    while pending:
        with contextlib.suppress(OSError), os.scandir(pending.pop()) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
                    total += entry.stat(follow_symlinks=False).st_blocks * 512
    return total


def sweep(machine):
    """Remove scratch of processes that are no more."""
    try:
        parent = os.open(place(machine), _paths.FOLDER)
    except AgentError:
        # Then nobody could leave anything.
        return
    try:
        for name in os.listdir(parent):
            found = _SCRATCH.match(name)
            if not found or _folder.is_alive({"pid": int(found.group(1)), "started": int(found.group(2))}):
                continue
            # Somebody else may sweep at the same time.
            with contextlib.suppress(FileNotFoundError):
                if _paths.ours(os.stat(name, dir_fd=parent, follow_symlinks=False).st_uid):
                    _removal.remove_tree(parent, name, name, "")
    finally:
        os.close(parent)


def put_secrets(machine, identifier, secrets):
    """Keep the secrets of a piece of work until it reads them; False when there are some already."""
    path = os.path.join(place(machine), _SECRETS + identifier)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        if not _paths.ours(os.lstat(path).st_uid):
            raise AgentError("unsafe_path", "%s belongs to somebody else. Look who put it there." % path) from None
        return False
    with os.fdopen(descriptor, "w") as stream:
        json.dump(secrets, stream)
    return True


def take_secrets(machine, identifier):
    """The secrets of a piece of work, which exist no longer afterwards; None when there are none."""
    path = os.path.join(place(machine), _SECRETS + identifier)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor) as stream:
        if not _paths.closed(os.fstat(descriptor)):
            raise AgentError("unsafe_path", "%s is not root's alone. Look who put it there." % path)
        os.unlink(path)
        return json.load(stream)


def drop_secrets(machine, identifier):
    """Forget secrets that nobody will read any more."""
    with contextlib.suppress(FileNotFoundError, AgentError):
        os.unlink(os.path.join(place(machine), _SECRETS + identifier))
