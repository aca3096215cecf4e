# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the one judge. Observation, policy, history and now go in, results come out.

A *result* is what one check says of one host; results are what every count adds up. A result holds the verdicts
on single objects and has the state of the worst of them. Pure; runs on the control node.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import (
    REGISTRY,
    Check,
    State,
    Verdict,
    View,
    worst,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._registry import CHECKS
from ansible_collections.keepwell.fleet.plugins.plugin_utils.policy import Policy

_WHY = {
    "denied": "needs more rights than this user has",
    "timeout": "did not answer in time",
    "error": "failed",
    "absent": "is not available on this host",
}
_SOURCE_WHY = {"denied": "needs more rights", "timeout": "did not answer in time", "error": "failed"}
_NAMED = 3


@dataclass(frozen=True)
class Result:
    """One check on one host. ``state`` is None when the check does not apply there (listed, never counted)."""

    check: Check
    state: State | None
    verdicts: tuple[Verdict, ...]


def run_check(check_id: str, view: View, policy: Policy) -> Result:
    """Return the result of one check.

    A needed probe that did not answer makes it ``unknown``; so does a source without which all cannot be called well,
    and a bug in the check, with its message: none of them can ever look like ``ok``. Where the check says that it does
    not apply, no source is missed.
    """
    check = REGISTRY[check_id]
    for name in () if check.from_datasets and view.backups else check.needs:
        record = view.probes.get(name)
        if record is None:
            return Result(check, None, ())
        if record.status != "ok":
            why = _WHY.get(record.status, record.status)
            observed = f"{name}: {record.detail}" if record.detail else f"the {name} probe {why}"
            return _unknown(check, observed, why)
    section = policy[check.pillar]
    try:
        if check.applies is not None and not check.applies(view, section):
            return Result(check, None, ())
        verdicts = tuple(check.judge(view, section))
    except Exception as exc:  # noqa: BLE001 - a check's bug must show up as unknown, not cost the host its other checks
        last = traceback.extract_tb(exc.__traceback__)[-1]
        return _unknown(
            check, f"the check itself failed: {type(exc).__name__}: {exc}", f"{last.name}, line {last.lineno}"
        )
    state = worst(verdict.state for verdict in verdicts)
    if state == "ok":
        verdicts = _unread(check, view, verdicts) or verdicts
    if not verdicts:
        return Result(check, None, ())
    return Result(check, worst(verdict.state for verdict in verdicts), verdicts)


def _unread(check: Check, view: View, verdicts: tuple[Verdict, ...]) -> tuple[Verdict, ...]:
    """Return what takes the place of a good result, or of none, where a source behind it could not be read."""
    unread = {
        source: status
        for name in check.needs
        if name in view.probes
        for source, status in view.record(name).unread(*check.sources).items()
    }
    if not unread:
        return ()
    told = [f"{source} ({_SOURCE_WHY[status]})" for source, status in unread.items()]
    names = ", ".join(told[:_NAMED]) + (f" and {len(told) - _NAMED} more" if len(told) > _NAMED else "")
    seen = f"{verdicts[0].observed}; " if verdicts else ""
    return (
        Verdict(
            "unknown",
            observed=f"{seen}not read: {names}",
            expected=verdicts[0].expected if verdicts else "an answer",
            summary=f"Not all that tells could be read: {names}.",
            advice="Look at the named sources, or give Keepwell the rights it lacks; until then nobody knows.",
            data={"unread": unread},
        ),
    )


def _unknown(check: Check, observed: str, detail: str) -> Result:
    verdict = Verdict("unknown", observed=observed, expected="an answer", data={"detail": detail})
    return Result(check, "unknown", (verdict,))


def unreadable(check: Check, exc: Exception) -> Result:
    """Return the result of a check whose verdicts cannot be written down."""
    return _unknown(
        check, f"the host's data is of the wrong kind: {type(exc).__name__}", " ".join(str(exc).split())[:300]
    )


def judge_host(view: View, policy: Policy, checks: Iterable[Check] = CHECKS) -> list[Result]:
    """Return the results of all checks for a host that was reached, in report order."""
    return [run_check(check.id, view, policy) for check in checks]
