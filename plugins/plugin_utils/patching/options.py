# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the role's variables ``patching_*``, typed. Pure."""

from __future__ import annotations

import datetime as dt
import fnmatch
import typing as t
from collections.abc import Mapping

from pydantic import BeforeValidator, Field, model_validator

from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores import options as chore_options
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.options import (
    OptionalText,
    Reason,
    Setting,
    Text,
    none_when_empty,
)

CHORE: t.Final = "patching"
# Names that the role's tasks register; results, not settings.
REGISTERED = (
    "patching_schedule",
    "patching_adopted",
    "patching_refreshed",
    "patching_planned",
    "patching_announced",
    "patching_applied",
    "patching_batch",
    "patching_round",
)


class Exclusion(Setting):
    """Packages that are left out until a date."""

    package: str = Field(min_length=1)
    reason: Reason
    approver: str = Field(min_length=1)
    expires: dt.date

    def holds(self, name: str, today: dt.date) -> bool:
        """True when it keeps this package back today."""
        return today <= self.expires and self.matches(name)

    def matches(self, name: str) -> bool:
        """True when it is about this package, in force or not."""
        return fnmatch.fnmatchcase(name, self.package)


class Frozen(Setting):
    """A version known to be bad, until a date."""

    package: str = Field(min_length=1)
    version: str = Field(min_length=1)
    reason: Reason
    expires: dt.date

    def holds(self, name: str, version: str, today: dt.date) -> bool:
        """True when it keeps this version of this package back today."""
        return today <= self.expires and version == self.version and fnmatch.fnmatchcase(name, self.package)


class Emergency(Setting):
    """Updates that cannot wait, named by package, advisory or CVE."""

    packages: list[str] = Field(default_factory=list)
    advisories: list[str] = Field(default_factory=list)
    cves: list[str] = Field(default_factory=list)
    reason: Reason
    approver: str = Field(min_length=1)

    @model_validator(mode="after")
    def _names_something(self) -> Emergency:
        if not (self.packages or self.advisories or self.cves):
            raise ValueError("it must name packages, advisories or cves")
        return self


class Ring(Setting):
    """What a ring needs before the next one goes."""

    soak_h: float = Field(24.0, ge=0)
    good: int = Field(0, ge=0, description="0 means all of its hosts")


class Limits(Setting):
    """Limits of the work on a host."""

    runtime_minutes: int = Field(120, gt=0)
    lock_timeout_s: int = Field(300, ge=0)
    nice: int = Field(10, ge=0, le=19)


class UserProbe(Setting):
    """Something that has to answer before and after; asked from the host itself."""

    name: str = Field(min_length=1)
    tcp: str | None = Field(None, pattern=r"^.+:\d{1,5}$")
    http: str | None = Field(None, pattern=r"^https?://")
    status: int | None = None
    contains: str | None = None
    command: list[str] | None = Field(None, min_length=1)

    @model_validator(mode="after")
    def _asks_one_thing(self) -> UserProbe:
        if sum(value is not None for value in (self.tcp, self.http, self.command)) != 1:
            raise ValueError("it must have one of tcp, http and command")
        if self.http is None and (self.status is not None or self.contains is not None):
            raise ValueError("status and contains belong to http")
        return self


class Options(chore_options.Options):
    """The role's variables, without their prefix; meta/argument_specs.yml of the role says what each means."""

    policy: t.Literal["security", "security_and_point_release", "all"] = "security"
    refresh: bool = False
    exclusions: list[Exclusion] = Field(default_factory=list)
    freeze: list[Frozen] = Field(default_factory=list)
    soak_days: float = Field(0.0, ge=0)
    emergency: t.Annotated[Emergency | None, BeforeValidator(none_when_empty)] = None
    known_exploited: OptionalText = None
    ring: t.Annotated[int | None, Field(ge=1), BeforeValidator(none_when_empty)] = None
    rings: list[Ring] = Field(default_factory=lambda: [Ring()], min_length=1)
    pair: OptionalText = None
    release: Text = ""
    approved_run: t.Annotated[
        str | None, Field(pattern=r"^[0-9A-HJKMNP-TV-Z]{26}$"), BeforeValidator(none_when_empty)
    ] = None
    approver: Text = ""
    ticket: Text = ""
    restart_services: bool = True
    never_restart: list[str] = Field(default_factory=list)
    reboot: t.Literal["never", "when_required"] = "never"
    reboot_with_users: bool = False
    reboot_limit_s: float = Field(900.0, gt=0)
    reserve_minutes: float = Field(30.0, ge=0)
    settle_s: float = Field(60.0, ge=0)
    settle_limit_s: float = Field(600.0, ge=0)
    probes: list[UserProbe] = Field(default_factory=list)
    rollback: t.Literal["never", "when_failed"] = "never"
    keep_days: int = Field(14, ge=1)
    backup: t.Literal["reported", "required"] = "reported"
    limits: Limits = Field(default_factory=Limits)
    accept_licences: bool = False
    rounds: int = Field(3, ge=1, le=5)

    @model_validator(mode="after")
    def _release_has_a_name(self) -> Options:
        if self.release and not self.approver:
            raise ValueError("patching_release needs patching_approver: who lets the client go on?")
        return self

    def ring_rule(self, ring: int) -> Ring:
        """Return what a ring (from 1) needs; the last rule also holds for the rings after it."""
        return self.rings[min(ring, len(self.rings)) - 1]


def read(variables: Mapping[str, t.Any]) -> Options:
    """Return the options that a host's ``patching_*`` variables make. Raises SettingsError with every mistake."""
    return chore_options.read(CHORE, Options, variables)
