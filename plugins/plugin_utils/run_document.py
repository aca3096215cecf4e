# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the documents of a run as a whole: its header, run.json, its manifest.

Runs on the control node.
"""

from __future__ import annotations

import typing as t

from pydantic import Field

from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import State
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import (
    SCHEMA_VERSION,
    CheckInfo,
    Client,
    DatasetSummary,
    Delta,
    Grade,
    HostResult,
    Model,
    Problem,
    RunCounts,
    Timestamp,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.service.models import Agreement, ServiceRecord


class Trigger(Model):
    """Who or what started the run."""

    user: str
    controller: str
    origin: t.Literal["terminal", "timer", "awx", "unattended"]
    reference: str = ""
    approver: str = Field("", description="who answers for the run, as keepwell_approver says")
    reason: str = Field("", description="why it was started, as keepwell_reason says")
    window: str = Field("", description="the only window that it is for, as keepwell_window says")


class HoldSummary(Model):
    """A hold on a host or the whole client, as it stood at the end of the run."""

    hold_id: str
    hosts: list[str] = Field([], description="empty: the whole client")
    except_hosts: list[str] = Field([], description="hosts that a hold on the whole client has let go")
    reason: str
    by: str = Field(description="who placed it, and where")
    placed_at: Timestamp
    until: Timestamp


class TakenOver(Model):
    """The lease of another acting run that never gave it back, and why it counted for nothing any more."""

    run_id: str = Field(description="the run that held it")
    holder: str = Field(description="who had started that run, and where")
    since: Timestamp
    why: str = Field(description="one sentence for a person")


class RunHeader(Model):
    """What is known when a run begins; stays true whatever happens later."""

    run_id: str
    client: Client
    started_at: Timestamp
    population: list[str] = Field(description="every host that belongs to the run, whether it answers or not")
    absent: list[str] = Field([], description="hosts of the contract that the inventory lacks: unknown")
    uncovered: list[str] = Field([], description="hosts that no contract or plan covers: shown, not looked at")
    partial: list[str] = Field([], description="why this run does not cover everything; empty when it does")
    subset: list[str] = Field(["all"], description="probes that were asked for")
    acting: list[str] = Field([], description="chores that may change hosts in this run; empty when none may")
    playbook: str = Field("", description="name of the playbook, without folder and ending")
    entry: str = Field("", description="of keepwell_schedule; empty when a person started the run")
    targets: dict[str, float] = Field({}, description="host -> agreed availability in percent, where there is one")
    bought: dict[str, list[str]] = Field({}, description="chore -> hosts of the population whose plan has it")
    agreement: Agreement | None = Field(None, description="what was bought and said; null in runs of older versions")
    trigger: Trigger
    inventory: list[str] = Field([], description="inventory sources as given to -i")
    versions: dict[str, str] = {}
    git_commit: str | None = None
    simulated_now: bool = False
    holidays: dict[str, str] = Field({}, description="days on which work is kept back soon, as they were known then")
    process: dict[str, t.Any] = Field({}, description="controller process, to tell a running from an interrupted run")
    taken_over: TakenOver | None = Field(
        None, description="whose lease on the client's hosts this acting run took over"
    )


class PlannedPackage(Model):
    """An update that is in a plan."""

    name: str
    installed: str | None = None
    version: str
    update_class: str
    title: str = Field("", description="how Windows calls it")
    update_id: str = Field("", description="which update of Windows Update it is; version is its revision")


class PlanSummary(Model):
    """What the plan of a host comes to; the whole of it is in plans/<host>.patching.json."""

    host: str
    ring: int | None = None
    lane: t.Literal["normal", "emergency"] = "normal"
    plan_hash: str
    items: dict[str, int] = Field({}, description="updates that the policy wants, by class")
    packages: list[PlannedPackage] = Field([], description="the first of them")
    moves: int = Field(0, description="packages that would change, dependencies included")
    cves: int = Field(0, description="how many it would close")
    withheld: dict[str, int] = Field({}, description="updates that are pending and not in the plan, by code")
    reboot: t.Literal["yes", "no", "unknown"]
    reboot_text: str = ""
    reboot_left: str = Field("", description="run whose change had to leave this reboot: it is done by itself")
    services: int = Field(0, description="units that would be restarted")
    download_bytes: int | None = None
    rollback: t.Literal["yes", "partly", "no"]
    ready: bool
    obstacles: list[str] = Field([], description="what stands against doing it now")
    doubts: list[str] = Field([], description="why the list of updates cannot be believed")


class PlannedWork(Model):
    """What a chore besides patching would do on a host, in short; the whole of it is in plans/ or changes/."""

    host: str
    chore: t.Literal["antivirus", "backup_verification", "disk_cleanup"]
    text: str = Field(description="in one line")
    steps: list[str] = Field([], description="the first things it would do, in words")
    more: int = Field(0, description="how many more there are")
    ready: bool = Field(True, description="nothing stands against doing all of it")
    notes: list[str] = Field([], description="what stands against it, and what to know")


class BackupTest(Model):
    """One test of a backup that this run did; the whole of it is in backups/<host>.<dataset>.json."""

    host: str
    dataset: str
    verifier: str
    kind: str
    at: Timestamp
    outcome: str
    code: str = ""
    text: str = ""
    snapshot_at: Timestamp | None = None
    files: int | None = Field(None, description="restored")
    bytes: int | None = Field(None, description="restored, or read")
    seconds: float | None = Field(None, description="of the restore or the reading alone")
    compared: int = Field(0, description="identical with the live file, a manifest, or what a query expects")
    changed: int = Field(0, description="changed on the host since the snapshot: no mismatch")
    wrong: int = Field(0, description="mismatches and what did not come back")
    left: str = Field("", description="restored data that could not be removed")


class OutageRecord(Model):
    """A time without service, as the watch saw it; what a declared window covers of it does not count."""

    host: str
    service: str = ""
    begin: Timestamp
    end: Timestamp | None = Field(None, description="null while it lasts")
    seconds: float = Field(description="in the period")
    uncertainty_s: float = Field(description="both edges together: samples are minutes apart")
    counted_s: float = Field(description="outside of declared windows")


class AvailabilityRow(Model):
    """How much of a period a host, a service of it, or all hosts together were up."""

    host: str = Field("", description="empty: all hosts together")
    service: str = Field("", description="empty: the host itself")
    state: State
    target_percent: float | None = Field(None, description="agreed, where that is")
    period_s: float
    excluded_s: float = Field(description="in windows that were declared before they began")
    up_s: float
    down_s: float
    gap_s: float = Field(description="nobody looked, or it could not be told")
    coverage_percent: float | None = None
    observed_percent: float | None = Field(None, description="of the known time")
    pessimistic_percent: float | None = Field(None, description="gaps as down")
    optimistic_percent: float | None = Field(None, description="gaps as up")
    budget_left_s: float | None = None
    outages: int = 0
    restarts: int = 0
    note: str = ""


class Availability(Model):
    """What the watch makes of a period, host by host."""

    begin: Timestamp
    end: Timestamp
    beats: int
    rows: list[AvailabilityRow]
    outages: list[OutageRecord] = Field([], description="longest first")
    altered: list[str] = Field([], description="beats that were changed: no figure is sound then")


class MissedRun(Model):
    """A run of keepwell_schedule that did not take place, or several of one entry in a row."""

    key: str = Field(pattern=r"^[0-9a-f]{16}$")
    entry: str
    playbook: str
    act: list[str] = []
    planned_at: Timestamp = Field(description="the first")
    last_planned_at: Timestamp
    count: int = 1
    state: State = "act"
    text: str


class Waiting(Model):
    """A host that missed a chore when it was due: it has the first turn next time."""

    host: str
    chore: str
    since: Timestamp = Field(description="when it was first kept back")
    code: t.Literal["unreached", "window_closed"] = Field(description="what kept it back the last time")


class Run(Model):
    """run.json: the whole run. Every report and export is a function of this document and its templates."""

    schema_version: str = SCHEMA_VERSION
    status: t.Literal["running", "complete", "interrupted"]
    header: RunHeader
    ended_at: Timestamp | None = None
    data_as_of: Timestamp | None = Field(None, description="oldest host measurement")
    verdict: str = Field("", description="one sentence")
    counts: RunCounts | None = None
    grade: Grade | None = None
    checks: list[CheckInfo] = []
    hosts: list[HostResult] = []
    problems: list[Problem] = []
    delta: Delta | None = None
    backups: list[DatasetSummary] = Field([], description="every declared dataset, by host and id")
    backup_tests: list[BackupTest] = Field([], description="what was read and restored in this run")
    plans: list[PlanSummary] = Field([], description="what patching would do, by host")
    planned_work: list[PlannedWork] = Field([], description="what the other chores would do, by host")
    changes: list[ChangeRecord] = Field([], description="what was done; the log stays in changes/ where all went well")
    waiting: list[Waiting] = Field([], description="who missed what, the longest first; from the change records")
    holds: list[HoldSummary] = Field([], description="what a person keeps back, at the end of the run")
    expired_holds: list[HoldSummary] = Field([], description="holds that ended by themselves since the last run")
    service: ServiceRecord | None = Field(None, description="what the client got before; null for a cut off run")
    interrupted_runs: list[str] = Field([], description="earlier runs that never ended; their evidence counts")
    altered_evidence: list[str] = Field([], description="evidence of the run before that was changed; no grade then")
    missed_runs: list[MissedRun] = Field([], description="of keepwell_schedule, since the previous complete run")
    availability: Availability | None = Field(None, description="of the 30 days before; null without a watch")


class ManifestFile(Model):
    """One file of the evidence."""

    sha256: str
    size: int


class Manifest(Model):
    """manifest.json: seals a run's files and chains them to the previous run."""

    schema_version: str = SCHEMA_VERSION
    run_id: str
    client: str
    seq: int = Field(ge=1)
    previous_run_id: str | None
    previous_manifest_sha256: str | None
    status: t.Literal["complete", "interrupted"]
    started_at: Timestamp
    ended_at: Timestamp
    population_sha256: str
    partial: list[str]
    playbook: str = ""
    entry: str = ""
    acting: list[str] = []
    files: dict[str, ManifestFile]
    signed_by: str | None = Field(None, description="identity whose signature is in manifest.json.sig")
    unsigned: str = Field("", description="why there is no signature, although one was wanted")
    deleted: dict[str, list[str]] = Field(
        {}, description="run -> its files that were deleted with this run: their time was over"
    )
