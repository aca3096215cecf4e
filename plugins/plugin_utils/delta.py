# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what differs from the previous run. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import SEVERITY, State
from ansible_collections.keepwell.fleet.plugins.plugin_utils.counting import OPEN_STATES
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import (
    CheckInfo,
    Delta,
    Finding,
    FindingChange,
    HostResult,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import Run

_Key = tuple[str, str, str]  # host, check, object


def compare(hosts: Sequence[HostResult], checks: Sequence[CheckInfo], previous: Run | None) -> Delta:
    """Return new, worse, better, resolved and still open findings against the previous run.

    Only what both runs looked at is compared: a host that was not in the other run, a check that did not run, and a
    result that is ``unknown`` now never count as resolved.
    """
    if previous is None:
        return Delta()
    titles = {check.id: check.title for check in checks}
    before = _open(previous.hosts)
    now = _open(hosts)
    looked_before = _states(previous.hosts)
    looks_now = _states(hosts)
    delta = Delta(previous_run_id=previous.header.run_id, previous_at=previous.header.started_at)
    for key, finding in now.items():
        old = before.get(key)
        if old is None:
            # A host or a check that the previous run did not have makes no news; what was open before a run that could
            # not look, neither.
            seen_before = looked_before.get(key[:2])
            if seen_before == "unknown" and finding.first_seen < previous.header.started_at:
                delta.still_open += 1
            elif seen_before is not None:
                delta.new.append(_change(key, titles, finding, None))
        elif finding.state == old.state:
            delta.still_open += 1
        # To lose sight of a problem is no improvement.
        elif finding.state == "unknown" or SEVERITY.index(finding.state) > SEVERITY.index(old.state):
            delta.worse.append(_change(key, titles, finding, old.state))
        else:
            delta.better.append(_change(key, titles, finding, old.state))
    for key, old in before.items():
        state_now = looks_now.get(key[:2])
        if key not in now and state_now is not None and state_now != "unknown":
            delta.resolved.append(_change(key, titles, old.model_copy(update={"state": "ok"}), old.state))
    return delta


def _open(hosts: Sequence[HostResult]) -> dict[_Key, Finding]:
    return {
        (host.host, result.check, finding.object): finding
        for host in hosts
        for result in host.results
        for finding in result.findings
        if finding.state in OPEN_STATES
    }


def _states(hosts: Sequence[HostResult]) -> dict[tuple[str, str], State]:
    """State of every (host, check) that was looked at; what does not apply (any more) is fine."""
    states: dict[tuple[str, str], State] = {}
    for host in hosts:
        states.update({(host.host, result.check): result.state for result in host.results})
        states.update({(host.host, check): "ok" for check in host.not_applicable})
    return states


def _change(key: _Key, titles: Mapping[str, str], finding: Finding, previous: State | None) -> FindingChange:
    return FindingChange(
        host=key[0],
        check=key[1],
        title=titles.get(key[1], key[1]),
        object=key[2],
        state=finding.state,
        previous_state=previous,
        observed=finding.observed,
    )
