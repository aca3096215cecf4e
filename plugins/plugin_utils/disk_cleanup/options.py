# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the role's variables ``disk_cleanup_*``, typed. Pure."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from pydantic import Field, field_validator, model_validator

from ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup import _rules
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores import options as chore_options
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.options import Setting, Text
from ansible_collections.keepwell.fleet.plugins.plugin_utils.disk_cleanup import systems
from ansible_collections.keepwell.fleet.plugins.plugin_utils.policy import nearest

CHORE: t.Final = "disk_cleanup"
REGISTERED = (
    "disk_cleanup_checked",
    "disk_cleanup_adopted",
    "disk_cleanup_preview",
    "disk_cleanup_announced",
    "disk_cleanup_turn",
    "disk_cleanup_done",
)
# Rules and steps that do more than delete files.


class Budget(Setting):
    """How much one cleanup of a host may do at most."""

    bytes: int = Field(100 * 1024**3, gt=0)
    files: int = Field(500_000, gt=0)
    seconds: int = Field(900, gt=0)


class Limits(Setting):
    """Limits of the work on a host."""

    runtime_minutes: int = Field(60, gt=0)
    nice: int = Field(19, ge=0, le=19)


class Growers(Setting):
    """How much is looked at to find out what grows."""

    entries: int = Field(2_000_000, gt=0)
    seconds: int = Field(60, gt=0, le=600)


class Options(chore_options.Options):
    """The role's variables, without their prefix; meta/argument_specs.yml of the role says what each means."""

    rules: list[str] = Field(default_factory=lambda: list(_rules.BY_DEFAULT))
    when: t.Literal["finding", "below_target"] = "finding"
    target_free_percent: float = Field(15.0, gt=0, le=95)
    budget: Budget = Field(default_factory=Budget)
    log_days: float = Field(90.0, ge=1)
    log_retention_days: float = Field(90.0, ge=1)
    package_keep_days: float = Field(14.0, ge=0)
    crash_keep: int = Field(2, ge=1)
    temp_days: float = Field(7.0, ge=1)
    recycle_days: float = Field(30.0, ge=1)
    gap_percent: float = Field(20.0, gt=0, le=100)
    window: bool = False
    reserve_minutes: float = Field(15.0, ge=0)
    growers: Growers = Field(default_factory=Growers)
    grow: bool = False
    grow_filesystems: list[str] = Field(default_factory=list)
    grow_days: float = Field(30.0, gt=0)
    grow_free_percent: float = Field(20.0, gt=0, lt=100)
    grow_step_percent: float = Field(20.0, gt=0, le=100)
    grow_reserve_percent: float = Field(10.0, ge=0, lt=100)
    approver: Text = ""
    ticket: Text = ""
    keep_days: int = Field(14, ge=1)
    limits: Limits = Field(default_factory=Limits)

    @field_validator("rules")
    @classmethod
    def _rules_that_exist(cls, value: list[str]) -> list[str]:
        for name in value:
            rule = systems.find(name)
            if rule is None:
                raise ValueError(f"there is no rule '{name}'.{nearest(name, systems.NAMEABLE)}".rstrip("."))
            if rule.default == "off":
                raise ValueError(f"the rule '{name}' is never carried out, only reported: {rule.guard}".rstrip("."))
        return value

    @model_validator(mode="after")
    def _retention_holds(self) -> Options:
        if self.log_days < self.log_retention_days:
            raise ValueError(
                f"disk_cleanup_log_days ({self.log_days:g}) is below disk_cleanup_log_retention_days "
                f"({self.log_retention_days:g}): logs that have to be kept would go"
            )
        if self.grow and not self.grow_filesystems:
            raise ValueError("disk_cleanup_grow needs disk_cleanup_grow_filesystems: which ones may be made larger?")
        return self

    @property
    def terms(self) -> dict[str, float]:
        """What the rules go by, as the host wants to hear it."""
        names = (
            "log_days",
            "log_retention_days",
            "package_keep_days",
            "crash_keep",
            "gap_percent",
            "temp_days",
            "recycle_days",
        )
        return {name: getattr(self, name) for name in names}


def read(variables: Mapping[str, t.Any]) -> Options:
    """Return the options that a host's ``disk_cleanup_*`` variables make. Raises SettingsError with every mistake."""
    return chore_options.read(CHORE, Options, variables)
