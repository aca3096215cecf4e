# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the pressure document from the raw facts of a Windows host. Pure."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible_collections.keepwell.fleet.plugins.plugin_utils.windows_hosts._records import (
    Row,
    boot_of,
    first,
    listed,
    number,
    rows,
)

_KIB = 1024
_TOP = 5
_TOTAL = "_Total"
_TICKS = 10_000_000
_IDLE_PROCESS = 0
_LINKS = (("PagesInputPersec", "swap_in_pages"), ("PagesOutputPersec", "swap_out_pages"))


def read(data: Row, _at: float) -> dict[str, t.Any]:
    """Return the document of ``pressure`` (see probes/pressure.py) from two samples of raw counters.

    Windows keeps neither load averages nor the time that programs wait: ``psi`` and ``load`` are None. What tells
    instead: ``runnable`` (programs that wait for a processor, the mean of both samples), ``cpu_percent`` between the
    samples, ``disk_latency`` ({disk, ms of a read or write on average, queue}).
    """
    before, after = _samples(data)
    system = first(data, "system")
    cpus = number(first(data, "processors").get("NumberOfLogicalProcessors"))
    uptime = _uptime(system)
    return {
        "psi": None,
        "memory": _memory(system, first(after, "memory")),
        "vmstat": None,
        "rates": _rates(first(before, "memory"), first(after, "memory")),
        "load": None,
        "runnable": _queue(before, after),
        "cpus": cpus,
        "cpu_percent": _cpu_percent(first(before, "processor"), first(after, "processor")),
        "disk_latency": _disk_latency(before, after),
        "cgroup_oom": None,
        "processes": _processes(data, before, after),
        "limits": {"files": None, "pids": None, "conntrack": None},
        "boot_id": boot_of(data),
        "uptime_s": uptime,
    }


def _samples(data: Row) -> tuple[Row, Row]:
    samples = [row for row in data.get("samples") or () if isinstance(row, Mapping)]
    return (samples[0], samples[-1]) if len(samples) > 1 else ({}, samples[0] if samples else {})


def _uptime(system: Row) -> float | None:
    started, now = system.get("LastBootUpTime"), system.get("LocalDateTime")
    return None if started is None or now is None else round(float(now) - float(started), 1)


def _kib(system: Row, name: str) -> int | None:
    value = number(system.get(name))
    return None if value is None else value * _KIB


def _memory(system: Row, counters: Row) -> dict[str, t.Any] | None:
    """Bytes. ``available`` is what programs can get at once: free, zeroed and standby pages."""
    total = _kib(system, "TotalVisibleMemorySize")
    if total is None:
        return None
    available = number(counters.get("AvailableBytes"))
    return {
        "total_bytes": total,
        "free_bytes": _kib(system, "FreePhysicalMemory"),
        "available_bytes": _kib(system, "FreePhysicalMemory") if available is None else available,
        "swap_total_bytes": _kib(system, "SizeStoredInPagingFiles"),
        "swap_free_bytes": _kib(system, "FreeSpaceInPagingFiles"),
        "dirty_bytes": None,
        "committed_bytes": number(counters.get("CommittedBytes")),
        "commit_limit_bytes": number(counters.get("CommitLimit")),
        "slab_unreclaimable_bytes": None,
    }


def _rates(before: Row, after: Row) -> dict[str, float | None]:
    """Pages a second read from and written to disk, and reads that programs waited for."""
    seconds = _seconds(before, after)
    rates: dict[str, float | None] = {}
    for counter, name in (*_LINKS, ("PageReadsPersec", "major_faults")):
        then, now = number(before.get(counter)), number(after.get(counter))
        known = seconds and then is not None and now is not None and now >= then
        rates[name] = round(((now or 0) - (then or 0)) / seconds, 1) if known and seconds else None
    return rates


def _seconds(before: Row, after: Row) -> float | None:
    frequency = number(after.get("Frequency_PerfTime"))
    then, now = number(before.get("Timestamp_PerfTime")), number(after.get("Timestamp_PerfTime"))
    if not frequency or then is None or now is None or now <= then:
        return None
    return (now - then) / frequency


def _queue(before: Row, after: Row) -> float | None:
    lengths = [number(first(sample, "queue").get("ProcessorQueueLength")) for sample in (before, after)]
    known = [length for length in lengths if length is not None]
    return sum(known) / len(known) if known else None


def _cpu_percent(before: Row, after: Row) -> float | None:
    """PercentProcessorTime counts the time of doing nothing (PERF_100NSEC_TIMER_INV)."""
    idle_before, idle_after = number(before.get("PercentProcessorTime")), number(after.get("PercentProcessorTime"))
    then, now = number(before.get("Timestamp_Sys100NS")), number(after.get("Timestamp_Sys100NS"))
    if idle_before is None or idle_after is None or then is None or now is None or now <= then:
        return None
    return round(min(100.0, max(0.0, 100.0 * (1 - (idle_after - idle_before) / (now - then)))), 1)


def _disk_latency(before: Row, after: Row) -> list[dict[str, t.Any]] | None:
    """Each disk's mean time of a read or write between the samples (PERF_AVERAGE_TIMER); None of an idle disk."""
    disks = rows(after, "disks")
    if disks is None:
        return None
    known = {str(row.get("Name")): row for row in listed(before, "disks")}
    found = []
    for row in disks:
        name = str(row.get("Name"))
        if name == _TOTAL:
            continue
        past = known.get(name, {})
        values = [
            number(sample.get(key))
            for key in ("AvgDisksecPerTransfer", "AvgDisksecPerTransfer_Base")
            for sample in (past, row)
        ]
        frequency = number(row.get("Frequency_PerfTime"))
        milliseconds = None
        if frequency and None not in values:
            time_then, time_now, count_then, count_now = (value or 0 for value in values)
            # Both counters have 32 bits and begin anew.
            transfers = (count_now - count_then) % 2**32
            if transfers:
                milliseconds = round(1000.0 * ((time_now - time_then) % 2**32) / frequency / transfers, 1)
        found.append({"disk": name, "ms": milliseconds, "queue": number(row.get("CurrentDiskQueueLength"))})
    return found


def _processes(data: Row, before: Row, after: Row) -> dict[str, t.Any] | None:
    """Who uses most, in the shape that it has elsewhere; nothing on Windows is a zombie or blocked in the kernel."""
    entries = rows(after, "processes")
    if not entries:
        return None
    services: dict[int, list[str]] = {}
    for row in listed(data, "services"):
        services.setdefault(number(row.get("ProcessId")) or 0, []).append(str(row.get("Name")))
    past = {number(row.get("pid")): row for row in listed(before, "processes")}
    seconds = float(after.get("at") or 0.0) - float(before.get("at") or 0.0)
    described: list[dict[str, t.Any]] = []
    for row in entries:
        pid = number(row.get("pid")) or 0
        if pid == _IDLE_PROCESS:
            continue
        then, now = past.get(pid, {}).get("cpu_s"), row.get("cpu_s")
        known = then is not None and now is not None and seconds > 0 and now >= then
        described.append(
            {
                "pid": pid,
                "start": None,
                "comm": row.get("name"),
                "unit": ", ".join(sorted(services.get(pid, ()))[:3]) or None,
                "user": None,
                "kernel": False,
                "cpu_percent": round(100.0 * (float(now or 0) - float(then or 0)) / seconds, 1) if known else None,
                "rss_bytes": number(row.get("rss")),
                "pss_bytes": None,
            }
        )
    busy = sorted(described, key=lambda entry: (-(entry["cpu_percent"] or 0.0), entry["pid"]))
    large = sorted(described, key=lambda entry: (-(entry["rss_bytes"] or 0), entry["pid"]))
    return {
        "count": len(described),
        "threads": number(first(after, "queue").get("Threads")),
        "top_cpu": [entry for entry in busy[:_TOP] if entry["cpu_percent"]],
        "top_memory": large[:_TOP],
        "top_files": None,
        "blocked": [],
        "blocked_count": 0,
        "zombies": {"count": 0, "parents": []},
    }
