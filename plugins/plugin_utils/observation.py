# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: read an observation document. Pure.

The document comes from a managed host: nothing in it is trusted to have the right shape.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping

from pydantic import ValidationError

from ansible_collections.keepwell.fleet.plugins.plugin_utils import document_keys
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import (
    History,
    NoHistory,
    ProbeRecord,
    View,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import HostFacts, ProbeSummary
from ansible_collections.keepwell.fleet.plugins.plugin_utils.windows_hosts import reading

if t.TYPE_CHECKING:
    from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.datasets import Unverified
    from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.known import KnownDataset
    from ansible_collections.keepwell.fleet.plugins.plugin_utils.schedule.drift import Standing

# 9999-12-31, the last day that has an ISO date.
_LATEST = 253402300800.0
WINDOWS: t.Final = "windows"
# os-release(5): lower case, digits and ".", "_", "-".
_SYSTEM_NAME = re.compile(r"[a-z0-9._-]{1,40}")
STATUSES = frozenset({"ok", "error", "timeout", "absent", "denied"})


def check_shape(document: t.Any) -> str | None:
    """Return why this is no observation document, or None when it is one."""
    if not isinstance(document, Mapping):
        return "it is no mapping"
    if str(document.get("schema_version", "")).split(".", maxsplit=1)[0] != "1":
        return f"its schema_version is {document.get('schema_version')!r}, not 1.x"
    probes = document.get("probes")
    if not isinstance(probes, Mapping):
        return "it has no probes"
    for name, record in probes.items():
        wrong = _check_record(record)
        if wrong:
            return f"the record of probe {str(name)[:40]!r} has {wrong}"
    if not _is_number(document.get("collected_at")) or not _is_number(document.get("duration_s")):
        return "it does not say when it was collected and how long that took"
    for name, program in (("python", "Python"), ("powershell", "PowerShell")):
        if not isinstance(document.get(name, ""), str):
            return f"its {program} version is no text"
    if not _is_number(document.get("began_at", 0.0)):
        return "it does not say when it began"
    return None


def _check_record(record: t.Any) -> str | None:
    if not isinstance(record, Mapping) or not isinstance(record.get("status"), str):
        return "no known status"
    if record["status"] not in STATUSES:
        return "no known status"
    sources = record.get("sources")
    if not isinstance(record.get("data"), Mapping) or not isinstance(sources, Mapping):
        return "no data or no sources"
    for source in sources.values():
        if not isinstance(source, Mapping) or not all(isinstance(text, str) for text in source.values()):
            return "a source without a status"
    if not isinstance(record.get("detail", ""), str) or not _is_number(record.get("duration_s", 0.0)):
        return "a detail or a duration of the wrong kind"
    return None


def _is_number(value: t.Any) -> bool:
    """True for a number of seconds: finite, and small enough to be a date."""
    return isinstance(value, (int, float)) and abs(value) < _LATEST


def complete(document: dict[str, t.Any], asked: t.Iterable[str]) -> dict[str, t.Any]:
    """Return the document, read, with a failed record for every probe that was asked for and is not whole in it.

    What a host running Windows sent is raw (see ``windows_hosts/reading.py``); afterwards all documents are alike.
    Checks whose probe is missing altogether are taken as not asked for, and a part that is missing as "none here"; a
    host must not be able to leave them out.
    """
    document = reading.read(document)
    lost = {"status": "error", "detail": "the host's answer leaves it out", "data": {}, "sources": {}}
    told = {name: _whole(name, record) for name, record in document["probes"].items()}
    return {**document, "probes": {**{name: dict(lost) for name in asked}, **told}}


def _whole(name: str, record: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return a probe's record; a failed one where its data lacks a part."""
    lost = document_keys.lost(name, record["data"]) if record["status"] == "ok" else []
    if not lost:
        return record
    return {**record, "status": "error", "detail": f"the host's answer leaves out {', '.join(lost[:5])}", "data": {}}


def view(
    document: Mapping[str, t.Any],
    host: str,
    now: float,
    history: History | None = None,
    *,
    clock_offset_s: float | None = None,
    contact: Mapping[str, t.Any] | None = None,
    exposure: t.Literal["internet", "internal", "isolated"] = "internet",
    backups: tuple[KnownDataset, ...] = (),
    unverified: tuple[Unverified, ...] = (),
    schedule: Standing | None = None,
) -> View:
    """Return what the checks look at."""
    return View(
        host=host,
        now=now,
        probes={
            name: ProbeRecord(record["status"], record["data"], record["sources"], record.get("detail", ""))
            for name, record in document["probes"].items()
        },
        history=history or NoHistory(),
        privileged=bool(document.get("privileged")),
        clock_offset_s=clock_offset_s,
        contact=contact or {},
        exposure=exposure,
        backups=backups,
        unverified=unverified,
        schedule=schedule,
        windows=reading.is_windows(document),
    )


def probe_summaries(document: Mapping[str, t.Any]) -> dict[str, ProbeSummary]:
    """Return how well each probe did; only sources that were neither fine nor simply not installed."""
    return {
        name: ProbeSummary(
            status=record["status"],
            detail=record.get("detail", ""),
            duration_s=record.get("duration_s", 0.0),
            sources={
                source: f"{entry.get('status')}: {entry['detail']}" if entry.get("detail") else str(entry.get("status"))
                for source, entry in record["sources"].items()
                if entry.get("status") not in ("ok", "absent")
            },
        )
        for name, record in sorted(document["probes"].items())
    }


def facts(document: Mapping[str, t.Any]) -> HostFacts:
    """Return the facts for a reader's glance; unknown ones stay null."""
    record = document["probes"].get("system")
    programs = {"python": document.get("python"), "powershell": document.get("powershell")}
    if not record or record["status"] != "ok":
        return HostFacts(**programs)
    data = record["data"]
    release, kernel, boot = (_mapping(data.get(name)) for name in ("os", "kernel", "boot"))
    try:
        return HostFacts(
            os=release.get("pretty"),
            os_id=release.get("id"),
            os_version=release.get("version_id"),
            kernel=kernel.get("release"),
            architecture=kernel.get("architecture"),
            virtualization=_mapping(data.get("virtualisation")).get("kind"),
            uptime_s=boot.get("uptime_s"),
            cpus=data.get("cpu_count"),
            memory_bytes=data.get("memory_total_bytes"),
            **programs,
        )
    except ValidationError:
        return HostFacts(**programs)


def system_names(document: Mapping[str, t.Any]) -> list[str]:
    """Return what a host's system calls itself, and then what it is like, the nearest first; empty when not seen."""
    if reading.is_windows(document):
        return [WINDOWS]
    record = document["probes"].get("system")
    release = _mapping(record["data"].get("os")) if record and record["status"] == "ok" else {}
    like = release.get("id_like")
    names = [release.get("id"), *(like if isinstance(like, list) else [])]
    return [name for name in names if isinstance(name, str) and _SYSTEM_NAME.fullmatch(name)]


def boot_id(view: View) -> str | None:
    """Return the id of the host's boot, or None where it is not known."""
    system = view.probes.get("system")
    found = _mapping(system.data.get("boot")).get("boot_id") if system else None
    return found if isinstance(found, str) else None


def _mapping(value: t.Any) -> Mapping[str, t.Any]:
    return value if isinstance(value, Mapping) else {}
