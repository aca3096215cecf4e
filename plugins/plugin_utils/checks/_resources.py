# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Services, second part: do they have memory, CPU and I/O?"""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks import _resources_windows
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import (
    State,
    Verdict,
    View,
    check,
    count_text,
    size_text,
    worst,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._persistence import persistent
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._resource_words import (
    above,
    below,
    percent_text,
    users,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._services_policy import Policy


def available_percent(data: Mapping[str, t.Any]) -> float | None:
    """Return the share of memory that programs can still get, or None when the kernel does not estimate it."""
    memory = data.get("memory") or {}
    available, total = memory.get("available_bytes"), memory.get("total_bytes")
    return available / total * 100 if available is not None and total else None


def _stalled(data: Mapping[str, t.Any], resource: str, kind: str) -> float | None:
    """Percent of the last minute in which somebody (some) or everybody (full) waited; None without PSI."""
    value = ((((data.get("psi") or {}).get(resource)) or {}).get(kind) or {}).get("avg60")
    return None if value is None else float(value)


@check(
    "services.memory_pressure",
    title="Memory",
    advice="Find what grew, give it a limit or the host more memory. Near zero the kernel starts to kill programs.",
    needs=("pressure",),
    sources=("/proc/pressure/memory", "memory counters"),
    thresholds=(
        "commit_watch_percent",
        "commit_crit_percent",
        "memory_available_watch_percent",
        "memory_available_crit_percent",
        "memory_full_watch_percent",
        "memory_full_crit_percent",
    ),
)
def memory_pressure(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge memory by what is available and by how long programs wait for it; never by how much swap is in use."""
    data = view.data("pressure")
    percent, stalled = available_percent(data), _stalled(data, "memory", "full")
    expected = f"above {policy.memory_available_watch_percent:g} % available"
    if percent is None:
        text = f"{view.command('This kernel', 'Windows')} does not tell how much memory is available."
        command = view.command("free -m", "Get-CimInstance Win32_OperatingSystem | Format-List *Memory*")
        yield Verdict("unknown", observed="not known", expected=expected, summary=text, command=command)
        return
    low, low_note = persistent(
        view,
        "pressure.memory_available_percent",
        "",
        percent,
        lambda value: below(value, policy.memory_available_watch_percent, policy.memory_available_crit_percent),
    )
    waits: State = "ok"
    wait_note = ""
    if stalled is not None:
        waits, wait_note = persistent(
            view,
            "pressure.memory_full_avg60",
            "",
            stalled,
            lambda value: above(value, policy.memory_full_watch_percent, policy.memory_full_crit_percent),
        )
    total = size_text(data["memory"]["total_bytes"])
    observed = f"{percent_text(percent)} of {total} available"
    observed += f", everything waited for memory {percent_text(stalled)} of the last minute" if stalled else ""
    share = _resources_windows.commit_percent(data) if view.windows else None
    observed += f", {percent_text(share)} of what may be promised is promised" if share is not None else ""
    promised_hidden = view.windows and share is None
    observed += ", how much is promised could not be read" if promised_hidden else ""
    committed, commit_note = _resources_windows.committed(view, policy)
    note = low_note or wait_note or commit_note
    state = worst((low, waits, committed))
    if state == "ok" and promised_hidden:
        state = "unknown"
    yield Verdict(
        state,
        observed=observed + (f" ({note})" if note else ""),
        expected=expected,
        summary=""
        if state == "ok"
        else f"Windows does not tell how much memory is promised to programs: {observed}."
        if state == "unknown"
        else f"The host is short of memory: {observed}.{users(data, 'top_memory')}",
        advice=view.command(
            "", "Find what grew, and mend it or give the host more memory. Near zero programs end by themselves."
        )
        if state != "ok"
        else "",
        command=view.command(
            "free -m; ps -eo pid,user,rss,comm --sort=-rss | head -n 15",
            "Get-Process | Sort-Object WorkingSet64 -Descending | Select-Object -First 15",
        ),
        data={"available_percent": percent, "full_avg60": stalled, "rates": data.get("rates")},
    )


@check(
    "services.cpu_pressure",
    title="CPU",
    advice="Find what computes and whether it should. The load alone proves nothing; here programs also have to wait.",
    needs=("pressure",),
    sources=("/proc/pressure/cpu",),
    thresholds=("load_per_cpu_watch", "load_per_cpu_crit", "cpu_some_percent"),
)
def cpu_pressure(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge the load of 15 minutes per CPU, only together with waiting programs (PSI, or a run queue without it).

    Windows has no load averages: there the programs that wait and the processors that work are counted at two moments.
    """
    data = view.data("pressure")
    load, cpus = data.get("load"), data.get("cpus")
    expected = f"load per CPU below {policy.load_per_cpu_watch:g}"
    if view.windows:
        yield _resources_windows.processor_queue(view, policy)
        return
    some = _stalled(data, "cpu", "some")
    if not load or not cpus or (some is None and data.get("runnable") is None):
        yield Verdict("unknown", observed="load not known", expected=expected, command="uptime; nproc")
        return
    per_cpu = load[2] / cpus
    waiting = some > policy.cpu_some_percent if some is not None else (data.get("runnable") or 0) > 2 * cpus
    observed = f"load {load[2]:.2f} in 15 minutes on {count_text(cpus, 'CPU')}"
    observed += f", programs waited {percent_text(some)} of the last minute" if some is not None else ""
    state: State = "ok"
    note = ""
    if waiting:
        state, note = persistent(
            view,
            "pressure.load15_per_cpu",
            "",
            per_cpu,
            lambda value: above(value, policy.load_per_cpu_watch, policy.load_per_cpu_crit),
        )
    yield Verdict(
        state,
        observed=observed + (f" ({note})" if note else ""),
        expected=expected,
        summary="" if state == "ok" else f"Programs queue for the CPU: {observed}.{users(data, 'top_cpu')}",
        command="top -b -n 1 -w 120 | head -n 20",
        data={"load15_per_cpu": per_cpu, "some_avg60": some},
    )


@check(
    "services.io_pressure",
    title="Waiting for storage",
    advice="See which process reads or writes, then whether the disk is slow (failing, full, a noisy neighbour).",
    needs=("pressure",),
    sources=("/proc/pressure/io", "disk counters"),
    thresholds=("io_full_watch_percent", "io_full_crit_percent", "disk_latency_watch_ms", "disk_latency_crit_ms"),
)
def io_pressure(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge how long everything waited for storage. Kernels without PSI cannot tell: not applicable.

    A kernel that tells of waiting for the processor or for memory tells of storage, too.
    """
    if view.windows:
        yield from _resources_windows.latency(view, policy)
        return
    data = view.data("pressure")
    stalled = _stalled(data, "io", "full")
    expected = f"below {policy.io_full_watch_percent:g} %"
    if stalled is None:
        if data.get("psi"):
            text = "How long programs wait for storage could not be read."
            yield Verdict("unknown", "", "not read", expected, text, command="cat /proc/pressure/io")
        return
    state, note = persistent(
        view,
        "pressure.io_full_avg60",
        "",
        stalled,
        lambda value: above(value, policy.io_full_watch_percent, policy.io_full_crit_percent),
    )
    observed = f"everything waited {percent_text(stalled)} of the last minute"
    yield Verdict(
        state,
        observed=observed + (f" ({note})" if note else ""),
        expected=expected,
        summary="" if state == "ok" else f"Storage is too slow for what runs here: {observed}.",
        command="cat /proc/pressure/io; vmstat 1 3",
        data={"full_avg60": stalled},
    )


def series(view: View) -> Iterator[tuple[str, str, float]]:
    """Points for history: what soft facts are compared with, and what reports draw."""
    record = view.probes.get("pressure")
    if record is None or record.status != "ok":
        return
    data = record.data
    percent = available_percent(data)
    if percent is not None:
        yield ("pressure.memory_available_percent", "", percent)
    for resource, kind in (("memory", "full"), ("io", "full"), ("cpu", "some")):
        stalled = _stalled(data, resource, kind)
        if stalled is not None:
            yield (f"pressure.{resource}_{kind}_avg60", "", stalled)
    if data.get("load") and data.get("cpus"):
        yield ("pressure.load15_per_cpu", "", data["load"][2] / data["cpus"])
    if view.windows:
        yield from _resources_windows.series(data)
