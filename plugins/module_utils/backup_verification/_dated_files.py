# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: backups that are dated files in a folder: what archives and dumps have in common.

``repository`` is the folder, one file, or a folder with a shell pattern. Options: ``pattern`` (shell pattern of the
names), ``time_format`` (strftime form of the time in the name; without it the time of the last writing counts), ``utc``
(times in names are UTC, not the host's own), ``checksum_file`` (file in the folder with lines as sha256sum prints them;
<name>.sha256 and SHA256SUMS are found without).
Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import fnmatch
import os
import stat

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import (
    _driver,
    _files,
    _place,
    _streams,
)

_SIDE_FILES = (".sha256", ".sha512", ".md5", ".sha1", ".asc", ".sig", ".log", ".txt")
# Names that programs give to what is not complete yet.
_UNFINISHED = (".part", ".partial", ".tmp", ".incomplete", "~")


class DatedFiles(_driver.Driver):
    """Drivers of this kind say which names they take and what is in a file."""

    PATTERNS = ()
    # True when a folder can be a backup (pg_dump -Fd).
    FOLDERS = False

    def tool(self):
        """The "tool" of a look()."""
        return {"name": self.NAME, "version": None, "path": None}

    def contents(self, path, method):
        """Look into one backup; return a note or "". Raises Damaged, Unable, TimeUp, Changed, OSError."""
        raise NotImplementedError

    def found_in(self, _path):
        """("missing", "unwanted") of a look() in the newest backup; None where that is not known."""
        return None, None

    def list(self):
        folder, _patterns = self._where()
        status, detail, repository = _place.look(self.machine, folder, self.dataset["sources"])
        if status != "ok":
            return _driver.look(status, detail, tool=self.tool())
        entries = self.entries()
        missing, unwanted = self.found_in(entries[-1]["path"]) if entries else (None, None)
        snapshots = [
            _driver.snapshot(
                entry["id"],
                entry["time"],
                end=entry["end"],
                bytes=entry["bytes"],
                # An empty file is what a job leaves behind that failed at once.
                complete=False if not entry["bytes"] else None,
            )
            for entry in entries[-_driver.SNAPSHOT_CAP :]
        ]
        groups = [{"host": None, "paths": [], "latest": entry["time"]} for entry in entries[-1:]]
        return _driver.look(
            "ok",
            "" if entries else "No file in %s is called like a backup of this kind." % folder,
            tool=self.tool(),
            repository=repository,
            snapshots=snapshots,
            snapshots_cut=len(entries) > len(snapshots),
            groups=[dict(group, count=len(entries)) for group in groups],
            missing=missing,
            unwanted=unwanted,
        )

    def check(self, method, part, parts, snapshot):
        entry = self.entry(snapshot)
        if entry is None:
            return _driver.checked("error", ["%s is not there any more." % (snapshot or "Any backup")])
        notes = []
        read = entry["bytes"] if method != "structure" else None
        try:
            if not entry["bytes"]:
                raise _streams.Damaged("%s is empty." % entry["path"])
            if method != "structure":
                notes.append(self._compared(entry))
            notes.append(self.contents(entry["path"], method))
        except _streams.Damaged as exc:
            if self._measured(entry["path"]) != (entry["bytes"], entry["end"]):
                return _driver.checked("inconclusive", ["%s is being written." % entry["path"]])
            return _driver.checked("damaged", [exc], [entry["id"]], read)
        except _streams.Unable as exc:
            return _driver.checked("error", [exc])
        except _files.TimeUp:
            return _driver.checked("error", ["The time limit was reached."])
        except _files.Changed:
            return _driver.checked("inconclusive", ["%s changed while it was read." % entry["path"]])
        except OSError as exc:
            return _driver.checked(_files.blame(exc), [_files.why(exc)])
        return _driver.checked("ok", read_bytes=read, note=" ".join(note for note in notes if note))

    def entries(self):
        """All backups, oldest first: [{"id", "path", "time", "end", "bytes"}]."""
        folder, patterns = self._where()
        found = []
        for name in self.machine.listdir(folder):
            path = os.path.join(folder, name)
            if name.startswith(".") or name.endswith(_SIDE_FILES + _UNFINISHED):
                continue
            if not any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns):
                continue
            size, mtime = self._measured(path)
            options = self.options
            moment = (
                _place.time_of(name, mtime, options.get("time_format"), bool(options.get("utc"))) if mtime else None
            )
            if moment is not None:
                found.append({"id": name, "path": path, "time": moment, "end": mtime, "bytes": size})
        return sorted(found, key=lambda entry: (entry["time"], entry["id"]))

    def damaged(self, entry, exc, files=None):
        """The answer of a restore from a backup that cannot be read: one that is being written is not damaged."""
        if self._measured(entry["path"]) != (entry["bytes"], entry["end"]):
            return _driver.restored("error", ["%s is being written." % entry["path"], exc], files)
        return _driver.restored("damaged", str(exc).splitlines(), files)

    def entry(self, identifier):
        """A backup by its id; None is the newest. None when there is none."""
        found = [entry for entry in self.entries() if identifier in (None, entry["id"])]
        return found[-1] if found else None

    def _where(self):
        repository = self.dataset["repository"].rstrip("/")
        folder, name = os.path.split(repository)
        if any(sign in name for sign in "*?["):
            return folder, (name,)
        if os.path.isfile(repository) or (self.FOLDERS and os.path.isfile(os.path.join(repository, "toc.dat"))):
            return folder, (name,)
        return repository, (self.options["pattern"],) if self.options.get("pattern") else self.PATTERNS

    def _measured(self, path):
        """(bytes, time of the last writing) of a file, or of a folder that is a backup; (None, None) for others."""
        try:
            status = os.lstat(path)
            if stat.S_ISREG(status.st_mode):
                return status.st_size, status.st_mtime
            if self.FOLDERS and stat.S_ISDIR(status.st_mode):
                files = [os.lstat(os.path.join(path, name)) for name in os.listdir(path)]
                return sum(file.st_size for file in files), max([file.st_mtime for file in files] or [status.st_mtime])
        except OSError:
            pass
        return None, None

    def checksum(self, entry):
        """The SHA-256 that was stored for a backup, or None."""
        folder, name = os.path.split(entry["path"])
        for place in (name + ".sha256", self.options.get("checksum_file") or "SHA256SUMS"):
            text = (self.machine.read(os.path.join(folder, place)) or "").strip()
            found = _files.digests(text)
            # Jobs write the path that they knew, and some the digest alone.
            named = {os.path.basename(path): value for path, value in found.items()}
            if name in named:
                return named[name]
            if place == name + ".sha256" and len(text) == 64:
                return text.lower()
        return None

    def _compared(self, entry):
        """Compare a file with its stored checksum; return a note. Raises Damaged."""
        wanted = self.checksum(entry) if os.path.isfile(entry["path"]) else None
        if wanted is None:
            return "No checksum is stored for it."
        found, _size = _files.digest(entry["path"], self.tools.left)
        if found != wanted:
            raise _streams.Damaged("%s is not what its stored SHA-256 says." % entry["path"])
        return "Its stored SHA-256 is right."
