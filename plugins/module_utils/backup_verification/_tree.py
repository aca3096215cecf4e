# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: a mirror on a folder (rsync, robocopy to a share): one tree, or one for each date.

Options, besides those of _folders.py: ``marker`` (file in the tree that the job writes last; its text may be the time
when the copy began: epoch seconds, or ISO 8601 with a zone), ``pattern`` (strftime form of the names of dated folders),
``utc`` (their times are UTC, not the host's own). The newest file of a tree tells nothing of when it was made.
Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import os

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import _files, _folders, _place


class Tree(_folders.Folders):
    """Plain folders of files."""

    NAME = "tree"

    def entries(self, repository):
        marker = self.options.get("marker")
        pattern = self.options.get("pattern")
        if pattern:
            return self._dated(repository, pattern, marker)
        if not marker:
            return [], "Neither options.marker nor options.pattern is declared: nothing says when this copy was made."
        begun, ended = self._marked(repository, marker)
        if begun is None:
            return [], "The marker %s is missing: the job has not come to its end." % marker
        entry = {"id": _place.iso(begun), "path": repository, "time": begun, "end": ended, "complete": True}
        return [entry], ""

    def _dated(self, repository, pattern, marker):
        found = []
        for name in self.machine.listdir(repository):
            path = os.path.join(repository, name)
            if os.path.islink(path) or not os.path.isdir(path):
                continue
            begun, ended = self._marked(path, marker) if marker else (None, None)
            moment = _place.time_of(name, ended, pattern, bool(self.options.get("utc")))
            if moment is None:
                continue
            entry = {"id": name, "path": path, "time": begun if begun is not None else moment, "end": ended}
            found.append(dict(entry, complete=None if not marker else begun is not None))
        found.sort(key=lambda entry: (entry["time"], entry["id"]))
        if not found:
            return [], "No folder in it has a name like %s." % pattern
        lacking = [entry["id"] for entry in found if entry["complete"] is False]
        return found, "Without the marker %s: %s." % (marker, ", ".join(lacking[-3:])) if lacking else ""

    def _marked(self, folder, marker):
        """(begin, end) by the marker; (None, None) when it is not there."""
        parts = _files.inside(marker)
        try:
            with _files.folder_of(folder, parts) as descriptor, _files.reading(parts[-1], descriptor) as stream:
                ended = os.fstat(stream.fileno()).st_mtime
                begun = _place.written_time(stream.read(100).decode("utf-8", "replace"))
        except (OSError, TypeError):
            return None, None
        return (ended if begun is None else begun), ended
