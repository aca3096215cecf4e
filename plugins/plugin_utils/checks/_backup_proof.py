# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: checks of what was proven: can the data be read, and does it come back?"""

from __future__ import annotations

import datetime as dt
import typing as t
from collections.abc import Iterator, Mapping

from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification import due, ledger
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.known import (
    INTEGRITY,
    RESTORES,
    KnownDataset,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.ledger import Ledger, Recovery
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.models import Proof
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._backup_policy import (
    TRUST,
    Notes,
    Policy,
    trouble,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import (
    DAY,
    HOUR,
    State,
    Verdict,
    View,
    check,
    count_text,
    duration_text,
    size_text,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._patching_policy import names_text

# A test that could not be done says nothing of the backup.
_NOT_DONE = {
    "inconclusive": "gave no clear answer",
    "locked": "found the repository locked",
    "refused": "was refused",
    "error": "failed by itself",
    "timeout": "took too long",
}
# Why nothing reads the whole of what a tool makes, and why nothing is restored from it; "" for tools not named.
_NO_READING = {
    "": "What {tool} shows is a listing: it proves no content.",
    "windows_server_backup": "Windows Server Backup has no command that checks a backup: only restoring proves it.",
    "veeam_agent": "Veeam Agent checks its backups by its own schedule alone, and tells nobody but its console of it.",
}
_NO_RESTORE = {
    "": "From what {tool} shows Keepwell restores nothing.",
    "veeam_agent": "Veeam Agent restores only where a person clicks: Keepwell cannot prove that it does.",
}
_BY_HAND_ADVICE = "Restore from this copy by hand, and note it (restored_by_hand of the dataset)."
_CANARY: Mapping[str, tuple[State, str]] = {
    "stale": ("act", "the canary that came back is older than it may be: the backup saves an old state"),
    "wrong": ("crit", "the canary that came back is not what was written"),
    "missing": ("act", "the canary did not come back"),
}


def _ago(proof: Proof, now: float) -> str:
    return f"{duration_text(now - proof.at)} ago"


@check(
    "backup.integrity",
    title="Integrity of the backup",
    advice="Let Keepwell read the repository in a window that allows backup_verification.",
    thresholds=("test_slack_days", "integrity_max_days", "read_watch_percent"),
    controls=("CIS 11.5", "ISO A.8.13", "NIS2 4.2.3", "SOC 2 A1.3"),
    from_datasets=True,
)
def integrity(view: View, policy: Policy) -> Iterator[Verdict]:
    """Was the repository checked lately, and was all of its data read within the agreed time?"""
    for known in view.backups:
        yield trouble(known, view.now, policy, "integrity") or _sound(known, view.now, policy)


def _sound(known: KnownDataset, now: float, policy: Policy) -> Verdict:
    schedule = known.dataset.schedule
    notes = Notes(known, f"checked every {schedule.integrity_days:g} days, all read in {schedule.read_all_days:g}")
    if not set(INTEGRITY) & set(due.TESTS[known.dataset.tool]):
        text = _NO_READING.get(known.dataset.tool, _NO_READING[""]).format(tool=known.dataset.tool)
        advice = "" if set(RESTORES) & set(due.TESTS[known.dataset.tool]) else _BY_HAND_ADVICE
        notes.add("unknown", "cannot be read", text, advice=advice)
        return notes.verdict("")
    book = ledger.of(known, now)
    broken = book.damage
    last = book.attempt(INTEGRITY)
    if broken is not None:
        names = names_text([*broken.errors, *broken.broken], 2) or broken.text
        text = f"The {broken.kind} check {_ago(broken, now)} found damage: {names}."
        notes.add(
            "crit",
            f"damaged: {names}",
            text,
            advice="Make a new backup elsewhere at once. Then copy the repository and repair the copy.",
            since=broken.at,
        )
    elif last is not None and last.outcome in _NOT_DONE:
        text = f"The {last.kind} check {_ago(last, now)} {_NOT_DONE[last.outcome]}. {last.text}".strip()
        notes.add("unknown", f"{last.kind}: {last.outcome}", text, advice="Look at the reason; it is tried again.")
    elif last is not None and last.outcome == "failed":
        text = f"The {last.kind} check {_ago(last, now)} failed: {names_text(last.errors, 2) or last.text}"
        notes.add("act", f"{last.kind} failed", text)
    _stale_locks(notes, known, now)
    if book.integrity is None:
        if broken is None:
            notes.add("act", "never checked", "Nobody has ever checked whether this repository can be read.")
        return notes.verdict("")
    age = now - book.integrity.at
    limit = schedule.integrity_days + policy.test_slack_days
    if age > limit * DAY:
        state: State = "act" if age > max(policy.integrity_max_days, limit) * DAY else "watch"
        text = f"The last good check was {_ago(book.integrity, now)}; agreed are {schedule.integrity_days:g} days."
        notes.add(state, f"last checked {_ago(book.integrity, now)}", text, since=book.integrity.at)
    read = f"{book.read_percent} % of the data read in {book.read_days:g} days"
    # What was agreed is a time: a backup that is younger cannot have been read as a whole yet.
    planned = int(100 * min(1.0, (now - (book.tested_since or now)) / (book.read_days * DAY)))
    if book.read_percent < planned:
        late = planned - book.read_percent > policy.read_watch_percent
        text = f"{read}; it should be {planned} % by now."
        notes.add("act" if late else "watch", read, text)
    return notes.verdict(f"checked {_ago(book.integrity, now)}; {read}", read_percent=book.read_percent)


def _stale_locks(notes: Notes, known: KnownDataset, now: float) -> None:
    for lock in known.look.locks if known.look else []:
        if lock.stale:
            since = f" since {duration_text(now - lock.since)}" if lock.since else ""
            notes.add(
                "act",
                f"stale lock of {lock.who}",
                f"{lock.who} holds a lock{since} although nothing of it runs: the next job or check may stop at it.",
                advice="Make sure that no backup runs, then unlock with the tool itself. Keepwell removes no lock.",
                since=lock.since,
            )


@check(
    "backup.restorability",
    title="Restore of the backup",
    advice=f"Let Keepwell restore a sample in a window that allows backup_verification. {TRUST}",
    thresholds=("restore_max_days", "test_slack_days"),
    controls=("CIS 11.5", "ISO A.8.13", "NIS2 4.2.6", "E8 Backups", "SOC 2 A1.3"),
    from_datasets=True,
)
def restorability(view: View, policy: Policy) -> Iterator[Verdict]:
    """Did something come back lately, was it right, and would all of it come back in time?"""
    for known in view.backups:
        yield trouble(known, view.now, policy, "restorability") or _restorable(known, view.now, policy)


def _restorable(known: KnownDataset, now: float, policy: Policy) -> Verdict:
    schedule = known.dataset.schedule
    limit = min(schedule.restore_days, policy.restore_max_days)
    notes = Notes(known, f"a restore, done and compared, every {limit:g} days")
    book = ledger.of(known, now)
    for proof in book.last.values():
        if proof.is_restore and proof is not book.wrong and not _is_past(proof, book):
            _note_restore(notes, proof, book, now)
    if book.wrong is not None:
        _note_restore(notes, book.wrong, book, now)
    left = [proof for proof in book.last.values() if proof.left]
    for proof in left[:1]:
        text = f"Restored data could not be removed and is still at {proof.left} on {proof.host or 'the verifier'}."
        notes.add("act", f"restored data left at {proof.left}", text, advice="Remove it: it is the client's data.")
    if not set(RESTORES) & set(due.TESTS[known.dataset.tool]):
        _note_by_hand(notes, known, now, policy)
        return notes.verdict("")
    if book.restore is None:
        _note_never(notes, book, now)
    else:
        age = now - book.restore.at
        if age > (limit + policy.test_slack_days) * DAY:
            state: State = "act" if age > policy.restore_max_days * DAY else "watch"
            ago = _ago(book.restore, now)
            text = f"The last proven restore ({book.restore.kind}) was {ago}; {limit:g} days are agreed."
            notes.add(state, f"last restored {ago}", text, since=book.restore.at)
    _note_full(notes, known, book, now, policy)
    _note_time(notes, known, book.recovery)
    return notes.verdict(_restored_text(book, now), **_numbers(book))


def _note_by_hand(notes: Notes, known: KnownDataset, now: float, policy: Policy) -> None:
    """Note what a person says to have restored, where nothing else can tell: it is a word, so it is never ok."""
    text = _NO_RESTORE.get(known.dataset.tool, _NO_RESTORE[""]).format(tool=known.dataset.tool)
    told = known.dataset.restored_by_hand
    if told is None:
        notes.add("unknown", "cannot be tested", text, advice=_BY_HAND_ADVICE)
        return
    days = now / DAY - (told.date - dt.date(1970, 1, 1)).days
    said = f"{told.by} says to have restored from it by hand {duration_text(days * DAY)} ago. {told.text}".strip()
    state: State = "act" if days > policy.restore_max_days else "watch"
    notes.add(state, f"by declaration alone, {told.date.isoformat()}", f"{text} {said}", advice=_BY_HAND_ADVICE)


def _is_past(proof: Proof, book: Ledger) -> bool:
    """True when a restore that tells at least as much has ended well since."""
    telling = RESTORES[: RESTORES.index(proof.kind) + 1] if proof.kind in RESTORES else ()
    return any(kind in book.good and book.good[kind].at > proof.at for kind in telling)


def _note_restore(notes: Notes, proof: Proof, book: Ledger, now: float) -> None:
    """Note what the newest restore of a kind shows."""
    when = f"The {proof.kind} restore {_ago(proof, now)}"
    if proof.canary is not None and proof.canary.outcome in _CANARY:
        state, text = _CANARY[proof.canary.outcome]
        notes.add(
            state, f"canary {proof.canary.outcome}", f"{when}: {text}. {proof.canary.text}".strip(), since=proof.at
        )
    if proof.mismatches:
        first = proof.mismatches[0]
        text = f"{when}: {count_text(len(proof.mismatches), 'file')} came back wrong, first {first.path} ({first.why})."
        advice = (
            "Restore it once more from an older snapshot and compare; the backup holds something else than it should. "
            "A proven full restore closes this, another sample does not."
        )
        notes.add("crit", f"{count_text(len(proof.mismatches), 'file')} wrong", text, advice=advice, since=proof.at)
    if proof.missing:
        text = f"{when}: {names_text(proof.missing, 3)} did not come back."
        notes.add("act", f"{count_text(len(proof.missing), 'file')} not restored", text, since=proof.at)
    failed = [query for query in proof.queries if not query.ok]
    if failed:
        text = (
            f"{when}: the database is up but '{failed[0].sql}' is not answered as it should. {failed[0].text}".strip()
        )
        notes.add("crit", f"{count_text(len(failed), 'query', 'queries')} failed", text, since=proof.at)
    told = proof.mismatches or proof.missing or failed or (proof.canary and proof.canary.outcome in _CANARY)
    if proof.outcome == "damaged" or (proof.outcome == "failed" and not told):
        what = names_text(proof.errors, 2) or proof.text
        text = f"{when} {'met damaged data' if proof.outcome == 'damaged' else 'failed'}: {what.rstrip('.')}."
        notes.add("crit", f"{proof.kind} restore {proof.outcome}", text, since=proof.at)
    good = book.good.get(proof.kind)
    if proof.outcome in _NOT_DONE:
        past = f" The last good one was {_ago(good, now)}." if good else " It was never done."
        text = f"{when} {_NOT_DONE[proof.outcome]}. {proof.text}".rstrip() + past
        notes.add(
            "unknown", f"{proof.kind} restore: {proof.outcome}", text, advice="Look at the reason; it is tried again."
        )


def _note_never(notes: Notes, book: Ledger, now: float) -> None:
    bare = [proof for kind, proof in book.good.items() if kind in RESTORES]
    if bare:
        newest = max(bare, key=lambda proof: proof.at)
        observed = f"restored {_ago(newest, now)}, compared with nothing"
        text = "Something came back, but there was nothing to compare it with: no live file, no canary, no query."
        notes.add("watch", observed, text, advice="Declare a canary (or queries) of the dataset.")
    elif "canary" in book.good:
        text = f"Only the canary has come back, {_ago(book.good['canary'], now)}: one known file."
        notes.add("act", "only the canary restored", text)
    elif not any(proof.is_restore for proof in book.last.values()):
        notes.add("act", "never restored", "Nothing of this backup has ever been restored.")
    else:
        notes.add("act", "never restored well", "No restore of this backup has ended well.")


def _note_full(notes: Notes, known: KnownDataset, book: Ledger, now: float, policy: Policy) -> None:
    """A full restore is rarer; one that is overdue is told with its age."""
    if "full" not in due.TESTS[known.dataset.tool]:
        return
    limit = (known.dataset.schedule.full_days + policy.test_slack_days) * DAY
    full = book.good.get("full")
    since = full.at if full else book.tested_since
    if since is not None and now - since > limit:
        age = f"was {_ago(full, now)}" if full else "was never done"
        text = f"A restore of everything {age}; every {known.dataset.schedule.full_days:g} days are agreed."
        notes.add("watch", f"full restore {age}", text)


def _note_time(notes: Notes, known: KnownDataset, recovery: Recovery | None) -> None:
    target = (known.dataset.rto_hours or 0.0) * HOUR
    if recovery is None or not target or recovery.seconds <= target:
        return
    pace = f"{size_text(recovery.rate)}/s in the last {recovery.kind} restore"
    change = recovery.trend or 0.0
    trend = f", {abs(int(100 * change))} % {'faster' if change > 0 else 'slower'} than before" if recovery.trend else ""
    notes.add(
        "act",
        f"restore would take {duration_text(recovery.seconds)}",
        f"Bringing back {size_text(recovery.size)} would take {duration_text(recovery.seconds)} at {pace}{trend}; "
        f"agreed are {target / HOUR:g} hours.",
        advice="Agree on another time, or make it faster: a nearer copy, a faster link, less data.",
    )


def _restored_text(book: Ledger, now: float) -> str:
    if book.restore is None:
        return ""
    text = f"{book.restore.kind} restored {_ago(book.restore, now)}"
    if book.recovery is not None:
        text += f"; all of it would take {duration_text(book.recovery.seconds)}"
    return text


def _numbers(book: Ledger) -> dict[str, t.Any]:
    numbers: dict[str, t.Any] = {"never_restored": list(book.never_restored)}
    if book.recovery is not None:
        numbers["rto_estimate_s"] = int(book.recovery.seconds)
    return numbers
