# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what the documents that cross a border are made of, and the evidence of a host.

Their JSON Schemas are generated into docs/schemas. Times are UTC, ISO 8601 with second precision and ``Z``.
Runs on the control node.
"""

from __future__ import annotations

import functools
import typing as t
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, Field

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import Pillar, State

SCHEMA_VERSION = "1.0"
Timestamp = t.Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]


def iso(seconds: float) -> str:
    """Return epoch seconds as ``2026-11-23T02:27:00Z``."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# The same few moments stand in thousands of findings.
@functools.lru_cache(maxsize=8192)
def epoch(timestamp: str) -> float:
    """Return epoch seconds of such a timestamp."""
    return datetime.strptime(timestamp, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()


class Model(BaseModel):
    """A document or a part of one. Unknown fields are refused, so that a typo or a newer file is noticed."""

    model_config = ConfigDict(extra="forbid")


class Client(Model):
    """Whose machines these are."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")
    name: str
    timezone: str = "UTC"
    locale: str = "en"


class Acceptance(Model):
    """A human's decision to live with a finding until a date."""

    reason: str
    approver: str
    expires: str = Field(pattern=r"^\d{4}-\d\d-\d\d$")
    underlying: State = Field(description="the state the finding would have without this decision")


class Finding(Model):
    """One judged fact about one object of one host."""

    key: str = Field(pattern=r"^[0-9a-f]{16}$", description="stable: hash of client, host, check and object")
    object: str = ""
    state: State
    observed: str = ""
    expected: str = ""
    summary: str = ""
    advice: str = Field("", description="only where it differs from the check's own advice")
    command: str = Field("", description="what to run on the host next")
    first_seen: Timestamp = Field(description="when Keepwell first saw this finding, without a break since")
    since: Timestamp | None = Field(None, description="when it began by the host's or vendor's own account")
    age_basis: str = ""
    deadline: Timestamp | None = None
    accepted: Acceptance | None = None
    data: dict[str, t.Any] = {}


class CheckResult(Model):
    """What one check says of one host: the unit that every count adds up. ``observed`` tells it in one line."""

    check: str
    state: State
    observed: str = ""
    findings: list[Finding] = Field([], description="every object that is not ok; empty when all are")


class HostFacts(Model):
    """What a reader wants to know of a host at a glance; null where it could not be observed."""

    os: str | None = None
    os_id: str | None = None
    os_version: str | None = None
    kernel: str | None = None
    architecture: str | None = None
    virtualization: str | None = None
    uptime_s: float | None = None
    cpus: int | None = None
    memory_bytes: int | None = None
    python: str | None = None
    powershell: str | None = Field(None, description="of Windows hosts, which need no Python")


class Contact(Model):
    """How the host was reached."""

    reached: bool
    reason: str = Field("", description="why there is no observation; empty when there is one")
    transport: str = Field("", description="stream (payload over the connection) or module (fallback)")
    privileged: bool = False
    become_refused: str = ""
    seconds: float = 0.0
    clock_offset_s: float | None = Field(None, description="host clock ahead of control node; null if not measured")


class ProbeSummary(Model):
    """How well one probe did: the per-host account of what we do not know."""

    status: t.Literal["ok", "error", "timeout", "absent", "denied"]
    detail: str = ""
    duration_s: float = 0.0
    sources: dict[str, str] = Field({}, description="sources that were not ok: name -> status and detail")


class HostResult(Model):
    """Everything judged about one host."""

    host: str
    groups: list[str] = []
    state: State
    contact: Contact
    collected_at: Timestamp | None = None
    facts: HostFacts = HostFacts()
    probes: dict[str, ProbeSummary] = {}
    results: list[CheckResult]
    not_applicable: list[str] = Field([], description="checks that do not apply here; outside every count")


class DatasetSummary(Model):
    """One dataset of a host as reports show it: five verdicts, never blended, and the numbers behind them."""

    host: str
    dataset: str
    protects: str
    tool: str
    verifier: str = Field(description="host that verifies it")
    repository_key: str
    freshness: State
    completeness: State
    integrity: State
    restorability: State
    survivability: State
    looked_at: Timestamp | None = None
    data_age_s: float | None = Field(None, description="age of the newest snapshot at the time of judgement")
    rpo_s: float
    tested_kind: str = Field("", description="of the newest restore test, however it ended")
    tested_at: Timestamp | None = None
    tested_outcome: str = ""
    proven_kind: str = Field("", description="of the newest restore that was done and compared")
    proven_at: Timestamp | None = None
    read_percent: int = Field(0, description="of the data read within read_all_days, rounded down")
    read_all_days: float
    rto_estimate_s: float | None = None
    rto_target_s: float | None = None
    next_kind: str = ""
    next_due: Timestamp | None = Field(None, description="in the past when it is late")
    never_restored: int = Field(0, description="expected paths of which nothing has ever come back")
    restored: dict[str, Timestamp | None] = Field(
        {}, description="expected path -> when something of it last came back; null for never"
    )
    restored_paths: int = Field(0, description="how many different paths have ever come back")
    proven: bool = Field(description="fresh, and a restore proven within the interval of the policy")
    reason: str = Field(description="one sentence: why proven, or why not")


class HostDocument(Model):
    """A document of its own about one host in one run."""

    schema_version: str = SCHEMA_VERSION
    run_id: str
    client: str
    host: str


class PlanDocument(HostDocument):
    """plans/<host>.<chore>.json: what a chore would do on a host."""

    CHORE: t.ClassVar[str]


class HostEvidence(Model):
    """hosts/<host>.json: written the moment a host answers or is given up."""

    schema_version: str = SCHEMA_VERSION
    run_id: str
    client: str
    judged_at: Timestamp
    result: HostResult
    policy: dict[str, dict[str, t.Any]] = Field({}, description="values that differ from the defaults")
    backups: list[DatasetSummary] = Field([], description="declared datasets, by id")
    observation: dict[str, t.Any] | None = None


class Threshold(Model):
    """A default of the policy with its source."""

    key: str
    default: t.Any
    source: str


class CheckInfo(Model):
    """A check as reports describe it."""

    id: str
    pillar: Pillar
    title: str
    advice: str
    controls: list[str] = []
    thresholds: list[Threshold] = []


class Counts(Model):
    """Six states that always add up to ``total``."""

    total: int
    ok: int = 0
    watch: int = 0
    act: int = 0
    crit: int = 0
    unknown: int = 0
    accepted: int = 0

    @property
    def good(self) -> int:
        """How many are in good shape: ok, or with a risk that somebody accepted."""
        return self.ok + self.accepted


class RunCounts(Model):
    """Results (check x host) and hosts by state; every report, export and summary takes its numbers from here."""

    results: Counts
    hosts: Counts
    not_applicable: int = 0


class Problem(Model):
    """All findings of one check in one state: "12 hosts: reboot pending"."""

    check: str
    pillar: Pillar
    title: str
    state: State
    hosts: list[str]
    findings: int = Field(description="how many objects on those hosts")
    observed: str = Field(description="of the worst one")
    expected: str = ""
    summary: str = ""
    advice: str = ""
    command: str = ""
    since: Timestamp = Field(description="the oldest first sight or beginning among them")
    deadline: Timestamp | None = Field(None, description="the earliest")


class FindingChange(Model):
    """A finding that differs from the previous run."""

    host: str
    check: str
    title: str
    object: str = ""
    state: State
    previous_state: State | None = None
    observed: str = ""


class Delta(Model):
    """What changed since the previous complete run of this client over these hosts."""

    previous_run_id: str | None = None
    previous_at: Timestamp | None = None
    new: list[FindingChange] = []
    worse: list[FindingChange] = []
    better: list[FindingChange] = []
    resolved: list[FindingChange] = []
    still_open: int = 0


class GradePillar(Model):
    """One of the six grade pillars."""

    name: str
    weight: int
    score: float | None = Field(description="0-100, rounded down; null when nothing was judged")
    counts: Counts


class GradeCap(Model):
    """A rule that limits the grade, and why it does so now."""

    letter: str
    reason: str
    code: str = Field("", description="stable word for the rule")


class GradeStep(Model):
    """One thing that keeps a grade from an A: a problem, or a rule that limits it."""

    check: str = Field("", description="of the problem")
    hosts: int = 0
    cap: str = Field("", description="code of the rule")


class Grade(Model):
    """A letter with its reasons. ``model`` is the version of the rules; old grades are never recomputed."""

    model: int
    letter: str | None = Field(description="A to F; null when there is nothing to grade")
    uncertain: bool = Field(False, description="shown as 'B?': too many hosts are unknown")
    score: float | None = None
    pillars: list[GradePillar] = []
    caps: list[GradeCap] = []
    improve: list[str] = Field([], description="what would make this an A, at most three lines")
    steps: list[GradeStep] = Field([], description="the same, line by line, for other words")

    @property
    def text(self) -> str:
        """``B``, ``B?`` when too many hosts are unknown, or "" when there is none."""
        return f"{self.letter}{'?' if self.uncertain else ''}" if self.letter else ""
