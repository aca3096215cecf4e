# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: archives: tar, alone or compressed by gzip, xz, bzip2 or zstd, and zip.

Options, besides those of _dated_files.py: ``base`` (path on the protected host that the archive's own paths start at,
default /).
Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import contextlib
import os
import stat
import time
import zipfile
import zlib

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import (
    _dated_files,
    _driver,
    _files,
    _place,
    _streams,
    _tar,
)

# How long the newest archive may be looked through when all are listed.
_LOOK_S = 45.0
_ZIP_UTF8 = 0x800
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")


class Archive(_dated_files.DatedFiles):
    """One archive is one snapshot; its id is the file's name."""

    NAME = "archive"
    ALLOWED = {"zstd": ("*",)}
    PATTERNS = ("*.tar", "*.tar.*", "*.tgz", "*.txz", "*.tbz2", "*.tbz", "*.tzst", "*.zip")

    def contents(self, path, method):
        names = []
        if _is_zip(path):
            self._read_zip(path, lambda member, _open: names.append(member.filename), test=method != "structure")
            note = "" if method != "structure" else "Only its list was read."
        else:
            compressed = _streams.compression(path)
            self._read_tar(path, lambda member, _open: names.append(member.name), whole=method != "structure")
            # Compressors keep a checksum of content; a plain tar keeps none.
            note = "" if compressed else "A tar that is not compressed has nothing that could prove its content."
        if not names:
            raise _streams.Damaged("%s holds nothing." % path)
        return note

    def found_in(self, path):
        if not self.dataset["expected_paths"] and not self.dataset["unwanted_paths"]:
            return [], []
        end = time.monotonic() + min(_LOOK_S, self.tools.left())
        missing = set(self.dataset["expected_paths"])
        unwanted = set()

        def take(parts):
            if time.monotonic() > end:
                raise _files.TimeUp
            here = self._original(parts)
            missing.difference_update([path for path in missing if _below(here, path)])
            unwanted.update(path for path in self.dataset["unwanted_paths"] if _below(here, path))

        try:
            self._each_name(path, take)
        except (_files.TimeUp, _streams.Damaged, _streams.Unable, OSError):
            # What was seen before is seen; what is missing was not shown.
            return None, sorted(unwanted) or None
        return [name for name in self.dataset["expected_paths"] if name in missing], sorted(unwanted)

    def pick(self, snapshot, take):
        entry = self.entry(snapshot)
        if entry is None:
            return _place.said(1, "%s is not there any more." % (snapshot or "Any archive"))

        def give(parts, size, mtime, _open):
            take(self._original(parts), size, mtime)

        try:
            self._each_file(entry["path"], give)
        except (_streams.Damaged, _streams.Unable, OSError) as exc:
            return _place.said(1, str(exc))
        except _files.TimeUp:
            return _place.said(1, "The time limit was reached.")
        return _place.said(0)

    def restore(self, snapshot, paths, target):
        entry = self.entry(snapshot)
        if entry is None:
            return _driver.restored("error", ["%s is not there any more." % (snapshot or "Any archive")])
        wanted = None if paths is None else set(paths)
        files = {}

        def give(parts, _size, mtime, open_content):
            path = self._original(parts)
            if wanted is not None and path not in wanted:
                return
            with open_content() as content:
                written = _files.write(target, _files.inside(path), _stored(content, self.tools.left), mtime)
            files[path] = written[0]

        try:
            self._each_file(entry["path"], give, link=lambda parts, to: self._link(target, parts, to, files, wanted))
        except _streams.Damaged as exc:
            return self.damaged(entry, exc, files)
        except _streams.Unable as exc:
            return _driver.restored("error", [exc])
        except _files.TimeUp:
            return _driver.restored("timeout", ["The time limit was reached."], files)
        except OSError as exc:
            return _driver.restored(_files.blame(exc), [_files.why(exc)], files)
        lacking = sorted(wanted.difference(files))[: _driver.ERROR_CAP] if wanted is not None else []
        if lacking:
            return _driver.restored("damaged", ["%s is not in the archive." % path for path in lacking], files)
        return _driver.restored("ok", files=files if wanted is not None else None)

    def _link(self, target, parts, to, files, wanted):
        """A member that is a second name of one that was restored before it."""
        first, path = self._original(to), self._original(parts)
        if wanted is not None or first not in files:
            return
        with contextlib.ExitStack() as stack:
            source = _files.inside(first)
            there = stack.enter_context(_files.folder_of(target, source))
            here = stack.enter_context(_files.folder_of(target, _files.inside(path), make=True))
            with contextlib.suppress(FileExistsError):
                os.link(source[-1], parts[-1], src_dir_fd=there, dst_dir_fd=here, follow_symlinks=False)

    def _original(self, parts):
        base = _files.inside(self.options.get("base", "/")) or []
        return "/" + "/".join(base + parts)

    def _each_name(self, path, take):
        """Give the parts of every member's path, folders included, to ``take``."""

        def give(member, _open):
            parts = _files.inside(_zip_name(member) if isinstance(member, zipfile.ZipInfo) else member.name)
            if parts:
                take(parts)

        if _is_zip(path):
            self._read_zip(path, give)
        else:
            self._read_tar(path, give)

    def _each_file(self, path, take, link=None):
        """Give every regular file to ``take(parts, size, mtime, open)``, hard links to ``link(parts, parts)``.

        Symbolic links, devices, and names that lead out of the archive are no files of it.
        """

        def of_tar(member, open_content):
            parts = _files.inside(member.name)
            if parts and member.isreg():
                take(parts, member.size, member.mtime, open_content)
            elif parts and member.islnk() and link and _files.inside(member.linkname):
                link(parts, _files.inside(member.linkname))

        def of_zip(member, open_content):
            parts = _files.inside(_zip_name(member))
            kind = stat.S_IFMT(member.external_attr >> 16)
            if parts and not member.filename.endswith("/") and kind in (0, stat.S_IFREG):
                take(parts, member.file_size, None, open_content)

        if _is_zip(path):
            self._read_zip(path, of_zip)
        else:
            self._read_tar(path, of_tar)

    def _read_tar(self, path, take, whole=False):
        seekable = not whole and not _streams.compression(path)
        _streams.read(self.tools, path, lambda stream: _tar.read(stream, seekable, take, self.tools.left))

    def _read_zip(self, path, take, test=False):
        left = self.tools.left
        try:
            with _files.reading(path) as stored, zipfile.ZipFile(stored) as archive:
                for member in archive.infolist():
                    if left() <= 0:
                        raise _files.TimeUp
                    if member.flag_bits & 1:
                        raise _streams.Unable("%s is encrypted; that cannot be read here." % path)
                    take(member, lambda member=member: archive.open(member))
                    if test:
                        with archive.open(member) as content:
                            _streams.drain(content, left)
        except (zipfile.BadZipFile, zlib.error, EOFError) as exc:
            raise _streams.Damaged("%s: %s" % (path, exc)) from exc
        except NotImplementedError as exc:
            raise _streams.Unable("%s: %s" % (path, exc)) from exc


def _is_zip(path):
    return _streams.head(path).startswith(_ZIP)


def _zip_name(member):
    """The name of a member; programs that say nothing of its encoding mostly mean UTF-8, which Python does not try."""
    if not member.flag_bits & _ZIP_UTF8:
        with contextlib.suppress(UnicodeError):
            return member.filename.encode("cp437").decode("utf-8")
    return member.filename


def _below(path, top):
    return path == top or path.startswith(top.rstrip("/") + "/")


def _stored(content, left):
    """Pieces of a member; what is wrong with the archive is told from what is wrong with the target."""
    try:
        yield from _files.chunks(content, left)
    except (zipfile.BadZipFile, EOFError, zlib.error) as exc:
        raise _streams.Damaged(str(exc)) from exc
