# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what all tools with a repository of snapshots have in common.

Where a repository is, which of its snapshots belong to a dataset, whether expected paths are in them, who holds a lock.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import calendar
import fnmatch
import os
import re
import time

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import _driver
from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _mounts

_OBJECT = ("s3:", "b2:", "azure:", "gs:", "swift:", "gcs:", "wasabi:")
_OTHER = ("rest:", "rclone:", "http:", "https:", "webdav:")
_SCP = re.compile(r"^[^/:\s]+:(?!//)")
_MOMENT = re.compile(r"^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:?\d\d)?$")
_PATTERN = re.compile(r"[*?\[]")
_BAD_BYTE = re.compile("[\udc80-\udcff]")
# A command line may hold 2 MiB; 128 KiB is safe everywhere.
_ARGUMENTS = 100 * 1024
_STATVFS_S = 5.0
_UNIT_S = 10.0
_UNIT_KEYS = "Unit,ExecMainStatus,ExecMainStartTimestamp,ExecMainExitTimestamp"
# A job begins a little before the tool, and the tool's clock may be that of another host.
_SLACK_S = 10.0


def epoch(text):
    """Epoch seconds of a time in ISO 8601 or RFC 3339; without a zone it is UTC. None when it is none."""
    match = _MOMENT.match(text or "")
    if not match:
        return None
    try:
        seconds = calendar.timegm(time.strptime("%s %s" % match.group(1, 2), "%Y-%m-%d %H:%M:%S"))
    except ValueError:
        return None
    zone = (match.group(4) or "Z").replace(":", "")
    offset = 0 if zone == "Z" else (int(zone[1:3]) * 60 + int(zone[3:5])) * 60
    return seconds + float(match.group(3) or 0) - (-offset if zone[0] == "-" else offset)


def location(text):
    """(class, folder on this host or None) of a repository as restic, borg or kopia are told it."""
    for prefix in ("local:", "file://"):
        if text.startswith(prefix):
            text = text[len(prefix) :]
    if text.startswith("/"):
        return "local", os.path.normpath(text)
    for prefixes, kind in ((("sftp:",), "sftp"), (("ssh://",), "ssh"), (_OBJECT, "object"), (_OTHER, "other")):
        if text.startswith(prefixes):
            return kind, None
    return ("ssh" if _SCP.match(text) else "other"), None


def place(machine, text, sources=()):
    """Mapping of location, path, free_bytes and same_device of a repository (see _driver.look).

    ``mount`` is a filesystem that comes over the network. same_device is None where it cannot be told.
    """
    kind, path = location(text)
    found = {"location": kind, "path": path, "free_bytes": None, "same_device": None}
    if path is None:
        return found
    # A dead mount hangs: only a child of our own may.
    status, facts = machine.in_child(lambda: _facts(machine, path, sources), _STATVFS_S)
    if status == "ok":
        found.update(facts)
    if _comes_over_the_network(machine, path):
        found["location"] = "mount"
    return found


def _facts(machine, path, sources):
    room, info = machine.statvfs(path), machine.stat(path)
    others = [machine.stat(source) for source in sources]
    devices = [other["dev"] for other in others if other]
    same = info["dev"] in devices if info and devices else None
    return {"free_bytes": room["bavail"] * room["frsize"] if room else None, "same_device": same}


def _comes_over_the_network(machine, path):
    mounts = machine.parsed_file("/proc/self/mountinfo", _mounts.parse_mountinfo) or []
    holding = [mount for mount in mounts if below(path, mount["mount"])]
    # The longest holds it; of several in one place the one that was mounted last.
    best = max(enumerate(holding), key=lambda entry: (len(entry[1]["mount"]), entry[0]), default=None)
    return best is not None and _mounts.kind_of(best[1]) == "network"


def below(path, folder):
    """True when ``path`` is ``folder`` or in it."""
    return (path.rstrip("/") + "/").startswith(folder.rstrip("/") + "/")


def belongs(snapshot, dataset):
    """True when a snapshot is one of the dataset: by its host, its tags and what it contains."""
    hosts, sources = dataset.get("hosts") or [], dataset.get("sources") or []
    if hosts and snapshot["host"] not in hosts:
        return False
    if not set(dataset.get("tags") or []).issubset(snapshot["tags"]):
        return False
    return all(any(below(source, path) for path in snapshot["paths"]) for source in sources)


def groups(snapshots):
    """All groups of a repository by host and paths, the newest first, at most GROUP_CAP."""
    found = {}
    for entry in snapshots:
        group = found.setdefault((entry["host"], tuple(entry["paths"])), {"latest": None, "count": 0})
        group["count"] += 1
        if entry["time"] is not None and (group["latest"] is None or entry["time"] > group["latest"]):
            group["latest"] = entry["time"]
    told = [{"host": host, "paths": list(paths), **group} for (host, paths), group in found.items()]
    told.sort(key=lambda group: -(group["latest"] or 0))
    return told[: _driver.GROUP_CAP]


def chosen(snapshots, dataset):
    """(The snapshots of the dataset, oldest first and at most SNAPSHOT_CAP, True when there were more)."""
    own = sorted((entry for entry in snapshots if belongs(entry, dataset)), key=lambda entry: entry["time"] or 0)
    return own[-_driver.SNAPSHOT_CAP :], len(own) > _driver.SNAPSHOT_CAP


class Paths(object):
    """Looks for expected and unwanted paths while a snapshot's content goes by; * ? [ in them are shell patterns."""

    def __init__(self, dataset):
        self.expected = list(dataset.get("expected_paths") or [])
        self.unwanted = list(dataset.get("unwanted_paths") or [])
        self._seen = set()
        names = self.expected + self.unwanted
        self._plain = dict((os.path.normpath(name), name) for name in names if not _PATTERN.search(name))
        self._patterns = [(name, re.compile(fnmatch.translate(name))) for name in names if _PATTERN.search(name)]

    @property
    def plain(self):
        """The paths, when none of them is a pattern; otherwise None: everything has to be listed."""
        return None if self._patterns else sorted(self._plain)

    def see(self, path):
        """Take note of one path of the snapshot, file or folder."""
        if path in self._plain:
            self._seen.add(self._plain[path])
        for name, pattern in self._patterns:
            if pattern.match(path):
                self._seen.add(name)

    def told(self):
        """``missing`` and ``unwanted`` of a look()."""
        missing = [name for name in self.expected if name not in self._seen]
        return {"missing": missing, "unwanted": [name for name in self.unwanted if name in self._seen]}


def is_dead(machine, host, pid):
    """True when a process of this very host has ended; False when it lives or nobody here can tell."""
    here = (machine.read("/proc/sys/kernel/hostname") or "").strip()
    # Of two full names all counts: web.one.example is not web.two.example.
    names = (host, here) if "." in host and "." in here else (host.split(".")[0], here.split(".")[0])
    if not here or names[0] != names[1]:
        return False
    return not machine.exists("/proc/%d" % pid)


def mark_incomplete(machine, dataset, snapshots, codes):
    """Set ``complete`` to False on the newest snapshot when the job that made it ended with one of ``codes``.

    Tools say by their return code alone that something could not be read; systemd remembers the last one. The job is
    one of the dataset's ``jobs``: a service, or a timer that starts it.
    """
    if not snapshots:
        return
    newest = snapshots[-1]
    for name in dataset.get("jobs") or []:
        if not name.endswith((".service", ".timer")):
            continue
        shown = _unit(machine, name)
        if name.endswith(".timer") and shown.get("Unit"):
            shown = _unit(machine, shown["Unit"])
        begun, ended = _unit_time(shown, "Start"), _unit_time(shown, "Exit")
        if begun is None or ended is None or shown.get("ExecMainStatus") not in [str(code) for code in codes]:
            continue
        if newest["time"] is not None and begun - _SLACK_S <= newest["time"] <= ended + _SLACK_S:
            newest["complete"] = False


def _unit(machine, name):
    argv = ["systemctl", "show", "--no-pager", "--property=" + _UNIT_KEYS, "--", name]
    output = machine.run(argv, timeout=_UNIT_S, source="systemctl show")
    pairs = [line.partition("=") for line in output.lines()]
    return dict((key, value) for key, _sign, value in pairs if value)


def _unit_time(shown, which):
    """Epoch seconds of "Fri 2026-11-27 07:50:20 UTC"."""
    words = shown.get("ExecMain%sTimestamp" % which, "").split()
    return epoch("T".join(words[1:3])) if len(words) == 4 and words[3] == "UTC" else None


def portions(paths):
    """The paths in lists that a command line can hold; [[]] for all (None)."""
    if paths is None:
        return [[]]
    found, size = [], _ARGUMENTS
    for path in paths:
        size += len(os.fsencode(path)) * 2 + 16
        if size > _ARGUMENTS:
            found.append([])
            size = 0
        found[-1].append(path)
    return found


def found_files(target, paths, stand_in):
    """``files`` of a restored(): where paths with bytes that are no UTF-8 came to lie; None when there are none.

    A tool tells such bytes as ``stand_in``, each of them one.
    """
    if paths is None or not any(stand_in in path for path in paths):
        return None
    found = {}
    for path in paths:
        places = [target]
        for name in path.strip("/").split("/"):
            places = [os.path.join(place, real) for place in places for real in _names(place, name, stand_in)]
        if places:
            found[path] = places[0]
    return found


def _names(folder, name, stand_in):
    """Names in a folder that a tool would tell as ``name``."""
    if stand_in not in name:
        return [name] if os.path.lexists(os.path.join(folder, name)) else []
    try:
        return [real for real in sorted(os.listdir(folder)) if _BAD_BYTE.sub(stand_in, real) == name]
    except OSError:
        return []
