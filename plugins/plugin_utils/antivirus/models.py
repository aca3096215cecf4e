# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the plan of antivirus work, and what a change record keeps of it.

Runs on the control node.
"""

from __future__ import annotations

import typing as t

from pydantic import Field

from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import (
    HostDocument,
    Model,
    PlanDocument,
    Timestamp,
)


class PlannedStep(Model):
    """One step that was asked for."""

    name: str = Field(description="update, repair, scan, quarantine, rescan, restore")
    text: str = Field(description="what it would do, in one sentence")
    ready: bool = True
    code: str = Field("", description="stable word for what stands against it")


class Targets(Model):
    """What a scan would go over."""

    paths: list[str] = []
    files: int = 0
    bytes: int = 0
    whole: bool = Field(True, description="false: counting was cut short, there are more")
    left_out: dict[str, str] = Field({}, description="folder -> why it is not scanned")
    largest_bytes: int | None = Field(None, description="larger files are not scanned")
    minutes: float = Field(0.0, description="the scan ends after that many at the latest")
    cpu_percent: int = 0


class Plan(PlanDocument):
    """What antivirus work would do on one host."""

    CHORE: t.ClassVar[str] = "antivirus"
    made_at: Timestamp
    scanner: str = Field("", description="clamd, clamscan, defender, or empty when there is none")
    steps: list[PlannedStep] = []
    left: dict[str, str] = Field({}, description="step that was asked for and this host has no use for -> why")
    targets: Targets | None = None
    open_detections: int = 0
    in_quarantine: int = 0
    splay_s: float = 0.0
    warnings: list[str] = []

    @property
    def possible(self) -> list[str]:
        """Names of the steps against which nothing stands."""
        return [step.name for step in self.steps if step.ready]


class Definitions(Model):
    """What an update of definitions came to, by the versions before and after."""

    engine: str
    result: t.Literal["updated", "current", "failed"]
    text: str = ""
    disk_before: str | None = None
    disk_after: str | None = None
    loaded_before: str | None = Field(None, description="what the daemon works with; null when it does not say")
    loaded_after: str | None = None
    built_at: Timestamp | None = Field(None, description="when the definitions on disk were built")


class ScanCounts(Model):
    """What a scan went over, counted file by file."""

    scanner: str
    whole: bool = Field(description="false: it came to its limit before everything was scanned")
    reached: str | None = Field(None, description="the last file, when it did")
    resumed: bool = Field(False, description="it went on where an earlier one had stopped")
    files: int | None = Field(None, description="null: the engine does not count them")
    bytes: int | None = None
    found: int
    errors: int = Field(0, description="files and folders that could not be read")
    unanswered: int = Field(0, description="files of which the scanner said nothing")
    skipped: dict[str, int] = Field({}, description="files that were passed by, by reason")
    left_out: dict[str, str] = Field({}, description="folder -> why it is not scanned")
    unreadable: list[str] = Field([], description="the first of them, each with the reason")
    large: list[str] = Field([], description="the first files that are too large")
    paths: list[str] = []
    largest_bytes: int | None = None


class Detected(Model):
    """A file in which something was found. Without ``path`` the client does not want paths to be told."""

    id: str
    name: str = Field(description="the engine's name of what was found")
    path: str = ""
    outcome: t.Literal["quarantined", "left", "open", "cleaned", "removed", "blocked"]
    by: str = Field("", description="the engine that did it; empty: Keepwell")
    code: str = Field("", description="stable word for why it was left in place")
    text: str = ""
    quarantine_id: str = Field("", description="by which it can be restored")
    sha256: str = ""
    size: int | None = None
    owner: str = ""
    mode: str = ""
    folder: str = Field("", description="of the quarantine")


class Restored(Model):
    """A file that was put back."""

    quarantine_id: str
    path: str = ""
    sha256: str
    size: int
    owner: str
    mode: str
    signature: str


class AntivirusChange(Model):
    """The part of a change record that only antivirus work has."""

    steps: list[str] = []
    definitions: list[Definitions] = []
    scan: ScanCounts | None = None
    rescan: ScanCounts | None = None
    detections: list[Detected] = []
    cleared: list[str] = Field([], description="ids of detections that are over: their place was looked at again")
    repaired: dict[str, str] = Field({}, description="unit -> started, or why not")
    evidence: dict[str, str] = Field({}, description="unit -> what the host said of it before it was started")
    restored: list[Restored] = []


class DetectionState(Model):
    """One detection in its life."""

    id: str
    name: str
    product: str
    first_seen: Timestamp | None = None
    last_change: Timestamp | None = None
    state: t.Literal["open", "acted", "cleared", "unknown"]
    acted: str = ""
    why: str = ""
    path_hash: str = ""


class Detections(HostDocument):
    """detections/<host>.json: every detection that the host's engines know of, and how it stands."""

    seen_at: Timestamp
    detections: list[DetectionState] = []
