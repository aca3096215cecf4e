# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Time: is the clock right, and does somebody keep it right?"""

from __future__ import annotations

import typing as t
from collections.abc import Iterator
from decimal import ROUND_DOWN, Decimal

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import (
    Section,
    State,
    Verdict,
    View,
    check,
    count_text,
    threshold,
)


class Policy(Section):
    """Thresholds for clocks."""

    offset_watch_s: float = threshold(0.5, "House; node-mixin warns at 0.05 s", gt=0)
    offset_crit_s: float = threshold(5.0, "House; Kerberos breaks at 300 s", gt=0)
    controller_watch_s: float = threshold(2.0, "House; one second of it may be the way there and back", gt=0)
    controller_crit_s: float = threshold(30.0, "House; Kerberos breaks at 300 s", gt=0)
    sources_min: int = threshold(2, "CIS 8.4", ge=1)


# Who is asked for the state of the clock, by the names of sources.
_ASKED = ("systemd", "chrony", "ntpd", "openntpd", "timesyncd", "w32time", "time services")
_W32TIME = "w32tm.exe /query /status /verbose; w32tm.exe /query /peers"


def _own_clock(view: View) -> str:
    return view.command("date -u +%s.%N", "(Get-Date).ToUniversalTime().ToString('o')")


def seconds_text(seconds: float) -> str:
    """Return ``0.499 s``: the size of an offset to the millisecond, cut off and never rounded up."""
    return f"{Decimal(repr(abs(seconds))).quantize(Decimal('0.001'), ROUND_DOWN)} s"


def _grade(size: float, watch: float, crit: float) -> State:
    return "crit" if size >= crit else "watch" if size >= watch else "ok"


def _keeps_own_clock(data: t.Mapping[str, t.Any]) -> bool:
    """False in a container without a time service of its own: its clock belongs to the machine below."""
    return bool(data.get("providers")) or not data.get("in_container")


@check(
    "time.offset",
    title="Clock offset",
    advice="Find out why the clock is off before stepping it: databases and log correlation suffer from jumps.",
    needs=("timesync",),
    sources=_ASKED,
    controls=("CIS 8.4", "ISO A.8.17", "PCI 10.6"),
    thresholds=("offset_watch_s", "offset_crit_s"),
)
def offset(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge the offset that the time service itself reports."""
    data = view.data("timesync")
    if not _keeps_own_clock(data):
        return
    expected = f"below {policy.offset_watch_s} s"
    seconds = data.get("offset_s")
    if seconds is None:
        yield Verdict(
            "unknown",
            observed="no offset reported",
            expected=expected,
            summary="No time service on this host says how far its clock is off.",
            command=view.command("timedatectl; chronyc tracking", _W32TIME),
        )
        return
    state = _grade(abs(seconds), policy.offset_watch_s, policy.offset_crit_s)
    yield Verdict(
        state,
        observed=seconds_text(seconds),
        expected=expected,
        summary=""
        if state == "ok"
        else f"The clock is {'behind' if seconds > 0 else 'ahead'} by {seconds_text(seconds)}.",
        command=_command(data),
        data={"offset_s": seconds, "provider": data.get("provider")},
    )


def _command(data: t.Mapping[str, t.Any]) -> str:
    commands = {
        "chrony": "chronyc tracking; chronyc sources -v",
        "ntpd": "ntpq -pn",
        "openntpd": "ntpctl -s all",
        "timesyncd": "timedatectl timesync-status",
        "w32time": _W32TIME,
    }
    return commands.get(str(data.get("provider")), "timedatectl")


@check(
    "time.synchronised",
    title="Time service",
    advice="Let one time service run (chrony; Windows Time) and see that UDP port 123 to its servers is open. A clock"
    " that drifts breaks logins, certificates and the order of log lines.",
    needs=("timesync",),
    sources=_ASKED,
    controls=("CIS 8.4", "ISO A.8.17", "PCI 10.6"),
)
def synchronised(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge whether exactly one time service runs and follows a source."""
    data = view.data("timesync")
    if not _keeps_own_clock(data):
        return
    providers = list(data.get("providers") or ())
    command = view.command(_command(data), _W32TIME)
    expected = "one time service that follows a source"
    if len(providers) > 1 and "ptp" not in providers:
        names = " and ".join(providers)
        text = f"{names} both steer the clock and work against each other; keep one of them."
        yield Verdict("watch", observed=names, expected=expected, summary=text, command=command)
        return
    if data.get("synchronised") and data.get("provider"):
        stratum = data.get("stratum")
        text = f"{data['provider']} follows {data.get('reference') or 'a source'}"
        yield Verdict("ok", observed=text + (f" (stratum {stratum})" if stratum else ""), expected=expected)
        return
    if "ptp" in providers:
        yield Verdict(
            "unknown",
            observed="PTP runs; its state is not read",
            expected=expected,
            command="pmc -u -b 0 'GET TIME_STATUS_NP'",
        )
        return
    record = view.record("timesync")
    if not providers:
        if data.get("kernel_synchronised"):
            text = "The kernel says that its clock is kept, but none of the known time services runs."
            yield Verdict(
                "unknown", observed="kept by something unknown", expected=expected, summary=text, command=command
            )
            return
        if any(
            record.status_of(name) == "denied" for name in ("systemd", "chrony", "ntpd", "openntpd", "time services")
        ):
            yield Verdict("unknown", observed="the time service may not be asked by this user", expected=expected)
            return
        text = "Nothing keeps this clock right: no time service runs."
        yield Verdict("watch", observed="no time service", expected=expected, summary=text, command=command)
        return
    if data.get("provider") is None:
        text = f"{providers[0]} runs but does not answer, so nobody knows whether the clock is right."
        yield Verdict(
            "unknown", observed=f"{providers[0]} does not answer", expected=expected, summary=text, command=command
        )
        return
    text = f"{data['provider']} runs but follows no source: the clock drifts freely."
    yield Verdict(
        "watch", observed=f"{data['provider']}, not synchronised", expected=expected, summary=text, command=command
    )


@check(
    "time.sources",
    title="Time sources",
    advice="Give the time service at least two independent sources: with one, nobody notices when it is wrong or gone.",
    needs=("timesync",),
    sources=(*_ASKED, "chrony sources"),
    controls=("CIS 8.4", "ISO A.8.17", "PCI 10.6"),
    thresholds=("sources_min",),
)
def sources(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge how many sources can be reached."""
    data = view.data("timesync")
    if data.get("provider") is None:
        return  # time.synchronised says it
    listed = data.get("sources")
    expected = f"at least {policy.sources_min} that answer"
    if listed is None:
        yield Verdict("unknown", observed="the sources were not told", expected=expected, command=_command(data))
        return
    good = [source["address"] for source in listed if source.get("reachable")]
    silent = [source["address"] for source in listed if not source.get("reachable")]
    observed = f"{len(good)} of {count_text(len(listed), 'source')} answered"
    if data["provider"] == "timesyncd" and good:
        # It follows one server at a time by design and changes to the next when that one fails.
        yield Verdict("ok", observed=f"{observed}; timesyncd follows one at a time", expected=expected)
        return
    if data["provider"] == "w32time" and data.get("type") == "NT5DS" and good:
        yield Verdict("ok", observed=f"{observed}; members follow a controller of their domain", expected=expected)
        return
    facts = {"reachable": good, "silent": silent}
    if len(good) >= policy.sources_min:
        yield Verdict("ok", observed=observed, expected=expected, data=facts)
        return
    text = f"Only {len(good)} of {count_text(len(listed), 'time source')} answered."
    text += f" Silent: {', '.join(silent[:4])}." if silent else ""
    yield Verdict("watch", observed=observed, expected=expected, summary=text, command=_command(data), data=facts)


@check(
    "time.controller_offset",
    title="Clock compared with the control node",
    advice="Compare both clocks with a third one before correcting either: the control node's may be the wrong one.",
    thresholds=("controller_watch_s", "controller_crit_s"),
)
def controller_offset(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge the difference between the host's clock and the control node's, measured on the way."""
    expected = f"below {policy.controller_watch_s} s"
    seconds = view.clock_offset_s
    if seconds is None:
        text = "The answer took too long to compare the clocks."
        yield Verdict("unknown", observed="not measured", expected=expected, summary=text, command=_own_clock(view))
        return
    state = _grade(abs(seconds), policy.controller_watch_s, policy.controller_crit_s)
    direction = "ahead of" if seconds > 0 else "behind"
    text = f"The host's clock is {seconds_text(seconds)} {direction} the control node's."
    yield Verdict(
        state,
        observed=seconds_text(seconds),
        expected=expected,
        summary="" if state == "ok" else text,
        command=view.command("date -u; timedatectl", f"(Get-Date).ToUniversalTime(); {_W32TIME}"),
        data={"offset_s": seconds},
    )


def series(view: View) -> Iterator[tuple[str, str, float]]:
    """Points for history."""
    record = view.probes.get("timesync")
    if record is not None and record.status == "ok" and record.data.get("offset_s") is not None:
        yield ("time.offset_s", "", float(record.data["offset_s"]))
