# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the verdict of a run in a sentence or two, in any language. Pure.

Evidence has it in English; a page in another language says the same from the same numbers.
"""

from __future__ import annotations

import gettext
from collections.abc import Callable, Iterable, Sequence

from ansible_collections.keepwell.fleet.plugins.plugin_utils import counting
from ansible_collections.keepwell.fleet.plugins.plugin_utils.acted import asking
from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores import brake
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import Counts, RunCounts
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import MissedRun, Run

ENGLISH = gettext.NullTranslations()


def of_run(run: Run, texts: gettext.NullTranslations) -> str:
    """Return the verdict of a run that has ended: what did not run, what was done, what was found."""
    return (
        of_missed(run.missed_runs, texts)
        + of_changes(run.changes, texts)
        + of_evidence(run.altered_evidence, texts)
        + of_counts(counting.count_run(run.hosts), texts)
    )


def of_missed(missed: Sequence[MissedRun], texts: gettext.NullTranslations = ENGLISH) -> str:
    """Return how many runs of the schedule are missing; "" when none is."""
    number = sum(entry.count for entry in missed)
    if not number:
        return ""
    return (
        texts.ngettext(
            "{n} scheduled run did not take place.", "{n} scheduled runs did not take place.", number
        ).format(n=number)
        + " "
    )


def of_changes(found: Iterable[ChangeRecord], texts: gettext.NullTranslations = ENGLISH) -> str:
    """Return how many changes ask for a person, and which chores the brake held; "" when none."""
    records = list(found)
    number = len(asking(records))
    told = ""
    if number:
        many = texts.ngettext("{n} change needs a person.", "{n} changes need a person.", number)
        told = many.format(n=number) + " "
    held = sorted({record.chore for record in records if record.code == brake.CODE})
    if held:
        # The words are those of pages: WORDS["chore"].
        names = [texts.pgettext("chore", chore).replace("_", " ") for chore in held]
        told += texts.gettext("The brake held {chores}.").format(chores=texts.gettext(" and ").join(names)) + " "
    return told


def of_evidence(altered: Sequence[str], texts: gettext.NullTranslations = ENGLISH) -> str:
    """Return that evidence of the run before was changed; "" when it was not."""
    return texts.gettext("Evidence of the run before was changed.") + " " if altered else ""


def of_counts(counts: RunCounts, texts: gettext.NullTranslations = ENGLISH) -> str:
    """Return one sentence about all hosts, worst first."""
    hosts = counts.hosts
    if hosts.total == 0:
        return texts.gettext("No host belongs to this run.")
    if hosts.good == hosts.total:
        if hosts.accepted:
            all_well = texts.ngettext(
                "The host is in good shape, with an accepted risk.",
                "All {total} hosts are in good shape, {n} of them with an accepted risk.",
                hosts.total,
            )
        else:
            all_well = texts.ngettext("The host is in good shape.", "All {total} hosts are in good shape.", hosts.total)
        return all_well.format(total=hosts.total, n=hosts.accepted)
    if hosts.total == 1:
        return next(sentence for number, sentence in _one(hosts, texts) if number)
    parts = (
        (hosts.crit, texts.ngettext("{n} is critical", "{n} are critical", hosts.crit)),
        (hosts.act, texts.ngettext("{n} needs action", "{n} need action", hosts.act)),
        (hosts.unknown, texts.ngettext("{n} is not fully known", "{n} are not fully known", hosts.unknown)),
        (hosts.watch, texts.ngettext("{n} should be watched", "{n} should be watched", hosts.watch)),
        (hosts.good, good_shape(hosts, texts)),
    )
    told = ", ".join(words.format(n=number) for number, words in parts if number)
    return texts.gettext("Of {total} hosts, {parts}.").format(total=hosts.total, parts=told)


def good_shape(hosts: Counts, texts: gettext.NullTranslations, number: Callable[[int], str] = str) -> str:
    """Return how many are in good shape: those that are ok and those whose risk was accepted, which are told apart.

    ``number`` writes numbers as the reader does.
    """
    if not hosts.accepted:
        told = texts.ngettext("{n} is in good shape", "{n} are in good shape", hosts.good)
    elif not hosts.ok:
        told = texts.ngettext(
            "{n} is in good shape, with an accepted risk",
            "{n} are in good shape, all with an accepted risk",
            hosts.good,
        )
    else:
        told = texts.gettext("{n} are in good shape, {accepted} of them with an accepted risk")
    return told.format(n=number(hosts.good), accepted=number(hosts.accepted))


def _one(hosts: Counts, texts: gettext.NullTranslations) -> Sequence[tuple[int, str]]:
    return (
        (hosts.crit, texts.gettext("The host is critical.")),
        (hosts.act, texts.gettext("The host needs action.")),
        (hosts.unknown, texts.gettext("The host is not fully known.")),
        (hosts.watch, texts.gettext("The host should be watched.")),
    )
