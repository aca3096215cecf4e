# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the fixed words of evidence (how a change ended, who started a run) for its readers. Pure.

Evidence keeps its own word whatever the reader's language is; a report shows it in theirs.
"""

from __future__ import annotations

import gettext
import typing as t
from collections.abc import Mapping

from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.models import Proof
from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import Chore, Outcome
from ansible_collections.keepwell.fleet.plugins.plugin_utils.grade import PILLARS
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows.kinds import KINDS
from ansible_collections.keepwell.fleet.plugins.plugin_utils.period.models import Standing, Track
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import Run, Trigger

# By kind, which is the context of a translation. tools/messages.py takes all of them into the catalogues.
WORDS: Mapping[str, tuple[str, ...]] = {
    "chore": t.get_args(Chore),
    "change": t.get_args(Outcome),
    "origin": t.get_args(Trigger.model_fields["origin"].annotation),
    "run": t.get_args(Run.model_fields["status"].annotation),
    "standing": t.get_args(Standing),
    "end of a finding": tuple(word for word in t.get_args(Track.model_fields["ended"].annotation) if word),
    "restore test": ("proven", "damaged", "failed", "error", "timeout", "refused", "locked", "inconclusive"),
    "pillar": tuple(name for name, _weight, _members in PILLARS),
    "work": KINDS,
    "kind of test": t.get_args(Proof.model_fields["kind"].annotation),
}


def word(texts: gettext.NullTranslations, kind: str, said: str) -> str:
    """Return a word of evidence in the reader's language; one that this version does not know stays as it is."""
    return texts.pgettext(kind, said).replace("_", " ") if said in WORDS[kind] else said
