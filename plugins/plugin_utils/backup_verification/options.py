# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the role's variables ``backup_verification_*``, typed, and who verifies what. Pure."""

from __future__ import annotations

import typing as t
from collections import Counter
from collections.abc import Iterable, Mapping

from pydantic import Field, field_validator

from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.datasets import (
    AbsolutePath,
    Dataset,
    Unverified,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores import options as chore_options
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.options import Setting, Text
from ansible_collections.keepwell.fleet.plugins.plugin_utils.policy import nearest
from ansible_collections.keepwell.fleet.plugins.plugin_utils.settings import SettingsError

CHORE: t.Final = "backup_verification"
# What assess reads of a host, whether the chore runs or not.
DECLARED = ("backup_verification_datasets", "backup_verification_unverified")
# Names that the role's tasks register or loop with; no settings.
REGISTERED = ("backup_verification_schedule", "backup_verification_batch", "backup_verification_recorded")
KINDS = ("structure", "subset", "data", "canary", "sample", "full", "database")
_GIB = 1 << 30


class Budget(Setting):
    """What one run may do at most on one verifying host."""

    tests: int = Field(6, ge=0)
    minutes: float = Field(60.0, ge=0)


class Limits(Setting):
    """Limits of a test on the verifying host."""

    runtime_minutes: int = Field(120, gt=0)
    nice: int = Field(19, ge=0, le=19)
    idle: bool = True
    cpu_percent: int | None = Field(50, ge=1)
    memory_mb: int | None = Field(None, ge=64)
    read_bytes_per_s: int | None = Field(None, ge=1)


class Declared(Setting):
    """What a host says of its backups."""

    datasets: list[Dataset] = Field(default_factory=list)
    unverified: list[Unverified] = Field(default_factory=list)

    @field_validator("datasets")
    @classmethod
    def _ids_are_unique(cls, datasets: list[Dataset]) -> list[Dataset]:
        twice = sorted(name for name, count in Counter(dataset.id for dataset in datasets).items() if count > 1)
        if twice:
            raise ValueError(f"the id {', '.join(twice)} is there more than once")
        return datasets


class Options(chore_options.Options, Declared):
    """The role's variables, without their prefix; meta/argument_specs.yml of the role says what each means."""

    sandbox: AbsolutePath = "/var/lib/keepwell/sandbox"
    sandbox_reserve_percent: float = Field(15.0, ge=0, lt=100)
    max_restore_bytes: int = Field(50 * _GIB, ge=1)
    limits: Limits = Field(default_factory=Limits)
    budget: Budget = Field(default_factory=Budget)
    slot: t.Literal["window", "any"] = "window"
    now: list[str] = Field(default_factory=list)
    canary_upkeep: bool = True
    canary_days: float = Field(7.0, gt=0)
    approver: Text = ""
    ticket: Text = ""

    @field_validator("now")
    @classmethod
    def _asks_for_tests(cls, words: list[str]) -> list[str]:
        for word in words:
            kind = word.rpartition("/")[2]
            if not word.partition("/")[0] or kind not in KINDS:
                raise ValueError(f"'{word}' is no <dataset>/<kind>; kinds are {', '.join(KINDS)}")
        return words


def read(variables: Mapping[str, t.Any]) -> Options:
    """Return the options that a host's ``backup_verification_*`` variables make; SettingsError has every mistake."""
    return chore_options.read(CHORE, Options, variables, REGISTERED)


def declared(variables: Mapping[str, t.Any]) -> Declared:
    """Return what a host says of its backups, from the variables of ``DECLARED`` alone; raises like ``read``."""
    mine = {name: variables[name] for name in DECLARED if variables.get(name) is not None}
    return chore_options.read(CHORE, Declared, mine)


class Assigned(t.NamedTuple):
    """A dataset of a host, and who verifies it is who has it in his list."""

    host: str
    dataset: Dataset


def assigned(options_by_host: Mapping[str, Declared]) -> dict[str, list[Assigned]]:
    """Return verifying host -> datasets that it verifies, those of one repository side by side.

    ``options_by_host`` has every host of the inventory. Raises SettingsError for a verifier that is none of them, and
    where datasets open one repository with different credentials: one of them would be refused, or is another
    repository behind the same name.
    """
    everything = [
        Assigned(host, dataset) for host in sorted(options_by_host) for dataset in options_by_host[host].datasets
    ]
    problems = [
        f"{_name(entry)}.verifier: '{entry.dataset.verifier}' is no host of this inventory."
        + nearest(entry.dataset.verifier, options_by_host)
        for entry in everything
        if entry.dataset.verifier and entry.dataset.verifier not in options_by_host
    ]
    problems += _mixed_credentials(everything)
    if problems:
        raise SettingsError(problems)
    found: dict[str, list[Assigned]] = {}
    for entry in sorted(everything, key=lambda entry: (entry.dataset.repository_key, entry.host, entry.dataset.id)):
        found.setdefault(entry.dataset.verifier or entry.host, []).append(entry)
    return dict(sorted(found.items()))


def _name(entry: Assigned) -> str:
    return f"backup_verification_datasets of {entry.host}: {entry.dataset.id}"


def _mixed_credentials(everything: Iterable[Assigned]) -> list[str]:
    """One sentence for every repository that is opened in more than one way by the same host. Never their values."""
    first: dict[tuple[str, str], Assigned] = {}
    problems = []
    for entry in everything:
        place = (entry.dataset.verifier or entry.host, entry.dataset.repository_key)
        known = first.setdefault(place, entry)
        if entry.dataset.credentials != known.dataset.credentials:
            problems.append(
                f"{_name(entry)}: opens the same repository as {known.dataset.id} of {known.host} with other "
                "credentials. Give both the same, from one variable."
            )
    return problems
