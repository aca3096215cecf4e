# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: from what a host answered a beat to its sample. The judge is that of assessments. Pure."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence

from ansible_collections.keepwell.fleet.plugins.module_utils.probes._units import full_name
from ansible_collections.keepwell.fleet.plugins.plugin_utils import assessment
from ansible_collections.keepwell.fleet.plugins.plugin_utils.assessment import Judging
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import NoHistory
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._registry import CHECKS
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import Contact, Finding, iso
from ansible_collections.keepwell.fleet.plugins.plugin_utils.watch.models import LOST_AFTER, Answer, Open, Sample
from ansible_collections.keepwell.fleet.plugins.plugin_utils.windows_errors import connection
from ansible_collections.keepwell.fleet.plugins.plugin_utils.windows_hosts import reading

# What a beat judges; everything else needs more than it asks for.
WATCHED = ("services.watched", "capacity.space", "capacity.read_only", "capacity.burst")
# How far back the pace of a disk is read, as the burst check does where nothing is nearer.
PACE_S = 26 * 3600.0
_CHECKS = tuple(check for check in CHECKS if check.id in WATCHED)
# How ssh tells of a host that is there and does not let Keepwell in. It may be well; it cannot be looked at.
_LOCKED_OUT = (
    "permission denied",
    "host key verification failed",
    "identification has changed",
    "too many authentication failures",
    "authentication failed",
    "incorrect username or password",
    "no matching host key",
    "no matching key exchange",
)
# History as a check asks for it: metric, mount point -> points.
Room = Mapping[str, Sequence[tuple[float, list[int]]]]


class BeatHistory(NoHistory):
    """What the beats before know of a host: how full its filesystems were."""

    def __init__(self, room: Room) -> None:
        self._room = room

    def series(self, metric: str, name: str) -> list[tuple[float, float]]:
        points = self._room.get(name, ())
        if metric == "disk.used_bytes":
            return [(at, float(used)) for at, (used, _avail, _size) in points]
        if metric == "disk.size_bytes":
            return [(at, float(size)) for at, (_used, _avail, size) in points]
        if metric == "disk.avail_percent":
            return [(at, 100.0 * avail / size) for at, (_used, avail, size) in points if size]
        return []


def answer_of(reason: str, *, connected: bool) -> Answer:
    """Return what it says of a host that there is no observation. ``connected``: there was a connection."""
    locked_out = any(sign in reason.casefold() for sign in _LOCKED_OUT) or connection.keeps_out(reason)
    return "unknown" if connected or locked_out else "fail"


def silent(answer: Answer, reason: str, before: Sample | None, now: float) -> Sample:
    """Return the sample of a host that gave no observation. What was known of it before stays as it was."""
    known = before or Sample(answer=answer)
    if answer == "unknown":
        return known.model_copy(update={"answer": answer, "reason": reason, "misses": 0, "silent_since": None})
    return known.model_copy(
        update={
            "answer": answer,
            "reason": reason,
            "misses": min(known.misses + 1, LOST_AFTER),
            "silent_since": known.silent_since or iso(now),
        }
    )


def observed(
    judging: Judging, document: Mapping[str, t.Any], watched: Sequence[str], before: Sample | None, room: Room
) -> tuple[Sample, dict[tuple[str, str], Finding]]:
    """Return the sample of a host that answered, and its findings by check and object, for whoever tells of them."""
    since = {(entry.check, entry.object): entry.since for entry in before.findings} if before else {}
    windows = reading.is_windows(document)
    contact = Contact(reached=True, transport="module" if windows else "stream")
    evidence = assessment.judge_observation(judging, document, contact, BeatHistory(room), checks=_CHECKS)
    found = {
        (result.check, finding.object): finding for result in evidence.result.results for finding in result.findings
    }
    probes = (evidence.observation or {})["probes"]
    sample = Sample(
        answer="ok",
        known=True,
        boot=_boot(probes.get("system", {}).get("data", {}).get("boot") or {}),
        watched=sorted(_named(watched, probes) if windows else {full_name(name) for name in watched}),
        findings=[
            Open(check=check, object=name, state=finding.state, since=since.get((check, name), iso(judging.now)))
            for (check, name), finding in sorted(found.items())
        ],
        room=dict(_room(probes.get("disks", {}).get("data", {}).get("filesystems") or [])),
    )
    return sample, found


def _named(watched: Sequence[str], probes: Mapping[str, t.Any]) -> set[str]:
    """Names of watched services as Windows writes them, which findings are about."""
    return set(probes.get("services", {}).get("data", {}).get("watched") or watched)


def _boot(boot: Mapping[str, t.Any]) -> str:
    if not boot.get("boot_id"):
        return ""
    return f"{str(boot['boot_id'])[:13]}/{boot.get('pid1_ticks') or ''}"


def _room(filesystems: t.Iterable[t.Any]) -> t.Iterator[tuple[str, list[int]]]:
    for entry in filesystems:
        if isinstance(entry, Mapping) and entry.get("size_bytes") and not entry.get("read_only"):
            yield str(entry["mount"]), [int(entry[name]) for name in ("used_bytes", "avail_bytes", "size_bytes")]


def rooms(moments: t.Iterable[t.Any], now: float) -> dict[str, dict[str, list[tuple[float, list[int]]]]]:
    """Return host -> mount point -> points, from the beats before now that the host answered."""
    found: dict[str, dict[str, list[tuple[float, list[int]]]]] = {}
    for moment in moments:
        if not now - PACE_S <= moment.at < now:
            continue
        for host in moment.asked:
            sample = moment.hosts[host]
            if sample.answer == "ok":
                for mount, figures in sample.room.items():
                    found.setdefault(host, {}).setdefault(mount, []).append((moment.at, figures))
    return found
