# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the folder of a chore's work on a host, its state, and the lock that only one holds.

``/var/lib/keepwell/<chore>/<id>/`` (root alone) has request.json, program.py, state.json, log, and what the chore
itself keeps. Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import contextlib
import errno
import fcntl
import json
import os
import re
import shutil
import time

from ansible_collections.keepwell.fleet.plugins.module_utils.chores._errors import AgentError

ROOT = "/var/lib/keepwell"
# Work that has to begin on a full disk is written down in memory, and forgotten by a reboot.
MEMORY_ROOT = "/run/keepwell"
IN_MEMORY = ("disk_cleanup",)
LOCK = "/run/keepwell.lock"
_ID = re.compile(r"^[0-9A-Za-z]{8,40}$")
# So that the end of the work can be written down on a full disk.
_BALLAST = "ballast"
_BALLAST_BYTES = 256 * 1024
_LOG_TAIL = 4000
# Whoever only looks holds the lock for a moment, too.
_PATIENCE_S = 1.0


def _home(chore):
    """Where the folders of a chore's work are."""
    return os.path.join(MEMORY_ROOT if chore in IN_MEMORY else ROOT, chore)


def path(chore, identifier):
    """The folder of a piece of work. Raises AgentError when that is no id."""
    if not _ID.match(str(identifier)):
        raise AgentError("bad_request", "%r is no id of a piece of work." % (identifier,))
    return os.path.join(_home(chore), identifier)


def make(chore, identifier):
    """Create the folder of a piece of work; return its path. Raises AgentError when it cannot be."""
    folder = path(chore, identifier)
    try:
        if not os.path.isdir(folder):
            os.mkdir(folder, 0o700)
        write(folder, _BALLAST, " " * _BALLAST_BYTES)
    except OSError as exc:
        raise AgentError("no_folder", "%s cannot be made: %s." % (exc.filename, exc.strerror)) from exc
    return folder


@contextlib.contextmanager
def starting(chore):
    """Only one start at a time; whoever comes second waits for the moment that the first one needs."""
    home = _home(chore)
    for place in (os.path.dirname(home), home):
        with contextlib.suppress(FileExistsError):
            os.mkdir(place, 0o700)
    descriptor = os.open(os.path.join(home, ".start"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def write(folder, name, text):
    """Write a file whole or not at all; only root may read it. What was put by for a full disk helps out once."""
    try:
        _write(folder, name, text)
    except OSError as exc:
        ballast = os.path.join(folder, _BALLAST)
        if exc.errno != errno.ENOSPC or not os.path.exists(ballast):
            raise
        os.unlink(ballast)
        _write(folder, name, text)


def _write(folder, name, text):
    target = os.path.join(folder, name)
    scratch = target + ".new"
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.rename(scratch, target)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(scratch)
        raise


def dump(folder, name, document):
    """Write a document as JSON, whole or not at all."""
    write(folder, name, json.dumps(document, indent=1, sort_keys=True) + "\n")


def load(folder, name):
    """A JSON document of a folder, or None when there is none that can be read."""
    try:
        with open(os.path.join(folder, name), encoding="utf-8") as stream:
            return json.load(stream)
    except (OSError, ValueError):
        return None


def log_tail(folder):
    """The last words of the commands, those of the one at work included."""
    text = b""
    for name in ("log", "out", "err"):
        try:
            with open(os.path.join(folder, name), "rb") as stream:
                stream.seek(0, os.SEEK_END)
                stream.seek(max(0, stream.tell() - _LOG_TAIL))
                part = stream.read()
        except OSError:
            continue
        if name == "log" or part.strip() not in text:
            text += part
    return text.decode("utf-8", "replace")[-_LOG_TAIL:]


def chores():
    """Names of all chores that have ever worked on this host."""
    try:
        names = os.listdir(ROOT)
    except OSError:
        names = []
    return sorted(set(names).union(IN_MEMORY))


def identifiers(chore):
    """Ids of all pieces of a chore's work that the host knows, oldest first."""
    try:
        return sorted(name for name in os.listdir(_home(chore)) if _ID.match(name))
    except OSError:
        return []


def remove(chore, identifier):
    """Remove the folder of a piece of work."""
    shutil.rmtree(path(chore, identifier))


class Lock(object):
    """The lock that whoever changes this host for Keepwell holds. Its file says who."""

    def __init__(self):
        self._descriptor = None

    def take(self, who):
        """Take it; return "" or the holder's own words when somebody else has it."""
        descriptor = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        end = time.monotonic() + _PATIENCE_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as exc:
                if exc.errno not in (errno.EAGAIN, errno.EACCES):
                    raise
            if time.monotonic() > end:
                os.close(descriptor)
                return holder() or "somebody who did not say who"
            time.sleep(0.1)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, ("%s (process %d)" % (who, os.getpid())).encode("utf-8"))
        self._descriptor = descriptor
        return ""

    def release(self):
        """Give it back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def holder():
    """Who holds the lock; None when nobody does."""
    try:
        descriptor = os.open(LOCK, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return None
    except OSError:
        return os.read(descriptor, 200).decode("utf-8", "replace")
    finally:
        os.close(descriptor)


def is_alive(process):
    """True while the process {"pid", "started"} lives; a number that was given anew is another process."""
    return bool(process) and started(process["pid"]) == process["started"]


def started(pid):
    """When a process began, in ticks since boot; None when there is none (or only its remains)."""
    try:
        with open("/proc/%d/stat" % pid) as stream:
            fields = stream.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in ("Z", "X") else int(fields[19])


def now():
    """Seconds since 1970."""
    return time.time()
