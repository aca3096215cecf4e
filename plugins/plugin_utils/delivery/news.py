# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: whether a run is a reason to tell a receiver something. Pure.

A note of what a receiver was told last makes that repeatable: the same run never is news twice, and an older one, made
again, never is at all.
"""

from __future__ import annotations

import datetime
import zoneinfo

from pydantic import Field

from ansible_collections.keepwell.fleet.plugins.plugin_utils import counting, status
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import SEVERITY, State
from ansible_collections.keepwell.fleet.plugins.plugin_utils.delivery.receivers import Receiver
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import SCHEMA_VERSION, Model, epoch
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.desk import is_provisional
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import Run


class Place(Model):
    """Where a finding is: to know whether anybody looked there since."""

    host: str
    check: str


class Told(Model):
    """What a receiver knows: told.json of a receiver."""

    schema_version: str = SCHEMA_VERSION
    run_id: str = Field(description="newest run that was looked at for this receiver")
    outcome: str
    grade: str | None = None
    month: str = Field("", description="of the last monthly message")
    findings: dict[str, Place] = Field({}, description="by key: those at or above the state that are known of")


def news(receiver: Receiver, run: Run, told: Told | None) -> tuple[list[str], Told]:
    """Return why a receiver is to be told of a run (empty: it is not), and what it knows then."""
    outcome = status.outcome_of(counting.count_run(run.hosts))
    grade = run.grade.letter if run.grade else None
    if is_provisional(run):
        # A part changes nothing of what is known of the whole.
        known = told or Told(run_id="", outcome="")
        return (["a run that does not cover everything"] if receiver.partial else []), known
    if told and told.run_id > run.header.run_id:
        return (["each run"] if "each_run" in receiver.when else []), told
    month = _month(run)
    found = _open(run, receiver.at_or_above)
    unseen = _still_hidden(run, told)
    reasons = []
    if "each_run" in receiver.when:
        reasons.append("each run")
    if told is None or told.run_id < run.header.run_id:
        if "verdict" in receiver.when and (told is None or (told.outcome, told.grade) != (outcome, grade)):
            reasons.append("the verdict changed" if told else "the first run")
        fresh = found.keys() - (told.findings.keys() if told else set())
        if "findings" in receiver.when and fresh:
            reasons.append(
                f"{len(fresh)} new finding{'' if len(fresh) == 1 else 's'} at or above {receiver.at_or_above}"
            )
        if "monthly" in receiver.when and (told is None or told.month != month):
            reasons.append(f"the first run of {month}")
    monthly = any(reason.startswith("the first run of") for reason in reasons)
    return reasons, Told(
        run_id=run.header.run_id,
        outcome=outcome,
        grade=grade,
        month=month if monthly else (told.month if told else ""),
        findings={**unseen, **found},
    )


def _month(run: Run) -> str:
    """The month of a run's end by the client's own calendar: ``2026-11``."""
    try:
        zone: datetime.tzinfo = zoneinfo.ZoneInfo(run.header.client.timezone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        zone = datetime.UTC
    at = datetime.datetime.fromtimestamp(epoch(run.ended_at or run.header.started_at), zone)
    return f"{at.year:04d}-{at.month:02d}"


def _open(run: Run, limit: State) -> dict[str, Place]:
    return {
        finding.key: Place(host=host.host, check=result.check)
        for host in run.hosts
        for result in host.results
        for finding in result.findings
        if finding.state in counting.OPEN_STATES and SEVERITY.index(finding.state) >= SEVERITY.index(limit)
    }


def _still_hidden(run: Run, told: Told | None) -> dict[str, Place]:
    """Known findings where nobody could look this time: they are no news when they are seen again."""
    if told is None:
        return {}
    unknown = {(host.host, result.check) for host in run.hosts for result in host.results if result.state == "unknown"}
    return {key: place for key, place in told.findings.items() if (place.host, place.check) in unknown}
