# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: snapshots that are folders of plain files: what mirrors and rsnapshot have in common.

Options: ``root`` (folder in each snapshot that stands for ``base``), ``base`` (path on the protected host that it is a
copy of, default /), ``manifest`` (file in each snapshot with lines as sha256sum prints them).
Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import contextlib
import errno
import os
import time

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import _driver, _files, _place

# How long the newest snapshot may be counted in when all snapshots are listed.
_COUNT_S = 45.0
_GONE = (errno.ENOENT, errno.ESTALE, errno.ENOTDIR)


class Folders(_driver.Driver):
    """Drivers of this kind say which folders there are (``entries``); the rest is the same."""

    ALLOWED = {}
    PARTS = True

    def entries(self, repository):
        """Complete and incomplete snapshots, oldest first: [{"path": folder, and what snapshot() takes}], and a
        sentence on what is wrong or ""."""
        raise NotImplementedError

    def folder(self):
        """The folder that all snapshots are in."""
        return self.dataset["repository"]

    def writer(self):
        """Who writes to it at this moment, or ""."""
        return ""

    def list(self):
        status, detail, repository = _place.look(self.machine, self.folder(), self.dataset["sources"])
        tool = {"name": self.NAME, "version": None, "path": None}
        if status != "ok":
            return _driver.look(status, detail, tool=tool)
        entries, detail = self.entries(repository["path"])
        found = {"missing": None, "unwanted": None}
        if entries:
            newest = entries[-1]
            newest.update(self._counted(newest["path"]))
            for word, wanted in (("missing", "expected_paths"), ("unwanted", "unwanted_paths")):
                has = word == "unwanted"
                found[word] = [path for path in self.dataset[wanted] if self._has(newest["path"], path) is has]
        snapshots = [
            _driver.snapshot(
                entry["id"], entry["time"], **{key: entry[key] for key in entry if key not in ("id", "time", "path")}
            )
            for entry in entries[-_driver.SNAPSHOT_CAP :]
        ]
        groups = [{"host": None, "paths": [self.base], "latest": entry["time"]} for entry in entries[-1:]]
        return _driver.look(
            "ok",
            detail,
            tool=tool,
            repository=repository,
            writer=self.writer(),
            snapshots=snapshots,
            snapshots_cut=len(entries) > len(snapshots),
            groups=[dict(group, count=len(entries)) for group in groups],
            **found,
        )

    def pick(self, snapshot, take):
        try:
            _files.walk(
                self._top(self._entry(snapshot)),
                lambda path, status, _folder, _name: take(self._original(path), status.st_size, status.st_mtime),
                _raise,
            )
        except _files.Unreadable as exc:
            return _place.said(1, str(exc))
        return _place.said(0)

    def check(self, method, part, parts, snapshot):
        reader = _Reader(self.tools.left, method, part, parts)
        try:
            entry = self._entry(snapshot)
            name = self.options.get("manifest")
            if name:
                reader.manifest = self._manifest(entry["path"], name)
            _files.walk(entry["path"], reader.take, reader.fail)
        except _files.Unreadable as exc:
            return _driver.checked("error", [exc])
        except _files.TimeUp:
            return _driver.checked("error", ["The time limit was reached."], read_bytes=reader.read_bytes)
        return reader.answer()

    def restore(self, snapshot, paths, target):
        try:
            top = self._top(self._entry(snapshot))
            if paths is None:
                everything = []
                _files.walk(top, lambda path, *_rest: everything.append(path), _raise)
                for path in everything:
                    self._copy(top, path, self._original(path), target)
                return _driver.restored("ok")
            files = {path: self._copy(top, self._relative(path), path, target) for path in paths}
            return _driver.restored("ok", files=files)
        except _files.Unreadable as exc:
            return _driver.restored("damaged", [exc])
        except _files.TimeUp:
            return _driver.restored("timeout", ["The time limit was reached."])
        except OSError as exc:
            return _driver.restored("error", ["%s could not be written: %s" % (target, _files.why(exc))])

    @property
    def base(self):
        """The path on the protected host that each snapshot is a copy of."""
        return "/" + "/".join(_files.inside(self.options.get("base", "/")) or [])

    def root(self):
        """Folder in each snapshot that stands for ``base``; "" is the snapshot itself."""
        return self.options.get("root", "")

    def _entry(self, identifier):
        """A snapshot by its id; None is the newest. Raises Unreadable."""
        entries, detail = self.entries(os.path.realpath(self.folder()))
        found = [entry for entry in entries if identifier in (None, entry["id"])]
        if not found:
            wanted = "Snapshot %s is not there any more." % identifier if identifier else "There is no snapshot."
            raise _files.Unreadable("%s %s" % (wanted, detail))
        return found[-1]

    def _top(self, entry):
        return os.path.join(entry["path"], *(_files.inside(self.root()) or []))

    def _original(self, relative):
        """The path on the protected host of a file in a snapshot."""
        return os.path.join(self.base, relative)

    def _relative(self, path):
        """The parts below the snapshot's top of a path of the protected host. Raises Unreadable."""
        parts = _files.inside(path) or []
        base = _files.inside(self.base) or []
        if not parts or parts[: len(base)] != base:
            raise _files.Unreadable("%s is not below %s." % (path, self.base))
        return "/".join(parts[len(base) :])

    def _has(self, folder, path):
        """True when a snapshot has this path of the protected host; no link is followed on the way to it."""
        with contextlib.suppress(_files.Unreadable, OSError):
            parts = _files.inside(self._relative(path))
            top = self._top({"path": folder})
            if not parts:
                return os.path.isdir(top)
            with _files.folder_of(top, parts) as descriptor:
                os.stat(parts[-1], dir_fd=descriptor, follow_symlinks=False)
                return True
        return False

    def _counted(self, folder):
        """{"bytes", "files"} of a snapshot; nothing when that takes too long or not all of it can be read."""
        end = time.monotonic() + min(_COUNT_S, self.tools.left())
        sizes = []

        def take(_path, status, _folder, _name):
            if time.monotonic() > end:
                raise _files.TimeUp
            sizes.append(status.st_size)

        try:
            _files.walk(folder, take, _raise)
        except (_files.TimeUp, _files.Unreadable):
            return {}
        return {"bytes": sum(sizes), "files": len(sizes)}

    def _manifest(self, folder, name):
        try:
            with _files.folder_of(folder, _files.inside(name)) as descriptor:
                with _files.reading(os.path.basename(name), descriptor) as stream:
                    found = _files.digests(stream.read().decode("utf-8", "surrogateescape"))
        except OSError as exc:
            raise _files.Unreadable("The manifest %s cannot be read: %s" % (name, exc.strerror)) from exc
        if not found:
            raise _files.Unreadable("The manifest %s names no file with a SHA-256." % name)
        return found

    def _copy(self, top, relative, path, target):
        """Copy one file of a snapshot below the target, where its own path on the protected host says."""
        parts = _files.inside(relative)
        if parts is None:
            raise _files.Unreadable("%s is no path of a file." % path)
        try:
            folder = _files.folder_of(top, parts)
            descriptor = folder.__enter__()
        except OSError as exc:
            raise _files.Unreadable("%s: %s" % (path, exc.strerror)) from exc
        try:
            return self._copy_from(descriptor, parts[-1], path, target)
        finally:
            folder.__exit__(None, None, None)

    def _copy_from(self, folder, name, path, target):
        with contextlib.ExitStack() as stack:
            try:
                stream = stack.enter_context(_files.reading(name, folder))
            except OSError as exc:
                raise _files.Unreadable("%s: %s" % (path, exc.strerror)) from exc
            mtime = os.fstat(stream.fileno()).st_mtime
            return _files.write(target, _files.inside(path), _files.pieces(stream, self.tools.left), mtime)[0]


class _Reader(object):
    """Reads the files of a snapshot that are due, and compares them with its manifest."""

    def __init__(self, left, method, part, parts):
        self.manifest = None
        self.read_bytes = 0
        self._left, self._method, self._part, self._parts = left, method, part, parts
        self._seen = set()
        self._compared = 0
        self._errors, self._broken, self._gone, self._denied = [], [], [], []

    def take(self, path, _status, folder, name):
        """One file of the snapshot."""
        if self._left() <= 0:
            raise _files.TimeUp
        self._seen.add(path)
        due = self._method == "data" or _files.part_of(path, self._parts or 1) == self._part
        if self._method == "structure" or not due:
            return
        try:
            found, size = _files.digest(name, self._left, folder)
        except OSError as exc:
            self.fail(exc, path)
            return
        except _files.Changed:
            self._gone.append("%s changed while it was read" % path)
            return
        self.read_bytes += size
        if self.manifest and path in self.manifest:
            self._compared += 1
            if self.manifest[path] != found:
                self._wrong(path, "%s is not what the manifest says" % path)

    def fail(self, exc, path=None):
        """Something cannot be read."""
        text = "%s: %s" % (path, exc.strerror) if path else _files.why(exc)
        if exc.errno in _GONE:
            self._gone.append(text)
        elif exc.errno in (errno.EACCES, errno.EPERM):
            self._denied.append(text)
        else:
            self._wrong(path or text, text)

    def _wrong(self, path, text):
        self._broken.append(path)
        self._errors.append(text)

    def answer(self):
        """What check() answers."""
        for path in sorted(set(self.manifest or ()) - self._seen):
            self._wrong(path, "%s is in the manifest and missing" % path)
        read = self.read_bytes if self._method != "structure" else None
        for outcome, errors in (("damaged", self._errors), ("inconclusive", self._gone), ("error", self._denied)):
            if errors:
                return _driver.checked(outcome, errors, self._broken, read)
        if not self._seen:
            return _driver.checked("damaged", ["There is no file in it."], read_bytes=read)
        if self.manifest is None:
            note = "There is no manifest: all of it can be read, but nothing says what it should be."
        elif self._method == "structure":
            note = "All %d files of the manifest are there." % len(self.manifest)
        else:
            note = "%d of %d files that are due compared with the manifest." % (self._compared, self._due())
        return _driver.checked("ok", read_bytes=read, note=note)

    def _due(self):
        if self._method == "data":
            return len(self._seen)
        return len([path for path in self._seen if _files.part_of(path, self._parts or 1) == self._part])


def _raise(exc):
    raise _files.Unreadable(_files.why(exc)) from exc
