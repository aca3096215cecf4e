# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: does the control node have what is written? Pure."""

from __future__ import annotations

import hashlib
import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import canonical
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import SCHEMA_VERSION, Model, Timestamp
from ansible_collections.keepwell.fleet.plugins.plugin_utils.schedule.model import Schedule

Kind = t.Literal["missing", "changed", "left_over", "not_running", "not_installed", "unknown"]


class Installed(Model):
    """``<client>/schedule.json``: what playbooks/schedule.yml installed, where, and from which entries."""

    schema_version: str = SCHEMA_VERSION
    node: str = ""
    kind: t.Literal["systemd", "cron"] = "systemd"
    written: str = ""
    files: dict[str, str] = {}
    timers: list[str] = []


class Difference(Model):
    """One thing that is not as it is written. ``object`` is the name of a unit or file, "" for the whole."""

    kind: Kind
    object: str
    text: str


class InAwx(Model):
    """How AWX was found by the last look at it (``at``)."""

    at: Timestamp
    objects: int = 0
    differences: list[Difference] = []


class Standing(Model):
    """``runs/<run>/schedule.json``: how the schedule stood when a run began.

    ``kind`` is "" where this control node does not start the runs, ``awx`` None where AWX does not.
    """

    schema_version: str = SCHEMA_VERSION
    kind: str = ""
    files: int = 0
    differences: list[Difference] = []
    awx: InAwx | None = None


class File(t.NamedTuple):
    """A file on the control node: for which client it was made (None: not by Keepwell), and its SHA-256."""

    owner: str | None
    sha256: str


@dataclass(frozen=True)
class Found:
    """What there is on the control node.

    ``timers`` is name -> (is enabled, is active), of those that were asked for; None when systemd does not tell.
    """

    files: Mapping[str, File] = field(default_factory=dict)
    timers: Mapping[str, tuple[bool, bool]] | None = field(default_factory=dict)
    cron_runs: bool = True

    def owned(self, client: str) -> list[str]:
        """Return the files that were made for a client."""
        return sorted(path for path, file in self.files.items() if file.owner == client)


def digest(schedule: Schedule, zone: str) -> str:
    """Return a hash of what is written: another one means that it has to be installed anew."""
    entries = {name: entry.model_dump(mode="json") for name, entry in schedule.items()}
    return hashlib.sha256(canonical({"entries": entries, "zone": zone})).hexdigest()


def hashes(files: Mapping[str, str]) -> dict[str, str]:
    """Return the SHA-256 of some texts."""
    return {path: hashlib.sha256(text.encode()).hexdigest() for path, text in files.items()}


def foreign(paths: Sequence[str], found: Found, client: str) -> list[str]:
    """Return a sentence for every file that is in the way: another's is never overwritten."""
    sentences = []
    for path in paths:
        file = found.files.get(path)
        if file is not None and file.owner != client:
            whose = f"belongs to client {file.owner}" if file.owner else "was not made by Keepwell"
            sentences.append(f"{path} {whose}. Move it away, or give the entry of keepwell_schedule another name.")
    return sentences


def differences(wanted: Installed, found: Found, client: str) -> list[Difference]:
    """Return what is not as it should be, files first."""
    told = []
    for path, sha256 in sorted(wanted.files.items()):
        file = found.files.get(path)
        if file is None:
            told.append(Difference(kind="missing", object=PurePath(path).name, text=f"{path} is missing"))
        elif file.sha256 != sha256:
            told.append(Difference(kind="changed", object=PurePath(path).name, text=f"{path} is not as it is written"))
    for path in found.owned(client):
        if path not in wanted.files:
            told.append(Difference(kind="left_over", object=PurePath(path).name, text=f"{path} is left over"))
    if wanted.timers and found.timers is None:
        told.append(Difference(kind="unknown", object="", text="systemd does not tell whether the timers are active"))
    for name in wanted.timers:
        enabled, active = (True, True) if found.timers is None else found.timers.get(name, (False, False))
        if not (enabled and active):
            how = (
                "neither enabled nor active" if not (enabled or active) else "not active" if enabled else "not enabled"
            )
            told.append(Difference(kind="not_running", object=name, text=f"{name} is {how}"))
    if wanted.kind == "cron" and wanted.files and not found.cron_runs:
        told.append(Difference(kind="not_running", object="cron", text="cron does not run"))
    return told


def standing(installed: Installed, found: Found, client: str, written: str) -> Standing:
    """Return how a schedule that was installed stands now; ``written`` is the digest of what is written now."""
    told = differences(installed, found, client)
    if installed.written != written:
        text = "keepwell_schedule was changed since it was installed"
        told.insert(0, Difference(kind="not_installed", object="", text=text))
    return Standing(kind=installed.kind, files=len(installed.files), differences=told)
