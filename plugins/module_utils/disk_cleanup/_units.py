# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: folders that are one thing, as kdump makes one for every crash: all of one goes, or none.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import os

from ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup import _bases, _engine
from ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup._account import Stopped


class UnitWalk(_engine.Walk):
    """A walk whose selector also says which folders are units (``is_unit``) and why one stays (``judge_unit``)."""

    def _folders(self, folder, path, depth, folders):
        units = [entry for entry in folders if self.selector.is_unit(path, entry[0])]
        rest = [entry for entry in folders if entry not in units]
        gone = super(UnitWalk, self)._folders(folder, path, depth, rest)
        seen = [entry for entry in (self._seen(folder, path, name, info) for name, info in units) if entry]
        seen.sort(key=lambda entry: entry[:2])
        for _when, name, info, files in self.selector.choose(path, seen, self.account):
            gone += self._unit(folder, path + "/" + name, name, info, files)
        return gone

    def _seen(self, parent, path, name, info):
        """(When it was written last, name, what it is, [(file, what it is)]) of a unit that may go; None of others."""
        folder = self._opened(parent, name, info)
        if folder is None:
            return None
        try:
            files = [(entry, _engine.look(entry, folder)) for entry in sorted(os.listdir(folder))]
        finally:
            os.close(folder)
        files = [(entry, found) for entry, found in files if found is not None]
        if not files:
            return None
        word = self.selector.judge_unit(info, files) or next(
            (word for word in (self._against(found, found) for _entry, found in files) if word), ""
        )
        if word:
            self.account.skip(word)
            return None
        return max(max(found.st_mtime, found.st_ctime) for _entry, found in files), name, info, files

    def _opened(self, parent, name, info):
        try:
            folder = _bases.enter(name, parent)
        except OSError as exc:
            self.account.skip(_engine.REASONS.get(exc.errno, "error"))
            return None
        now = os.fstat(folder)
        if (now.st_dev, now.st_ino) == (info.st_dev, info.st_ino) and self._is_here(folder, now):
            return folder
        os.close(folder)
        self.account.skip("mount" if now.st_dev != self._device else "changed")
        return None

    def _unit(self, parent, path, name, info, files):
        """Let all of a unit go; return 1 when it went (or would have gone). Work that is over ends between units."""
        self._end_of_work()
        if self.target.reached():
            if self.act:
                raise Stopped("target")
            self.account.stopped = "target"
            self.account.rest_files += len(files)
            self.account.rest_bytes += sum(found.st_blocks * 512 for _file, found in files)
            return 0
        folder = self._opened(parent, name, info)
        if folder is None:
            return 0
        try:
            gone = [self._take(folder, path + "/" + entry, entry, found) for entry, found in files]
        finally:
            os.close(folder)
        return self._remove_folder(parent, path, name, info, wanted=True) if all(gone) else 0

    def _take(self, folder, path, name, info):
        again = _engine.look(name, folder)
        reason = self._against(again, info)
        if reason:
            self.account.skip(reason)
            return False
        return self._gone(folder, path, name, again)
