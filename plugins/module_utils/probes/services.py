# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What systemd knows of its units: what failed, what keeps restarting, what is enabled, what timers did.

Only units that may matter are listed one by one (failed, restarting, changing, watched, enabled, started by a timer);
all others are counts. Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import json

from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import LIST_CAP, Unreadable
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._systemd import (
    parse_blocks,
    parse_count,
    parse_timestamp,
)
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._units import (
    TIMER_PROPERTIES,
    UNIT_PROPERTIES,
    full_name,
    timer_facts,
    unit_facts,
)

TIME_LIMIT_S = 15
PARAMETERS = ("watched",)
# 150 units and 200 timers keep the document of any host below 150 KiB.
UNIT_CAP = 150
TIMER_CAP = 200
RUNNING_CAP = 300
MASKED_CAP = 100
RESTART_SCHEDULED = "5eb03494b6584870a536b337290809b3"
JOURNAL_LINES = 600
MANAGER_PROPERTIES = "Version,UserspaceTimestamp"
ENABLED = ("enabled", "enabled-runtime")
CHANGING = ("activating", "deactivating", "reloading", "failed", "maintenance")


def collect(machine, parameters):
    """Return the facts of ``services``.

    ``parameters["watched"]`` names units that are always listed, even when they do not exist. Keys: ``manager``,
    ``version``, ``manager_since`` (epoch: this start of systemd), ``system_state``, ``counts`` (kind -> active state
    -> number), ``units`` (id -> facts), ``left_out`` (units that matter beyond the cap), ``running`` (names of all
    services with a running process, at most RUNNING_CAP: what a change must not lose), ``timers``, ``watched``,
    ``masked`` (by the administrator), ``restarts_last_hour`` (unit -> number, None: the journal could not be read),
    ``lingering_users`` (whose own units are not looked at), ``cron``.
    """
    if not machine.exists("/run/systemd/system"):
        first = (machine.read("/proc/1/comm") or "unknown").strip()
        raise Unreadable("absent", "systemd does not run this host; process 1 is %s" % first)
    watched = [full_name(name) for name in parameters.get("watched") or []]
    manager = _manager(machine)
    services = _show(machine, "service", UNIT_PROPERTIES)
    if services is None:
        source = machine.sources.get("services", {"status": "error"})
        raise Unreadable(source["status"], "systemctl show: %s" % source.get("detail", "no answer"))
    counts = {"service": _states(services)}
    others = []
    for kind in ("mount", "socket", "path"):
        blocks = _show(machine, kind, UNIT_PROPERTIES)
        counts[kind] = None if blocks is None else _states(blocks)
        others += blocks or []
    timers = _timers(machine, services)
    triggered = set(timer["unit"] for timer in (timers or {}).values())
    units, left_out = choose_units(services + others, watched, triggered)
    return {
        "manager": "systemd",
        "version": manager.get("Version"),
        "manager_since": manager.get("since"),
        "system_state": _system_state(machine),
        "counts": counts,
        "units": units,
        "left_out": left_out,
        "running": _running(services),
        "timers": timers,
        "watched": watched,
        "masked": _masked(machine),
        "restarts_last_hour": _restarts(machine),
        "lingering_users": machine.listdir("/var/lib/systemd/linger", source="linger"),
        "cron": _cron(machine, services),
    }


def _running(services):
    return sorted(block["Id"] for block in services if block.get("SubState") == "running" and "Id" in block)[
        :RUNNING_CAP
    ]


def _manager(machine):
    shown = machine.run(["systemctl", "show", "-p", MANAGER_PROPERTIES], source="systemd")
    if not shown.ok:
        return {}
    try:
        values = dict(pair for block in parse_blocks(shown.out) for pair in block.items())
        values["since"] = parse_timestamp(values.get("UserspaceTimestamp", ""))
    except ValueError as exc:
        machine.note("systemd", "error", str(exc))
        return {}
    return values


def _system_state(machine):
    """``running``, ``degraded``, ``starting``, ``maintenance``, ``stopping`` ...; its return code repeats the word."""
    state = machine.run(["systemctl", "is-system-running"], accepted=None, source="is-system-running")
    words = state.out.split()
    return words[0] if state.ok and len(words) == 1 else None


def _show(machine, kind, properties):
    """Parsed blocks of all loaded units of a kind, or None (then noted under ``<kind>s``)."""
    source = kind + "s"
    shown = machine.run(
        ["systemctl", "show", "--type=" + kind, "--all", "-p", properties, "*"],
        timeout=12.0,
        source=source,
        cap=LIST_CAP,
    )
    if not shown.ok:
        return None
    try:
        if shown.truncated:
            machine.note(source, "error", "more units than the probe takes")
        # A cut output ends within a unit; what is left of that unit would look like one without a state.
        text = shown.out.rpartition("\n\n")[0] if shown.truncated else shown.out
        blocks = [block for block in parse_blocks(text) if block.get("Id")]
        for block in blocks:
            parse_timestamp(block.get("StateChangeTimestamp", ""))
        return blocks
    except ValueError as exc:
        machine.note(source, "error", str(exc))
        return None


def _states(blocks):
    counts = {}
    for block in blocks:
        if block.get("LoadState") != "not-found":
            state = block.get("ActiveState", "")
            counts[state] = counts.get(state, 0) + 1
    return counts


def choose_units(blocks, watched, triggered):
    """Return (facts of the units that may matter, number of such units beyond the cap).

    Failed, changing, restarted and watched units come first; then those that a timer starts and enabled ones.
    """
    known = dict((block["Id"], block) for block in blocks)
    ranked = []
    for name, block in known.items():
        if block.get("LoadState") == "not-found" and name not in watched:
            continue
        if name in watched or block.get("ActiveState") in CHANGING or parse_count(block.get("NRestarts")):
            ranked.append((0, name))
        elif name in triggered:
            ranked.append((1, name))
        elif block.get("UnitFileState") in ENABLED and name.endswith((".service", ".mount", ".socket")):
            ranked.append((2, name))
    ranked.sort()
    units = dict((name, unit_facts(known[name])) for _rank, name in ranked[:UNIT_CAP])
    for name in watched:
        if name not in units:
            units[name] = {"load": "not-found", "active": "inactive", "sub": "dead"}
    return units, max(0, len(ranked) - UNIT_CAP)


def _timers(machine, services):
    blocks = _show(machine, "timer", TIMER_PROPERTIES)
    if blocks is None:
        return None
    started = _boot_time(machine)
    by_name = dict((block["Id"], block) for block in services)
    timers = {}
    try:
        for block in sorted(blocks, key=lambda block: block["Id"])[:TIMER_CAP]:
            if block.get("LoadState") != "not-found":
                timers[block["Id"]] = timer_facts(block, by_name.get(block.get("Unit", ""), {}), started)
    except ValueError as exc:
        machine.note("timers", "error", str(exc))
        return None
    return timers


def _boot_time(machine):
    uptime = machine.read("/proc/uptime")
    return machine.now() - float(uptime.split()[0]) if uptime else None


def _masked(machine):
    """Units that somebody masked on this host; what packages mask themselves lives below /usr and is not listed."""
    names = set()
    for folder in ("/etc/systemd/system", "/run/systemd/system"):
        for name in machine.listdir(folder, source="masked"):
            if machine.readlink(folder + "/" + name) == "/dev/null":
                names.add(name)
    return sorted(names)[:MASKED_CAP]


def _restarts(machine):
    """Automatic restarts in the last hour by unit, as systemd wrote them into the journal."""
    command = ["journalctl", "-q", "-o", "json", "--no-pager", "-n", str(JOURNAL_LINES), "--since=-1h"]
    command += ["--output-fields=UNIT,N_RESTARTS", "MESSAGE_ID=" + RESTART_SCHEDULED]
    journal = machine.run(command, source="journal", timeout=4.0)
    if not journal.ok:
        return None
    if not machine.privileged and not journal.out:
        # Without the right to read the system journal, journalctl shows the user's own and ends with 0.
        machine.note("journal", "denied", "the system journal may not be readable by this user")
        return None
    try:
        return parse_restarts(journal.out.rpartition("\n")[0] if journal.truncated else journal.out)
    except ValueError as exc:
        machine.note("journal", "error", str(exc))
        return None


def parse_restarts(text):
    """Count entries by unit in ``journalctl -o json`` output. Raises ValueError naming a line that is no entry."""
    counts = {}
    for line in text.splitlines():
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except ValueError:
            raise ValueError("journal: not JSON: %r" % line[:120]) from None
        unit = entry.get("UNIT") or entry.get("USER_UNIT") if isinstance(entry, dict) else None
        if not isinstance(unit, str):
            raise ValueError("journal: no unit in %r" % line[:120])
        counts[unit] = counts.get(unit, 0) + 1
    return counts


def _cron(machine, services):
    """Whether cron runs and which tables it has; cron itself stores no exit status, so that is all there is."""
    running = None
    for block in services:
        if block["Id"] in ("cron.service", "crond.service", "cronie.service"):
            running = block.get("ActiveState") == "active"
    tables = [name for name in machine.listdir("/etc/cron.d", source="cron.d") if not name.startswith(".")]
    users = None
    for folder in ("/var/spool/cron/crontabs", "/var/spool/cron/tabs", "/var/spool/cron"):
        if machine.exists(folder):
            names = machine.listdir(folder, source="crontabs")
            denied = machine.sources.get("crontabs", {}).get("status") == "denied"
            users = None if denied else len([name for name in names if "." not in name])
            break
    return {"running": running, "tables": tables[:50], "user_tables": users}
