# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what the policy wants of a host as it was seen. Runs on the control node."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

from ansible_collections.keepwell.fleet.plugins.plugin_utils import history, observation, settings
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import View
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._patching_policy import Policy, doubts
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching import exploited, gates, guards, rings, selection
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.models import Item, Withheld
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.work import Job


class Wanted(t.NamedTuple):
    """What to install, what is left out, and why that may not be all; with what it was judged by."""

    view: View
    policy: Policy
    schedule: rings.Schedule
    items: list[Item]
    withheld: list[Withheld]
    doubts: list[str]


def of(job: Job, document: dict[str, t.Any]) -> Wanted:
    """Return what the policy wants of the host that this observation is of."""
    known = history.History(job.store).of(job.host, job.now())
    view = observation.view(document, job.host, job.now(), known, exposure=job.settings.exposure)
    policy = t.cast(Policy, job.settings.policy["patching"])
    schedule = guards.schedule(job)
    suspects = gates.suspects(job.host, schedule, guards.records(job))
    used = _exploited(job)
    items, withheld = selection.select(view, policy, job.options, suspects, used.cves)
    return Wanted(view, policy, schedule, items, withheld, [*doubts(view, policy), *filter(None, [used.doubt])])


def _exploited(job: Job) -> exploited.Exploited:
    """Read the catalogue of exploited vulnerabilities, where one is named."""
    path = job.options.known_exploited
    if path is None:
        return exploited.Exploited()
    try:
        return exploited.read(json.loads(Path(path).read_text(encoding="utf-8")), job.now())
    except (OSError, ValueError) as exc:
        raise settings.SettingsError([f"patching_known_exploited: {path} cannot be used: {exc}."]) from exc
