# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: which mounted filesystems count, and once each (part of the disks probe).

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import re

_NETWORK_WORDS = "nfs nfs4 cifs smb3 smbfs ceph glusterfs lustre beegfs gpfs afs ncpfs 9p virtiofs ocfs2 gfs2 davfs"
NETWORK = frozenset(_NETWORK_WORDS.split())
# Nothing on a disk, always full by design (images), or an access that would itself mount something (autofs).
_PSEUDO_WORDS = (
    "proc sysfs devtmpfs devpts cgroup cgroup2 securityfs debugfs tracefs pstore bpf mqueue hugetlbfs fusectl "
    "configfs binfmt_misc rpc_pipefs nfsd efivarfs selinuxfs ramfs nsfs sockfs rootfs autofs squashfs iso9660 "
    "cramfs romfs udf erofs overlay aufs shiftfs fuse.lxcfs fuse.gvfsd-fuse fuse.portal fuse.snapfuse"
)
PSEUDO = frozenset(_PSEUDO_WORDS.split())
# In memory, but a full one stops services.
MEMORY_MOUNTS = ("/run", "/tmp", "/var/tmp", "/var/log")  # noqa: S108 - names of mount points, nothing is written
LOCAL_FUSE = ("fuseblk", "fuse.mergerfs", "fuse.ntfs-3g", "fuse.exfat")
_OCTAL = re.compile(r"\\([0-7]{3})")


def unescape(text):
    """Undo the octal escapes of /proc/self/mountinfo and /etc/fstab (blank, tab, newline, backslash, hash)."""
    return _OCTAL.sub(lambda match: chr(int(match.group(1), 8)), text)


def parse_mountinfo(text):
    """Parse /proc/self/mountinfo (proc(5)): one mapping a line, in the order in which they were mounted.

    Returns [{"dev": "254:0", "root", "mount", "options": [..], "fstype", "source", "super_options": [..]}].
    Raises ValueError with the line when the fields are not there.
    """
    found = []
    for line in text.splitlines():
        fields = line.split(" ")
        try:
            separator = fields.index("-", 6)
            fstype, source, super_options = fields[separator + 1 : separator + 4]
        except ValueError as exc:
            raise ValueError("mountinfo: not a mount line: %r" % line[:160]) from exc
        found.append(
            {
                "dev": fields[2],
                "root": unescape(fields[3]),
                "mount": unescape(fields[4]),
                "options": fields[5].split(","),
                "fstype": fstype,
                "source": unescape(source),
                "super_options": super_options.split(","),
            }
        )
    return found


def parse_fstab(text):
    """Mount points that /etc/fstab names, with True where the entry asks for read-only: {mount: bool}."""
    wanted = {}
    for line in text.splitlines():
        fields = line.split("#")[0].split() if line.lstrip().startswith("#") else line.split()
        if len(fields) >= 4 and fields[1].startswith("/"):
            wanted[unescape(fields[1])] = "ro" in fields[3].split(",")
    return wanted


def kind_of(mount):
    """``disk``, ``memory``, ``network`` or ``pseudo`` for one entry of ``parse_mountinfo``."""
    fstype = mount["fstype"]
    if mount["mount"] == "/":
        # The root of a container is an overlay, that of a live system an image: it always counts.
        return "network" if fstype in NETWORK else "disk"
    if fstype == "tmpfs":
        return "memory" if mount["mount"] in MEMORY_MOUNTS else "pseudo"
    if fstype in PSEUDO:
        return "pseudo"
    if fstype in NETWORK or (fstype.startswith("fuse") and fstype not in LOCAL_FUSE):
        return "network"
    return "disk"


def group(mounts, with_network):
    """Group the mounts that count by the filesystem behind them.

    Returns (groups, skipped network mount points); a group lists its mounts, the best name for it first: the
    filesystem's own root before a part of it, then the shorter path. A path that is mounted over again counts
    with its last mount only. Subvolumes of one btrfs are one filesystem.
    """
    visible = {}
    for mount in mounts:
        visible[mount["mount"]] = mount
    groups = {}
    skipped = []
    for mount in visible.values():
        kind = kind_of(mount)
        if kind == "pseudo":
            continue
        if kind == "network" and not with_network:
            skipped.append(mount["mount"])
            continue
        key = mount["source"] if mount["fstype"] == "btrfs" else mount["dev"]
        groups.setdefault(key, []).append(dict(mount, kind=kind))
    for members in groups.values():
        members.sort(key=lambda mount: (mount["root"] != "/", len(mount["mount"]), mount["mount"]))
    return sorted(groups.values(), key=lambda members: members[0]["mount"]), sorted(skipped)
