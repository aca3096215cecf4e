# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: reach a folder or a file without being led astray by a symbolic link.

A path is walked from / by descriptors, one name at a time. A link on the way is followed only where nobody but root
could have put it. Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import errno
import os
import re
import stat

from ansible_collections.keepwell.fleet.plugins.module_utils.chores._errors import AgentError

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_LINKS = 40
# What tools tell instead of a byte that is no UTF-8.
_STAND_INS = ("\ufffd", "?")
_BAD_BYTE = re.compile("[\udc80-\udcff]")


def ours(uid):
    """True for root, and for who we are."""
    return uid in (0, os.geteuid())


def closed(info):
    """True when nobody but root can put another entry into this folder, or change this file."""
    by_group = info.st_mode & stat.S_IWGRP and info.st_gid != 0
    return ours(info.st_uid) and not by_group and not info.st_mode & stat.S_IWOTH


def open_folder(path, what, strict, create=False):
    """Reach the folder ``path``: (its descriptor, its path without links, the names that do not exist yet).

    When names are missing they are made (mode 0700) with ``create``; without, the descriptor is the last folder there
    is. ``strict`` refuses a way that others than root control. ``what`` names the thing in the AgentError.
    """
    if not path.startswith("/"):
        raise AgentError("unsafe_path", "%s %r is no absolute path." % (what, path))
    names = [name for name in path.split("/") if name not in ("", ".")]
    if ".." in names:
        raise AgentError("unsafe_path", "%s %s has '..' in it. Name the folder itself." % (what, path))
    here, seen, links = os.open("/", FOLDER), [], 0
    try:
        while names:
            name = names.pop(0)
            safe = closed(os.fstat(here))
            try:
                info = os.stat(name, dir_fd=here, follow_symlinks=False)
            except FileNotFoundError:
                _refuse_open(safe or _sticky(here), strict, what, path, seen)
                if not create:
                    return _handed_over(here), "/" + "/".join(seen), [name] + names
                os.mkdir(name, 0o700, dir_fd=here)
                info = os.stat(name, dir_fd=here, follow_symlinks=False)
            _refuse_open(safe or (_sticky(here) and ours(info.st_uid)), strict, what, path, seen)
            if stat.S_ISLNK(info.st_mode):
                links += 1
                if not names or not safe or links > _LINKS:
                    where = "/" + "/".join(seen + [name])
                    raise AgentError("unsafe_path", "%s %s: %s is a symbolic link. Refused." % (what, path, where))
                target = os.readlink(name, dir_fd=here)
                names = [part for part in target.split("/") if part not in ("", ".")] + names
                if target.startswith("/"):
                    here, seen = _step(here, "/"), []
                continue
            if not stat.S_ISDIR(info.st_mode):
                raise AgentError("unsafe_path", "%s %s: /%s is no folder." % (what, path, "/".join(seen + [name])))
            here = _step(here, name)
            seen = seen[:-1] if name == ".." else seen + [name]
        return _handed_over(here), "/" + "/".join(seen), []
    finally:
        os.close(here)


def _handed_over(descriptor):
    """A second descriptor for the caller; the walk closes its own."""
    return os.dup(descriptor)


def _step(here, name):
    there = os.open(name, FOLDER, dir_fd=here)
    os.close(here)
    return there


def _sticky(descriptor):
    return bool(os.fstat(descriptor).st_mode & stat.S_ISVTX)


def _refuse_open(safe, strict, what, path, seen):
    if strict and not safe:
        text = "%s %s: others than root can change /%s. Choose a folder that only root controls."
        raise AgentError("unsafe_path", text % (what, path, "/".join(seen)))


def open_below(root, relative):
    """Open the regular file ``relative`` below the folder ``root`` (a descriptor), never through a symbolic link.

    Raises OSError; ELOOP when there is a link, EINVAL when it is no regular file.
    """
    names = [name for name in relative.split("/") if name not in ("", ".")]
    if not names or ".." in names:
        raise OSError(errno.EINVAL, "no path below the folder", relative)
    here = os.dup(root)
    try:
        for name in names[:-1]:
            here = _step(here, name)
        return _regular(os.open(names[-1], _FILE, dir_fd=here), relative)
    finally:
        os.close(here)


def open_file(path):
    """Open the regular file ``path`` for reading without noting the access. Raises OSError, never waits for a pipe."""
    try:
        return _regular(os.open(path, _FILE | os.O_NOATIME), path)
    except PermissionError:
        # Only its owner may ask for that; network filesystems may know no root.
        return _regular(os.open(path, _FILE), path)


def _regular(descriptor, path):
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OSError(errno.EINVAL, "no regular file", path)


def below(path, folder):
    """True when ``path`` is ``folder`` or in it; both without links."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def spells(real, told):
    """True when ``told`` is how a tool tells the path ``real``."""
    return any(_BAD_BYTE.sub(sign, real).strip("/") == told.strip("/") for sign in _STAND_INS)


def spelled(root, told):
    """The path below ``root`` that a tool tells as ``told``, as it is really spelled. Raises OSError."""
    here, names = os.dup(root), []
    try:
        for name in told.strip("/").split("/"):
            if names:
                here = _step(here, names[-1])
            names.append(next((real for real in sorted(os.listdir(here)) if spells(real, name)), name))
        return "/".join(names)
    finally:
        os.close(here)


def shown(path):
    """A path for people and documents: what is not printable in it is written out."""
    text = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii") for letter in text
    )
