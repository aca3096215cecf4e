# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: when many hosts show the same, a chore stops itself for the rest of its run. Pure.

One host that fails is that host's own trouble. Several that fail, or that lose the same thing, are a fault of what is
being done to them: the others are left as they are until a person has looked.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Mapping

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import BAD, ChangeRecord
from ansible_collections.keepwell.fleet.plugins.plugin_utils.policy import nearest

VARIABLE = "keepwell_brake"
CODE = "brake"
_NAMED = 5


class Limits(BaseModel):
    """``keepwell_brake``: how many hosts are too many."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    percent: float = Field(10.0, gt=0, le=100, description="more than this share of the hosts of the chore, ...")
    least: int = Field(2, ge=1, description="... but never fewer hosts than this")
    hosts: int = Field(3, ge=1, description="so many hosts are always too many")

    def reached(self, number: int, total: int) -> bool:
        """True when ``number`` hosts of ``total`` are too many."""
        return number >= self.hosts or (number >= self.least and number * 100.0 > self.percent * total)


def build(value: t.Any) -> tuple[Limits, list[str]]:
    """Return the limits that ``keepwell_brake`` declares, and every mistake in it as a sentence."""
    if value is None:
        return Limits(), []
    if not isinstance(value, Mapping):
        return Limits(), [f"{VARIABLE} must be a mapping with percent, least and hosts, not {type(value).__name__}."]
    try:
        return Limits.model_validate(value), []
    except ValidationError as exc:
        return Limits(), [_problem(error) for error in exc.errors()]


def _problem(error: t.Any) -> str:
    key = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"{VARIABLE}.{key}: unknown key.{nearest(key, Limits.model_fields)}"
    return f"{VARIABLE}.{key}: {error['msg']} (given: {error.get('input')!r})."


def pulled(chore: str, records: Iterable[ChangeRecord], total: int, limits: Limits) -> str:
    """Return why a chore goes on with no further host of this run; "" when it may.

    ``records`` are the changes of this run, of any chore; ``total`` is the number of hosts that the chore is for. The
    symptom that most hosts share is named, before the bare fact that they failed.
    """
    shown: dict[str, set[str]] = {}
    failed: set[str] = set()
    for record in records:
        if record.chore != chore:
            continue
        if record.outcome in BAD:
            failed.add(record.host)
        for symptom in symptoms(record):
            shown.setdefault(symptom, set()).add(record.host)
    many = [(symptom, hosts) for symptom, hosts in shown.items() if limits.reached(len(hosts), total)]
    if many:
        symptom, hosts = max(many, key=lambda entry: (len(entry[1]), entry[0]))
    elif limits.reached(len(failed), total):
        symptom, hosts = "a change that went wrong", failed
    else:
        return ""
    return (
        f"The brake holds {chore.replace('_', ' ')} for the rest of this run: {_names(hosts)}, {len(hosts)} of {total} "
        f"hosts, show {symptom}. Find out what they have in common, then run again ({VARIABLE} has the limits)."
    )


def symptoms(record: ChangeRecord) -> set[str]:
    """Return what a change shows, in words that are the same on every host that shows it."""
    worse = [entry for entry in record.differences if entry.bad]
    found = {f"{entry.kind.replace('_', ' ')} {entry.name} worse than before" for entry in worse}
    found |= {f"the new finding '{finding}'" for finding in record.findings_new}
    if record.outcome in BAD and record.code and not found:
        found.add(f"'{record.outcome.replace('_', ' ')}' with code '{record.code}'")
    return found


def _names(hosts: t.Collection[str]) -> str:
    names = sorted(hosts)
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if names[_NAMED:] else "")
