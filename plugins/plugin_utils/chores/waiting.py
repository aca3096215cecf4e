# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: hosts that missed a chore when it was due, and are first in line next time. Pure.

Nothing is remembered for it but the change records: a host waits as long as the newest of them say that it was kept
back by being away or by the clock.
"""

from __future__ import annotations

import typing as t
from collections.abc import Collection, Iterable, Mapping, Sequence

from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord, Outcome
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import epoch, iso
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import Waiting

# The host was away, or the clock was against it, be it in the middle: nothing is wrong, and the work is still due.
CODES = ("unreached", "window_closed")
# Of these nobody learns whether the chore is still due: nothing was to be done then.
_SILENT: tuple[Outcome, ...] = ("planned", "released")


class Ending(t.NamedTuple):
    """How a chore ended on a host, and when it began (epoch)."""

    host: str
    chore: str
    outcome: str
    code: str
    at: float


def ending(record: ChangeRecord) -> Ending:
    """Return what counts here of a change."""
    return Ending(record.host, record.chore, record.outcome, record.code, epoch(record.started_at))


def waiting(endings: Iterable[Ending], bought: Mapping[str, Collection[str]]) -> list[Waiting]:
    """Return who waits for what, the longest first.

    ``bought`` names for each chore the hosts whose plan has it: nobody waits for what is not bought.
    """
    since: dict[tuple[str, str], Ending] = {}
    newest: dict[tuple[str, str], Ending] = {}
    for entry in sorted(endings, key=lambda entry: entry.at):
        key = (entry.chore, entry.host)
        if entry.outcome in _SILENT or entry.host not in bought.get(entry.chore, ()):
            continue
        if entry.outcome in ("skipped", "done") and entry.code in CODES:
            since.setdefault(key, entry)
            newest[key] = entry
        else:
            since.pop(key, None)
    found = [
        Waiting(host=host, chore=chore, since=iso(first.at), code=newest[chore, host].code)
        for (chore, host), first in since.items()
    ]
    return sorted(found, key=lambda entry: (entry.since, entry.host, entry.chore))


def turns(hosts: Sequence[str], first: Collection[str]) -> list[list[str]]:
    """Return hosts in the order in which they have their turn: those that wait, then the others."""
    ahead = [host for host in hosts if host in first]
    return [turn for turn in (ahead, [host for host in hosts if host not in first]) if turn]
