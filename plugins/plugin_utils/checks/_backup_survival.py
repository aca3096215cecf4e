# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the check of where the copies are: would one of them be left after the worst day?"""

from __future__ import annotations

import datetime as dt
import typing as t
from collections.abc import Callable, Iterator, Sequence

from ansible_collections.keepwell.fleet.plugins.plugin_utils import forecast
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.known import (
    FREE_SERIES,
    KnownDataset,
    below,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.models import Repository, Snapshot
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._backup_policy import Notes, Policy, trouble
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import (
    DAY,
    State,
    Verdict,
    View,
    check,
    count_text,
    duration_text,
    size_text,
)

if t.TYPE_CHECKING:
    from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.datasets import Copy

# Periods of retention: name -> (days, which period a moment belongs to).
_PERIODS: dict[str, tuple[float, Callable[[dt.datetime], t.Any]]] = {
    "daily": (1.0, lambda at: at.date()),
    "weekly": (7.0, lambda at: at.isocalendar()[:2]),
    "monthly": (30.5, lambda at: (at.year, at.month)),
    "yearly": (365.25, lambda at: at.year),
}


@check(
    "backup.survivability",
    title="Survival of the backup",
    advice="Add what is missing: a copy elsewhere, one that nobody can change, a key that is kept apart and tried.",
    thresholds=(
        "copies",
        "media",
        "offsite",
        "immutable",
        "encryption_required",
        "key_escrow_max_days",
        "offline_max_days",
        "full_watch_days",
        "full_crit_days",
    ),
    controls=("CIS 11.3", "CIS 11.4", "ISO A.8.13", "ISO A.8.14", "NIS2 4.2.2", "E8 Backups", "SOC 2 A1.2"),
    from_datasets=True,
)
def survivability(view: View, policy: Policy) -> Iterator[Verdict]:
    """3-2-1-1-0, encryption, the key, retention, room. What was observed beats what is declared, and both are told."""
    for known in view.backups:
        yield trouble(known, view.now, policy, "survivability") or _survives(view, known, policy)


def _survives(view: View, known: KnownDataset, policy: Policy) -> Verdict:
    notes = Notes(known, "3 copies, 2 media, 1 elsewhere, 1 that nobody can change")
    repository = (known.look.repository if known.look else None) or Repository()
    copies = known.dataset.copies
    told = _copies(notes, view, known, repository, policy)
    _immutable(notes, known, repository, policy, view.now)
    for copy in copies:
        _offline(notes, copy, policy, view.now)
    _key(notes, known, repository, policy, view.now)
    _retention(notes, known, view.now)
    _room(notes, view, known, repository, policy)
    return notes.verdict(told)


def _copies(notes: Notes, view: View, known: KnownDataset, repository: Repository, policy: Policy) -> str:
    """Copies, media and places. ``copies`` of a dataset lists every one but the live data, the repository too."""
    dataset = known.dataset
    copies = dataset.copies
    same = _same_disk(view, known, repository)
    number = 1 + max(len(copies), 1) - bool(same)
    domains = {("disk", False)} | {(copy.media, copy.offsite) for copy in copies}
    away = [copy for copy in copies if copy.offsite]
    if same:
        text = f"The repository lies on the same disk ({same}) as what it protects: that disk takes both with it."
        notes.add("act", f"on the same disk: {same}", text, advice="Move the repository to another machine.")
    declared = "" if copies else " No copy is declared (copies of the dataset)."
    if number < policy.copies:
        text = f"{count_text(number, 'copy', 'copies')} with the live data; {policy.copies} are agreed.{declared}"
        notes.add("act", count_text(number, "copy", "copies"), text)
    if len(domains) < policy.media:
        text = f"All copies are in {count_text(len(domains), 'failure domain')} (medium and place).{declared}"
        notes.add("act", count_text(len(domains), "medium", "media"), text)
    if dataset.offsite_required and len(away) < policy.offsite:
        text = f"{count_text(len(away), 'copy is', 'copies are')} declared to be elsewhere; {policy.offsite} should be."
        notes.add("act", "no copy elsewhere", text)
    own = _own(known)
    if own is not None and own.offsite and repository.location == "local":
        text = f"{own.location} is declared to be elsewhere, and the repository was found on a local disk."
        notes.add("act", "declared elsewhere, found here", text)
    return f"{number} copies, {len(domains)} failure domains, {len(away)} elsewhere"


def _own(known: KnownDataset) -> Copy | None:
    """The declared copy that is the repository itself: the one with its text, or the only one."""
    copies = known.dataset.copies
    same = [copy for copy in copies if copy.location.rstrip("/") == known.dataset.repository.rstrip("/")]
    return same[0] if same else copies[0] if len(copies) == 1 else None


def _same_disk(view: View, known: KnownDataset, repository: Repository) -> str:
    """The mount point that holds both the data and its copy; empty when they are apart or nobody can tell.

    The verifying host sees its own disks only: of a copy that another host verifies it tells nothing.
    """
    record = view.probes.get("disks")
    dataset = known.dataset
    sources = dataset.sources or dataset.expected_paths
    if dataset.verifier not in ("", view.host) or repository.same_device is False:
        return ""
    if repository.same_device:
        return repository.path or dataset.repository
    here = repository.location == "local" and repository.path
    if not here or not sources or record is None or record.status != "ok":
        return ""
    mounts = sorted((str(entry["mount"]) for entry in record.data["filesystems"]), key=len, reverse=True)
    place = _mount(t.cast(str, repository.path), mounts)
    return place if place and any(_mount(path, mounts) == place for path in sources) else ""


def _mount(path: str, mounts: Sequence[str]) -> str:
    return next((mount for mount in mounts if below(path, mount)), "")


def _immutable(notes: Notes, known: KnownDataset, repository: Repository, policy: Policy, now: float) -> None:
    """Is there a copy that nobody with the host's rights can change?"""
    dataset = known.dataset
    if not dataset.immutable_required or not policy.immutable:
        return
    kept_days = _kept_days(known)
    lock = repository.object_lock
    own = _own(known)
    declared = [copy for copy in dataset.copies if copy.immutable]
    # Of the repository it counts what was observed; of the others only what is declared can be known.
    others = [copy for copy in declared if copy is not own]
    observed: list[str] = []
    if lock is not None:
        days = "an unknown number of" if lock.days is None else lock.days
        observed.append(f"object lock {lock.mode}, {days} days")
        if lock.mode.upper() != "COMPLIANCE" and not others:
            text = f"The object lock is {lock.mode}: who has the right can lift it. COMPLIANCE cannot be lifted."
            notes.add("watch", f"object lock {lock.mode}", text)
        if lock.days is not None and lock.days < kept_days and not others:
            said = f"; declared are {own.immutable_days} days" if own and own.immutable_days > lock.days else ""
            text = f"The object lock holds {lock.days} days, snapshots are kept {kept_days}{said}."
            notes.add("watch", f"object lock of {lock.days} days", text)
        return
    if repository.append_only:
        return
    counted = others or ([own] if own in declared and repository.append_only is None else [])
    if len(counted) < policy.immutable:
        contrary = own in declared and repository.append_only is False
        seen = f" {own.location} is declared immutable, and it was seen to be writable." if contrary and own else ""
        text = f"No copy is known that nobody can change or delete.{seen}"
        notes.add("act", "no copy that nobody can change", text)
        return
    short = [copy for copy in counted if copy.last_offline is None and copy.immutable_days < kept_days]
    if short and len(short) == len(counted):
        days = f"immutable for {short[0].immutable_days} days"
        notes.add("watch", days, f"{short[0].location} is declared {days}, snapshots are kept {kept_days}.")


def _kept_days(known: KnownDataset) -> int:
    """How long snapshots are to be kept at least."""
    retention = known.dataset.retention
    return max(int(getattr(retention, name) * days) for name, (days, _period) in _PERIODS.items())


def _offline(notes: Notes, copy: Copy, policy: Policy, now: float) -> None:
    if copy.last_offline is not None:
        age = now / DAY - _day(copy.last_offline)
        if age > policy.offline_max_days:
            text = f"The offline medium of {copy.location} was last changed {int(age)} days ago."
            notes.add("watch", f"offline medium {int(age)} days old", text, advice="Change it, and note the day.")


def _day(date: dt.date) -> float:
    return float((date - dt.date(1970, 1, 1)).days)


def _key(notes: Notes, known: KnownDataset, repository: Repository, policy: Policy, now: float) -> None:
    """Encryption, and the key that opens it when the host is gone."""
    if repository.encrypted is False:
        if policy.encryption_required:
            text = "The repository is not encrypted: who has the medium has the data."
            notes.add("act", "not encrypted", text, advice="Make a new, encrypted repository and let this one run out.")
        return
    escrow = known.dataset.key_escrow
    if repository.encrypted is None and escrow is None:
        return
    if escrow is None:
        file = " It is a key file, which dies with the host." if repository.keyfile else ""
        text = f"The repository is encrypted, and nobody has declared where its key is kept apart (key_escrow).{file}"
        notes.add("act", "key not kept apart", text)
    elif escrow.tested is None:
        notes.add("watch", "key never tried", f"The key at {escrow.place} was never tried.")
    else:
        age = now / DAY - _day(escrow.tested)
        if age > policy.key_escrow_max_days:
            text = f"The key at {escrow.place} was last tried {int(age)} days ago."
            notes.add("watch", f"key tried {int(age)} days ago", text)


def _retention(notes: Notes, known: KnownDataset, now: float) -> None:
    """Are there as many snapshots as agreed, and none that should be gone?"""
    retention = known.dataset.retention
    snapshots: Sequence[Snapshot] = known.look.snapshots if known.look else []
    oldest = min((entry.time for entry in snapshots), default=now)
    first_proof = min((proof.at for proof in known.proofs), default=now)
    short: list[tuple[str, float]] = []
    for name, (days, period) in _PERIODS.items():
        wanted = getattr(retention, name)
        seen = len({period(dt.datetime.fromtimestamp(entry.time, dt.UTC)) for entry in snapshots})
        if seen < wanted and not (known.look and known.look.snapshots_cut):
            short.append((f"{seen} of {wanted} {name}", wanted * days))
    if short:
        texts = ", ".join(text for text, _days in short)
        # A backup that is younger than what is agreed cannot have it yet.
        known_for = (now - min(oldest, first_proof)) / DAY
        young = all(known_for < days for _text, days in short)
        state: State = "watch" if young else "act"
        why = " The backup is not that old yet." if young else " Older ones are removed too early."
        notes.add(state, f"{texts} snapshots", f"There are {texts} snapshots.{why}")
    if retention.max_days and now - oldest > (retention.max_days + 1) * DAY:
        text = f"The oldest snapshot is {duration_text(now - oldest)} old; {retention.max_days} days are allowed."
        advice = "Let the job's own retention remove it: data that must be gone comes back with it."
        notes.add("watch", f"kept {duration_text(now - oldest)}", text, advice=advice, since=oldest)


def _room(notes: Notes, view: View, known: KnownDataset, repository: Repository, policy: Policy) -> None:
    """When the store is full, the next backup fails."""
    if repository.free_bytes is None:
        return
    points = [
        *view.history.series(FREE_SERIES, known.dataset.id),
        (known.looked_at or view.now, float(repository.free_bytes)),
    ]
    # What shrinks is the room: the forecast is of its opposite.
    used = [(at, -free) for at, free in points]
    found = forecast.forecast(used, float(repository.free_bytes), max(free for _at, free in points))
    if isinstance(found, forecast.Forecast) and found.median is not None and found.median < policy.full_watch_days:
        state: State = "crit" if found.median < policy.full_crit_days else "watch"
        text = f"The store has {size_text(repository.free_bytes)} free and is full in about {int(found.median)} days."
        notes.add(state, f"full in {int(found.median)} days", text, advice="Add room before the backup fails.")
