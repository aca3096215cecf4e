# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: which driver serves a tool, and how it is put together.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import os
import time

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import (
    _archive,
    _borg,
    _kopia,
    _memory,
    _mysql_dump,
    _pg_dump,
    _pgbackrest,
    _restic,
    _rsnapshot,
    _server,
    _tools,
    _tree,
)
from ansible_collections.keepwell.fleet.plugins.module_utils.chores import _commands
from ansible_collections.keepwell.fleet.plugins.module_utils.chores._errors import AgentError

_ALL = (
    _restic.Restic,
    _borg.Borg,
    _kopia.Kopia,
    _rsnapshot.Rsnapshot,
    _tree.Tree,
    _archive.Archive,
    _pg_dump.PgDump,
    _mysql_dump.MysqlDump,
    _pgbackrest.PgBackRest,
)
DRIVERS = dict((driver.NAME, driver) for driver in _ALL)
# Each is told a folder into which data was restored, before that is removed: servers that run in it are ended, and what
# let their user through is shut.
ENDERS = (_server.end_server, _server.shut)
# Between two looks at how large a cache is.
_LOOK_PAUSE_S = 0.5
_LESS = "Verify it from a host with more memory; restic can do without (options: {cache: false})."
# A declaration leaves out what it does not say.
_LISTS = ("sources", "hosts", "tags", "expected_paths", "unwanted_paths", "queries", "jobs")


class QuietCommands(_commands.Commands):
    """Commands whose words stay in memory; what goes to the log on disk has no secrets."""

    def __init__(self, machine, folder, end, scrubber, log_folder, tell=None):
        """``folder`` is in memory, and what is in it is bounded; ``log_folder`` None keeps no log."""
        super(QuietCommands, self).__init__(machine, folder, end, tell)
        self.log_folder = log_folder
        self._scrubber = scrubber
        self._room = _memory.room(machine)
        self._next_look = 0.0
        self._full = False

    def _too_much(self):
        if not self._full and time.monotonic() > self._next_look:
            self._next_look = time.monotonic() + _LOOK_PAUSE_S
            self._full = _memory.taken(self.folder) > self._room
        return self._full

    def _ended(self, status, rc, out):
        """As of all commands. Raises AgentError (cache_full): without its cache the tool does not go on."""
        if self._full:
            text = "The cache of the tool outgrew the %d MiB of memory that Keepwell takes of this host for it. %s"
            raise AgentError("cache_full", text % (self._room // 1024 // 1024, _LESS))
        return super(QuietCommands, self)._ended(status, rc, out)

    def learn(self, secrets):
        """Keep these out of the log, and out of what is returned by whoever has the same scrubber."""
        self._scrubber.learn(secrets)

    def _write(self, text):
        if self.log_folder is not None:
            super(QuietCommands, self)._write(self._scrubber.text(text))


def find(tool):
    """The driver class of a tool. Raises AgentError when there is none."""
    if tool not in DRIVERS:
        raise AgentError("not_supported", "%s cannot be verified from this host." % tool)
    return DRIVERS[tool]


def make(commands, dataset, environment, scratch):
    """The driver of a dataset; ``scratch`` is an empty folder of our own for caches."""
    driver = find(dataset["tool"])
    whole = dict(dict((name, []) for name in _LISTS), options={}, canary=None)
    return driver(_tools.Tools(commands, driver.ALLOWED, environment, scratch), dict(whole, **dataset))


def end_servers(folder):
    """End throw-away servers that run in a folder of ours."""
    if os.path.isdir(folder):
        for end in ENDERS:
            end(folder)
