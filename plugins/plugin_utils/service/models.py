# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what was agreed with a client, and what the client got in the weeks before a run.

Both are part of run.json: a report that is made again years later asks neither inventory nor history.
"""

from __future__ import annotations

import typing as t

from pydantic import Field

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import State
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import Model, Timestamp
from ansible_collections.keepwell.fleet.plugins.plugin_utils.service.agenda import Agenda

Day = t.Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d$")]


class AgreedPlan(Model):
    """A service plan, and how many of the run's hosts have it."""

    name: str
    hosts: int
    services: list[str] = Field([], description="what it buys")
    availability_percent: float | None = None
    price_model: t.Literal["", "flat", "prepaid", "time_and_material"] = ""


class ComingWindow(Model):
    """An opening of a maintenance window after the run began."""

    name: str
    begin: Timestamp
    end: Timestamp
    allow: list[str]
    hosts: int


class Agreement(Model):
    """What was bought, said and asked when the run began."""

    plans: list[AgreedPlan] = Field([], description="most hosts first; hosts without a plan are only looked at")
    security_days: float | None = Field(None, description="within how many days security updates are installed")
    restore_days: float | None = Field(None, description="within how many days a restore of a backup is proven")
    windows: list[ComingWindow] = Field([], description="the next ones")
    agenda: Agenda = Field(Agenda(), description="keepwell_agenda")


class ContactDay(Model):
    """One day of the client's calendar: how often a host was asked, how often one answered, on how many was worked."""

    day: Day
    asked: int
    answered: int
    worked: int = 0


class DiskOutlook(Model):
    """The disk that is full first, by the forecast that the run made."""

    host: str
    mount: str
    points: list[tuple[Timestamp, float]] = Field(description="used percent, at most one a day")
    full_at: Timestamp
    early_at: Timestamp
    late_at: Timestamp


class WorkExample(Model):
    """One thing that was done, in numbers; reports put it into words."""

    at: Timestamp
    host: str
    kind: t.Literal["updates", "antivirus", "cleanup", "restore"]
    amount: int = Field(0, description="packages, bytes, or files that came back")
    rebooted: bool = False


class Work(Model):
    """What was done in the period, the run itself included."""

    looks: int = Field(0, description="runs that looked at hosts")
    jobs: int = Field(0, description="everything that was done besides looking, restores that were tried included")
    updates: int = Field(0, description="packages brought to another version")
    updated_hosts: int = 0
    reboots: int = 0
    cves: int = Field(0, description="different known vulnerabilities that were closed")
    antivirus: int = Field(0, description="times that antivirus was updated, scanned with or repaired")
    cleaned_hosts: int = 0
    freed_bytes: int = 0
    restores: int = Field(0, description="restores that were tried")
    restored: int = Field(0, description="of these, what came back was as expected")
    undone: int = Field(0, description="of these, could not be done: nothing is known of what would have come back")
    failed: int = Field(0, description="changes that failed, were taken back or are not known to have ended")
    examples: list[WorkExample] = Field([], description="of each kind the largest")


class EarlierProblem(Model):
    """A problem that needed work when the period began, and what became of it."""

    check: str
    title: str
    state: State
    hosts: int
    left: int = Field(description="of these hosts, on how many it is still open")


class ServiceRecord(Model):
    """What history says at the end of a run."""

    begin: Timestamp = Field(description="of the period that work and promises are told of")
    end: Timestamp
    days: list[ContactDay] = Field([], description="days on which a run looked, oldest first")
    disk: DiskOutlook | None = None
    work: Work = Work()
    earlier_at: Timestamp | None = Field(None, description="when the run was that earlier problems are of")
    earlier: list[EarlierProblem] = Field([], description="what needed work in that run")
