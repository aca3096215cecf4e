# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: read files of a backup, and write restored ones, without ever following a link.

Every folder is opened from the one above it, so that nobody can put a link into the way between look and use.
Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import contextlib
import errno
import hashlib
import os
import re
import stat

CHUNK = 1 << 20
_DIGEST_LINE = re.compile(r"^([0-9a-fA-F]{64}) [ *](.+)$")
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# NONBLOCK: a pipe in a backup must not stop whoever looks at it.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class TimeUp(Exception):
    """The limit of the work was reached while something was read."""


class Changed(Exception):
    """What was read changed meanwhile."""


class Unreadable(Exception):
    """The backup itself could not be read, and what the system said."""


def walk(root, take, fail):
    """Give every regular file below ``root`` to ``take(relative path, status, descriptor of its folder, name)``.

    What cannot be read goes to ``fail(OSError)``; links, devices and pipes are left out.
    """
    prefix = len(root.rstrip("/")) + 1
    for folder, folders, names, descriptor in os.fwalk(root, onerror=fail, follow_symlinks=False):
        folders.sort()
        for name in sorted(names):
            try:
                status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
            except OSError as exc:
                fail(exc)
                continue
            if stat.S_ISREG(status.st_mode):
                take(os.path.join(folder, name)[prefix:], status, descriptor, name)


def inside(relative):
    """The parts of a path that stays where it is rooted; None for one that leaves it or names nothing."""
    parts = [part for part in relative.split("/") if part not in ("", ".")]
    return parts if parts and ".." not in parts and "\0" not in relative else None


@contextlib.contextmanager
def folder_of(root, parts, make=False):
    """Descriptor of the folder of a file (``parts`` of its path below ``root``); ``make`` creates what is not there."""
    descriptor = os.open(root, _FOLDER & ~os.O_NOFOLLOW)
    try:
        for part in parts[:-1]:
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, 0o700, dir_fd=descriptor)
            below = os.open(part, _FOLDER, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = below
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def reading(name, folder=None):
    """A regular file as a stream of bytes. Raises OSError, also for what is no regular file."""
    descriptor = os.open(name, _FILE, dir_fd=folder)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "is no regular file", name)
        with os.fdopen(descriptor, "rb", CHUNK, closefd=False) as stream:
            yield stream
        # What is read once for a proof must not push out what the host works with.
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def chunks(stream, left):
    """The stream in pieces; ``left()`` tells the seconds that there are. Raises TimeUp."""
    for chunk in iter(lambda: stream.read(CHUNK), b""):
        if left() <= 0:
            raise TimeUp
        yield chunk


def pieces(stream, left):
    """Like chunks(), for a source that is copied: what is wrong with it raises Unreadable, not OSError."""
    try:
        yield from chunks(stream, left)
    except OSError as exc:
        raise Unreadable(why(exc)) from exc


def digest(name, left, folder=None):
    """(SHA-256 in hex, size) of a file. Raises OSError, TimeUp, and Changed when it was written to meanwhile."""
    answer = hashlib.sha256()
    size = 0
    with reading(name, folder) as stream:
        before = os.fstat(stream.fileno())
        for chunk in chunks(stream, left):
            answer.update(chunk)
            size += len(chunk)
        after = os.fstat(stream.fileno())
    if (before.st_mtime_ns, before.st_size) != (after.st_mtime_ns, after.st_size):
        raise Changed(name)
    return answer.hexdigest(), size


def write(target, parts, pieces, mtime=None):
    """Write a file below ``target``, readable by root alone, never through a link; return its path and size.

    One that is there already is replaced: of two members of an archive with one name the later one counts.
    """
    size = 0
    with folder_of(target, parts, make=True) as folder:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with contextlib.suppress(FileNotFoundError):
            os.unlink(parts[-1], dir_fd=folder)
        with os.fdopen(os.open(parts[-1], flags, 0o600, dir_fd=folder), "wb") as stream:
            for piece in pieces:
                stream.write(piece)
                size += len(piece)
        if mtime is not None:
            os.utime(parts[-1], (mtime, mtime), dir_fd=folder, follow_symlinks=False)
    return os.path.join(target, *parts), size


def part_of(path, parts):
    """Which of ``parts`` parts (1 to parts) a path belongs to; stable, so that all parts together are everything."""
    number = hashlib.sha256(path.encode("utf-8", "surrogateescape")).digest()[:8]
    return int.from_bytes(number, "big") % parts + 1


def digests(text):
    """{path: SHA-256} of what sha256sum printed."""
    found = {}
    for line in text.splitlines():
        match = _DIGEST_LINE.match(line)
        if match:
            found["/".join(inside(match.group(2)) or [])] = match.group(1).lower()
    found.pop("", None)
    return found


def why(exc):
    """An OSError in words: which path, and what is wrong with it."""
    name = exc.filename
    if isinstance(name, bytes):
        name = name.decode("utf-8", "replace")
    return "%s: %s" % (name, exc.strerror or exc) if name else str(exc.strerror or exc)


def blame(exc):
    """damaged when the storage itself failed, error when this host could not."""
    return "damaged" if exc.errno == errno.EIO else "error"
