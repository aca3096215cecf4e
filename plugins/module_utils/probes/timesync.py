# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Is the clock kept right, by whom, from which sources, and how far off is it?

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import re

from ansible_collections.keepwell.fleet.plugins.module_utils.probes._clocks import (
    parse_chrony_sources,
    parse_chrony_tracking,
    parse_ntpctl,
    parse_ntpq_peers,
    parse_timesync_status,
)
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._systemd import parse_blocks

TIME_LIMIT_S = 10
SOURCE_CAP = 16
# Unit names that Debian, Ubuntu, the RHEL family and SUSE give to the time services.
UNITS = {
    "chrony.service": "chrony",
    "chronyd.service": "chrony",
    "systemd-timesyncd.service": "timesyncd",
    "ntp.service": "ntpd",
    "ntpd.service": "ntpd",
    "ntpsec.service": "ntpd",
    "openntpd.service": "openntpd",
    "ptp4l.service": "ptp",
    "phc2sys.service": "ptp",
}
TOOLS = (("chrony", "chronyc"), ("ntpd", "ntpq"), ("openntpd", "ntpctl"))
# What chronyc, ntpq and ntpctl say where no service listens.
_NOBODY = re.compile(r"Cannot talk to daemon|Could not open connection to daemon|Connection refused|connect: ")
CONTAINER_MARKS = ("/run/systemd/container", "/run/.containerenv", "/.dockerenv")


def collect(machine, parameters):
    """Return the facts of ``timesync``.

    ``providers`` are the time services that answered or that systemd says are active; ``provider`` is the one whose
    figures these are (None: none answered). ``synchronised`` is its own word, ``offset_s`` what it thinks the clock
    is off (positive: the clock is behind; None: not told), ``stratum``, ``leap``, ``sources`` (address, state, stratum,
    reachable, offset_s; None: not told), ``kernel_synchronised`` (timedatectl), ``local_rtc``, ``clock_source``,
    ``ptp_clocks`` (what a hypervisor offers), ``in_container`` (the clock belongs to the machine below).
    """
    active = _active_units(machine)
    in_container = any(machine.exists(path) for path in CONTAINER_MARKS)
    answers = []
    for provider, tool in TOOLS:
        if machine.which(tool) and (active is None or provider in active or provider == "chrony"):
            # One that systemd does not run, or that a container does not have, is not there unless it answers.
            expected = provider in active if active is not None else not in_container
            asleep = None if expected else _NOBODY
            answer = _ask(machine, provider, asleep)
            if answer:
                answers.append(answer)
    if active is not None and "timesyncd" in active:
        # Never asked while it does not run: timedatectl would wait 25 s for D-Bus to start it.
        answer = _ask(machine, "timesyncd")
        if answer:
            answers.append(answer)
    best = next((answer for answer in answers if answer["synchronised"]), answers[0] if answers else {})
    bus = _timedatectl(machine)
    providers = set(active or ()) | set(answer["provider"] for answer in answers)
    return {
        "providers": sorted(providers),
        "provider": best.get("provider"),
        "synchronised": best.get("synchronised"),
        "offset_s": best.get("offset_s"),
        "stratum": best.get("stratum"),
        "leap": best.get("leap"),
        "reference": best.get("reference"),
        "sources": best["sources"][:SOURCE_CAP] if best.get("sources") is not None else None,
        "kernel_synchronised": bus.get("NTPSynchronized"),
        "local_rtc": bus.get("LocalRTC"),
        "clock_source": (machine.read("/sys/devices/system/clocksource/clocksource0/current_clocksource") or "").strip()
        or None,
        "ptp_clocks": [(machine.read(path) or "").strip() for path in machine.glob("/sys/class/ptp/ptp*/clock_name")],
        "in_container": in_container,
    }


def _active_units(machine):
    """Names of the time services that systemd runs, or None where systemd does not rule."""
    if not machine.exists("/run/systemd/system"):
        return None
    shown = machine.run(["systemctl", "show", "-p", "Id,ActiveState"] + sorted(UNITS), source="systemd")
    if not shown.ok:
        return None
    try:
        blocks = parse_blocks(shown.out)
    except ValueError as exc:
        machine.note("systemd", "error", str(exc))
        return None
    return set(UNITS[block["Id"]] for block in blocks if block.get("ActiveState") == "active" and block["Id"] in UNITS)


def _ask(machine, provider, asleep=None):
    """The provider's own answer, or None when it does not run or cannot be understood (then noted)."""
    commands = {
        "chrony": (["chronyc", "-c", "tracking"], parse_chrony_tracking),
        "ntpd": (["ntpq", "-pn"], parse_ntpq_peers),
        "openntpd": (["ntpctl", "-s", "all"], parse_ntpctl),
        "timesyncd": (["timedatectl", "timesync-status"], parse_timesync_status),
    }
    command, parse = commands[provider]
    answer = machine.run(command, timeout=2.5, source=provider, missing=asleep)
    if not answer.ok:
        return None
    try:
        facts = parse(answer.out)
    except ValueError as exc:
        machine.note(provider, "error", str(exc))
        return None
    facts["provider"] = provider
    if provider == "chrony":
        facts["sources"] = _chrony_sources(machine)
    return facts


def _chrony_sources(machine):
    listed = machine.run(["chronyc", "-c", "-n", "sources"], timeout=2.0, source="chrony sources")
    if not listed.ok:
        return None
    try:
        return parse_chrony_sources(listed.out)
    except ValueError as exc:
        machine.note("chrony sources", "error", str(exc))
        return None


def _timedatectl(machine):
    """``NTPSynchronized`` (the kernel's flag) and ``LocalRTC`` as booleans, as far as timedated answers."""
    if not machine.exists("/run/systemd/system"):
        return {}
    shown = machine.run(
        ["timedatectl", "show", "-p", "NTPSynchronized", "-p", "LocalRTC"], timeout=2.0, source="timedatectl"
    )
    if not shown.ok:
        return {}
    try:
        values = dict(pair for block in parse_blocks(shown.out) for pair in block.items())
    except ValueError as exc:
        machine.note("timedatectl", "error", str(exc))
        return {}
    return dict((key, {"yes": True, "no": False}.get(value)) for key, value in values.items())
