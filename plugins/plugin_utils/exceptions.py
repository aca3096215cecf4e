# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: findings that a human accepted until a date. Pure."""

from __future__ import annotations

import datetime
import fnmatch
import typing as t
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import REGISTRY
from ansible_collections.keepwell.fleet.plugins.plugin_utils.policy import nearest

LONGEST_DAYS = 365


class Subject(t.Protocol):
    """What a waiver needs to know of a host under judgement."""

    @property
    def host(self) -> str: ...

    @property
    def groups(self) -> Sequence[str]: ...

    @property
    def now(self) -> float: ...


class Waiver(BaseModel):
    """One entry of ``keepwell_exceptions``. ``expires`` is the last day on which it counts (UTC)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    check: str
    object: str = Field("*", description="object of the finding; * and ? match as in a shell")
    hosts: tuple[str, ...] = Field(("*",), description="host or group names; * and ? match as in a shell")
    reason: str = Field(min_length=1)
    approver: str = Field(min_length=1)
    expires: datetime.date
    compensation: str = Field("", description="what protects instead")

    def expired(self, now: float) -> bool:
        """True from the day after ``expires``."""
        return datetime.datetime.fromtimestamp(now, datetime.UTC).date() > self.expires

    def covers(self, subject: Subject, check: str, obj: str) -> bool:
        """True when this waiver accepts a finding of this check on this object of that host, now."""
        return not self.expired(subject.now) and self.means(subject, check, obj)

    def means(self, subject: Subject, check: str, obj: str) -> bool:
        """True when this waiver is, or was, about a finding of this check on this object of that host."""
        return (
            check == self.check
            and fnmatch.fnmatchcase(obj, self.object)
            and any(fnmatch.fnmatchcase(name, host) for host in self.hosts for name in (subject.host, *subject.groups))
        )


def build(entries: t.Any, now: float) -> tuple[list[Waiver], list[str]]:
    """Return the waivers that ``keepwell_exceptions`` declares, and every mistake in it as one sentence each.

    An expired entry is no mistake: it stops counting and its finding returns.
    """
    if entries is None:
        return [], []
    if not isinstance(entries, (list, tuple)):
        return [], [f"keepwell_exceptions must be a list, not {type(entries).__name__}."]
    waivers: list[Waiver] = []
    problems: list[str] = []
    for number, entry in enumerate(entries):
        where = f"keepwell_exceptions[{number}]"
        try:
            waiver = Waiver.model_validate(entry)
        except ValidationError as exc:
            for error in exc.errors():
                key = ".".join(str(part) for part in error["loc"])
                hint = nearest(key, Waiver.model_fields) if error["type"] == "extra_forbidden" else ""
                problems.append(f"{where}{'.' + key if key else ''}: {error['msg']}.{hint}")
            continue
        if waiver.check not in REGISTRY:
            problems.append(f"{where}.check: unknown check '{waiver.check}'.{nearest(waiver.check, REGISTRY)}")
        today = datetime.datetime.fromtimestamp(now, datetime.UTC).date()
        if (waiver.expires - today).days > LONGEST_DAYS:
            problems.append(f"{where}.expires: {waiver.expires} is more than {LONGEST_DAYS} days away.")
        waivers.append(waiver)
    return waivers, problems
