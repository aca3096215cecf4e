# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the only folders in which anything is ever deleted, and how they are opened.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import errno
import os

from ansible_collections.keepwell.fleet.plugins.module_utils.chores._errors import AgentError

# Compiled in: neither a request nor a variable adds to it.
ALLOWED = (
    "/tmp",  # noqa: S108 - a place to clean, nothing is written there
    "/var/tmp",  # noqa: S108
    "/var/log",
    "/var/log/journal",
    "/var/crash",
    "/var/lib/systemd/coredump",
    "/var/cache/apt/archives",
    "/var/cache/dnf",
    "/var/cache/libdnf5",
    "/var/cache/yum",
    "/var/cache/zypp/packages",
)
# Where every path begins; the tests have a tree of their own.
ROOT = "/"
FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class NotThere(Exception):
    """The folder does not exist, or is none."""


def check(path, within=ALLOWED):
    """Raise AgentError unless ``path`` is, or lies below, one of the allowed folders and names nothing else."""
    parts = path.split("/")
    plain = path.startswith("/") and "\0" not in path and not any(part in ("", ".", "..") for part in parts[1:])
    if not plain or not any(path == base or path.startswith(base + "/") for base in within):
        raise AgentError("not_allowed", "%r is in no folder in which Keepwell deletes anything." % (path,))


def open_folder(path):
    """A descriptor of an allowed folder. Raises NotThere with the reason, AgentError when it is not allowed.

    It is opened part by part and no part may be a link: whatever is renamed meanwhile, the descriptor stays with the
    folder that was looked at.
    """
    check(path)
    here = os.open(ROOT, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in path.split("/")[1:]:
            below = enter(part, here)
            os.close(here)
            here = below
        found, here = here, -1
        return found
    except OSError as exc:
        if exc.errno in (errno.ELOOP, errno.ENOTDIR):
            raise NotThere("symlink") from exc
        if exc.errno == errno.ENOENT:
            raise NotThere("absent") from exc
        raise NotThere("unreadable") from exc
    finally:
        if here >= 0:
            os.close(here)


def enter(name, parent):
    """A descriptor of the folder ``name`` in the folder ``parent``, never through a link. Raises OSError."""
    try:
        # Looking must not make a folder look used.
        return os.open(name, FOLDER_FLAGS | os.O_NOATIME, dir_fd=parent)
    except PermissionError:
        return os.open(name, FOLDER_FLAGS, dir_fd=parent)


def mount_id(descriptor):
    """Which mount a descriptor is on: a bind mount of the same filesystem has the same device and another mount."""
    try:
        with open("/proc/self/fdinfo/%d" % descriptor) as stream:
            for line in stream:
                if line.startswith("mnt_id:"):
                    return int(line.split()[1])
    except OSError:
        pass
    return None


def shown(path):
    """A path as text that every reader can print: bytes that are no UTF-8 become escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
