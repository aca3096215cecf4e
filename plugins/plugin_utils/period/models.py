# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what the evidence of a period comes to. Reports of a period are made of it alone.

Times are UTC; ``begin`` belongs to the period, ``end`` does not. Runs on the control node.
"""

from __future__ import annotations

import typing as t

from pydantic import Field

from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import Chore, Outcome
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import Pillar, State
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import (
    SCHEMA_VERSION,
    Client,
    Grade,
    Model,
    RunCounts,
    Timestamp,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import (
    Availability,
    BackupTest,
    HoldSummary,
    MissedRun,
    TakenOver,
    Trigger,
)

# measured: it answered in the last whole run. silent: not then, but before. never: not once. left: it answered once and
# belongs to the client no more. absent: the contract has it, the inventory has not. uncovered: no plan or contract
# covers it, so nobody was to look.
Standing = t.Literal["measured", "silent", "never", "left", "absent", "uncovered"]


class RunEntry(Model):
    """One run of the period. What its evidence says is left out where that was changed or deleted."""

    run_id: str
    seq: int = Field(0, description="place in the chain; 0 for a run that is not sealed")
    status: str
    started_at: Timestamp
    ended_at: Timestamp
    playbook: str = ""
    entry: str = ""
    acting: list[str] = []
    partial: list[str] = []
    trigger: Trigger | None = None
    population: int = 0
    answered: int = 0
    counts: RunCounts | None = None
    grade: Grade | None = None
    head: str = Field("", description="SHA-256 of its manifest")
    signed_by: str = ""
    unsigned: str = ""
    taken_over: TakenOver | None = None
    simulated_now: bool = False
    altered: list[str] = Field([], description="what of its evidence was changed; its numbers are not used then")
    deleted: bool = Field(False, description="its evidence was deleted because its time was over")

    @property
    def whole(self) -> bool:
        """True when it ended, covered everything, and its evidence is there as it was."""
        return self.status == "complete" and not self.partial and self.counts is not None


class HostEntry(Model):
    """One host of the period: was it to be looked at, and was it."""

    host: str
    standing: Standing
    asked: int = Field(0, description="runs that it belonged to")
    answered: int = Field(0, description="of these, runs that it answered")
    first_at: Timestamp | None = None
    last_at: Timestamp | None = Field(None, description="when it answered last")
    reason: str = Field("", description="why it did not answer the last time that it did not")


class Track(Model):
    """One finding from its first sight to its end. Begun before the period: ``found_run`` is empty."""

    key: str
    host: str
    check: str
    pillar: Pillar
    title: str
    object: str = ""
    state: State = Field(description="the worst that it was")
    observed: str = ""
    first_seen: Timestamp
    since: Timestamp | None = None
    deadline: Timestamp | None = None
    found_run: str = ""
    scheduled: bool = Field(False, description="a run that nobody started by hand found it")
    last_seen: Timestamp
    ended: t.Literal["", "gone", "accepted", "left"] = ""
    ended_at: Timestamp | None = None
    ended_run: str = ""
    change_run: str = Field("", description="run whose change came between: the last one of the chore that can mend it")
    change_at: Timestamp | None = None


class ExceptionEntry(Model):
    """A finding that somebody decided to live with, as runs of the period saw it."""

    host: str
    check: str
    title: str
    object: str = ""
    underlying: State
    reason: str
    approver: str
    expires: str
    first_at: Timestamp = Field(description="first run of the period that had it")
    last_at: Timestamp
    standing: bool = Field(description="the last run that looked still had it")


class RestoreEntry(BackupTest):
    """A test of a backup and the run that did it."""

    run_id: str


class ChangeEntry(Model):
    """What was done on a host, in short; all of it is in changes/ of its run."""

    run_id: str
    host: str
    chore: Chore
    outcome: Outcome
    code: str = ""
    text: str = ""
    started_at: Timestamp
    ended_at: Timestamp | None = None
    lane: str = "normal"
    emergency: str = ""
    approver: str = ""
    ticket: str = ""
    window: str = ""
    packages: int = 0
    cves: int = 0
    rebooted: bool = False


class TakeOver(Model):
    """A run that took over the lease of another."""

    run_id: str
    at: Timestamp
    taken: TakenOver


class Period(Model):
    """All of it."""

    schema_version: str = SCHEMA_VERSION
    client: Client
    begin: Timestamp
    end: Timestamp
    first_day: str = Field(description="of the client's calendar")
    last_day: str
    open_end: bool = Field(False, description="the period is not over: it ends with its newest run")
    runs: list[RunEntry] = Field(description="in the order of the chain")
    hosts: list[HostEntry] = Field([], description="by name")
    tracks: list[Track] = Field([], description="by host, check and object")
    exceptions: list[ExceptionEntry] = Field([], description="the first to expire first")
    restores: list[RestoreEntry] = Field([], description="by time")
    changes: list[ChangeEntry] = Field([], description="by time")
    holds: list[HoldSummary] = Field([], description="by time of placing")
    takeovers: list[TakeOver] = []
    missed: list[MissedRun] = []
    availability: Availability | None = None
    broken: list[str] = Field([], description="where the chain does not hold")
