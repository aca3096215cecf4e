# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what a cleanup found, did and left, as a part of the change record.

Runs on the control node.
"""

from __future__ import annotations

import typing as t

from pydantic import Field

from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import Model, Timestamp


class TopPath(Model):
    """One of the largest things a rule took."""

    path: str
    bytes: int
    changed_at: Timestamp
    uid: int | None = Field(None, description="null on Windows")


class RuleAccount(Model):
    """What one rule found; told beforehand it is what would go, told afterwards what went."""

    files: int = Field(0, description="files that go; packages or images for rules that leave it to a program")
    folders: int = Field(0, description="folders that go because they are old and empty")
    bytes: int = Field(0, description="what they take on the disk")
    rest_files: int = Field(0, description="what the rule could take beyond the target; told beforehand alone")
    rest_bytes: int = 0
    oldest: Timestamp | None = None
    newest: Timestamp | None = None
    skipped: dict[str, int] = Field({}, description="what stays although it looks like it, by reason")
    stopped: str = Field("", description="why the rule ended early: target, budget_files, read_only ...")
    notes: list[str] = []
    top: list[TopPath] = Field([], description="the 20 largest")
    list_sha256: str = Field("", description="over all paths in the order of the walk, a NUL after each")


class RulePart(Model):
    """One rule."""

    id: str
    predicted: RuleAccount | None = None
    done: RuleAccount | None = Field(None, description="null while nothing was done")


class GapReason(Model):
    """Why another amount became free than was deleted."""

    code: str = Field(description="reserved, open, writers, snapshots, unknown")
    bytes: int
    text: str


class Grower(Model):
    """A folder, by its size and by what it grew since it was looked at before."""

    path: str
    bytes: int
    delta_bytes: int | None = Field(None, description="null when it was not looked at before")
    since: Timestamp | None = None
    user: str = ""
    package: str = ""
    unit: str = Field("", description="the unit that has files open there for writing")


class FilesystemPart(Model):
    """One filesystem that asks for room."""

    mount: str
    asked_by: list[str] = Field([], description="checks that found something, or below_target")
    size_bytes: int
    target_percent: float | None = Field(None, description="null: everything that may go goes")
    avail_before_bytes: int
    avail_after_bytes: int | None = None
    predicted_bytes: int = Field(0, description="what goes, by the walk beforehand")
    deleted_bytes: int | None = Field(None, description="what went, by the walk that did it")
    actual_bytes: int | None = Field(None, description="by how much the room for ordinary users has grown")
    gap_bytes: int | None = Field(None, description="deleted less actual")
    explained: bool = True
    reasons: list[GapReason] = []
    forecast: str = Field("", description="when it is full; empty when nobody can tell")
    buys_days: float | None = Field(None, description="days of growth that the predicted room lasts")
    growers: list[Grower] = []
    growers_partial: str = Field("", description="entries or seconds when not everything was looked at")


class Report(Model):
    """What is only told, for a person to decide."""

    id: str
    count: int
    items: list[str] = []
    note: str = ""


class GrowthPart(Model):
    """A filesystem that was made larger, would be, or is refused."""

    mount: str
    kind: str = Field("", description="lvm, partition or disk")
    fstype: str = ""
    device: str = ""
    from_bytes: int = 0
    to_bytes: int = 0
    steps: list[str] = Field([], description="the commands, in order")
    outcome: t.Literal["planned", "done", "refused", "failed"]
    code: str = ""
    text: str = ""


class Cleanup(Model):
    """The part of a change that is disk cleanup's own."""

    filesystems: list[FilesystemPart] = []
    rules: list[RulePart] = []
    elsewhere: list[str] = Field([], description="rules that were named and that the host's system does not have")
    reports: list[Report] = []
    growth: list[GrowthPart] = []
