# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: which schedule a client had when: ``<client>/schedule.jsonl``, a line for every change.

What was not declared yet cannot have been missed, and what an old schedule planned stays planned when it is changed.
Runs on the control node.
"""

from __future__ import annotations

import fcntl
import json
import typing as t
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import Field, ValidationError

from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import (
    EvidenceError,
    append_line,
    dump,
    make_folder,
    whole_lines,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows.times import find_zone
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import SCHEMA_VERSION, Model, Timestamp, epoch, iso
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_files import RunFiles
from ansible_collections.keepwell.fleet.plugins.plugin_utils.schedule import model, times
from ansible_collections.keepwell.fleet.plugins.plugin_utils.schedule.model import Entry

_UTC = ZoneInfo("UTC")


class Declared(Model):
    """A client's schedule from a moment on, as its files say it."""

    schema_version: str = SCHEMA_VERSION
    at: Timestamp
    timezone: str
    schedule: dict[str, t.Any] = Field({}, description="keepwell_schedule as written")

    def entries(self) -> dict[str, Entry]:
        """The entries that this version still understands."""
        year = int(self.at[:4])
        return model.build(self.schedule, find_zone(self.timezone) or _UTC, year)[0]


def path_of(files: RunFiles) -> Path:
    """Where a client's schedules are written down."""
    return files.root / "schedule.jsonl"


def read(files: RunFiles) -> list[Declared]:
    """Return the schedules of a client in the order in which they were declared."""
    path = path_of(files)
    found = []
    for number, line in enumerate(whole_lines(path), 1):
        try:
            found.append(Declared.model_validate(json.loads(line)))
        except (ValueError, ValidationError) as exc:
            raise EvidenceError(
                f"{path}, line {number} is no schedule of this version: it was damaged or edited. Restore the file "
                "from a backup, or move it away: the schedule counts from the next run on then."
            ) from exc
    return found


def note(files: RunFiles, schedule: Mapping[str, t.Any], timezone: str, now: float) -> None:
    """Write down the schedule (as the inventory has it) when it is another one than before."""
    fresh = Declared(at=iso(now), timezone=timezone, schedule=dict(schedule))
    path = path_of(files)
    try:
        make_folder(files.root)
        with open(files.root / ".schedule", "ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            known = read(files)
            before = (
                known[-1].model_copy(update={"at": fresh.at}) if known else fresh.model_copy(update={"schedule": {}})
            )
            if before != fresh:
                append_line(path, dump(fresh))
    except OSError as exc:
        raise EvidenceError(f"{path} cannot be written: {exc.strerror}.") from exc


def planned(versions: Sequence[Declared], since: float, until: float) -> Iterator[tuple[str, Entry, float]]:
    """Yield what was to begin from ``since`` to before ``until``, as declared then: name, entry, when."""
    ends = [*(epoch(version.at) for version in versions[1:]), until]
    for version, end in zip(versions, ends, strict=False):
        begin, end = max(since, epoch(version.at)), min(until, end)
        if begin < end:
            entries = version.entries()
            for plan in times.expected(entries, find_zone(version.timezone) or _UTC, begin, end):
                yield plan.entry, entries[plan.entry], plan.at
