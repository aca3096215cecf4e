# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: runs put together to a period. Pure: whoever reads gives one at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ansible_collections.keepwell.fleet.plugins.plugin_utils import counting
from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import Client
from ansible_collections.keepwell.fleet.plugins.plugin_utils.period.models import (
    ChangeEntry,
    ExceptionEntry,
    HostEntry,
    Period,
    RestoreEntry,
    RunEntry,
    Standing,
    TakeOver,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.period.tracking import Tracker, ended
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import HoldSummary, Manifest, Run


class Collector:
    """Takes the runs of a period in the order of their chain and gives what they come to."""

    def __init__(self, baseline: Run | None = None) -> None:
        """``baseline`` is the last whole run before the period: what was open when it began."""
        self.last: Run | None = None
        self._tracker = Tracker()
        if baseline is not None:
            self._tracker.baseline(baseline)
        self._runs: list[RunEntry] = []
        self._hosts: dict[str, HostEntry] = {}
        self._exceptions: dict[str, dict[tuple[str, str], ExceptionEntry]] = {}
        self._restores: dict[tuple[str, ...], RestoreEntry] = {}
        self._changes: dict[tuple[str, ...], ChangeEntry] = {}
        self._holds: dict[str, HoldSummary] = {}

    def add(self, run: Run, manifest: Manifest | None = None, head: str = "") -> None:
        """Take a run whose evidence is as it was. One without ``manifest`` is not sealed."""
        self._runs.append(_entry(run, manifest, head))
        if self.last is None or _is_whole(run) or not _is_whole(self.last):
            self.last = run
        self._tracker.add(run)
        for host in run.hosts:
            entry = self._hosts.setdefault(host.host, HostEntry(host=host.host, standing="never"))
            entry.asked += 1
            entry.answered += host.contact.reached
            entry.first_at = entry.first_at or run.header.started_at
            if host.contact.reached:
                entry.last_at = host.collected_at or ended(run)
            else:
                entry.reason = host.contact.reason
        self._note_exceptions(run)
        for test in run.backup_tests:
            key = (test.host, test.dataset, test.kind, test.at)
            self._restores[key] = RestoreEntry.model_validate({**test.model_dump(), "run_id": run.header.run_id})
        for record in run.changes:
            self._note_change(record)
        self._holds.update({hold.hold_id: hold for hold in [*run.expired_holds, *run.holds]})

    def add_unread(self, manifest: Manifest, head: str, altered: Sequence[str], *, deleted: bool) -> None:
        """Take a run whose evidence was changed or deleted: it is told, and its numbers are not used."""
        self._runs.append(
            RunEntry(
                run_id=manifest.run_id,
                seq=manifest.seq,
                status=manifest.status,
                started_at=manifest.started_at,
                ended_at=manifest.ended_at,
                playbook=manifest.playbook,
                entry=manifest.entry,
                acting=manifest.acting,
                partial=manifest.partial,
                head=head,
                signed_by=manifest.signed_by or "",
                unsigned=manifest.unsigned,
                altered=list(altered),
                deleted=deleted,
            )
        )

    def period(self, client: Client, begin: str, end: str, first_day: str, last_day: str) -> Period:
        """Return the period of these moments (UTC) and days; what needs more than runs is added by whoever reads."""
        exceptions = [entry for mine in self._exceptions.values() for entry in mine.values()]
        return Period(
            client=client,
            begin=begin,
            end=end,
            first_day=first_day,
            last_day=last_day,
            runs=self._runs,
            hosts=list(self._population()),
            tracks=self._tracker.tracks(),
            exceptions=sorted(exceptions, key=lambda entry: (entry.expires, entry.host, entry.check, entry.object)),
            restores=sorted(self._restores.values(), key=lambda entry: (entry.at, entry.host, entry.dataset)),
            changes=sorted(
                self._changes.values(), key=lambda entry: (entry.started_at, entry.host, entry.chore, entry.run_id)
            ),
            holds=sorted(self._holds.values(), key=lambda hold: (hold.placed_at, hold.hold_id)),
            takeovers=[
                TakeOver(run_id=run.run_id, at=run.started_at, taken=run.taken_over)
                for run in self._runs
                if run.taken_over
            ],
        )

    def _note_exceptions(self, run: Run) -> None:
        titles = {info.id: info.title for info in run.checks}
        at = ended(run)
        for host in run.hosts:
            looked = {result.check for result in host.results if host.contact.reached or result.state != "unknown"}
            mine = self._exceptions.setdefault(host.host, {})
            for entry in mine.values():
                entry.standing = entry.standing and entry.check not in looked
            for result in host.results:
                for finding in result.findings:
                    decision = finding.accepted
                    if finding.state != "accepted" or decision is None:
                        continue
                    known = mine.get((finding.key, decision.expires))
                    mine[finding.key, decision.expires] = ExceptionEntry(
                        host=host.host,
                        check=result.check,
                        title=titles.get(result.check, result.check),
                        object=finding.object,
                        underlying=decision.underlying,
                        reason=decision.reason,
                        approver=decision.approver,
                        expires=decision.expires,
                        first_at=known.first_at if known else at,
                        last_at=at,
                        standing=True,
                    )

    def _note_change(self, record: ChangeRecord) -> None:
        """Keep every change once: what a later run brought to its end is told as that run left it."""
        key = (record.host, record.chore, record.transaction or record.run_id)
        self._changes.pop(key, None)
        self._changes[key] = ChangeEntry(
            run_id=record.run_id,
            host=record.host,
            chore=record.chore,
            outcome=record.outcome,
            code=record.code,
            text=record.text,
            started_at=record.started_at,
            ended_at=record.ended_at,
            lane=record.lane,
            emergency=record.emergency,
            approver=record.approver,
            ticket=record.ticket,
            window=record.window,
            packages=len(record.versions),
            cves=len(record.cves),
            rebooted=bool(record.reboot and record.reboot.done),
        )

    def _population(self) -> Iterable[HostEntry]:
        """Yield every host with how it stands by the last whole run."""
        last = self.last
        now = {host.host: host.contact.reached for host in last.hosts} if last else {}
        absent = set(last.header.absent) if last else set()
        uncovered = [host for host in last.header.uncovered if host not in now] if last else []
        for name in uncovered:
            self._hosts.setdefault(name, HostEntry(host=name, standing="uncovered"))
        for name in sorted(self._hosts):
            entry = self._hosts[name]
            standing: Standing = "measured" if now.get(name) else "silent" if entry.answered else "never"
            if name in uncovered:
                standing = "uncovered"
            elif name in absent:
                standing = "absent"
            elif name not in now:
                standing = "left"
            yield entry.model_copy(update={"standing": standing})


def of_run(run: Run, head: str = "") -> Period:
    """Return a single run as a period of its own."""
    collector = Collector()
    collector.add(run, head=head)
    begin, end = run.header.started_at, ended(run)
    found = collector.period(run.header.client, begin, end, begin[:10], end[:10])
    found.missed, found.availability = run.missed_runs, run.availability
    return found


def _is_whole(run: Run) -> bool:
    return run.status == "complete" and not run.header.partial


def _entry(run: Run, manifest: Manifest | None, head: str) -> RunEntry:
    about = run.header
    return RunEntry(
        run_id=about.run_id,
        seq=manifest.seq if manifest else 0,
        status=run.status,
        started_at=about.started_at,
        ended_at=ended(run),
        playbook=about.playbook,
        entry=about.entry,
        acting=about.acting,
        partial=about.partial,
        trigger=about.trigger,
        population=len(about.population),
        answered=sum(host.contact.reached for host in run.hosts),
        counts=counting.count_run(run.hosts),
        grade=run.grade,
        head=head,
        signed_by=(manifest.signed_by or "") if manifest else "",
        unsigned=manifest.unsigned if manifest else "",
        taken_over=about.taken_over,
        simulated_now=about.simulated_now,
    )
