# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: read an observation document. Pure.

The document comes from a managed host: nothing in it is trusted to have the right shape.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import (
    History,
    NoHistory,
    ProbeRecord,
    View,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import HostFacts, ProbeSummary

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
        if not isinstance(record, Mapping) or record.get("status") not in STATUSES:
            return f"the record of probe {name} has no known status"
        if not isinstance(record.get("data"), Mapping) or not isinstance(record.get("sources"), Mapping):
            return f"the record of probe {name} has no data or no sources"
    if not isinstance(document.get("collected_at"), (int, float)):
        return "it does not say when it was collected"
    return None


def view(
    document: Mapping[str, t.Any],
    host: str,
    now: float,
    history: History | None = None,
    *,
    clock_offset_s: float | None = None,
    contact: Mapping[str, t.Any] | None = None,
    exposure: t.Literal["internet", "internal", "isolated"] = "internet",
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
    if not record or record["status"] != "ok":
        return HostFacts(python=document.get("python"))
    data = record["data"]
    release = data.get("os") or {}
    return HostFacts(
        os=release.get("pretty"),
        os_id=release.get("id"),
        os_version=release.get("version_id"),
        kernel=(data.get("kernel") or {}).get("release"),
        architecture=(data.get("kernel") or {}).get("architecture"),
        virtualization=(data.get("virtualisation") or {}).get("kind"),
        uptime_s=(data.get("boot") or {}).get("uptime_s"),
        cpus=data.get("cpu_count"),
        memory_bytes=data.get("memory_total_bytes"),
        python=document.get("python"),
    )
