# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: findings from run to run: when each was found, and when and how it ended. Pure.

The rules are those of the history index: a host that is silent, or a check that could not look, ends nothing.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Mapping, Sequence

from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import SEVERITY, Pillar
from ansible_collections.keepwell.fleet.plugins.plugin_utils.counting import OPEN_STATES
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import CheckInfo, Finding, HostResult
from ansible_collections.keepwell.fleet.plugins.plugin_utils.period.models import Track
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import Run

# Which chore can mend what a pillar finds.
MENDS: Mapping[str, str] = {
    "patching": "patching",
    "antivirus": "antivirus",
    "capacity": "disk_cleanup",
    "backup": "backup_verification",
}
# Who starts a run that nobody started by hand.
UNATTENDED = ("timer", "awx", "unattended")


def scheduled(run: Run) -> bool:
    """True for a run that the schedule started."""
    return bool(run.header.entry) or run.header.trigger.origin in UNATTENDED


def ended(run: Run) -> str:
    """When a run ended; for one that never did, when it began."""
    return run.ended_at or run.header.started_at


class Tracker:
    """Follows findings through runs, which come in the order of their chain."""

    def __init__(self) -> None:
        self._open: dict[str, dict[str, Track]] = {}
        self._ended: list[Track] = []
        self._done: dict[tuple[str, str], list[ChangeRecord]] = {}

    def tracks(self) -> list[Track]:
        """All findings so far, by host, check, object and first sight."""
        found = [*self._ended, *(track for mine in self._open.values() for track in mine.values())]
        return sorted(found, key=lambda track: (track.host, track.check, track.object, track.first_seen))

    def baseline(self, run: Run) -> None:
        """Take what was open before the period; its runs found none of it."""
        self._look(run, run_id="")

    def add(self, run: Run) -> None:
        """Follow one run of the period."""
        for record in run.changes:
            if record.outcome == "done":
                self._done.setdefault((record.host, record.chore), []).append(record)
        self._look(run, run_id=run.header.run_id)
        if run.status == "complete" and not run.header.partial:
            belongs = {host.host for host in run.hosts}
            for gone in [host for host in self._open if host not in belongs]:
                for track in list(self._open[gone].values()):
                    self._end(track, run, "left")

    def _look(self, run: Run, run_id: str) -> None:
        checks = {info.id: info for info in run.checks}
        for host in run.hosts:
            found: dict[str, tuple[str, Finding]] = {}
            for result in host.results:
                # Of a silent host only what was judged without it counts.
                if result.check in checks and (host.contact.reached or result.state != "unknown"):
                    found.update({finding.key: (result.check, finding) for finding in result.findings})
            self._end_missing(run, host, found)
            for check, finding in found.values():
                if finding.state in OPEN_STATES:
                    self._note(run, run_id, host.host, checks[check], finding)

    def _end_missing(self, run: Run, host: HostResult, found: Mapping[str, tuple[str, Finding]]) -> None:
        """End what a check that could look does not find any more."""
        looked = {result.check for result in host.results if result.state != "unknown"}
        looked |= set(host.not_applicable) if host.contact.reached else set()
        for track in list(self._open.get(host.host, {}).values()):
            now = found.get(track.key)
            if now is None and track.check in looked:
                self._end(track, run, "gone")
            elif now is not None and now[1].state == "accepted":
                self._end(track, run, "accepted")

    def _note(self, run: Run, run_id: str, host: str, check: CheckInfo, finding: Finding) -> None:
        at = ended(run)
        mine = self._open.setdefault(host, {})
        track = mine.get(finding.key)
        if track is None:
            new = bool(run_id) and finding.first_seen >= run.header.started_at
            track = mine[finding.key] = Track(
                key=finding.key,
                host=host,
                check=check.id,
                pillar=check.pillar,
                title=check.title,
                object=finding.object,
                state=finding.state,
                first_seen=finding.first_seen,
                found_run=run_id if new else "",
                scheduled=new and scheduled(run),
                last_seen=at,
            )
        track.state = max(track.state, finding.state, key=SEVERITY.index)
        track.observed, track.deadline = finding.observed, finding.deadline or track.deadline
        track.since = min(filter(None, (track.since, finding.since)), default=None)
        track.last_seen = at

    def _end(self, track: Track, run: Run, how: t.Literal["gone", "accepted", "left"]) -> None:
        track.ended, track.ended_at, track.ended_run = how, ended(run), run.header.run_id
        mending = self._done.get((track.host, MENDS.get(track.pillar, "")), []) if how == "gone" else []
        after = [record for record in mending if (record.ended_at or record.started_at) >= track.first_seen]
        if after:
            last = max(after, key=lambda record: record.started_at)
            track.change_run, track.change_at = last.run_id, last.ended_at or last.started_at
        self._ended.append(self._open[track.host].pop(track.key))


class Flow(t.NamedTuple):
    """How many findings of a pillar: ``before + new == closed + open``, always."""

    pillar: Pillar
    before: int
    new: int
    scheduled: int
    closed: int
    changed: int
    accepted: int
    open: int


def flows(tracks: Iterable[Track], begin: str, pillars: Sequence[Pillar]) -> list[Flow]:
    """Return what came and went, a row a pillar that has any; ``begin`` is that of the period."""
    by_pillar: dict[Pillar, list[Track]] = {}
    for track in tracks:
        by_pillar.setdefault(track.pillar, []).append(track)
    return [flow(pillar, by_pillar[pillar], begin) for pillar in pillars if pillar in by_pillar]


def flow(pillar: Pillar, tracks: Sequence[Track], begin: str) -> Flow:
    """Return what came and went of some findings. ``changed`` and ``accepted`` are among ``closed``."""
    new = [track for track in tracks if track.first_seen >= begin]
    closed = [track for track in tracks if track.ended]
    return Flow(
        pillar=pillar,
        before=len(tracks) - len(new),
        new=len(new),
        scheduled=sum(track.scheduled for track in new),
        closed=len(closed),
        changed=sum(bool(track.change_run) for track in closed),
        accepted=sum(track.ended == "accepted" for track in closed),
        open=len(tracks) - len(closed),
    )
