# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: memory, CPU and storage of Windows hosts, by what Windows counts. Pure, as checks are."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import State, Verdict, View, count_text
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._persistence import persistent
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._resource_words import above, percent_text, users
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._services_policy import Policy


def commit_percent(data: Mapping[str, t.Any]) -> float | None:
    """Return the share of the memory and page files that is promised to programs; at 100 % they get no more."""
    memory = data.get("memory") or {}
    promised, limit = memory.get("committed_bytes"), memory.get("commit_limit_bytes")
    return promised / limit * 100 if promised is not None and limit else None


def committed(view: View, policy: Policy) -> tuple[State, str]:
    """Judge what Windows has promised: it never promises more than it has, as Linux does."""
    percent = commit_percent(view.data("pressure")) if view.windows else None
    if percent is None:
        return "ok", ""
    return persistent(
        view,
        "pressure.commit_percent",
        "",
        percent,
        lambda value: above(value, policy.commit_watch_percent, policy.commit_crit_percent),
    )


def queue_per_cpu(data: Mapping[str, t.Any]) -> float | None:
    """Return what would be the load of this moment: programs that wait and processors that work, by processor."""
    queue, busy, cpus = data.get("runnable"), data.get("cpu_percent"), data.get("cpus")
    return None if queue is None or busy is None or not cpus else queue / cpus + busy / 100


def processor_queue(view: View, policy: Policy) -> Verdict:
    data = view.data("pressure")
    value = queue_per_cpu(data)
    expected = f"waiting and working per CPU below {policy.load_per_cpu_watch:g}"
    command = "Get-Process | Sort-Object CPU -Descending | Select-Object -First 15 Id, ProcessName, CPU"
    if value is None:
        return Verdict("unknown", observed="processor queue not known", expected=expected, command=command)
    state, note = persistent(
        view,
        "pressure.queue_per_cpu",
        "",
        value,
        lambda found: above(found, policy.load_per_cpu_watch, policy.load_per_cpu_crit),
    )
    observed = f"{percent_text(data['cpu_percent'])} of {count_text(data['cpus'], 'CPU')} at work"
    observed += f", {data['runnable']:g} waiting"
    return Verdict(
        state,
        observed=observed + (f" ({note})" if note else ""),
        expected=expected,
        summary="" if state == "ok" else f"Programs queue for the CPU: {observed}.{users(data, 'top_cpu')}",
        command=command,
        data={"queue_per_cpu": value, "cpu_percent": data["cpu_percent"]},
    )


def latency(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge how long a read or write takes on each disk of Windows; a disk that did none is not judged."""
    told = view.data("pressure").get("disk_latency")
    disks = [disk for disk in told or () if disk["ms"] is not None]
    expected = f"a read or write below {policy.disk_latency_watch_ms:g} ms"
    command = "Get-Counter '\\PhysicalDisk(*)\\Avg. Disk sec/Transfer', '\\PhysicalDisk(*)\\Current Disk Queue Length'"
    if told is None:
        text = "How long a read or write takes could not be read."
        yield Verdict("unknown", observed="not read", expected=expected, summary=text, command=command)
        return
    bad = False
    for disk in disks:
        state, note = persistent(
            view,
            "pressure.disk_latency_ms",
            disk["disk"],
            disk["ms"],
            lambda value: above(value, policy.disk_latency_watch_ms, policy.disk_latency_crit_ms),
        )
        if state == "ok":
            continue
        bad = True
        observed = f"{disk['ms']:g} ms for a read or write, {disk['queue']} waiting"
        yield Verdict(
            state,
            f"disk {disk['disk']}",
            observed=observed + (f" ({note})" if note else ""),
            expected=expected,
            summary=f"Disk {disk['disk']} is too slow for what runs here: {observed}.",
            command=command,
            data={"ms": disk["ms"], "queue": disk["queue"]},
        )
    if disks and not bad:
        slowest = max(disks, key=lambda disk: disk["ms"])
        yield Verdict("ok", observed=f"slowest: disk {slowest['disk']} with {slowest['ms']:g} ms", expected=expected)


def series(data: Mapping[str, t.Any]) -> Iterator[tuple[str, str, float]]:
    """What takes the place of load and stalls on Windows."""
    for metric, value in (("commit_percent", commit_percent(data)), ("queue_per_cpu", queue_per_cpu(data))):
        if value is not None:
            yield (f"pressure.{metric}", "", value)
    for disk in data.get("disk_latency") or ():
        if disk["ms"] is not None:
            yield ("pressure.disk_latency_ms", disk["disk"], float(disk["ms"]))
