# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what a person is told after a beat: what changed since the one before. Pure."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import (
    SEVERITY,
    State,
    duration_text,
    worst,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import Finding, epoch
from ansible_collections.keepwell.fleet.plugins.plugin_utils.watch.models import LOST_AFTER, Sample

Findings = Mapping[tuple[str, str], Finding]


class Notice(t.NamedTuple):
    """One change of state. ``host`` is "" for the client as a whole; ``state`` is what it is now."""

    state: State
    host: str
    text: str

    @property
    def severity(self) -> int:
        """Higher is worse."""
        return SEVERITY.index(self.state)


def lost(sample: Sample) -> bool:
    """True for a host that answered before and misses so often that it counts as down."""
    return sample.answer == "fail" and sample.known and sample.misses >= LOST_AFTER


def blind(samples: Mapping[str, Sample]) -> bool:
    """True when not one of several hosts answers: then it is the way to them that is down, or this machine."""
    return len(samples) > 1 and all(sample.answer == "fail" for sample in samples.values())


def state_of(sample: Sample, samples: Mapping[str, Sample]) -> State:
    """Return the state of a host at a beat."""
    if sample.answer != "ok":
        return "crit" if lost(sample) and not blind(samples) else "unknown"
    return worst(entry.state for entry in sample.findings)


def notices(
    before: Mapping[str, Sample],
    samples: Mapping[str, Sample],
    findings: Mapping[str, Findings],
    now: float,
) -> list[Notice]:
    """Return what changed, worst first. ``findings`` are those of the hosts that answered."""
    if blind(samples):
        if blind({host: before[host] for host in samples if host in before}):
            return []
        text = f"none of {len(samples)} hosts answers: look at this machine and its way to them first"
        return [Notice("unknown", "", text)]
    found: list[Notice] = []
    for host, sample in samples.items():
        old = before.get(host)
        told = _contact(host, old, sample, now)
        if sample.answer == "ok":
            told += _findings(host, old, sample, findings.get(host, {}))
        window = next((entry.name for entry in sample.windows if epoch(entry.begin) <= now < epoch(entry.end)), None)
        found += [_muted(notice, window) for notice in told]
    return sorted(found, key=lambda notice: (-notice.severity, notice.host, notice.text))


def pause(before: float, now: float, interval_s: float) -> list[Notice]:
    """Say that nobody watched for longer than a beat may be late."""
    if now - before <= 2 * interval_s:
        return []
    text = f"there was no beat for {duration_text(now - before)}: what happened meanwhile is not known"
    return [Notice("unknown", "", text)]


def _muted(notice: Notice, window: str | None) -> Notice:
    """In a declared window, what happens is expected: told, and no alarm."""
    if window is None or notice.state in ("ok", "accepted"):
        return notice
    return Notice("accepted", notice.host, f"{notice.text} (in maintenance window '{window}')")


def _contact(host: str, old: Sample | None, sample: Sample, now: float) -> list[Notice]:
    if sample.answer == "ok":
        if old is not None and lost(old):
            silent = duration_text(now - epoch(old.silent_since)) if old.silent_since else "some time"
            return [Notice("ok", host, f"answers again after {silent}")]
        if old is not None and old.boot and sample.boot and old.boot != sample.boot:
            return [Notice("watch", host, "restarted since the last beat")]
        return []
    if sample.answer == "unknown":
        same = old is not None and old.answer == "unknown"
        return [] if same else [Notice("unknown", host, f"cannot be looked at: {sample.reason}")]
    if old is None or (not sample.known and old.answer != "fail"):
        return [Notice("unknown", host, f"has never answered: {sample.reason}")]
    if lost(sample) and not lost(old):
        return [Notice("crit", host, f"did not answer {LOST_AFTER} times in a row: {sample.reason}")]
    return []


def _findings(host: str, old: Sample | None, sample: Sample, findings: Findings) -> list[Notice]:
    known = {(entry.check, entry.object): entry for entry in old.findings} if old else {}
    told = []
    for entry in sample.findings:
        key = (entry.check, entry.object)
        was = known.pop(key, None)
        if entry.state == "accepted" or (was is not None and was.state == entry.state):
            continue
        finding = findings.get(key)
        text = (finding.summary or finding.observed if finding else "").rstrip(".") or f"{entry.check} {entry.object}"
        told.append(Notice(entry.state, host, f"{text} (was {was.state})" if was else text))
    for (check, name), was in known.items():
        if was.state != "accepted":
            what = f"{check.split('.', 1)[1].replace('_', ' ')} {name}".rstrip()
            told.append(Notice("ok", host, f"{what} is well again"))
    return told


def worst_of(told: Sequence[Notice]) -> State:
    """Return the worst state among notices."""
    return worst(notice.state for notice in told)
