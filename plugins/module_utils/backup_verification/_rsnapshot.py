# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: rsnapshot: its folders daily.0, daily.1, weekly.0 ..., its configuration and its log.

``repository`` is rsnapshot.conf or the snapshot root. rsnapshot itself is not run. It sets the time of daily.0 when a
snapshot is complete; its log says when it began and whether something went wrong. ``tags`` of the dataset choose
intervals.
Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import os
import re
import time

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import _folders, _place

_INTERVAL = re.compile(r"^([A-Za-z0-9_-]+)\.(\d+)$")
_LOG = re.compile(r"^\[(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})\] .*: (started|completed successfully|completed, but .*)$")
_LOG_BYTES = 4 * 1024 * 1024
# The time of the folder is set a moment before the log's last line is written.
_NEAR_S = 120
_DEPTH = 5


def parse(read, path, depth=0):
    """Settings of rsnapshot.conf: {"root", "log", "lock", "intervals", "points": [(source, destination)]}.

    ``read(path)`` gives a file's text or None. Words are parted by tabs; included files that a command would print
    are left out.
    """
    settings = {"root": None, "log": None, "lock": None, "intervals": [], "points": []}
    for line in (read(path) or "").splitlines():
        words = [word.strip() for word in line.split("\t") if word.strip()]
        if line.startswith("#") or len(words) < 2:
            continue
        key, value = words[0], words[1]
        if key == "include_conf" and "`" not in value and depth < _DEPTH:
            for name, found in parse(read, value, depth + 1).items():
                settings[name] = settings[name] + found if isinstance(found, list) else found or settings[name]
        elif key in ("snapshot_root", "logfile", "lockfile"):
            settings[{"snapshot_root": "root", "logfile": "log", "lockfile": "lock"}[key]] = value
        elif key in ("retain", "interval"):
            settings["intervals"].append(value)
        elif key in ("backup", "backup_script") and len(words) > 2:
            settings["points"].append((value if key == "backup" else "", words[2]))
    return settings


def runs(text):
    """Runs of a log, oldest first: [{"begun", "ended", "words"}]; its times are the host's own."""
    found = []
    begun = None
    for line in text.splitlines():
        match = _LOG.match(line)
        if not match:
            continue
        moment = time.mktime(time.strptime(match.group(1), "%Y-%m-%dT%H:%M:%S")[:8] + (-1,))
        if match.group(2) == "started":
            begun = moment
        else:
            found.append({"begun": begun, "ended": moment, "words": match.group(2)})
            begun = None
    return found


class Rsnapshot(_folders.Folders):
    """Trees that rsnapshot makes and turns."""

    NAME = "rsnapshot"

    def __init__(self, tools, dataset):
        super(Rsnapshot, self).__init__(tools, dataset)
        path = dataset["repository"]
        self._settings = parse(self.machine.read, path) if os.path.isfile(path) else parse({}.get, path)

    def folder(self):
        """The snapshot root."""
        return self._settings["root"] or self.dataset["repository"]

    def root(self):
        """The only destination of the configuration stands for / of the host, unless an option says otherwise."""
        if "root" in self.options:
            return self.options["root"]
        hosts = self.dataset["hosts"]
        points = {point for _source, point in self._settings["points"]}
        points = {point for point in points if not hosts or point.strip("/").split("/")[0] in hosts}
        return points.pop() if len(points) == 1 else ""

    def writer(self):
        """Its lock file names the process that works."""
        number = (self.machine.read(self._settings["lock"]) or "").strip() if self._settings["lock"] else ""
        return "rsnapshot (process %s)" % number if number.isdigit() and os.path.exists("/proc/" + number) else ""

    def entries(self, repository):
        log = self.machine.tail(self._settings["log"], _LOG_BYTES) if self._settings["log"] else None
        known = runs(log or "")
        intervals = self.dataset["tags"] or self._settings["intervals"]
        # An id that stays when daily.0 becomes daily.1: the time of the folder, which goes with it.
        found = {}
        for name in self.machine.listdir(repository):
            match = _INTERVAL.match(name)
            path = os.path.join(repository, name)
            wanted = match and (not intervals or match.group(1) in intervals)
            if wanted and os.path.isdir(path) and not os.path.islink(path):
                entry = self._entry_of(path, match.group(1), known)
                # Of two with one time the first is the copy of the second that is being made.
                found[entry["id"]] = entry
        entries = sorted(found.values(), key=lambda entry: (entry["time"], entry["id"]))
        if self.writer() and entries and entries[-1]["end"] is None and entries[-1]["path"].endswith(".0"):
            entries[-1]["complete"] = False
        return entries, "" if entries else "No folder like daily.0 is in it."

    def _entry_of(self, path, interval, known):
        moment = os.stat(path).st_mtime
        run = next((run for run in reversed(known) if -1 <= run["ended"] - moment <= _NEAR_S), None)
        entry = {"id": _place.iso(moment), "path": path, "time": moment, "end": None, "tags": [interval]}
        if run:
            whole = "successfully" in run["words"]
            entry.update(time=moment if run["begun"] is None else run["begun"], end=moment, complete=whole)
            entry["errors"] = 0 if whole else None
        return entry
