# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the plan of a patching, from what is pending to what would be done.

Runs on the control node.
"""

from __future__ import annotations

import typing as t

from pydantic import Field

from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import Model, PlanDocument, Timestamp

UpdateClass = t.Literal[
    "security", "point_release", "bugfix", "feature", "driver", "definition", "unknown", "dependency"
]
# retire: an old kernel that goes because the host keeps only so many of them.
Action = t.Literal["upgrade", "install", "remove", "downgrade", "reinstall", "retire"]


def of_windows(name: str, title: str, revision: str, words: str = "{update}, revision {number}") -> str:
    """Return what a person calls an update of Windows: its KB, its title, and which revision of it.

    An entry is one when it has an ``update_id``. ``words`` are those of the reader's language.
    """
    return words.format(update=name if title in ("", name) else f"{name} {title}", number=revision)


class Item(Model):
    """An update that the policy wants on this host."""

    name: str
    kind: t.Literal["package", "patch", "update"] = "package"
    arch: str = ""
    installed: str | None = None
    version: str = Field(description="exactly this one is installed")
    update_class: UpdateClass
    severity: str | None = None
    advisories: list[str] = []
    cves: list[str] = []
    published_at: Timestamp | None = None
    deadline: Timestamp | None = None
    reason: str = Field("", description="why it is in the plan, where that is not its class")
    title: str = Field("", description="how Windows calls it")
    update_id: str = Field("", description="which update of Windows Update it is; version is its revision")
    alone: bool = Field(False, description="Windows installs it with nothing else, and before the others")
    cumulative: bool = Field(False, description="the monthly update of Windows itself: the build tells of it")


class Withheld(Model):
    """An update that is pending and not in the plan."""

    name: str
    arch: str = ""
    installed: str | None = None
    version: str
    update_class: UpdateClass
    code: str = Field(description="policy, exclusion, hold, pin, versionlock, exclude, dependency, phasing, soak, ...")
    reason: str = Field(description="one sentence: why, by whom, until when")
    until: Timestamp | None = None
    title: str = Field("", description="how Windows calls it")
    update_id: str = Field("", description="which update of Windows Update it is; version is its revision")


class Move(Model):
    """One line of the transaction as the package manager itself simulated it."""

    name: str
    arch: str = ""
    action: Action
    before: str | None = None
    after: str | None = None
    update_id: str = Field("", description="which update of Windows Update it is; after is its revision")


class Fact(Model):
    """One preflight check: what it saw, what it wants, whether that is enough to go on."""

    name: str = Field(description="space:/boot, package_state, locks, freshness, backup, peer, ...")
    passed: bool
    code: str = Field("", description="stable word when it did not pass: disk_full, locked, broken_state, stale ...")
    observed: str
    expected: str = ""
    advice: str = ""


class RebootPlan(Model):
    """Whether the transaction will ask for a reboot."""

    expected: t.Literal["yes", "no", "unknown"]
    reasons: list[str] = []
    text: str = Field("", description="what will be done about it, by the role's settings")
    left: str = Field("", description="run whose change had to leave it: with nothing to install it is done by itself")


class Rollback(Model):
    """What can be taken back, told before anything is done."""

    possible: t.Literal["yes", "partly", "no"]
    means: str = Field("", description="kept_packages, previous_kernel; several joined by +")
    text: str
    not_possible: list[str] = Field([], description="packages that cannot go back, each with its reason")


class Plan(PlanDocument):
    """What patching would do on one host: announced, approved and then carried out as it is, or not at all."""

    CHORE: t.ClassVar[str] = "patching"
    made_at: Timestamp
    manager: str
    policy: str = Field(description="security, security_and_point_release or all")
    lane: t.Literal["normal", "emergency"] = "normal"
    items: list[Item] = []
    withheld: list[Withheld] = []
    transaction: list[Move] = Field([], description="the whole of it, with dependencies; sorted by name")
    plan_hash: str = Field(description="sha256 over client, host, manager and transaction; empty transaction too")
    preflight: list[Fact] = []
    reboot: RebootPlan
    services: list[str] = Field([], description="units that would be restarted")
    services_kept: dict[str, str] = Field({}, description="units that run old code and are left alone: why")
    download_bytes: int | None = None
    installed_bytes: int | None = Field(None, description="growth on disk; negative when it shrinks")
    rollback: Rollback
    ring: int | None = None
    ring_reason: str = Field("", description="why it is in that ring: what its system is, or patching_ring")
    doubts: list[str] = Field([], description="why the list of updates cannot be believed")

    @property
    def empty(self) -> bool:
        """True when there is nothing to do."""
        return not self.transaction and not self.reboot.left

    @property
    def ready(self) -> bool:
        """True when nothing stands against doing it now."""
        return all(fact.passed for fact in self.preflight)
