# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what would be read and restored, as evidence: plans/<verifier>.backup_verification.json.

Runs on the control node.
"""

from __future__ import annotations

import typing as t

from pydantic import ConfigDict, Field

from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.models import DueTest
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import Model, PlanDocument, Timestamp


class Told(Model):
    """What the verifying host says that a test would do; it has read for this, and written nothing."""

    model_config = ConfigDict(extra="ignore")

    snapshot: str | None = None
    snapshot_time: float | None = None
    files: list[str] = Field([], description="the first of them; empty: everything")
    files_count: int | None = None
    bytes: int | None = None
    total_files: int | None = None
    total_bytes: int | None = None
    target: str = ""
    free_bytes: int | None = None
    notes: list[str] = []
    code: str = ""
    refused: str = Field("", description="why it would not be done")
    steps: list[str] = Field([], description="what would be done, in words")


class PlannedTest(Model):
    """A test that is due."""

    host: str
    dataset: str
    protects: str
    tool: str
    repository: str
    test: DueTest
    chosen: bool = Field(description="this run would do it, or does it; otherwise the reason of the test says why not")
    minutes: float = Field(description="how long it may take, by what was measured before")
    told: Told | None = Field(None, description="null when the host was not asked or did not say")

    @property
    def name(self) -> str:
        """The dataset as batches and texts call it."""
        return f"{self.host}/{self.dataset}"


class Looked(Model):
    """A dataset that was looked at, in one line of the announcement."""

    name: str
    status: str
    detail: str = ""


class TestPlan(PlanDocument):
    """Everything that is due on one verifying host, what the run does in front."""

    CHORE: t.ClassVar[str] = "backup_verification"
    # pytest takes classes of this name for tests.
    __test__: t.ClassVar[bool] = False

    made_at: Timestamp
    looked: list[Looked] = []
    tests: list[PlannedTest] = []

    def chosen(self) -> list[PlannedTest]:
        """What the run does."""
        return [entry for entry in self.tests if entry.chosen]
