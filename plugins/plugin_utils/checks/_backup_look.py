# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: checks of what is in the repository: is the data young enough, and is all of it there?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification import groups
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.known import KnownDataset
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.models import LastRun, Snapshot
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks import _backup_sizes as sizes
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._backup_policy import (
    Notes,
    Policy,
    rpo_s,
    trouble,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import (
    HOUR,
    Verdict,
    View,
    check,
    count_text,
    duration_text,
    size_text,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._patching_policy import names_text


@check(
    "backup.freshness",
    title="Age of the data in the backup",
    advice="Find out why no newer snapshot came: look at the job on the host, then at the repository.",
    thresholds=("rpo_hours", "crit_factor", "look_max_hours"),
    controls=("CIS 11.2", "ISO A.8.13", "NIS2 4.2.2", "E8 Backups", "SOC 2 A1.2"),
    from_datasets=True,
)
def freshness(view: View, policy: Policy) -> Iterator[Verdict]:
    """The age of what would come back, from the repository and not from the job's log."""
    for known in view.backups:
        yield trouble(known, view.now, policy, "freshness") or _fresh(known, view.now, policy)


def _fresh(known: KnownDataset, now: float, policy: Policy) -> Verdict:
    agreed = rpo_s(known, policy)
    notes = Notes(known, f"data not older than {agreed / HOUR:g} hours")
    oldest = 0.0
    for line in groups.lines(known):
        where = f"{line.name}: " if line.name else ""
        newest = line.newest
        if newest is None:
            notes.add("crit", f"{where}no snapshot", f"{where}the repository holds no snapshot at all.")
            continue
        age = now - newest.time
        oldest = max(oldest, age)
        if age < -HOUR:
            observed = f"{where}snapshot of the future"
            text = f"{where}the newest snapshot begins {duration_text(age)} from now: a clock is wrong."
            notes.add("unknown", observed, text, advice="Correct the clock of the host that makes the backup.")
        elif age > agreed:
            notes.add(
                "crit" if age > agreed * policy.crit_factor else "watch",
                f"{where}{groups.age_text(age)} old",
                f"{where}what would come back is {groups.age_text(age)} old; agreed are {agreed / HOUR:g} hours.",
                since=newest.time,
                age_basis="start of the newest snapshot",
                deadline=newest.time + agreed,
                data={"rpo_factor": int(100 * age / agreed) / 100, "line": line.name},
            )
        elif newest.end is not None and newest.end - newest.time > agreed:
            took = duration_text(newest.end - newest.time)
            text = f"{where}the last backup took {took}: longer than the data may be old, so the next is late."
            notes.add("watch", f"{where}the backup takes {took}", text)
    fine = f"newest snapshot {groups.age_text(oldest)} old"
    return notes.verdict(fine, age_s=oldest, rpo_s=agreed)


@check(
    "backup.completeness",
    title="Completeness of the backup",
    advice="Compare what the job is told to save with what has to come back, and look at the job's errors.",
    thresholds=(
        "anomaly_deviations",
        "anomaly_history",
        "size_drop_watch_percent",
        "size_drop_crit_percent",
        "mass_change_percent",
        "mass_change_files",
    ),
    controls=("CIS 11.1", "ISO A.8.13", "NIS2 4.2.2", "E8 Backups"),
    from_datasets=True,
)
def completeness(view: View, policy: Policy) -> Iterator[Verdict]:
    """Is everything in the newest snapshot that should be, and nothing else?"""
    for known in view.backups:
        yield trouble(known, view.now, policy, "completeness") or _complete(known, view.now, policy)


def _complete(known: KnownDataset, now: float, policy: Policy) -> Verdict:
    dataset, look = known.dataset, known.look
    notes = Notes(known, "all of it, nothing else, of the usual size")
    if look is not None:
        _note_last_run(notes, look.last_run, now)
    if look is None or not look.snapshots:
        notes.add("unknown", "no snapshot", "Without a snapshot nothing can be said of what is in it.")
        return notes.verdict("")
    if look.missing:
        names = names_text(look.missing, 3)
        notes.add("act", f"missing: {names}", f"{names} should be in the newest snapshot and is not.")
    elif look.missing is None and dataset.expected_paths:
        text = "Whether the expected paths are in the newest snapshot could not be found out."
        notes.add("unknown", "expected paths not looked for", text)
    if look.unwanted:
        names = names_text(look.unwanted, 3)
        text = f"{names} should be left out and is in the newest snapshot."
        notes.add("act", f"unwanted: {names}", text, advice="Correct what the job leaves out.")
    measured = False
    for line in groups.lines(known):
        if line.newest is not None:
            measured |= _line(notes, line.name, line.newest, line.earlier(), policy)
    if not (measured or dataset.expected_paths):
        text = "The tool tells no sizes, and no expected path is declared: nothing shows whether all of it is there."
        notes.add("unknown", "nothing to compare with", text, advice="Declare expected_paths of the dataset.")
    newest = known.newest
    told = [] if newest is None or newest.files is None else [count_text(newest.files, "file")]
    told += [] if newest is None or newest.bytes is None else [size_text(newest.bytes)]
    told += [f"{count_text(len(dataset.expected_paths), 'expected path')} there"] if dataset.expected_paths else []
    return notes.verdict(", ".join(told) or "complete")


def _note_last_run(notes: Notes, last: LastRun | None, now: float) -> None:
    """Note how the job's newest run ended: what failed today is old tomorrow."""
    if last is None or last.result == "success":
        return
    code = f" ({last.code})" if last.code else ""
    said = f" {last.text}" if last.text else ""
    ago = f"{duration_text(now - last.at)} ago"
    if last.result == "failed":
        text = f"The newest run of the job, {ago}, failed{code}.{said}"
        notes.add("act", f"the last run failed{code}", text, advice="Find out why before the next one is due.")
    else:
        text = f"The newest run of the job, {ago}, ended with a warning{code}.{said}"
        notes.add("watch", "the last run ended with a warning", text, advice="Read in the tool what it missed.")


def _line(notes: Notes, name: str, newest: Snapshot, earlier: Sequence[Snapshot], policy: Policy) -> bool:
    """Note what is wrong with one line's newest snapshot; True when its size could be looked at."""
    where = f"{name}: " if name else ""
    if newest.complete is False or newest.errors:
        errors = f" with {count_text(newest.errors, 'error')}" if newest.errors else ""
        text = f"{where}the newest snapshot is there but not whole{errors}: the tool could not read everything."
        notes.add("act", f"{where}incomplete snapshot{errors}", text, advice="Read the job's log for what it missed.")
    alarm = sizes.mass_change(newest, earlier, policy)
    if alarm is not None:
        notes.add(
            "crit",
            f"{where}{alarm.percent} % of the files replaced at once",
            f"{where}possible mass encryption: {alarm.changed} of {alarm.files} files differ from the snapshot before.",
            advice="Look at the files on the host now. Until it is explained, let nobody thin out old snapshots.",
            data={"security": True, "changed_files": alarm.changed},
        )
    before = sizes.comparable(earlier)
    for change in sizes.changes(newest, before, policy):
        notes.add(change.state, f"{where}{change.observed}", f"{where}{change.summary}")
    if earlier and sorted(earlier[-1].excludes) != sorted(newest.excludes):
        added = sorted(set(newest.excludes) - set(earlier[-1].excludes))
        gone = sorted(set(earlier[-1].excludes) - set(newest.excludes))
        parts = [f"also left out: {names_text(added, 3)}"] if added else []
        parts += [f"no longer left out: {names_text(gone, 3)}"] if gone else []
        text = f"{where}the job leaves out something else than the time before ({'; '.join(parts)})."
        notes.add("watch", f"{where}{'; '.join(parts)}", text, advice="Make sure that somebody meant it.")
    unsized = newest.bytes is None and newest.files is None
    if unsized and before:
        notes.add("unknown", f"{where}no size", f"{where}the newest snapshot has no size, earlier ones have.")
    return not unsized
