# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: hand files to ClamAV and read what it says of each.

What was scanned is counted by its answers, file by file, never by a return code: a 2 ("some error") may come with
finds, and a 0 with files that nobody looked at. Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import os
import re
import time

from ansible_collections.keepwell.fleet.plugins.module_utils.antivirus import _engine

# What may stand behind a path in an answer.
_RESULT = re.compile(rb"^(?:OK|Empty file|Excluded|Symbolic link|Not supported file type|.* FOUND|.* ERROR)$")
_FOUND = re.compile(rb"^(.*?)(?:\([0-9a-f]{32}:\d+\))? FOUND$")
# Answers that come without a look into the file: the scanner's own settings leave it out, or it is a link by now.
_PASSED_BY = frozenset((b"Excluded", b"Symbolic link", b"Not supported file type"))
# A file that was removed between the walk and the scan is no error.
_GONE = re.compile(rb"No such file or directory|Not a directory", re.IGNORECASE)
# The daemon has its signatures in memory; without it every start loads them anew.
_BATCHES = {"clamd": 100, "clamscan": 20000}
_NAMES = 20
_CONFIRM_S = 300.0
# A name with one of these cannot be told in a list of files, a line each.
_ODD = re.compile(rb"[\x00-\x1f\x7f]|\s$")


class Scan(object):
    """Scans files and counts. ``found`` has {path (bytes), name} of every file in which something was found."""

    def __init__(self, commands, engine, limits, progress):
        self._commands = commands
        self._engine = engine
        self._limits = limits
        self._progress = progress
        self.scanned = self.bytes = self.errors = self.gone = self.unanswered = self.passed_by = 0
        self.found = []
        # Paths of which the caller wants to know whether they are clean, and those that are.
        self.asked = frozenset()
        self.clean = set()
        self.unreadable = []
        self.last = b""
        self._handed = {}

    def batches(self, files, left):
        """Scan (path, size) pairs until there are no more or ``left()`` seconds are over; True when all were."""
        batch = []
        size = _BATCHES[self._engine["scanner"]]
        for path, length in files:
            if left() <= 0:
                return False
            odd = _ODD.search(path)
            if not odd:
                batch.append((path, length))
            # In the order of the walk, so that what comes after the last one scanned was not scanned.
            if batch and (odd or len(batch) >= size):
                if not self._batch(batch, left()):
                    return False
                batch = []
            if odd and not self._odd(path, length, left()):
                return False
        return self._batch(batch, left()) if batch else True

    def _batch(self, batch, seconds):
        began = time.monotonic()
        answered = self._hand_over(batch, seconds)
        self._rest(time.monotonic() - began, seconds)
        return answered

    def _rest(self, worked, seconds):
        """Let clamd rest: it works outside of the unit and its limits, so it is handed files in turns with pauses."""
        share = min(100, self._limits.get("cpu_percent") or 100)
        if self._engine["scanner"] == "clamd" and share < 100:
            time.sleep(max(0.0, min(worked * (100.0 / share - 1), seconds - worked)))

    def _hand_over(self, batch, seconds):
        self._handed = dict(batch)
        listed = os.path.join(self._commands.folder, "files")
        with open(listed, "wb") as stream:
            os.chmod(listed, 0o600)
            stream.write(b"".join(path + b"\n" for path, _length in batch))
        argv = _engine.scan_command(self._engine, self._limits) + ["--file-list=" + listed]
        output = self._commands.stream(argv, self._take, timeout=max(1.0, seconds))
        if output.status == "timeout":
            self._handed = {}
            return False
        for path in list(self._handed):
            # The scanner complains of these in a form of its own.
            if not os.path.lexists(path):
                self.gone += 1
                del self._handed[path]
        if self._handed:
            # Neither clean nor found: nobody knows.
            words = " ".join(output.err.split())[-200:] or "ended with %s" % output.rc
            self.unanswered += len(self._handed)
            self._name(next(iter(self._handed)), "the scanner gave no answer (%s)" % words)
        self._handed = {}
        self._progress(self)
        return True

    def _odd(self, path, length, seconds):
        """A file whose name would break a list of names is scanned by itself: here its return code speaks."""
        argv = _engine.scan_command(self._engine, self._limits) + [os.fsdecode(path)]
        output = self._commands.run(argv, timeout=seconds)
        if output.status == "timeout":
            return False
        words = output.out.strip().rpartition(": ")[2].encode("utf-8", "replace")
        if output.rc == 0 and words in _PASSED_BY:
            self._pass_by(path)
        elif output.rc == 0:
            self._clean(path, length)
        elif output.rc == 1:
            match = _FOUND.match(words.splitlines()[-1] if words else b"")
            self._find(path, length, (match.group(1) if match else b"unnamed").decode("utf-8", "replace"))
        elif not os.path.lexists(path):
            self.gone += 1
        else:
            self._fail(path, " ".join((output.err or output.out or output.status).split())[-200:])
        return True

    def _take(self, line):
        """One line of the scanner's answer."""
        line = line.rstrip(b"\r\n")
        path, result = self._split(line)
        if path is None:
            return
        length = self._handed.pop(path)
        if result.endswith(b" FOUND"):
            self._find(path, length, _FOUND.match(result).group(1).decode("utf-8", "replace"))
        elif result in _PASSED_BY:
            self._pass_by(path)
        elif not result.endswith(b" ERROR"):
            self._clean(path, length)
        elif _GONE.search(result):
            self.gone += 1
        else:
            self._fail(path, result[: -len(b" ERROR")].decode("utf-8", "replace").rstrip(". "))
        if self.scanned % 64 == 0:
            self._progress(self)

    def _split(self, line):
        """(path, result): the longest path that was handed over and is not answered yet. A name may hold ": " too."""
        at = line.rfind(b": ")
        while at > 0:
            if line[:at] in self._handed and _RESULT.match(line[at + 2 :]):
                return line[:at], line[at + 2 :]
            at = line.rfind(b": ", 0, at)
        return None, b""

    def _clean(self, path, length):
        self.scanned += 1
        self.bytes += length
        self.last = path
        if path in self.asked:
            self.clean.add(path)

    def _pass_by(self, path):
        """Nobody looked into it, so it is neither scanned nor clean."""
        self.passed_by += 1
        self.last = path

    def _find(self, path, length, name):
        self.scanned += 1
        self.bytes += length
        self.last = path
        self.found.append({"path": path, "name": name})

    def _fail(self, path, words):
        self.errors += 1
        self.last = path
        self._name(path, words)

    def _name(self, path, words):
        if len(self.unreadable) < _NAMES:
            self.unreadable.append("%s: %s" % (path.decode("utf-8", "backslashreplace"), words))


def is_found(commands, engine, descriptor, limits):
    """Scan an open file once more, whatever has become of its name: the name of what is in it, or "" for nothing.

    None when the scanner cannot tell.
    """
    if engine["scanner"] == "clamd":
        # clamdscan passes by what it takes for a link and calls that clean, /proc/PID/fd/N among it.
        return _told(_engine.scan_open(engine["socket"], descriptor))
    path = "/proc/%d/fd/%d" % (os.getpid(), descriptor)
    output = commands.run(_engine.scan_command(engine, limits, follow=True) + [path], timeout=_CONFIRM_S)
    lines = [line for line in output.out.splitlines() if line.startswith(path + ": ")]
    return _told(lines[-1].encode("utf-8", "replace")) if lines else None


def _told(answer):
    """What an answer about one file comes to: see ``is_found``."""
    result = answer.strip(b"\0\r\n").rpartition(b": ")[2]
    match = _FOUND.match(result)
    if match:
        return match.group(1).decode("utf-8", "replace")
    return "" if result == b"OK" else None
