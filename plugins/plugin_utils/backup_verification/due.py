# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: which tests of a dataset are due, and which of them a run takes on. Pure.

A test is due when its interval has passed, at once when it was never done or did not end well, and when somebody asks
for it. A run does the most overdue ones that its budget allows; the rest is told with the reason.
"""

from __future__ import annotations

import math
import typing as t
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification import ledger
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.groups import SHARED
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.known import INTEGRITY, KnownDataset
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.models import DueTest, Proof
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import DAY, duration_text, size_text

if t.TYPE_CHECKING:
    from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.options import Options

_FILES = ("structure", "data", "canary", "sample", "full")
_PARTS = ("structure", "subset", "data", "canary", "sample", "full")
_DATABASE = ("structure", "data", "database")
# What can be tested of each tool. A listing proves nothing, so of sftp there is nothing to test.
TESTS: Mapping[str, tuple[str, ...]] = {
    "restic": _PARTS,
    "borg": _PARTS,
    "kopia": _FILES,
    "rsnapshot": _PARTS,
    "tree": _PARTS,
    "archive": _FILES,
    "pg_dump": _DATABASE,
    "mysql_dump": _DATABASE,
    "pgbackrest": _DATABASE,
    "sftp": (),
    # It has no check of its own, and gives single files alone.
    "windows_server_backup": ("canary", "sample"),
    # Its restores are windows in which a person clicks.
    "veeam_agent": (),
}
# The order among tests that are equally late: the quick ones first.
_QUICK = ("canary", "structure", "sample", "subset", "database", "data", "full")
# May be done at any time: one file is restored.
LIGHT = ("canary",)
# So much of the time in which all is to be read is planned; the rest is for runs that fail.
_PLANNED_SHARE = 0.75
# Runs begin at one hour and a test ends after it: without this a weekly test would be done every eighth day.
_EARLY_SHARE = 0.05
_EARLIEST_S = DAY / 2
_UNKNOWN_MINUTES = 5.0
_AGAIN = "the last one ({}) ended with '{}': tried again"


@dataclass(frozen=True)
class Upcoming:
    """A test and when it is due. ``late`` is by how many of its intervals; infinite when it was never done well."""

    kind: str
    at: float
    late: float
    reason: str
    part: int | None = None
    parts: int | None = None


@dataclass(frozen=True)
class Planned:
    """A due test of a host's dataset, and whether this run does it; ``test.reason`` says why (not)."""

    host: str
    dataset: str
    test: DueTest
    chosen: bool
    minutes: float


def parts_of(integrity_days: float, read_all_days: float) -> int:
    """Return in how many parts the data is read, so that a quarter of the tests may fail."""
    return max(1, min(ledger.PARTS_LIMIT, math.floor(_PLANNED_SHARE * read_all_days / integrity_days)))


def upcoming(known: KnownDataset, now: float) -> list[Upcoming]:
    """Return the tests of a dataset, the one that is due first in front. Without a snapshot there are none."""
    if known.newest is None:
        return []
    found = [_one(known, kind, days, now) for kind, days in _schedule(known)]
    return sorted(found, key=lambda entry: (entry.at, -entry.late, _QUICK.index(entry.kind)))


def _schedule(known: KnownDataset) -> Iterator[tuple[str, float]]:
    """Which tests a dataset needs, and their intervals in days."""
    able = TESTS[known.dataset.tool]
    schedule = known.dataset.schedule
    if "structure" in able and not ("subset" in able and ledger.checks_structure(known.dataset.tool, "subset")):
        yield "structure", schedule.integrity_days
    if "subset" in able:
        yield "subset", schedule.integrity_days
    elif "data" in able and "database" not in able:
        yield "data", schedule.read_all_days * _PLANNED_SHARE
    if "canary" in able and known.dataset.canary is not None:
        yield "canary", schedule.restore_days
    for kind in ("sample", "database"):
        if kind in able:
            yield kind, schedule.restore_days
    if "full" in able:
        yield "full", schedule.full_days


def _one(known: KnownDataset, kind: str, days: float, now: float) -> Upcoming:
    good = _last_good(known, kind)
    attempt = max((proof for proof in known.proofs if proof.kind == kind), key=lambda proof: proof.at, default=None)
    late = math.inf if good is None else (now - good) / (days * DAY) - 1
    part, parts, text = _part(known, kind, now)
    if attempt is not None and attempt.outcome != "proven" and (good is None or attempt.at > good):
        ago = f"{duration_text(now - attempt.at)} ago"
        return Upcoming(kind, now, max(late, 0.0), text + _AGAIN.format(ago, attempt.outcome), part, parts)
    if good is None:
        return Upcoming(kind, now, late, text.rstrip("; ") or "never done", part, parts)
    reason = f"{text}last done {duration_text(now - good)} ago, every {days:g} days is agreed"
    early = min(_EARLY_SHARE * days * DAY, _EARLIEST_S)
    return Upcoming(kind, good + days * DAY - early, late, reason, part, parts)


def _last_good(known: KnownDataset, kind: str) -> float | None:
    """When a test of a kind last ended well; one that includes it counts as well."""
    tool = known.dataset.tool
    return max(
        (proof.at for proof in known.proofs if proof.outcome == "proven" and _includes(tool, proof, kind)), default=None
    )


def _includes(tool: str, proof: Proof, kind: str) -> bool:
    if proof.kind == kind:
        return True
    if kind == "structure":
        return ledger.checks_structure(tool, proof.kind)
    if kind == "canary":
        return proof.canary is not None and proof.canary.outcome == "proven"
    return (kind, proof.kind) in (("subset", "data"), ("sample", "full"))


def _part(known: KnownDataset, kind: str, now: float) -> tuple[int | None, int | None, str]:
    """Return which part is to be read: the one that was read longest ago."""
    if kind != "subset":
        return None, None, ""
    schedule = known.dataset.schedule
    parts = parts_of(schedule.integrity_days, schedule.read_all_days)
    read = ledger.read_times(known.proofs, parts, by_bytes=known.dataset.tool == ledger.BY_BYTES)
    part = min(read, key=lambda number: (read[number], number))
    when = f"last read {duration_text(now - read[part])} ago" if read[part] else "never read"
    return part, parts, f"part {part} of {parts}, {when}; "


def choose(
    entries: Sequence[tuple[str, KnownDataset]], options: Options, now: float, closed: str = ""
) -> list[Planned]:
    """Return all due tests of what one host verifies, those that the run does in front.

    ``entries`` are (host, dataset); ``closed`` is why heavy tests may not begin now, empty when they may. Tests that
    ``options.now`` names are due whatever the schedule says, and come first.
    """
    wanted = [(asked, test, host, known) for host, known in entries for asked, test in _due(known, options, now)]
    wanted.sort(
        key=lambda entry: (not entry[0], -entry[1].late, _QUICK.index(entry[1].kind), entry[2], entry[3].dataset.id)
    )
    planned = []
    tests, minutes = options.budget.tests, options.budget.minutes
    for _asked, test, host, known in wanted:
        needed = _minutes(known, test)
        against = _against(known, test, options, closed, needed)
        if not against and tests < 1:
            against = f"this run does {options.budget.tests} tests, and others are later (backup_verification_budget)"
        if not against and needed > minutes:
            against = (
                f"it needs about {math.ceil(needed)} minutes and the run has {math.floor(minutes)} left "
                "(backup_verification_budget)"
            )
        if not against:
            tests, minutes = tests - 1, minutes - needed
        reason = f"not now: {against} ({test.reason})" if against else test.reason
        planned.append(Planned(host, known.dataset.id, _due_test(known, test, reason, options), not against, needed))
    return sorted(planned, key=lambda entry: not entry.chosen)


def _due(known: KnownDataset, options: Options, now: float) -> Iterator[tuple[bool, Upcoming]]:
    asked = {word.rpartition("/")[2] for word in options.now if word.rpartition("/")[0] == known.dataset.id}
    able = TESTS[known.dataset.tool]
    coming = upcoming(known, now)
    for test in coming:
        if test.kind in asked:
            yield (
                True,
                Upcoming(test.kind, now, test.late, "asked for (backup_verification_now)", test.part, test.parts),
            )
        elif test.at <= now:
            yield False, test
    for kind in sorted(asked & set(able) - {test.kind for test in coming}) if coming else ():
        yield True, Upcoming(kind, now, 0.0, "asked for (backup_verification_now)")


def _against(known: KnownDataset, test: Upcoming, options: Options, closed: str, minutes: float) -> str:
    """Why a due test is not done now; empty when nothing stands against it but the budget."""
    look, size = known.look, _bytes(known, test)
    if look is None or look.status != "ok":
        return f"the repository could not be looked at ({look.status if look else 'no look'})"
    if look.writer:
        return f"{look.writer} writes to the repository"
    held = [lock.who for lock in look.locks if lock.exclusive]
    if held and test.kind in INTEGRITY:
        return f"{held[0]} holds a lock on the repository"
    if closed and test.kind not in LIGHT:
        return closed
    if test.kind in ("full", "database") and size is not None and size > options.max_restore_bytes:
        limit = size_text(options.max_restore_bytes)
        return f"it would restore {size_text(size)}; the limit is {limit} (backup_verification_max_restore_bytes)"
    if minutes > options.limits.runtime_minutes:
        most = options.limits.runtime_minutes
        return f"it needs about {math.ceil(minutes)} minutes; the limit is {most} (backup_verification_limits)"
    return ""


def _bytes(known: KnownDataset, test: Upcoming) -> int | None:
    size = known.newest.bytes if known.newest else None
    if test.kind == "sample":
        most = known.dataset.schedule.sample_bytes
        return most if size is None else min(most, size)
    if size is None or test.kind in ("structure", "canary"):
        return None
    return size // test.parts if test.parts else size


def _minutes(known: KnownDataset, test: Upcoming) -> float:
    """How long a test takes: as the last one of its kind did, else by its size and the pace of others."""
    for proof in known.proofs:
        if proof.kind == test.kind and proof.parts == test.parts and (proof.total_seconds or proof.seconds):
            return max(proof.total_seconds or 0.0, proof.seconds or 0.0) / 60
    pace = next((proof.bytes / proof.seconds for proof in known.proofs if proof.bytes and proof.seconds), None)
    size = _bytes(known, test)
    return size / pace / 60 if size is not None and pace else _UNKNOWN_MINUTES


def _due_test(known: KnownDataset, test: Upcoming, reason: str, options: Options) -> DueTest:
    restores = test.kind not in INTEGRITY
    return DueTest(
        kind=t.cast(t.Any, test.kind),
        reason=reason,
        part=test.part,
        parts=test.parts,
        # In a repository that many share a check is of the whole.
        snapshot=known.newest.id if known.newest and (restores or known.dataset.tool not in SHARED) else None,
        bytes=_bytes(known, test),
        target=options.sandbox if restores else "",
    )
