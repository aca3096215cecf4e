# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the folder into which data is restored, and from which all of it goes again.

It is always a new, empty folder (0700, root) below ``base``. Decided here:

- The base may be on the filesystem of the repository: many small hosts have but one. The room that must stay free
  protects it, and the proof says so. ``same_filesystem: refuse`` in the request forbids it.
- The base may not be in a repository, nor hold one, nor hold a source. It may not be in a source either, because the
  next backup would keep what was restored; only Keepwell's own place may (whoever backs up all of / has it in any
  case): there the folder carries a CACHEDIR.TAG, by which backup tools can leave it out, and the proof says so.

created.json in the work's folder names what is made before it is made. Runs on managed hosts: standard library only,
Python 3.6 syntax.
"""

import os

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import _paths, _removal
from ansible_collections.keepwell.fleet.plugins.module_utils.chores import _folder, _system
from ansible_collections.keepwell.fleet.plugins.module_utils.chores._errors import AgentError
from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _mounts

BASE = "/var/lib/keepwell/sandbox"
MANIFEST = "created.json"
# So much more than the data itself is to be free, and so much of the filesystem stays free.
_MARGIN = 1.2
_FREE_PERCENT = 15.0
# Less than this is full.
_FULL_BYTES = 1024 * 1024
_TAG = "CACHEDIR.TAG"
_TAG_TEXT = "Signature: 8a477f597d28d172789f06886806bc55\n# Restored by Keepwell for a test; it goes again. %s\n"
_WHAT = "The sandbox"


class Sandbox(object):
    """A sandbox that exists: ``path``, ``data`` (restore into this), ``scratch`` (of the tool), ``notes``."""

    def __init__(self, path, notes):
        self.path = path
        self.data = os.path.join(path, "data")
        self.scratch = os.path.join(path, "scratch")
        self.notes = notes

    def words(self):
        """The sandbox for the proof."""
        return self.path + (" (%s)" % "; ".join(self.notes) if self.notes else "")


def guard(asked, size_bytes, files, places):
    """May so much be restored below the base? {"base", "free_bytes", "notes"}; changes nothing.

    ``asked`` is "sandbox" of the request: base, same_filesystem (allow, refuse), free_percent. ``places`` has
    "repository" (its folder when it is on this host, or None) and "sources" (when this is the protected host).
    Raises AgentError: unsafe_path, read_only, no_space.
    """
    descriptor, real, missing = _opened(asked, create=False)
    try:
        return _judged(descriptor, os.path.join(real, *missing), asked, size_bytes, files, places)
    finally:
        os.close(descriptor)


def make(machine, folder, identifier, asked, size_bytes, files, places):
    """Make a sandbox for the work in ``folder``. Raises AgentError like ``guard``."""
    # Nothing is made when something is against it.
    guard(asked, size_bytes, files, places)
    descriptor, real, _missing = _opened(asked, create=True)
    try:
        verdict = _judged(descriptor, real, asked, size_bytes, files, places)
        name = "%s-%s" % (identifier, os.urandom(4).hex())
        path = os.path.join(real, name)
        record = {"path": path, "dev": None, "ino": None, "token": os.urandom(16).hex()}
        record["boot"] = _system.identity(machine)
        _folder.dump(folder, MANIFEST, record)
        os.mkdir(name, 0o700, dir_fd=descriptor)
        made = os.open(name, _paths.FOLDER, dir_fd=descriptor)
        try:
            info = os.fstat(made)
            record.update(dev=info.st_dev, ino=info.st_ino)
            _folder.dump(folder, MANIFEST, record)
            _write_tag(made, record["token"])
            os.mkdir("data", 0o700, dir_fd=made)
            os.mkdir("scratch", 0o700, dir_fd=made)
            _same(path, info)
        finally:
            os.close(made)
    finally:
        os.close(descriptor)
    return Sandbox(path, verdict["notes"])


def _opened(asked, create):
    base = asked.get("base") or BASE
    if os.path.normpath(base) in ("/", "//"):
        raise AgentError("unsafe_path", "The sandbox must not be /. Choose a folder of its own, such as %s." % BASE)
    try:
        return _paths.open_folder(base, _WHAT, strict=True, create=create)
    except OSError as exc:
        raise AgentError("unsafe_path", "%s %s cannot be used: %s." % (_WHAT, base, exc.strerror)) from exc


def _write_tag(made, token):
    descriptor = os.open(_TAG, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=made)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(_TAG_TEXT % token)


def _same(path, info):
    """The tool is told the path: it must lead to what was made, whatever happened to the way since."""
    there = os.lstat(path)
    if (there.st_dev, there.st_ino) != (info.st_dev, info.st_ino):
        raise AgentError("unsafe_path", "%s %s was exchanged while it was made. Refused." % (_WHAT, path))


def _judged(descriptor, base, asked, size_bytes, files, places):
    notes = _related(base, os.fstat(descriptor).st_dev, asked, places)
    room = os.statvfs(descriptor)
    if room.f_flag & os.ST_RDONLY:
        raise AgentError("read_only", "%s %s is on a filesystem that is mounted read-only." % (_WHAT, base))
    notes += [
        word
        for word, flag in (("noexec", os.ST_NOEXEC), ("nosuid", os.ST_NOSUID), ("nodev", os.ST_NODEV))
        if room.f_flag & flag
    ]
    percent = asked.get("free_percent", _FREE_PERCENT)
    free, whole = room.f_bavail * room.f_frsize, room.f_blocks * room.f_frsize
    _enough(base, "MiB", free / 1048576.0, whole / 1048576.0, size_bytes / 1048576.0, percent)
    # Some filesystems (btrfs) have no fixed number of inodes.
    if room.f_files:
        _enough(base, "inodes", room.f_favail, room.f_files, files, percent)
    return {"base": base, "free_bytes": free, "notes": notes}


def _enough(base, unit, free, whole, needed, percent):
    if free < needed * _MARGIN or free - needed < whole * percent / 100.0:
        text = "%s %s has too little room: %d %s are free of %d, the test needs %d with a margin of %d %%, and %g %%"
        text += " of the filesystem must stay free. Make room, choose another sandbox or a smaller sample."
        values = (_WHAT, base, free, unit, whole, needed, round((_MARGIN - 1) * 100), percent)
        raise AgentError("no_space", text % values)


def _related(base, device, asked, places):
    """What the base has to do with the repository and the sources: notes, or AgentError."""
    notes = []
    repository = places.get("repository")
    if repository:
        real = os.path.realpath(repository)
        _apart(base, real, "the repository")
        if os.path.exists(real) and os.stat(real).st_dev == device:
            if asked.get("same_filesystem") == "refuse":
                text = "%s %s is on the filesystem of the repository %s, which is forbidden here (same_filesystem)."
                raise AgentError("unsafe_path", text % (_WHAT, base, repository))
            notes.append("same filesystem as the repository")
    for source in places.get("sources") or []:
        real = os.path.realpath(source)
        if _paths.below(base, real) and _paths.below(base, _folder.ROOT):
            notes.append("inside of %s, which is backed up" % source)
        else:
            _apart(base, real, "the source")
    return notes


def _apart(base, other, what):
    if _paths.below(base, other) or _paths.below(other, base):
        text = "%s %s and %s %s lie in one another. Choose a folder outside of both."
        raise AgentError("unsafe_path", text % (_WHAT, base, what, other))


def remove(machine, folder, end_servers):
    """Remove the sandbox that the manifest in ``folder`` names, and nothing else; None when there is no manifest.

    Returns {"path", "left": in words what could not be removed, or why nothing was}. ``end_servers(folder)`` is called
    first, with the folder into which data was restored.
    """
    record = _folder.load(folder, MANIFEST)
    if record is None:
        return None
    left = _removed(machine, record, end_servers)
    if not left:
        os.unlink(os.path.join(folder, MANIFEST))
    more = "; and %d more" % (len(left) - 5) if len(left) > 5 else ""
    return {"path": record["path"], "left": "; ".join(left[:5]) + more}


def _removed(machine, record, end_servers):
    """Remove it; what is left, each with its reason."""
    path = record["path"]
    base, name = os.path.split(path)
    try:
        parent, _real, missing = _paths.open_folder(base, _WHAT, strict=True)
    except (AgentError, OSError) as exc:
        return ["%s: %s" % (path, getattr(exc, "text", exc))]
    try:
        if missing:
            return []
        try:
            made = os.open(name, _paths.FOLDER, dir_fd=parent)
        except FileNotFoundError:
            return []
        try:
            known = _is_ours(machine, made, record)
        finally:
            os.close(made)
        if not known:
            return ["%s: it is not the folder that was made (another inode); look at it and remove it by hand" % path]
        end_servers(os.path.join(path, "data"))
        _unmount(machine, path)
        return _removal.remove_tree(parent, name, path, _TAG)
    except Exception as exc:
        # Whatever it is: somebody has to hear that it is still there.
        return ["%s: %s" % (path, exc)]
    finally:
        os.close(parent)


def _is_ours(machine, made, record):
    """True when this is the folder that the manifest means. After a reboot device numbers may be others."""
    info = os.fstat(made)
    tagged = _token(made) == record["token"]
    if record["ino"] is None:
        return tagged or not os.listdir(made)
    if info.st_ino != record["ino"]:
        return False
    same_boot = _system.identity(machine) == record["boot"]
    return info.st_dev == record["dev"] if same_boot else tagged or not os.listdir(made)


def _token(made):
    try:
        with os.fdopen(_paths.open_below(made, _TAG), encoding="utf-8", errors="replace") as stream:
            return stream.read(4096).split()[-1]
    except (OSError, IndexError):
        return None


def _unmount(machine, path):
    """Unmount what is mounted below our own folder, the innermost first."""
    mounts = [mount["mount"] for mount in _mounts.parse_mountinfo(machine.read("/proc/self/mountinfo") or "")]
    for mount in sorted((mount for mount in mounts if mount.startswith(path + "/")), key=len, reverse=True):
        machine.run(["umount", "--", mount], timeout=20.0, accepted=None)


def is_short(path, asked):
    """True when more room was taken than the guard expected, so that what must stay free is half gone."""
    room = os.statvfs(path)
    share = asked.get("free_percent", _FREE_PERCENT) / 200.0
    return room.f_bavail < room.f_blocks * share or bool(room.f_files and room.f_favail < room.f_files * share)


def is_full(path):
    """True when there is hardly any room left in the sandbox."""
    room = os.statvfs(path)
    return room.f_bavail * room.f_frsize < _FULL_BYTES or bool(room.f_files and not room.f_favail)
