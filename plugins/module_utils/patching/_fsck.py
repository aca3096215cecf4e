# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: would the next boot check filesystems for long before the host is back?

ext2 to ext4 are asked, which alone are checked at boot: whole when they have recorded errors, or been mounted too often
or for too long. Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import calendar
import re
import time

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _mounts

_KINDS = ("ext2", "ext3", "ext4")
_ASKED_FOR = "/forcefsck"
_DATE = "%a %b %d %H:%M:%S %Y"


def due(machine):
    """Why the next boot would check filesystems for long, a text each; empty when nothing is known that asks for it."""
    found = ["%s asks for it" % _ASKED_FOR] if machine.exists(_ASKED_FOR) else []
    checked = parse_passes(machine.read("/etc/fstab") or "")
    for mount in _mounts.parse_mountinfo(machine.read("/proc/self/mountinfo") or ""):
        if mount["mount"] in checked and mount["fstype"] in _KINDS:
            why = _why(machine, mount)
            if why:
                found.append("%s (%s)" % (mount["mount"], why))
    return found


def _why(machine, mount):
    device = mount["source"] if machine.exists(mount["source"]) else "/dev/block/" + mount["dev"]
    output = machine.run(["tune2fs", "-l", device], timeout=5.0)
    if output.status == "absent":
        return ""
    if not output.ok:
        return "its state cannot be read: %s" % (" ".join(output.err.split())[:120] or output.status)
    try:
        return parse_superblock(output.out, machine.now())
    except ValueError as exc:
        return "its state cannot be understood: %s" % exc


def parse_passes(text):
    """Mount points of /etc/fstab that are checked at boot."""
    found = set()
    for line in text.splitlines():
        fields = [] if line.lstrip().startswith("#") else line.split()
        if len(fields) > 5 and fields[5].isdigit() and int(fields[5]):
            found.add(_mounts.unescape(fields[1]))
    return found


def parse_superblock(text, now):
    """Why ``tune2fs -l`` (in C and UTC) says that a whole check is due; empty when it is not. Raises ValueError."""
    said = dict((key, value.strip()) for key, value in re.findall(r"^([A-Z][A-Za-z ]+):\s+(\S.*)$", text, re.MULTILINE))
    if "error" in said.get("Filesystem state", "") or said.get("FS Error count", "0") != "0":
        return "it has recorded errors"
    most = int(said.get("Maximum mount count", "-1"))
    if 0 < most <= int(said.get("Mount count", "0")):
        return "mounted %s times since its last check, %d are allowed" % (said["Mount count"], most)
    date = said.get("Next check after")
    # The date stays there when nobody goes by it any more.
    if date and said.get("Check interval", "0")[0] != "0" and calendar.timegm(time.strptime(date, _DATE)) <= now:
        return "its next check was due after %s" % date
    return ""
