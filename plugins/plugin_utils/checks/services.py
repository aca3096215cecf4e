# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Services: is everything running that should, and do its helpers run on time?"""

from __future__ import annotations

import fnmatch
import typing as t
from collections.abc import Iterator, Mapping

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks import _restarts, _saturation, _timers
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import (
    State,
    Verdict,
    View,
    check,
    count_text,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._resources import series
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._services_policy import Policy

# Importing the other parts registers their checks.
__all__ = ["Policy", "_saturation", "series"]

ENABLED = ("enabled", "enabled-runtime")
_STOPPED = (
    "Get-CimInstance Win32_Service -Filter \"StartMode='Auto' AND State<>'Running'\" | Select-Object Name, ExitCode"
)
_CRASHES = (
    "Get-WinEvent -MaxEvents 20 -FilterHashtable "
    "@{LogName='System'; ProviderName='Service Control Manager'; Id=7031, 7034}"
)
# The lists of units, by the names of their sources.
KINDS = ("services", "mounts", "sockets", "paths")


def _ignored(name: str, policy: Policy) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in policy.units_ignored)


def _look(view: View, name: str) -> str:
    return view.command(
        f"systemctl status --no-pager --lines=30 -- '{name}'",
        f"Get-CimInstance Win32_Service -Filter \"Name='{name}'\" | Select-Object Name, State, StartMode, ExitCode",
    )


def _since_basis(view: View) -> str:
    return view.command("systemd's last change of state", "the service manager's event")


def _unread(view: View, *kinds: str) -> list[str]:
    """Lists of units that could not be read, or not to their end."""
    return [kind for kind in kinds if view.record("services").status_of(kind) != "ok"]


def _not_all_read(view: View, kinds: list[str], expected: str) -> Verdict:
    text = f"Not all units could be read ({', '.join(kinds)}): one that is down may be among the others."
    observed = f"not read whole: {', '.join(kinds)}"
    command = view.command("systemctl --failed", _STOPPED)
    return Verdict("unknown", observed=observed, expected=expected, summary=text, command=command)


@check(
    "services.system_state",
    title="State of the service manager",
    advice="Look at what systemd waits for: a host that never finishes starting, or sits in maintenance, is half up.",
    needs=("services",),
    thresholds=("start_s",),
)
def system_state(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge systemd's word for the whole host. ``degraded`` is explained unit by unit in services.failed_units."""
    data = view.data("services")
    if view.windows:
        return  # Its service manager has no word for the whole host.
    word = data.get("system_state")
    counts = [kind for kind in (data.get("counts") or {}).values() if kind]
    failed = sum(kind.get("failed", 0) for kind in counts)
    command = "systemctl is-system-running; systemctl list-jobs; systemctl --failed"
    state: State = "ok"
    text = ""
    observed = str(word)
    if word is None or word in ("offline", "unknown"):
        state, observed, text = "unknown", word or "no answer", "systemd does not say how the host is."
    elif word == "maintenance":
        state, text = "crit", "The host sits in rescue or emergency mode."
    elif word in ("starting", "initializing"):
        since = data.get("manager_since")
        if since is None or view.now - since > policy.start_s:
            state, text = "watch", "The host has not finished starting; something it waits for does not come up."
    elif word == "stopping":
        state, text = "watch", "The host is shutting down."
    elif word == "degraded":
        if failed:
            observed = f"degraded: {count_text(failed, 'failed unit')}, listed one by one"
        elif _unread(view, *KINDS):
            state, text = "unknown", "systemd counts a failed unit, and not all units could be read."
        else:
            state, text = "watch", "systemd counts a failed unit that is no service, mount, socket or path."
    active = sum(kind.get("active", 0) for kind in counts)
    if state == "ok" and word == "running":
        observed = f"running, {count_text(active, 'active unit')}"
    yield Verdict(state, observed=observed, expected="running", summary=text, command=command)


@check(
    "services.failed_units",
    title="Failed units",
    advice="Read its last lines, repair the cause, then start it again. 'systemctl reset-failed' alone hides it.",
    needs=("services",),
    controls=("ISO A.8.16", "NIS2 3.2", "SOC 2 CC7.2"),
    thresholds=("units_ignored",),
)
def failed_units(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge failed units, one by one. Those that an active timer starts belong to services.timers."""
    data = view.data("services")
    timed = {timer["unit"] for timer in (data.get("timers") or {}).values() if timer["active"] == "active"}
    watched = set(data.get("watched") or ())
    bad = 0
    for name, unit in sorted(data["units"].items()):
        if unit["active"] != "failed" or name in timed or name in watched or _ignored(name, policy):
            continue
        bad += 1
        why = unit.get("result") or "no reason given"
        code = f" (exit status {unit['exit']})" if unit.get("exit") else ""
        mount = name.endswith(".mount")
        yield Verdict(
            "crit" if mount else "watch",
            name,
            observed=f"failed: {why}{code}",
            expected="not failed",
            summary=f"{name} {'could not be mounted' if mount else 'has failed'}: {why}{code}.",
            advice=view.command("", "Read its events, repair the cause, then start it again."),
            command=_look(view, name),
            since=unit.get("since"),
            age_basis=_since_basis(view),
            data={"result": unit.get("result"), "exit": unit.get("exit")},
        )
    unread = _unread(view, *KINDS)
    if unread and not bad:
        yield _not_all_read(view, unread, "not failed")
    elif not bad:
        active = (data["counts"].get("service") or {}).get("active", 0)
        yield Verdict("ok", observed=f"none; {count_text(active, 'active service')}", expected="not failed")


@check(
    "services.restarting",
    title="Service restarts",
    advice="Read why it ends each time. A service that restarts every few minutes looks up in every other check.",
    needs=("services",),
    thresholds=("flaps_watch_per_hour", "flaps_crit_per_hour", "units_ignored"),
)
def restarting(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge restarts an hour, from the journal and from what changed since the previous run."""
    data = view.data("services")
    found = {name: flaps for name, flaps in _restarts.flaps(view).items() if not _ignored(name, policy)}
    if data.get("restarts_last_hour") is None and not _restarts.countable(data):
        text = view.command(
            "Neither the journal nor systemd tells how often services restarted.",
            "The log of the service manager could not be read: nobody knows how often services ended unexpectedly.",
        )
        yield Verdict(
            "unknown",
            observed="not counted",
            expected="no restarts",
            summary=text,
            command=view.command("journalctl -n 1", "Get-WinEvent -LogName System -MaxEvents 1"),
        )
        return
    bad = 0
    for name, flaps in sorted(found.items()):
        state: State = "ok"
        if flaps.per_hour >= policy.flaps_crit_per_hour:
            state = "crit"
        elif flaps.per_hour >= policy.flaps_watch_per_hour or flaps.down_now:
            state = "watch"
        if state == "ok":
            continue
        bad += 1
        down = "; down now, waits to be started again" if flaps.down_now else ""
        yield Verdict(
            state,
            name,
            observed=f"{flaps.text}{down}",
            expected=f"below {policy.flaps_watch_per_hour:g} an hour",
            summary=f"{name} keeps restarting: {flaps.text}{down}.",
            command=view.command(f"journalctl --no-pager -u '{name}' --since=-1h", _CRASHES),
            data={"per_hour": flaps.per_hour, "since_previous": flaps.since_previous},
        )
    if not bad:
        seen = [name for name, flaps in sorted(found.items()) if flaps.since_previous or flaps.last_hour]
        observed = f"{count_text(len(seen), 'unit')} restarted: {', '.join(seen[:5])}" if seen else "no restarts"
        expected = f"below {policy.flaps_watch_per_hour:g} an hour"
        yield Verdict("ok", observed=observed, expected=expected, data={"restarted": seen})


@check(
    "services.watched",
    title="Watched services",
    advice="This service was declared important: start it, or find out in its last lines why it does not stay up.",
    needs=("services",),
    controls=("ISO A.8.16", "NIS2 3.2", "SOC 2 CC7.2"),
)
def watched(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge the units that the plan names."""
    data = view.data("services")
    names = list(data.get("watched") or ())
    bad = 0
    for name in names:
        timer = (data.get("timers") or {}).get(name)
        unit = data["units"].get(name) or {}
        if timer and timer["active"] == "active":
            continue
        state, observed = _watched_state(name, unit, data)
        if state == "ok":
            continue
        bad += 1
        yield Verdict(
            state,
            name,
            observed=observed,
            expected="active",
            summary=f"{name} should run here: {observed}.",
            command=_look(view, name),
            since=unit.get("since"),
            age_basis=_since_basis(view),
        )
    if names and not bad:
        yield Verdict(
            "ok",
            observed=f"{count_text(len(names), view.command('watched unit', 'watched service'))}, all active",
            expected="active",
        )


def _watched_state(name: str, unit: Mapping[str, t.Any], data: Mapping[str, t.Any]) -> tuple[State, str]:
    """Return (state, text) of a watched unit. A waiting restart counts as down, a finished oneshot as done."""
    if unit.get("load") == "masked" or name in (data.get("masked") or ()):
        word = "disabled" if data.get("manager") == "scm" else "masked"
        return "watch", f"{word}: somebody forbade it to start"
    if unit.get("load") == "not-found" or not unit:
        return "watch", f"no such {'service' if data.get('manager') == 'scm' else 'unit'} on this host"
    if unit["active"] in ("active", "reloading"):
        return "ok", "active"
    if unit["active"] == "activating" and unit.get("sub") != "auto-restart":
        return "watch", f"starting ({unit.get('sub')})"
    if unit["active"] == "inactive" and unit.get("type") == "oneshot" and unit.get("result") == "success":
        return "ok", "done"
    if unit.get("sub") == "auto-restart":
        return "crit", "down, waits to be started again"
    return "crit", f"{unit['active']} ({unit.get('result') or unit.get('sub')})"


@check(
    "services.not_running",
    title="Enabled services",
    advice="Start it, or disable it if it is not needed: as it is, the next restart of the host decides.",
    needs=("services",),
    thresholds=("units_ignored",),
)
def not_running(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge services that start at boot and are down without having failed.

    Left out: oneshots (they end), units whose conditions were not met, units that a socket, path or timer starts.
    """
    data = view.data("services")
    before = ((view.history.previous("services") or {}).get("units")) or {}
    masked = set(data.get("masked") or ())
    enabled = bad = 0
    for name, unit in sorted(data["units"].items()):
        if unit.get("enabled") not in ENABLED or name in masked or not (view.windows or name.endswith(".service")):
            continue
        enabled += 1
        ran_before = (before.get(name) or {}).get("active") == "active"
        if unit["active"] != "inactive" or unit.get("type") == "oneshot" or unit.get("triggered_by"):
            continue
        if not (unit.get("condition") or (ran_before and unit.get("condition") is None)):
            continue
        if name in (data.get("watched") or ()) or _ignored(name, policy):
            continue
        bad += 1
        ran = "; it ran at the previous run" if ran_before else ""
        yield Verdict(
            "watch",
            name,
            observed=f"stopped{ran}",
            expected="running, or disabled",
            summary=f"{name} starts at boot but does not run now{ran}.",
            command=_look(view, name),
            since=unit.get("since"),
            age_basis=_since_basis(view),
        )
    unread = _unread(view, "services")
    if unread and not bad:
        yield _not_all_read(view, unread, "running, or disabled")
    elif not bad:
        more = f" ({data['left_out']} more were not listed)" if data.get("left_out") else ""
        observed = f"{count_text(enabled, 'enabled service')}{more}, none stopped"
        yield Verdict("ok", observed=observed, expected="running, or disabled")


@check(
    "services.timers",
    title="Scheduled jobs",
    advice="Run the job by hand and read its last lines. A job that silently stopped is often found only when needed.",
    needs=("services",),
    thresholds=("timer_overdue_s", "units_ignored"),
)
def timers(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge timers: did the last run end well, is there a next one? Cron keeps no results and cannot be judged."""
    data = view.data("services")
    listed = data.get("timers")
    if listed is None:
        text = view.command("The timers could not be read.", "The scheduled tasks could not be read.")
        command = view.command("systemctl list-timers", "Get-ScheduledTask")
        yield Verdict("unknown", observed="not read", expected="on time", summary=text, command=command)
        return
    judged = bad = 0
    for name, timer in sorted(listed.items()):
        if _ignored(name, policy) or (timer["active"] != "active" and timer.get("enabled") not in ENABLED):
            continue
        judged += 1
        problem = _timers.problem(timer, view.now, data.get("manager_since"), policy.timer_overdue_s)
        if problem:
            bad += 1
            yield Verdict(
                "watch",
                name,
                observed=problem,
                expected="on time and successful",
                summary=f"{name}: {problem}.",
                command=view.command(
                    f"systemctl list-timers --all '{name}'; {_look(view, timer['unit'] or name)}",
                    f"schtasks.exe /query /v /fo LIST /tn '{timer['unit'] or name}'",
                ),
                since=timer.get("unit_since") if problem.startswith("last run") else None,
                age_basis=view.command("systemd's last change of state", "the task's last run")
                if problem.startswith("last run")
                else "",
            )
    if judged and not bad:
        what = count_text(judged, view.command("timer", "scheduled task"))
        yield Verdict("ok", observed=f"{what} on time", expected="on time and successful")
