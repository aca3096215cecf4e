# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the role's variables ``antivirus_*``, typed. Pure."""

from __future__ import annotations

import typing as t
from collections.abc import Collection, Mapping

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from ansible_collections.keepwell.fleet.plugins.module_utils.antivirus import _allowed
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores import options as chore_options
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.options import Setting, Text, none_when_empty

CHORE: t.Final = "antivirus"
Step = t.Literal["update", "repair", "scan", "quarantine", "rescan", "restore"]
Switch = t.Literal["update", "repair", "scan", "quarantine", "restore"]
# What disturbs: definitions are no reason to wait.
_IN_WINDOWS: tuple[Switch, ...] = ("scan", "quarantine", "repair", "restore")
# Tags of the playbook that are a job: steps that they ask for, whatever the switches say.
JOBS: Mapping[str, tuple[Step, ...]] = {"clean": ("scan", "quarantine", "rescan")}
# Names that the role's tasks register; results, not settings.
REGISTERED = (
    "antivirus_prepared",
    "antivirus_adopted",
    "antivirus_planned",
    "antivirus_announced",
    "antivirus_turn",
    "antivirus_applied",
)


def _safe(value: list[str]) -> list[str]:
    wrong = _allowed.problems(value)
    if wrong:
        raise ValueError("; ".join(wrong))
    return value


def _plain(value: list[str]) -> list[str]:
    for path in value:
        if not _allowed.is_plain(path):
            raise ValueError(f"{path} is no plain absolute path")
    return value


class ScanLimits(Setting):
    """How much a scan may take."""

    minutes: float = Field(60.0, gt=0)
    max_file_mb: int = Field(100, gt=0)
    max_scan_mb: int = Field(400, gt=0)
    cpu_percent: int = Field(50, ge=1, le=1600)
    read_mb_s: int = Field(0, ge=0, description="0 sets no limit")
    memory_mb: int = Field(0, ge=0, description="0 sets no limit; the scanner without a daemon needs 1.5 GB and more")
    nice: int = Field(19, ge=0, le=19)


class Options(chore_options.Options):
    """The role's variables, without their prefix; meta/argument_specs.yml of the role says what each means."""

    update: bool = False
    repair: bool = False
    scan: bool = False
    quarantine: bool = False
    restore: t.Annotated[
        str | None, Field(pattern=r"^[0-9A-HJKMNP-TV-Z]{26}\d{3,}$"), BeforeValidator(none_when_empty)
    ] = None
    splay_minutes: float = Field(10.0, ge=0, le=240)
    scan_paths: t.Annotated[list[str], Field(min_length=1), AfterValidator(_plain)] = Field(
        default_factory=lambda: ["/home", "/root", "/tmp", "/var/tmp", "/var/www", "/srv", "/opt", "/usr/local"]  # noqa: S108
    )
    scan_exclude: t.Annotated[list[str], AfterValidator(_plain)] = Field(default_factory=list)
    scan_limits: ScanLimits = Field(default_factory=ScanLimits)
    quarantine_folders: t.Annotated[list[str], AfterValidator(_safe)] = Field(default_factory=list)
    archives: t.Literal["report", "quarantine"] = "report"
    paths: t.Literal["shown", "hidden"] = "shown"
    repair_attempts: int = Field(2, ge=1, le=5)
    repairs_per_day: int = Field(3, ge=1, le=20)
    window_for: list[Switch] = Field(default_factory=lambda: list(_IN_WINDOWS))
    reserve_minutes: float = Field(15.0, ge=0)
    keep_days: int = Field(30, ge=1)
    approver: Text = ""
    ticket: Text = ""

    @model_validator(mode="after")
    def _a_restore_has_a_name(self) -> Options:
        if self.restore and not self.approver:
            raise ValueError("antivirus_restore needs antivirus_approver: who says that the file is harmless?")
        return self

    def steps(self, tags: Collection[str] = ()) -> list[Step]:
        """Return what is asked for, in the order in which it is done. A restore is done alone."""
        if self.restore:
            return ["restore"]
        wanted: set[str] = {name for name in ("update", "repair", "scan", "quarantine") if getattr(self, name)}
        jobs = [JOBS[tag] for tag in tags if tag in JOBS]
        if jobs:
            wanted = {step for job in jobs for step in job}
        if wanted & {"scan", "quarantine"}:
            # What was found or moved is looked at again: that alone ends a detection.
            wanted.add("rescan")
        return [step for step in t.get_args(Step) if step in wanted]


def read(variables: Mapping[str, t.Any]) -> Options:
    """Return the options that a host's ``antivirus_*`` variables make. Raises SettingsError with every mistake."""
    return chore_options.read(CHORE, Options, variables)


def backup_places(datasets: t.Any) -> list[str]:
    """Return the local folders that ``backup_verification_datasets`` declares as repositories: nobody scans them."""
    found = set()
    for dataset in datasets if isinstance(datasets, list) else []:
        place = dataset.get("repository") if isinstance(dataset, Mapping) else None
        local = place.removeprefix("file://").rstrip("/") if isinstance(place, str) else ""
        if _allowed.is_plain(local):
            found.add(local)
    return sorted(found)
