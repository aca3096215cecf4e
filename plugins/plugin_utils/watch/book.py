# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the beats of a client on disk: ``<client>/watch/<day>.jsonl``, a line each, chained.

A beat is one short write with one fsync, whatever the number of hosts. What a crash left unfinished at the end of a
file never was a beat. Runs on the control node.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import math
import typing as t
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import (
    EvidenceError,
    append_line,
    dump,
    make_folder,
    whole_lines,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import epoch
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_files import RunFiles
from ansible_collections.keepwell.fleet.plugins.plugin_utils.watch.models import Beat, Sample

# What a filesystem moves by less is not written down anew: a thousandth of its size.
_ROOM_STEP = 1000
# Beats that overlap are closer together than that.
_LATE_S = 3600.0
_LONGEST_GAP_DAYS = 31


class Moment(t.NamedTuple):
    """A beat with the samples of all hosts as they were then; of those in ``asked`` they are this beat's own."""

    at: float
    beat: Beat
    hosts: dict[str, Sample]
    asked: t.Collection[str]


class Book:
    """The beats of one client."""

    def __init__(self, files: RunFiles) -> None:
        self.folder = files.root / "watch"
        # What was found changed while reading, one sentence each.
        self.broken: list[str] = []

    def days(self) -> list[Path]:
        """The files, oldest first."""
        return sorted(self.folder.glob("????-??-??.jsonl"))

    def read(self, since: float, until: float) -> Iterator[Moment]:
        """Yield the beats that began from ``since`` until before ``until``, oldest first.

        Raises EvidenceError for a line that is no beat. Where a line is not the one that followed, ``broken`` says so.
        """
        first, last = _day(since), _day(until)
        before: str | None = None
        for path in self.days():
            if not first <= path.stem <= last:
                continue
            for moment, digest in self._day(path, before):
                before = digest
                if since <= moment.at < until:
                    yield moment

    def _day(self, path: Path, before: str | None) -> Iterator[tuple[Moment, str]]:
        hosts: dict[str, Sample] = {}
        for number, line in enumerate(whole_lines(path), 1):
            beat = _beat(path, number, line)
            if before is not None and beat.previous != before:
                self.broken.append(f"{path}, line {number}: a beat before it was changed or taken away")
            if number == 1 and not beat.whole:
                self.broken.append(f"{path} does not begin with its first beat")
            hosts = {} if beat.whole else dict(hosts)
            hosts.update(beat.hosts)
            for host in beat.gone:
                hosts.pop(host, None)
            before = hashlib.sha256(line).hexdigest()
            asked = hosts if beat.asked is None else [host for host in beat.asked if host in hosts]
            yield Moment(epoch(beat.at), beat, hosts, asked), before

    def first(self) -> float | None:
        """When the oldest beat began that is still kept, or None when there is none."""
        for path in self.days():
            for moment, _digest in self._day(path, None):
                return moment.at
        return None

    def last(self) -> Moment | None:
        """The newest beat, or None when there is none."""
        newest = None
        for path in reversed(self.days()):
            for moment, _digest in self._day(path, None):
                newest = moment
            if newest is not None:
                return newest
        return None

    def verify(self) -> list[str]:
        """Read every beat and return where one was changed or taken away."""
        for _moment in self.read(0.0, math.inf):
            pass
        return self.broken

    def add(self, beat: Beat, samples: t.Mapping[str, Sample], everyone: t.Collection[str]) -> Path:
        """Write a beat with these samples; ``beat`` has none yet. ``everyone`` are all hosts of the client.

        Raises EvidenceError when it cannot be written, or when a later beat has been written meanwhile.
        """
        path = self.folder / f"{beat.at[:10]}.jsonl"
        try:
            make_folder(self.folder)
            with open(self.folder / ".lock", "ab") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                before = self.last()
                if before is not None and before.at >= epoch(beat.at):
                    ahead = before.at - epoch(beat.at) > _LATE_S
                    todo = f" The clock was ahead then: move {self.days()[-1]} away, or no beat counts until that time."
                    raise EvidenceError(
                        f"A beat of {before.beat.at} is written already; that of {beat.at} is too late and dropped."
                        + (todo if ahead else "")
                    )
                whole = not whole_lines(path)
                append_line(path, dump(_short(beat, samples, everyone, before, self._end(), whole=whole)))
        except OSError as exc:
            raise EvidenceError(f"{path} cannot be written: {exc.strerror}.") from exc
        return path

    def _end(self) -> str:
        """Hash of the last line there is, "" before the first."""
        for path in reversed(self.days()):
            lines = whole_lines(path)
            if lines:
                return hashlib.sha256(lines[-1]).hexdigest()
        return ""

    def prune(self, at: float, keep_days: int) -> int:
        """Remove the days that are older than ``keep_days`` at a moment and return how many they were.

        Days are aged by what was watched since: a gap counts as a month at most. So a clock that is years ahead takes
        nothing away that was not about to go.
        """
        later, age, old = datetime.fromisoformat(_day(at)), 0, []
        for path in reversed(self.days()):
            try:
                day = datetime.fromisoformat(path.stem)
            except ValueError:
                continue  # somebody else's file
            age += min(max(0, (later - day).days), _LONGEST_GAP_DAYS)
            later = day
            if age > keep_days:
                old.append(path)
        for path in old:
            path.unlink()
        return len(old)


def _day(at: float) -> str:
    """Name of the UTC day of a moment; behind every day for infinity."""
    if math.isinf(at):
        return "9999-12-31"
    return datetime.fromtimestamp(max(0.0, at), UTC).strftime("%Y-%m-%d")


def _beat(path: Path, number: int, line: bytes) -> Beat:
    try:
        return Beat.model_validate(json.loads(line))
    except (ValueError, ValidationError) as exc:
        raise EvidenceError(
            f"{path}, line {number} is no beat of this version: it was made by another version of Keepwell, damaged or "
            "edited. Restore the file from a backup, or move it away: its day is a gap then."
        ) from exc


def _short(
    beat: Beat,
    samples: t.Mapping[str, Sample],
    everyone: t.Collection[str],
    before: Moment | None,
    end: str,
    *,
    whole: bool,
) -> Beat:
    """Return the beat with what is new in it."""
    earlier = before.hosts if before else {}
    kept = {host: _steady(sample, earlier.get(host)) for host, sample in sorted(samples.items())}
    if whole:
        # Of hosts that this beat did not ask, what was known last goes on into the new day.
        hosts = {host: earlier[host] for host in sorted(earlier) if host in everyone} | kept
    else:
        hosts = {host: sample for host, sample in kept.items() if sample != earlier.get(host)}
    return beat.model_copy(
        update={
            "whole": whole,
            "asked": sorted(samples) if set(samples) != set(everyone) else None,
            "hosts": hosts,
            "gone": [] if whole else sorted(set(earlier) - set(everyone)),
            "previous": end,
        }
    )


def _steady(sample: Sample, earlier: Sample | None) -> Sample:
    """Keep the figures of filesystems that hardly moved, so that a quiet host has nothing new."""
    if earlier is None:
        return sample
    room = {
        mount: old
        if (old := earlier.room.get(mount)) and old[2] == now[2] and abs(old[0] - now[0]) * _ROOM_STEP < now[2]
        else now
        for mount, now in sample.room.items()
    }
    return sample.model_copy(update={"room": room})
