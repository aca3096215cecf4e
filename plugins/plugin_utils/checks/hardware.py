# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hardware: does anything wear out or break, before it takes data with it?"""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks import (
    _hardware_disks,
    _hardware_kernel,
    _hardware_storage,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import (
    DAY,
    State,
    Verdict,
    View,
    check,
    count_text,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._hardware import (
    HardwarePolicy,
    is_virtual,
    why_missing,
)

Policy = HardwarePolicy
__all__ = ["Policy", "series"]
_OTHERS = (_hardware_kernel, _hardware_storage)


def series(view: View) -> Iterator[tuple[str, str, float]]:
    """Points for history: error counters, wear and heat; hardware remembers less than Keepwell."""
    if "hardware" not in view.probes or view.probes["hardware"].status != "ok":
        return
    data = view.data("hardware")
    for controller in data.get("memory_controllers") or ():
        # What is counted anew at each look is no counter that grows.
        if controller["corrected"] is not None and not controller.get("windowed"):
            yield "hardware.corrected_errors", controller["name"], float(controller["corrected"])
    for sensor in data.get("temperatures") or ():
        yield "hardware.heat_percent", sensor["sensor"], 100.0 * sensor["celsius"] / sensor["critical_celsius"]
    throttled = data.get("throttle_counts")
    if throttled:
        yield "hardware.throttled", "", float(max(throttled["package"], throttled["core"]))
    yield from _hardware_disks.series(view)


def _growth_per_day(view: View, metric: str, name: str, value: float) -> float | None:
    """Growth of a counter since its last sample; a counter that fell was reset and counts from zero."""
    points = [point for point in view.history.series(metric, name) if point[0] < view.now]
    if not points:
        return None
    at, before = points[-1]
    return (value - before if value >= before else value) / max((view.now - at) / DAY, 1.0 / 24.0)


@check(
    "hardware.memory_errors",
    title="Memory errors",
    advice="Have the memory module replaced: corrected errors announce the uncorrectable one that stops the host.",
    needs=("hardware",),
    sources=("/sys/devices/system/edac/*", "system log"),
    thresholds=("corrected_per_day_watch",),
)
def memory_errors(view: View, policy: Policy) -> Iterator[Verdict]:
    """Uncorrected errors are a hard fact; corrected ones count by their growth."""
    controllers = view.data("hardware").get("memory_controllers")
    expected = f"none uncorrected, at most {policy.corrected_per_day_watch:g} corrected a day"
    if controllers is None and view.windows:
        # Memory that corrects nothing counts nothing; Windows writes down what the rest reports.
        if not is_virtual(view) and view.data("hardware").get("kernel_log") is None:
            text = "Nobody can see whether the memory makes errors."
            yield Verdict(
                "unknown", observed=why_missing(view, "hardware", "system log"), expected=expected, summary=text
            )
        return
    if controllers is None:
        if not is_virtual(view):
            yield Verdict(
                "unknown",
                observed=why_missing(view, "hardware", "edac"),
                expected=expected,
                summary="Nobody counts memory errors on this host.",
                advice="Load the EDAC driver of the chipset (and install rasdaemon) where the memory has ECC.",
                command="dmesg | grep -i edac",
            )
        return
    bad = []
    for controller in controllers:
        corrected, uncorrected = controller["corrected"], controller["uncorrected"]
        state: State = "ok"
        rate = None
        if corrected is not None and controller.get("windowed"):
            rate = corrected / max((controller.get("counting_for_s") or DAY) / DAY, 1.0)
        elif corrected is not None:
            rate = _growth_per_day(view, "hardware.corrected_errors", controller["name"], float(corrected))
            if rate is None and controller.get("counting_for_s"):
                rate = corrected / max(controller["counting_for_s"] / DAY, 1.0)
        if uncorrected:
            state = "crit"
        elif uncorrected is None or corrected is None:
            state = "unknown"
        elif rate is not None and rate > policy.corrected_per_day_watch:
            state = "watch"
        if state != "ok":
            pace = "" if rate is None else f", {rate:.1f} corrected a day"
            bad.append(
                Verdict(
                    state,
                    object=controller["name"],
                    observed=f"{uncorrected} uncorrected, {corrected} corrected{pace}",
                    expected=expected,
                    summary=f"The errors of the memory behind {controller['name']} could not be counted."
                    if state == "unknown"
                    else f"The memory behind {controller['name']} makes errors.",
                    advice=view.command(
                        "Find the module (ras-mc-ctl --layout), plan its replacement, keep the backup close.",
                        "Find the module (the maker's own tool, or mdsched), plan its replacement, keep the backup "
                        "close.",
                    ),
                    command=view.command(
                        "grep . /sys/devices/system/edac/mc/mc*/*_count; ras-mc-ctl --errors | tail -20",
                        "Get-WinEvent -FilterHashtable @{ LogName = 'System'; ProviderName = "
                        "'Microsoft-Windows-WHEA-Logger' } -MaxEvents 20",
                    ),
                )
            )
    if bad:
        yield from bad
    else:
        total = sum(controller["corrected"] or 0 for controller in controllers)
        yield Verdict("ok", observed=f"none uncorrected, {total} corrected", expected=expected)


@check(
    "hardware.thermal",
    title="Temperature",
    advice="Look at fans, dust, air flow and the room before the host slows down or switches itself off.",
    needs=("hardware",),
    sources=("/sys/class/hwmon/*", "/sys/devices/system/cpu/*"),
    thresholds=("heat_watch_percent", "throttled_per_day_watch"),
)
def thermal(view: View, policy: Policy) -> Iterator[Verdict]:
    """Sensors against their own critical temperature (2 of 3 samples), and how often heat slowed the processor."""
    data = view.data("hardware")
    sensors = data.get("temperatures") or []
    throttled = data.get("throttle_counts")
    expected = f"below {policy.heat_watch_percent:g} % of the critical temperature"
    if not sensors and not throttled:
        # Windows has no sensor of its own that can be believed.
        if not is_virtual(view) and not view.windows:
            yield Verdict(
                "unknown", observed="no sensor tells", expected=expected, advice="Load the drivers of lm-sensors."
            )
        return
    bad = [verdict for sensor in sensors if (verdict := _sensor(view, policy, sensor, expected))]
    if throttled:
        count = float(max(throttled["package"], throttled["core"]))
        rate = _growth_per_day(view, "hardware.throttled", "", count)
        if rate is not None and rate > policy.throttled_per_day_watch:
            bad.append(
                Verdict(
                    "watch",
                    object="processor",
                    observed=f"slowed down by heat {rate:.0f} times a day",
                    expected=f"at most {policy.throttled_per_day_watch:g} times a day",
                    summary="Heat slows the processor down.",
                    advice="Clean fans and filters, look at the room's temperature.",
                    command="grep . /sys/devices/system/cpu/cpu*/thermal_throttle/*_throttle_count",
                )
            )
    if bad:
        yield from bad
    elif sensors:
        hottest = max(sensors, key=lambda sensor: sensor["celsius"] / sensor["critical_celsius"])
        text = f"hottest is {hottest['sensor']} at {hottest['celsius']:.0f} °C of {hottest['critical_celsius']:.0f} °C"
        yield Verdict("ok", observed=f"{count_text(len(sensors), 'sensor')}, {text}", expected=expected)
    else:
        yield Verdict("ok", observed="processor not slowed down by heat", expected=expected)


def _sensor(view: View, policy: Policy, sensor: Mapping[str, t.Any], expected: str) -> Verdict | None:
    percent = 100.0 * sensor["celsius"] / sensor["critical_celsius"]
    if percent < policy.heat_watch_percent:
        return None
    earlier = [value for at, value in view.history.series("hardware.heat_percent", sensor["sensor"]) if at < view.now]
    lasting = len(earlier) < 2 or any(value >= policy.heat_watch_percent for value in earlier[-2:])
    if percent < 100.0 and not lasting:
        return None
    return Verdict(
        "crit" if percent >= 100.0 else "watch",
        object=sensor["sensor"],
        observed=f"{sensor['celsius']:.0f} °C, critical at {sensor['critical_celsius']:.0f} °C",
        expected=expected,
        summary=f"{sensor['sensor']} is too hot.",
        advice="Clean fans and filters, look at the room's temperature.",
        command="sensors",
    )


@check(
    "hardware.multipath",
    title="Paths to storage",
    advice="Mend the failed path while the others still carry: cable, switch port, adapter or storage controller.",
    needs=("hardware",),
)
def multipath(view: View, policy: Policy) -> Iterator[Verdict]:
    """Every path of every multipath map; the last one to fail takes the storage away."""
    paths = view.data("hardware").get("multipath")
    expected = "all paths active"
    if paths is None:
        if view.record("hardware").status_of("multipathd") in ("denied", "error", "timeout"):
            yield Verdict("unknown", observed=why_missing(view, "hardware", "multipathd"), expected=expected)
        return
    maps: dict[str, list[Mapping[str, t.Any]]] = {}
    for path in paths:
        maps.setdefault(path["map"], []).append(path)
    bad = []
    for name, members in sorted(maps.items()):
        failed = [
            path["device"] for path in members if path["state"] == "failed" or path["checker"] in ("faulty", "shaky")
        ]
        if failed:
            bad.append(
                Verdict(
                    "crit" if len(failed) >= len(members) - 1 and len(members) > 1 else "act",
                    object=name,
                    observed=f"{len(failed)} of {len(members)} paths failed: {', '.join(sorted(failed))}",
                    expected=expected,
                    summary=f"Storage {name} has lost {count_text(len(failed), 'path')}.",
                    advice="Look at cable, switch port and adapter of the failed paths; do not reboot before.",
                    command="multipath -ll",
                )
            )
    if bad:
        yield from bad
    elif maps:
        yield Verdict(
            "ok", observed=f"{count_text(len(paths), 'path')} to {count_text(len(maps), 'map')}", expected=expected
        )
