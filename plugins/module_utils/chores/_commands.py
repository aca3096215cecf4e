# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: run what does a chore's work, with a limit and a record of every word.

A command writes into files, not into a pipe: when the program that started it dies, it goes on unharmed, and what it
said is still there. Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import errno
import os
import signal
import subprocess
import threading
import time

from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine_commands import COMMAND_ENVIRONMENT
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._sources import Output

_TEXT_CAP = 16 * 1024 * 1024
_LOG_CAP = 4 * 1024 * 1024
_PAUSE_S = 0.05
_LINE_CAP = 64 * 1024
_GRACE_S = 20.0


class Commands(object):
    """Runs commands one after the other; their words are in ``folder``: out and err of the last one, log of all."""

    def __init__(self, machine, folder, end, tell=None, env=None):
        """``end`` is the moment (time.monotonic) when all work must be over; ``tell(pid)`` hears of every command.

        ``env`` is what all of them find in their environment besides the usual.
        """
        self.machine = machine
        self.folder = folder
        self.log_folder = folder
        self.said = ""
        # While packages are being installed nothing is ended: without apt, even dpkg that is let alone dies half-way.
        self.patient = False
        self._end = end
        self._env = dict(env or {}, HOME="/root")
        self._tell = tell or (lambda pid: None)

    def run(self, argv, env=None, timeout=None, cwd="/"):
        """Run ``argv`` to its end and return its Output; never raises for what the command does.

        ``status`` is ok (any return code), absent, error or timeout; a command that takes too long is ended with all
        its children, but never while ``patient``.
        """
        process, refused = self._start(argv, env, cwd, os.path.join(self.folder, "out"))
        if refused:
            return refused
        status, rc = self._wait(process, self._until(timeout))
        self._tell(None)
        return self._ended(status, rc, _text(os.path.join(self.folder, "out")))

    def stream(self, argv, take, env=None, timeout=None, cwd="/"):
        """Like ``run``, but ``take(line)`` gets each line (bytes, cut at 64 KiB) of standard output, kept nowhere.

        For lists that are longer than memory is large. The Output has no ``out``.
        """
        return self.pipe(argv, lambda stream: _each_line(stream, take), env, timeout, cwd)

    def pipe(self, argv, consume, env=None, timeout=None, cwd="/"):
        """Like ``run``, but ``consume(stream)`` reads standard output (bytes) while the command runs.

        A command whose output is not read to its end gets SIGPIPE, and so it does when ``consume`` raises.
        """
        process, refused = self._start(argv, env, cwd, None)
        if refused:
            return refused
        end = self._until(timeout)
        # Ends a program that takes too long, and with it the loop below.
        watch = threading.Thread(target=self._wait, args=(process, end))
        watch.daemon = True
        watch.start()
        try:
            consume(process.stdout)
        finally:
            process.stdout.close()
            watch.join()
            self._tell(None)
        late = process.returncode < 0 and time.monotonic() > end
        return self._ended("timeout" if late else "ok", None if late else process.returncode, "")

    def learn(self, secrets):
        """Hear of secrets. These commands are given none, and keep every word."""

    def left(self):
        """Seconds until all work must be over; for work that is no command."""
        return self._end - time.monotonic()

    def _until(self, timeout):
        return self._end if timeout is None else min(self._end, time.monotonic() + timeout)

    def _start(self, argv, env, cwd, out):
        """(process, None), or (None, Output) when it cannot be started; ``out`` None is a pipe."""
        path = self.machine.which(argv[0])
        if path is None:
            return None, Output("absent", None, "", "%s is not installed" % argv[0])
        environment = dict(COMMAND_ENVIRONMENT)
        environment.update(self._env)
        environment.update(env or {})
        self._write("$ %s\n" % " ".join(argv))
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
        streams = [os.open(name, flags, 0o600) for name in (out, os.path.join(self.folder, "err")) if name]
        try:
            process = subprocess.Popen(
                [path] + list(argv[1:]),
                stdin=subprocess.DEVNULL,
                stdout=streams[0] if out else subprocess.PIPE,
                stderr=streams[-1],
                env=environment,
                cwd=cwd,
                close_fds=True,
                start_new_session=True,
            )
        except OSError as exc:
            return None, Output("error", None, "", exc.strerror or "cannot start")
        finally:
            for stream in streams:
                os.close(stream)
        self._tell(process.pid)
        return process, None

    def _ended(self, status, rc, out):
        err = _text(os.path.join(self.folder, "err"))
        self.said += out + err
        self._write("%s%s# ended with %s\n" % (out, err, rc if status == "ok" else status))
        return Output(status, rc, out, err)

    def _wait(self, process, end):
        while process.poll() is None:
            if not self.patient and (time.monotonic() > end or self._too_much()):
                _end(process)
                return "timeout", None
            time.sleep(_PAUSE_S)
        return "ok", process.returncode

    def _too_much(self):
        """True when the command that runs takes more than it may and has to be ended before its time."""
        return False

    def _write(self, text):
        """Append to the log, which keeps its beginning when it becomes too long."""
        path = os.path.join(self.log_folder, "log")
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            room = _LOG_CAP - os.fstat(descriptor).st_size
            if room > 0:
                os.write(descriptor, text.encode("utf-8", "replace")[:room])
        except OSError as exc:
            # On a full disk the work itself is more important than its record.
            if exc.errno != errno.ENOSPC:
                raise
        finally:
            os.close(descriptor)


def _each_line(stream, take):
    whole = True
    for piece in iter(lambda: stream.readline(_LINE_CAP), b""):
        if whole:
            take(piece)
        whole = piece.endswith(b"\n")


def _end(process):
    """End a command that took too long, at last with all its children; nothing is being installed then."""
    _signal(os.kill, process.pid, signal.SIGTERM)
    end = time.monotonic() + _GRACE_S
    while time.monotonic() < end:
        process.poll()
        if not _signal(os.killpg, process.pid, 0):
            return
        time.sleep(_PAUSE_S)
    _signal(os.killpg, process.pid, signal.SIGKILL)
    process.wait()


def _signal(send, number, what):
    """Send a signal; False when nobody is there any more."""
    try:
        send(number, what)
    except OSError:
        return False
    return True


def _text(path):
    with open(path, "rb") as stream:
        return stream.read(_TEXT_CAP).decode("utf-8", "replace")
