# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: one host as a reader meets it: facts, results, what is left out, what is accepted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import (
    SEVERITY,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import CheckResult, Finding, HostFacts, HostResult
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.clock import Deadline
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.desk import (
    Desk,
    Shown,
    anchor,
    began,
    first,
    page_href,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.look import ORDER, Badge
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.wording import decimal
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.work import ChangeView, change_view

FINDINGS_SHOWN = 10
# In an index over many hosts the worst ones keep a few lines each; every host's own page has them all.
INDEX_HOSTS = 200
INDEX_RESULTS = 5
INDEX_FINDINGS = 2


@dataclass(frozen=True, slots=True)
class Part:
    """One finding below a result."""

    badge: Badge
    object: str
    observed: str
    expected: str
    since: str
    deadline: Deadline | None


@dataclass(frozen=True, slots=True)
class ResultRow:
    """What one check says of the host. ``parts`` is empty when the result says it all."""

    badge: Badge
    title: str
    observed: str
    parts: Shown[Part]


@dataclass(frozen=True, slots=True)
class Accepted:
    """A finding somebody decided to live with."""

    host: str
    title: str
    object: str
    observed: str
    underlying: Badge
    reason: str
    approver: str
    expires: str


@dataclass(frozen=True, slots=True)
class HostView:
    """A host, ready to be set."""

    id: str
    name: str
    page: str
    badge: Badge
    groups: str
    system: str
    tally: list[tuple[Badge, int]]
    reached: bool
    reason: str
    measured: str
    facts: list[tuple[str, str]]
    results: Shown[ResultRow]
    not_applicable: list[str]
    accepted: list[Accepted]
    blind: list[str]
    changes: list[ChangeView]


def host_view(desk: Desk, host: HostResult, *, brief: bool = False) -> HostView:
    """Return the view of a host; ``brief`` keeps the first results that are not ok."""
    order = {check: place for place, check in enumerate(desk.checks)}
    ranked = sorted(host.results, key=lambda result: (-SEVERITY.index(result.state), order.get(result.check, 999)))
    wanted: Sequence[CheckResult] = [result for result in ranked if result.state != "ok"] if brief else ranked
    # A silent host has nothing to say twenty times; its reason is told once. What others know of it is shown.
    told = wanted if host.contact.reached else [result for result in wanted if result.state != "unknown"]
    results = [_result(desk, result, INDEX_FINDINGS if brief else FINDINGS_SHOWN) for result in told]
    states = [result.state for result in host.results]
    return HostView(
        id=anchor(host.host),
        name=host.host,
        page=page_href(host.host) if desk.split else "",
        badge=desk.badges[host.state],
        groups=", ".join(host.groups),
        system=_system(host.facts),
        tally=[(desk.badges[state], states.count(state)) for state in ORDER if state in states],
        reached=host.contact.reached,
        reason=host.contact.reason,
        measured=desk.clock.moment(host.collected_at) if host.collected_at else "",
        facts=_facts(desk, host),
        results=first(results, INDEX_RESULTS if brief else len(results)),
        not_applicable=[desk.title(check) for check in host.not_applicable],
        accepted=accepted_of(desk, [host]),
        blind=_blind(host),
        changes=[] if brief else [change_view(desk, record) for record in desk.changes.get(host.host, ())],
    )


def accepted_of(desk: Desk, hosts: Sequence[HostResult]) -> list[Accepted]:
    """Return all accepted findings of some hosts, the first to expire first."""
    found = [
        (finding.accepted.expires, host.host, result.check, finding)
        for host in hosts
        for result in host.results
        for finding in result.findings
        if finding.state == "accepted" and finding.accepted
    ]
    return [
        _accepted(desk, host, check, finding) for _expires, host, check, finding in sorted(found, key=lambda f: f[:3])
    ]


def _accepted(desk: Desk, host: str, check: str, finding: Finding) -> Accepted:
    decision = finding.accepted
    if decision is None:
        raise ValueError(f"finding {finding.key} is accepted by nobody")
    return Accepted(
        host=host,
        title=desk.title(check),
        object=finding.object,
        observed=finding.observed,
        underlying=desk.badges[decision.underlying],
        reason=decision.reason,
        approver=decision.approver,
        expires=desk.clock.day(f"{decision.expires}T12:00:00Z"),
    )


def _result(desk: Desk, result: CheckResult, limit: int) -> ResultRow:
    findings = result.findings
    telling = [f for f in findings if f.object or f.expected or f.deadline or f.observed != result.observed]
    return ResultRow(
        badge=desk.badges[result.state],
        title=desk.title(result.check),
        observed=result.observed,
        parts=first([_part(desk, finding) for finding in telling], limit),
    )


def _part(desk: Desk, finding: Finding) -> Part:
    return Part(
        badge=desk.badges[finding.state],
        object=finding.object,
        observed=finding.observed,
        expected=finding.expected,
        since=desk.clock.day(began(finding)),
        deadline=desk.deadline(finding.deadline),
    )


def _facts(desk: Desk, host: HostResult) -> list[tuple[str, str]]:
    """Return label and value of what is known; what is not known is left out."""
    gettext_ = desk.texts.gettext
    facts = host.facts
    contact = host.contact
    offset = contact.clock_offset_s
    rights = gettext_("root") if contact.privileged else gettext_("ordinary user")
    rows: list[tuple[str, str | None]] = [
        (gettext_("System"), _system(facts)),
        (gettext_("Kernel"), facts.kernel),
        (gettext_("Architecture"), facts.architecture),
        (gettext_("Virtualization"), facts.virtualization),
        (gettext_("Up for"), None if facts.uptime_s is None else desk.length(facts.uptime_s)),
        (gettext_("Processors"), None if facts.cpus is None else str(facts.cpus)),
        (gettext_("Memory"), None if facts.memory_bytes is None else desk.size(facts.memory_bytes)),
        (gettext_("Groups"), ", ".join(host.groups) or None),
        (gettext_("Measured"), desk.clock.moment(host.collected_at) if host.collected_at else None),
        (gettext_("Reached by"), contact.transport or None),
        (gettext_("Rights"), rights if contact.reached else None),
        (
            gettext_("Clock against control node"),
            None if offset is None else decimal(desk.language, f"{offset:+.3f} s"),
        ),
    ]
    return [(label, value) for label, value in rows if value]


def _system(facts: HostFacts) -> str:
    """Return the operating system by its full name, or by id and version where that is all that is known."""
    return facts.os or " ".join(part for part in (facts.os_id, facts.os_version) if part)


def _blind(host: HostResult) -> list[str]:
    """Return what could not be read on this host, one line each."""
    lines = [f"become: {host.contact.become_refused}"] if host.contact.become_refused else []
    for name, probe in sorted(host.probes.items()):
        if probe.status != "ok":
            lines.append(f"{name}: {probe.status}{': ' + probe.detail if probe.detail else ''}")
        lines += [f"{name}, {source}: {said}" for source, said in sorted(probe.sources.items())]
    return lines
