# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: a beat in a few words, for the last lines of a run and for scripts. Pure."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import STATES, count_text
from ansible_collections.keepwell.fleet.plugins.plugin_utils.watch.models import Sample
from ansible_collections.keepwell.fleet.plugins.plugin_utils.watch.notices import Notice, lost, state_of


def headline(client: str, samples: Mapping[str, Sample], told: Sequence[Notice], *, partial: bool) -> dict[str, t.Any]:
    """Return plain values: the verdict, hosts by state, who does not answer, and what changed."""
    states = [state_of(sample, samples) for sample in samples.values()]
    silent = sorted(host for host, sample in samples.items() if sample.answer != "ok")
    answered = len(samples) - len(silent)
    verdict = f"{answered} of {count_text(len(samples), 'host')} {'answers' if answered == 1 else 'answer'}."
    return {
        "client": client,
        "verdict": verdict + ("" if told else " Nothing changed since the beat before."),
        "partial": partial,
        "hosts": {"total": len(states), **{state: states.count(state) for state in STATES}},
        "silent": silent,
        "lost": sorted(host for host, sample in samples.items() if lost(sample)),
        "notices": [{"state": notice.state, "host": notice.host, "text": notice.text} for notice in told],
    }
