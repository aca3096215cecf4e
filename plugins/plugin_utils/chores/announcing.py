# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: print what a chore would do on all hosts as one text, and keep it in the run's folder.

A run of several chores has one text: each adds its own. Runs on the control node.
"""

from __future__ import annotations

import time
import typing as t
from pathlib import Path

from ansible_collections.keepwell.fleet.plugins.plugin_utils import settings
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.work import run_of
from ansible_collections.keepwell.fleet.plugins.plugin_utils.control_action import ControlAction, keepwell_variables
from ansible_collections.keepwell.fleet.plugins.plugin_utils.evidence import Store
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import RunHeader

FILE = "announcement.txt"


class Run(t.NamedTuple):
    """The run that is announced, at the time to judge by."""

    store: Store
    run_id: str
    header: RunHeader
    now: float
    chore: str

    @property
    def acting(self) -> bool:
        """True when it is about to be done."""
        return self.chore in self.header.acting

    def missing(self, hosts: t.Iterable[str]) -> list[str]:
        """Hosts that the chore is for, or all of the run, of which nothing is told."""
        return sorted(set(self.header.bought.get(self.chore) or self.header.population) - set(hosts))


class AnnounceAction(ControlAction):
    """The announcement of a chore. Subclasses say which, and implement ``announce``."""

    CHORE: t.ClassVar[str]

    def work(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return where the text is."""
        own = keepwell_variables(self._templar, task_vars)
        now, _simulated = settings.now(own, time.time())
        store, run_id = run_of(own, task_vars)
        text, summary = self.announce(Run(store, run_id, store.read_run(run_id).header, now, self.CHORE))
        path = keep(store, run_id, text)
        self._display.display(text.rstrip("\n"))
        return {"changed": False, "path": str(path), "msg": summary}

    def announce(self, run: Run) -> tuple[str, str]:
        """Return the text, and one sentence. Raises EvidenceError when an earlier step is missing."""
        raise NotImplementedError


def keep(store: Store, run_id: str, text: str) -> Path:
    """Add the announcement of a chore to that of its run and return where it is."""
    before = store.read_document(run_id, FILE)
    parts = [part for part in ((before or b"").decode("utf-8"), text) if part]
    return store.write_document(run_id, FILE, "\n".join(parts).encode("utf-8"))
