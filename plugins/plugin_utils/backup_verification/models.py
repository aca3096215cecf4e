# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what was seen and proven of a dataset, as evidence: backups/<host>.<dataset>.json.

Looks and proofs come from hosts: unknown fields are dropped and texts are cut before they get here. They are facts; the
checks of the pillar ``backup`` judge them. Runs on the control node.
"""

from __future__ import annotations

import typing as t

from pydantic import BaseModel, ConfigDict, Field

from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import HostDocument, Model, Timestamp

LookStatus = t.Literal[
    "ok", "absent", "denied", "no_repository", "bad_password", "locked", "damaged", "timeout", "error", "unreached"
]


class _Seen(BaseModel):
    """A part of a host's answer: what a newer or a lying host adds is left out."""

    model_config = ConfigDict(extra="ignore")


class Snapshot(_Seen):
    """One snapshot, archive, dump or tree."""

    id: str
    time: float = Field(description="epoch seconds: its start, when its content was true")
    end: float | None = None
    host: str | None = None
    paths: list[str] = []
    tags: list[str] = []
    complete: bool | None = None
    errors: int | None = None
    bytes: int | None = None
    files: int | None = None
    added_bytes: int | None = None
    changed_files: int | None = None
    new_files: int | None = None
    excludes: list[str] = []
    program: str | None = None
    command: str = ""


class Group(_Seen):
    """All snapshots of one host and set of paths in a repository."""

    host: str | None = None
    paths: list[str] = []
    latest: float
    count: int


class Lock(_Seen):
    """A lock in the repository; never removed by Keepwell."""

    who: str
    since: float | None = None
    exclusive: bool = False
    stale: bool = False


class ObjectLock(_Seen):
    """Retention that the store enforces."""

    mode: str
    days: int | None = None


class Repository(_Seen):
    """Where the snapshots are."""

    id: str | None = None
    location: t.Literal["local", "mount", "ssh", "sftp", "object", "other"] = "other"
    path: str | None = None
    encrypted: bool | None = None
    append_only: bool | None = None
    object_lock: ObjectLock | None = None
    free_bytes: int | None = None
    keyfile: bool | None = None
    same_device: bool | None = Field(
        None, description="on the filesystem of its source, as the verifying host sees it; tells nothing of other hosts"
    )


class ToolInfo(_Seen):
    """The program that answered."""

    name: str
    version: str | None = None
    path: str | None = None


class LastRun(_Seen):
    """How the job itself says that its newest run ended; where the repository does not tell."""

    at: float
    result: t.Literal["success", "warning", "failed"]
    code: str = Field("", description="the tool's own code")
    text: str = ""


class Look(_Seen):
    """What a driver's list() saw."""

    status: LookStatus
    detail: str = ""
    tool: ToolInfo | None = None
    repository: Repository | None = None
    locks: list[Lock] = []
    writer: str = ""
    snapshots: list[Snapshot] = []
    snapshots_cut: bool = False
    groups: list[Group] = []
    missing: list[str] | None = None
    unwanted: list[str] | None = None
    last_run: LastRun | None = None


class Mismatch(_Seen):
    """A restored file that is not what it should be."""

    path: str
    why: str


class CanaryProof(_Seen):
    """What became of the canary."""

    path: str
    outcome: t.Literal["proven", "stale", "wrong", "missing"]
    written_at: float | None = None
    text: str = ""


class QueryProof(_Seen):
    """One query in a restored database."""

    sql: str
    rows: int | None = None
    value: str | None = None
    ok: bool
    text: str = ""


class Proof(_Seen):
    """One test: an integrity check or a restore. The ledger is made of these."""

    id: str = Field(description="of the work on the verifying host")
    kind: t.Literal["structure", "subset", "data", "canary", "sample", "full", "database"]
    at: float = Field(description="epoch seconds of its end")
    outcome: t.Literal["proven", "damaged", "failed", "inconclusive", "locked", "refused", "error", "timeout"]
    code: str = ""
    text: str = Field("", description="one or two sentences: what, why, what to do")
    errors: list[str] = []
    broken: list[str] = []
    snapshot: str | None = None
    snapshot_time: float | None = None
    part: int | None = None
    parts: int | None = None
    files: int | None = Field(None, description="restored")
    bytes: int | None = None
    seconds: float | None = Field(None, description="of the restore or the reading alone")
    total_seconds: float | None = Field(None, description="from the start to the comparison, as recovering would take")
    dataset_bytes: int | None = Field(None, description="of the whole snapshot, for the estimate of a full restore")
    identical: int = Field(0, description="compared by checksum with the live file or a manifest")
    unreferenced: int = Field(0, description="restored without anything to compare with")
    changed: int = Field(0, description="changed on the host since the snapshot: no mismatch")
    mismatches: list[Mismatch] = []
    missing: list[str] = Field([], description="wanted and not restored")
    canary: CanaryProof | None = None
    queries: list[QueryProof] = []
    paths: list[str] = Field([], description="what came back, at most 200 of it")
    digests: list[str] = Field([], description="first 8 hex digits of the SHA-256 of each restored path, at most 5000")
    sandbox: str = ""
    left: str = Field("", description="restored data that could not be removed; empty when nothing is left")
    bounded: str = ""
    host: str = Field("", description="where it was restored")
    key_source: str = Field("", description="environment, environment_file, password_file, systemd_credential")

    @property
    def is_restore(self) -> bool:
        """True when something was restored, or was to be."""
        return self.kind in ("canary", "sample", "full", "database")


class DueTest(Model):
    """A test that is due, or why it is not done now."""

    kind: t.Literal["structure", "subset", "data", "canary", "sample", "full", "database"]
    reason: str
    part: int | None = None
    parts: int | None = None
    snapshot: str | None = None
    files: list[str] = Field([], description="what would be restored; empty: everything")
    bytes: int | None = None
    target: str = ""


class Verification(HostDocument):
    """backups/<host>.<dataset>.json: what this run saw and proved of one dataset."""

    dataset: str
    declared: dict[str, t.Any] = Field(description="the declaration without secrets")
    repository_key: str
    verifier: str
    looked_at: Timestamp | None = None
    look: Look | None = None
    due: list[DueTest] = []
    proofs: list[Proof] = Field([], description="made in this run")
