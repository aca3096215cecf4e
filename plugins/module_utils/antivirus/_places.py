# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what a scan leaves out, and the walk through everything else.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import os
import stat

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _mounts

# Reading them changes nothing, scanning them finds nothing, and some of them never end.
_FOLDERS = (
    ("kernel", ("/proc", "/sys", "/dev", "/run", "/var/run")),
    (
        "database",
        (
            "/var/lib/mysql", "/var/lib/mariadb", "/var/lib/postgresql", "/var/lib/pgsql", "/var/lib/mongo",
            "/var/lib/mongodb", "/var/lib/redis", "/var/lib/valkey", "/var/lib/elasticsearch", "/var/lib/opensearch",
            "/var/lib/cassandra", "/var/lib/influxdb", "/var/lib/couchdb", "/var/lib/clickhouse", "/var/lib/ldap",
            "/var/lib/prometheus", "/var/lib/etcd", "/var/lib/rabbitmq", "/var/lib/kafka", "/var/lib/neo4j",
            "/var/opt/mssql", "/opt/oracle",
        ),
    ),
    (
        "container",
        (
            "/var/lib/docker", "/var/lib/containers", "/var/lib/containerd", "/var/lib/kubelet", "/var/lib/lxc",
            "/var/lib/lxd", "/var/snap/lxd", "/var/lib/machines", "/var/lib/libvirt", "/snap",
        ),
    ),
    (
        "backup",
        (
            "/backup", "/backups", "/srv/backup", "/srv/backups", "/srv/restic", "/srv/borg", "/mnt/backup",
            "/mnt/backups", "/var/lib/borg", "/var/lib/pgbackrest", "/var/cache/restic", "/var/lib/barman",
        ),
    ),
    ("own", ("/var/lib/keepwell", "/var/lib/clamav")),
)  # fmt: skip
# What lies in a folder that is one of these: all names of one entry.
_MARKS = (
    ("database", ("PG_VERSION", "base", "global")),
    ("database", ("ibdata1",)),
    ("database", ("WiredTiger",)),
    ("backup", ("config", "data", "keys", "snapshots", "index")),
    ("backup", ("config", "data", "hints.1")),
    ("backup", ("kopia.repository.f",)),
    ("backup", ("kopia.repository",)),
    ("backup", (".chunks",)),
    ("container", ("overlay", "overlay-containers")),
    ("container", ("overlay2", "image")),
    ("own", ("keepwell-quarantine.txt",)),
)
_BORG = b"This is a Borg Backup repository"
REASONS = {
    "kernel": "no files, only views of the kernel",
    "database": "files of a database",
    "container": "layers of containers or virtual machines",
    "backup": "a backup repository",
    "own": "Keepwell's or the scanner's own",
    "network": "a filesystem on the network",
    "mount": "a filesystem without files of its own",
    "setting": "left out by the settings",
}


class Walk(object):
    """A walk through folders, in order, that says what it leaves out.

    ``paths`` are where it begins, ``backups`` and ``excluded`` what is left out besides, ``largest`` the size above
    which files are left out, ``resume`` the path after which it begins (an earlier walk came that far). All paths are
    bytes inside: a name on Linux need not be text.
    """

    def __init__(self, machine, paths, excluded=(), backups=(), largest=None, resume=None):
        self.left_out = {}
        self.skipped = {}
        self.large = []
        self.unreadable = []
        self.largest = largest
        self._machine = machine
        # Part by part, as the walk itself and ``resume`` go: byte by byte /a-b would come before /a/c.
        self._paths = sorted(set(os.fsencode(os.path.normpath(path)) for path in paths), key=_parts)
        self._closed = self._known(machine, excluded, backups)
        self._resume = _parts(os.fsencode(resume)) if resume else None
        self._seen = set()

    def _known(self, machine, excluded, backups):
        """Path (bytes) -> code of every folder that is known beforehand to be left out."""
        closed = {}
        for mount in _mounts.parse_mountinfo(machine.read("/proc/self/mountinfo") or ""):
            kind = _mounts.kind_of(mount)
            if kind in ("network", "pseudo"):
                closed[os.fsencode(mount["mount"])] = "network" if kind == "network" else "mount"
            else:
                # Mounted over again: the last mount counts.
                closed.pop(os.fsencode(mount["mount"]), None)
        for code, folders in _FOLDERS:
            closed.update((os.fsencode(folder), code) for folder in folders)
        closed.update((os.fsencode(os.path.normpath(path)), "backup") for path in backups)
        closed.update((os.fsencode(os.path.normpath(path)), "setting") for path in excluded)
        return closed

    def files(self):
        """Yield (path, size) of every file to be scanned."""
        last = None
        for path in self._paths:
            # In this order whatever lies below a path comes right after it.
            if last is not None and _below(path, last):
                continue
            last = path
            code = next((code for folder, code in self._closed.items() if _below(path, folder)), None)
            if code:
                self._leave(path, code)
                continue
            try:
                entry = os.lstat(path)
            except OSError as exc:
                self._unreadable(path, exc)
                continue
            if stat.S_ISDIR(entry.st_mode):
                yield from self._folder(path)
            else:
                yield from self._file(path, entry)

    def _folder(self, top):
        """Yield the files below a folder. A stack of our own: depth is up to whoever makes the folders."""
        stack = [top]
        while stack:
            path = stack.pop()
            try:
                entry = os.lstat(path)
                if not stat.S_ISDIR(entry.st_mode):
                    yield from self._file(path, entry)
                    continue
                if (entry.st_dev, entry.st_ino) in self._seen or self._is_behind(path, True):
                    continue
                self._seen.add((entry.st_dev, entry.st_ino))
                code = self._closed.get(path)
                names = [] if code else os.listdir(path)
            except OSError as exc:
                self._unreadable(path, exc)
                continue
            code = code or self._marked(path, names)
            if code:
                self._leave(path, code)
                continue
            stack += [os.path.join(path, name) for name in sorted(names, reverse=True)]

    def _file(self, path, entry):
        if self._is_behind(path, False):
            return
        if not stat.S_ISREG(entry.st_mode):
            self._skip("link" if stat.S_ISLNK(entry.st_mode) else "special")
        elif not entry.st_size:
            self._skip("empty")
        elif self.largest and entry.st_size > self.largest:
            self._skip("large")
            if len(self.large) < 20:
                self.large.append("%s (%d bytes)" % (shown(path), entry.st_size))
        else:
            yield path, entry.st_size

    def _is_behind(self, path, folder):
        """True when an earlier walk has been there."""
        if self._resume is None:
            return False
        parts = _parts(path)
        return parts < self._resume[: len(parts)] if folder else parts <= self._resume

    def _marked(self, path, names):
        present = set(os.fsdecode(name) for name in names)
        code = next((code for code, marks in _MARKS if present.issuperset(marks)), None)
        if code is None and present.issuperset(("config", "data", "README")):
            head = self._machine.read_bytes(os.fsdecode(os.path.join(path, b"README")), limit=200)
            code = "backup" if _BORG in (head or b"") else None
        return code

    def _leave(self, path, code):
        self.left_out[shown(path)] = code

    def _skip(self, reason):
        self.skipped[reason] = self.skipped.get(reason, 0) + 1

    def _unreadable(self, path, exc):
        # What was removed meanwhile is no loss.
        if isinstance(exc, FileNotFoundError) and path not in self._paths:
            self._skip("gone")
        else:
            self.unreadable.append("%s: %s" % (shown(path), exc.strerror))


def _below(path, folder):
    return path == folder or path.startswith(folder.rstrip(b"/") + b"/")


def _parts(path):
    return path.rstrip(b"/").split(b"/")


def shown(path):
    """A path as text; bytes that are none are told as escapes."""
    return path.decode("utf-8", "backslashreplace")


def printable(path):
    """The same for a path that is text already."""
    return shown(os.fsencode(path))


def estimate(machine, walk, seconds, files):
    """Count what a walk would hand to the scanner: {files, bytes, whole}; not whole when the count was cut short."""
    end = machine.now() + seconds
    count = size = 0
    for _path, length in walk.files():
        count += 1
        size += length
        if count >= files or (count % 256 == 0 and machine.now() > end):
            return {"files": count, "bytes": size, "whole": False}
    return {"files": count, "bytes": size, "whole": True}
