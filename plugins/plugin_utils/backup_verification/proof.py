# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the gate: may somebody rely on the backups of a host? Pure.

Proven means: every dataset is fresh, and something of it was restored and compared within the agreed time, and nothing
since speaks against it. The check ``backup.proof``, patching and the module ``backup_proof`` ask here.
"""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Sequence

from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification import groups, ledger
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.known import INTEGRITY, KnownDataset
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import DAY, HOUR, duration_text

# Ends of a test that speak against the backup itself; the others say only that the test was not done.
AGAINST = ("damaged", "failed")


class Answer(t.NamedTuple):
    """Whether one dataset is proven, and why (not), in one sentence. ``seen`` is false when nobody could look."""

    dataset: str
    proven: bool
    reason: str
    seen: bool = True


class Decision(t.NamedTuple):
    """Whether a host's backups are proven, one sentence, and the answer for every dataset."""

    proven: bool
    reason: str
    datasets: tuple[Answer, ...]


def decide(
    backups: Sequence[KnownDataset],
    rpo_s: Callable[[KnownDataset], float],
    max_days: float,
    look_max_s: float,
    now: float,
) -> Decision:
    """Return whether all datasets of a host are proven.

    ``rpo_s`` gives how old the data of a dataset may be, ``max_days`` how old the proof; a look that is older than
    ``look_max_s`` says nothing of today. A host without datasets is never proven.
    """
    answers = tuple(_one(known, rpo_s(known), max_days, look_max_s, now) for known in backups)
    if not answers:
        return Decision(False, "No dataset is declared (backup_verification_datasets), so nothing is proven.", ())
    against = [answer for answer in answers if not answer.proven]
    if against:
        more = f" {len(against) - 1} more are not proven." if len(against) > 1 else ""
        return Decision(False, f"{against[0].dataset}: {against[0].reason}{more}", answers)
    if len(answers) == 1:
        return Decision(True, f"{answers[0].dataset}: {answers[0].reason}", answers)
    return Decision(True, f"All {len(answers)} datasets are fresh and were restored within {max_days:g} days.", answers)


def _one(known: KnownDataset, rpo_s: float, max_days: float, look_max_s: float, now: float) -> Answer:
    unseen = _unseen(known, look_max_s, now)
    if unseen:
        return Answer(known.dataset.id, False, unseen, seen=False)
    stale = _stale(known, rpo_s, now)
    reason, proven = (stale, False) if stale else _restore(known, max_days, now)
    return Answer(known.dataset.id, proven, reason)


def _unseen(known: KnownDataset, look_max_s: float, now: float) -> str:
    """Why nobody knows how the repository is today; empty when somebody looked."""
    look = known.look
    if look is None or known.looked_at is None:
        return "nobody has looked at the repository yet."
    if look.status != "ok":
        return f"the repository could not be looked at ({look.status.replace('_', ' ')})."
    if now - known.looked_at > look_max_s:
        return f"the repository was last looked at {duration_text(now - known.looked_at)} ago."
    return ""


def _stale(known: KnownDataset, rpo_s: float, now: float) -> str:
    """Why the data is not fresh; empty when it is."""
    at = groups.data_time(known)
    if at is None:
        return "the repository holds no snapshot of it."
    if at > now + HOUR:
        return "the newest snapshot lies in the future: a clock is wrong."
    if now - at > rpo_s:
        return f"the data is {groups.age_text(now - at)} old, {rpo_s / HOUR:g} hours are agreed."
    return ""


def _restore(known: KnownDataset, max_days: float, now: float) -> tuple[str, bool]:
    book = ledger.of(known, now)
    good = book.restore
    if good is None:
        return "no restore was ever done and compared.", False
    ago = f"{duration_text(now - good.at)} ago"
    for proof in (book.wrong, book.damage, *book.last.values()):
        if proof is None or proof.outcome not in AGAINST:
            continue
        still = proof in (book.wrong, book.damage)
        if still or proof.at > good.at:
            what = "check" if proof.kind in INTEGRITY else "restore"
            when = f"{duration_text(now - proof.at)} ago"
            then = "after the last good restore" if proof.at > good.at else "and nothing has disproved that since"
            return f"the {proof.kind} {what} {when} ended with '{proof.outcome}', {then}.", False
    if now - good.at > max_days * DAY:
        return f"the last proven restore ({good.kind}) was {ago}, {max_days:g} days are agreed.", False
    return f"fresh, and proven by a {good.kind} restore {ago}.", True
