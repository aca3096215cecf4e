# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: from an observation to the evidence of a host. Pure: no clock, no files, no Ansible."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Mapping, Sequence

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _registry as probes
from ansible_collections.keepwell.fleet.plugins.plugin_utils import judge, observation
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification import summary
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import (
    SEVERITY,
    Check,
    History,
    NoHistory,
    Verdict,
    View,
    worst,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._registry import CHECKS, SECTIONS
from ansible_collections.keepwell.fleet.plugins.plugin_utils.exceptions import Waiver
from ansible_collections.keepwell.fleet.plugins.plugin_utils.identifiers import finding_key
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import (
    Acceptance,
    CheckInfo,
    CheckResult,
    Contact,
    Finding,
    HostEvidence,
    HostResult,
    Threshold,
    iso,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.policy import Policy
from ansible_collections.keepwell.fleet.plugins.plugin_utils.redact import redact

if t.TYPE_CHECKING:
    from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.datasets import Unverified
    from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.known import KnownDataset
    from ansible_collections.keepwell.fleet.plugins.plugin_utils.schedule.drift import Standing

# The check that tells of a host that could not be looked at; the others are unknown with it, without a finding each.
CONTACT_CHECK = "availability.contact"
FirstSeen = Callable[[str], float | None]


def never_seen(_key: str) -> float | None:
    """The first sight of a finding on a host without history."""
    return None


class Judging(t.NamedTuple):
    """What is the same for all results of one host in one run."""

    run_id: str
    client: str
    host: str
    groups: Sequence[str]
    now: float
    policy: Policy
    waivers: Sequence[Waiver] = ()
    exposure: t.Literal["internet", "internal", "isolated"] = "internet"
    subset: Sequence[str] = ("all",)
    backups: tuple[KnownDataset, ...] = ()
    unverified: tuple[Unverified, ...] = ()
    schedule: Standing | None = None


def judge_observation(
    judging: Judging,
    document: Mapping[str, t.Any],
    contact: Contact,
    history: History | None = None,
    first_seen: FirstSeen = never_seen,
    checks: Sequence[Check] = CHECKS,
) -> HostEvidence:
    """Return the evidence of a host that answered with an observation document (see ``observation.check_shape``)."""
    clean = redact(document)
    view = observation.view(
        clean,
        judging.host,
        judging.now,
        history,
        clock_offset_s=contact.clock_offset_s,
        contact=contact.model_dump(),
        exposure=judging.exposure,
        backups=judging.backups,
        unverified=judging.unverified,
        schedule=judging.schedule,
    )
    # With a subset of probes the other checks did not run: neither counted nor "not applicable".
    possible = [check for check in checks if set(check.needs) <= set(view.probes)]
    results = judge.judge_host(view, judging.policy, possible)
    counted = [_safe_result(judging, result, first_seen) for result in results if result.state is not None]
    host = HostResult(
        host=judging.host,
        groups=sorted(judging.groups),
        state=worst(result.state for result in counted),
        contact=contact,
        collected_at=iso(judging.now),
        facts=observation.facts(clean),
        probes=observation.probe_summaries(clean),
        results=counted,
        not_applicable=[result.check.id for result in results if result.state is None],
    )
    return _evidence(judging, host, clean)


def judge_silence(
    judging: Judging, contact: Contact, first_seen: FirstSeen = never_seen, history: History | None = None
) -> HostEvidence:
    """Return the evidence of a host that gave no observation: its checks are unknown, the reason told once.

    With a subset of probes, every check that they would have answered. What needs no answer of the host is judged all
    the same: another machine may have looked at its backups.
    """
    asked = set(probes.select(judging.subset))
    view = View(
        host=judging.host,
        now=judging.now,
        probes={},
        history=history or NoHistory(),
        contact=contact.model_dump(),
        exposure=judging.exposure,
        backups=judging.backups,
        unverified=judging.unverified,
        schedule=judging.schedule,
    )
    verdict = Verdict(
        "unknown",
        observed=contact.reason,
        expected="an observation",
        summary=f"{judging.host} could not be looked at: {contact.reason}",
    )
    results = []
    not_applicable = []
    for check in CHECKS:
        if (check.from_datasets and judging.backups) or check.from_control:
            result = judge.run_check(check.id, view, judging.policy)
            if result.state is not None:
                results.append(_safe_result(judging, result, first_seen))
                continue
        if (check.from_datasets and not check.needs) or check.from_control:
            not_applicable.append(check.id)
        elif set(check.needs) <= asked:
            findings = [_finding(judging, check, verdict, first_seen)] if check.id == CONTACT_CHECK else []
            results.append(CheckResult(check=check.id, state="unknown", observed=contact.reason, findings=findings))
    host = HostResult(
        host=judging.host,
        groups=sorted(judging.groups),
        state=worst(["unknown", *(result.state for result in results)]),
        contact=contact,
        results=results,
        not_applicable=not_applicable,
    )
    return _evidence(judging, host, None)


def _evidence(judging: Judging, host: HostResult, document: dict[str, t.Any] | None) -> HostEvidence:
    return HostEvidence(
        run_id=judging.run_id,
        client=judging.client,
        judged_at=iso(judging.now),
        result=host,
        policy=overrides(judging.policy),
        backups=summary.of_host(judging.host, judging.backups, host.results, judging.policy["backup"], judging.now),
        observation=document,
    )


def _safe_result(judging: Judging, result: judge.Result, first_seen: FirstSeen) -> CheckResult:
    """The result of a check; ``unknown`` where the host's odd data makes it one that no document can hold."""
    try:
        return _check_result(judging, result, first_seen)
    except (TypeError, ValueError, OverflowError) as exc:
        return _check_result(judging, judge.unreadable(result.check, exc), first_seen)


def _check_result(judging: Judging, result: judge.Result, first_seen: FirstSeen) -> CheckResult:
    findings = [
        _finding(judging, result.check, verdict, first_seen) for verdict in result.verdicts if verdict.state != "ok"
    ]
    state = worst(finding.state for finding in findings) if findings else "ok"
    lead = max(result.verdicts, key=lambda verdict: SEVERITY.index(verdict.state))
    more = len(findings) - 1
    name = f"{lead.object}: " if lead.object and findings else ""
    observed = f"{name}{lead.observed}" + (f" (and {more} more)" if more > 0 else "")
    return CheckResult(check=result.check.id, state=state, observed=observed, findings=findings)


def _finding(judging: Judging, check: Check, verdict: Verdict, first_seen: FirstSeen) -> Finding:
    key = finding_key(judging.client, judging.host, check.id, verdict.object)
    known = first_seen(key)
    waiver = next(
        (waiver for waiver in judging.waivers if waiver.covers(judging, check.id, verdict.object)),
        None,
    )
    accepted = None
    state = verdict.state
    summary = verdict.summary
    ended = [w for w in judging.waivers if w.expired(judging.now) and w.means(judging, check.id, verdict.object)]
    if ended and waiver is None:
        last = max(ended, key=lambda entry: entry.expires)
        summary = f"{summary} It was accepted by {last.approver} until {last.expires.isoformat()}.".strip()
    if waiver is not None:
        accepted = Acceptance(
            reason=waiver.reason, approver=waiver.approver, expires=waiver.expires.isoformat(), underlying=state
        )
        state = "accepted"
    return Finding(
        key=key,
        object=verdict.object,
        state=state,
        observed=verdict.observed,
        expected=verdict.expected,
        summary=summary,
        advice=verdict.advice,
        command=verdict.command,
        first_seen=iso(judging.now if known is None else min(known, judging.now)),
        since=None if verdict.since is None else iso(verdict.since),
        age_basis=verdict.age_basis,
        deadline=None if verdict.deadline is None else iso(verdict.deadline),
        accepted=accepted,
        data=dict(verdict.data),
    )


def overrides(policy: Policy) -> dict[str, dict[str, t.Any]]:
    """Return the policy values that differ from the defaults, by section."""
    changed = {section: values.model_dump(mode="json", exclude_defaults=True) for section, values in policy.items()}
    return {section: values for section, values in changed.items() if values}


def check_infos(checks: Sequence[Check] = CHECKS) -> list[CheckInfo]:
    """Return the checks as reports describe them."""
    infos = []
    for check in checks:
        fields = SECTIONS[check.pillar].model_fields
        thresholds = [
            Threshold(
                key=f"{check.pillar}.{key}",
                default=fields[key].get_default(call_default_factory=True),
                source=fields[key].description or "",
            )
            for key in check.thresholds
        ]
        infos.append(
            CheckInfo(
                id=check.id,
                pillar=check.pillar,
                title=check.title,
                advice=check.advice,
                controls=list(check.controls),
                thresholds=thresholds,
            )
        )
    return infos
