# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: a dataset in short, as evidence and run.json tell it. Pure."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Iterator, Sequence

from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification import due, groups, ledger
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.known import KnownDataset
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._backup_policy import Policy, gate, rpo_s
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import HOUR, State
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import CheckResult, DatasetSummary, iso

VERDICTS = ("freshness", "completeness", "integrity", "restorability", "survivability")


def of_host(
    host: str, backups: Sequence[KnownDataset], results: Iterable[CheckResult], policy: t.Any, now: float
) -> list[DatasetSummary]:
    """Return a host's datasets in short; ``results`` are what the checks say of the host, accepted or not."""
    judged = {result.check: result for result in results} if backups else {}
    return [_one(host, known, judged, policy, now) for known in sorted(backups, key=lambda known: known.dataset.id)]


def _one(host: str, known: KnownDataset, judged: dict[str, CheckResult], policy: Policy, now: float) -> DatasetSummary:
    dataset = known.dataset
    book = ledger.of(known, now)
    answer = gate((known,), policy, now).datasets[0]
    tested = book.attempt(kind for kind, entry in book.last.items() if entry.is_restore)
    coming = due.upcoming(known, now)
    at = groups.data_time(known)
    return DatasetSummary(
        host=host,
        dataset=dataset.id,
        protects=dataset.protects,
        tool=dataset.tool,
        verifier=dataset.verifier or host,
        repository_key=dataset.repository_key,
        **{name: _state(judged.get(f"backup.{name}"), dataset.id) for name in VERDICTS},
        looked_at=None if known.looked_at is None else iso(known.looked_at),
        data_age_s=None if at is None else now - at,
        rpo_s=rpo_s(known, policy),
        tested_kind=tested.kind if tested else "",
        tested_at=iso(tested.at) if tested else None,
        tested_outcome=tested.outcome if tested else "",
        proven_kind=book.restore.kind if book.restore else "",
        proven_at=iso(book.restore.at) if book.restore else None,
        read_percent=book.read_percent,
        read_all_days=book.read_days,
        rto_estimate_s=book.recovery.seconds if book.recovery else None,
        rto_target_s=dataset.rto_hours * HOUR if dataset.rto_hours else None,
        next_kind=coming[0].kind if coming else "",
        next_due=iso(coming[0].at) if coming else None,
        never_restored=len(book.never_restored),
        restored={path: None if when is None else iso(when) for path, when in _came_back(known, book)},
        restored_paths=known.coverage.paths,
        proven=answer.proven,
        reason=answer.reason,
    )


def _came_back(known: KnownDataset, book: ledger.Ledger) -> Iterator[tuple[str, float | None]]:
    """Each expected path and when something of it last came back; None for never. A full restore brings all of them."""
    full = book.good["full"].at if "full" in book.good else None
    for path in known.wanted_paths():
        times = [at for at in (known.coverage.expected.get(path), full) if at is not None]
        yield path, max(times, default=None)


def _state(result: CheckResult | None, dataset: str) -> State:
    """The verdict on one dataset; a check that failed as a whole tells of none, so none is well."""
    if result is None:
        return "unknown"
    found: dict[str, State] = {finding.object: finding.state for finding in result.findings}
    return found.get(dataset, found.get("", "ok"))
