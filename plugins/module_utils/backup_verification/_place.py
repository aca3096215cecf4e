# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the folder that backups lie in: is it there, on what, and what time does a name say.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import calendar
import errno
import os
import re
import time

from ansible_collections.keepwell.fleet.plugins.module_utils.probes._sources import Output

_REMOTE = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "ceph", "glusterfs", "9p", "afs", "lustre", "davfs")
_PATIENCE_S = 10.0
_DAY_S = 86400
_DIRECTIVES = {
    "%Y": r"\d{4}",
    "%y": r"\d{2}",
    "%m": r"\d{2}",
    "%d": r"\d{2}",
    "%H": r"\d{2}",
    "%M": r"\d{2}",
    "%S": r"\d{2}",
    "%j": r"\d{3}",
    "%b": r"[A-Za-z]{3}",
    "%s": r"\d{9,11}",
}
_HOURS = ("%H", "%s")


def look(machine, path, sources):
    """(status, sentence, repository of a look()) of a folder or file; it is only asked, and not for ever."""
    status, found = machine.in_child(lambda: _facts(path, sources), _PATIENCE_S)
    if status != "ok":
        return "timeout", "%s does not answer within %d seconds." % (path, _PATIENCE_S), None
    if found["errno"] in (errno.EACCES, errno.EPERM):
        return "denied", "%s may not be read by this user." % path, None
    if found["errno"]:
        return "no_repository", "%s: %s." % (path, os.strerror(found["errno"])), None
    kind = _filesystem(machine, found["path"])
    location = "mount" if kind in _REMOTE or kind.startswith("fuse.") else "local"
    repository = {"id": None, "location": location, "path": found["path"], "encrypted": None, "append_only": None}
    repository.update(object_lock=None, free_bytes=found["free"], keyfile=False, same_device=found["same"])
    return "ok", "", repository


def _facts(path, sources):
    try:
        real = os.path.realpath(path)
        here = os.stat(real)
        if os.path.isdir(real):
            os.listdir(real)
        room = os.statvfs(real)
    except OSError as exc:
        return {"errno": exc.errno or errno.EIO}
    devices = []
    for source in sources:
        try:
            devices.append(os.stat(source).st_dev)
        except OSError:
            continue
    same = here.st_dev in devices if devices else None
    return {"errno": 0, "path": real, "free": room.f_bavail * room.f_frsize, "same": same}


def _filesystem(machine, path):
    """Type of the filesystem that a path is on, by /proc/self/mountinfo."""
    best, kind = "", ""
    for line in (machine.read("/proc/self/mountinfo") or "").splitlines():
        before, _dash, after = line.partition(" - ")
        fields = before.split()
        if len(fields) < 5 or not after:
            continue
        mount = re.sub(r"\\(\d{3})", lambda match: chr(int(match.group(1), 8)), fields[4])
        # Of mounts on the same place the last one is seen.
        if (path + "/").startswith(mount.rstrip("/") + "/") and len(mount) >= len(best):
            best, kind = mount, after.split()[0]
    return kind


def time_of(name, mtime, time_format, utc):
    """When what is called ``name`` was made, in epoch seconds, by the part of it that ``time_format`` describes.

    Without a format it is the time of the last writing. A date without hours takes the time of the last writing when
    that is on the same day, else the day's begin. None when the name has no such part.
    """
    if not time_format:
        return mtime
    pattern = "".join(
        _DIRECTIVES.get(part, re.escape(part)) for part in re.findall(r"%.|[^%]+|%", time_format, re.DOTALL)
    )
    match = re.search(r"(?<!\d)%s(?!\d)" % pattern, name)
    if not match:
        return None
    if time_format == "%s":
        return float(match.group(0))
    try:
        parsed = time.strptime(match.group(0), time_format)
    except ValueError:
        return None
    # -1: the zone's own rule says whether it is summer.
    begin = float(calendar.timegm(parsed)) if utc else time.mktime(tuple(parsed)[:8] + (-1,))
    dated = not any(directive in time_format for directive in _HOURS)
    return mtime if dated and mtime is not None and begin <= mtime < begin + _DAY_S else begin


def written_time(text):
    """The time that a job wrote into its marker: epoch seconds or ISO 8601 with a zone; None for anything else."""
    word = text.strip().split("\n")[0].strip()
    if re.match(r"^\d{9,11}(\.\d+)?$", word):
        return float(word)
    match = re.match(r"^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}:\d{2})(?:[.,]\d+)?(Z|[+-]\d{2}:?\d{2})$", word)
    if not match:
        return None
    try:
        begin = float(calendar.timegm(time.strptime("%s %s" % match.group(1, 2), "%Y-%m-%d %H:%M:%S")))
    except ValueError:
        return None
    zone = match.group(3).replace(":", "")
    if zone == "Z":
        return begin
    offset = int(zone[1:3]) * 3600 + int(zone[3:5]) * 60
    return begin - offset if zone[0] == "+" else begin + offset


def iso(moment):
    """Epoch seconds as text."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def said(rc, err=""):
    """The Output of reading that no command did."""
    return Output("ok", rc, "", err)
