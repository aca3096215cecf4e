# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the processes of a host, from /proc, in two samples.

A process is named by (pid, start), its start in clock ticks since boot: a pid alone may belong to somebody else a
second later. Arguments are never read: they hold passwords. Runs on managed hosts: Python 3.6 syntax.
"""

import re

# USER_HZ: what /proc counts in, 100 on every architecture that is left.
TICKS_PER_SECOND = 100.0
KERNEL_THREAD = 0x00200000
TOP = 5
LIST_CAP = 20
# Counting open files costs a folder listing each; beyond this many processes only the biggest are asked.
FILES_CAP = 400
_UNIT = re.compile(r"([^/]+\.(?:service|scope|socket|mount))(?:/|$)")


def parse_stat(text):
    """Parse /proc/PID/stat: the name is whatever stands between the first ``(`` and the last ``)``.

    Names may hold blanks and brackets of their own (``(sd-pam)``). Raises ValueError for anything else.
    """
    before, opened, rest = text.partition(" (")
    name, closed, after = rest.rpartition(")")
    fields = after.split()
    if not opened or not closed or not before.isdigit() or len(fields) < 22:
        raise ValueError("stat: cannot read %r" % text[:120])
    return {
        "pid": int(before),
        "comm": name,
        "state": fields[0],
        "parent": int(fields[1]),
        "kernel": bool(int(fields[6]) & KERNEL_THREAD),
        "ticks": int(fields[11]) + int(fields[12]),
        "threads": int(fields[17]),
        "start": int(fields[19]),
        "pages": int(fields[21]),
    }


def parse_unit(text):
    """The systemd unit in /proc/PID/cgroup: the innermost service, scope, socket or mount of any hierarchy, or None."""
    units = [unit for line in text.splitlines() for unit in _UNIT.findall(line.split(":", 2)[-1])]
    services = [unit for unit in units if not unit.startswith("libpod-")]
    return services[-1] if services else None


def sample(machine):
    """All processes by (pid, start). One that ends meanwhile is left out; a line that cannot be read is noted."""
    found = {}
    for name in machine.listdir("/proc"):
        if not name.isdigit():
            continue
        text = machine.read("/proc/%s/stat" % name, limit=4096, source="processes")
        if not text:
            continue
        try:
            process = parse_stat(text)
        except ValueError as exc:
            machine.note("processes", "error", str(exc))
            continue
        found[(process["pid"], process["start"])] = process
    return found


def describe(machine, before, after, seconds):
    """Return the facts of all processes from two samples ``seconds`` apart; None where there is no /proc to read.

    ``top_cpu`` (percent of one CPU), ``top_memory`` and ``top_files`` list at most five, ``blocked`` those in
    uninterruptible sleep in both samples, ``zombies`` the dead that wait in both samples, by parent.
    """
    if not after:
        return None
    both = [key for key in after if key in before]
    for key in both:
        after[key]["cpu_percent"] = (
            round((after[key]["ticks"] - before[key]["ticks"]) / TICKS_PER_SECOND / seconds * 100, 1)
            if seconds
            else None
        )
    busy = sorted(both, key=lambda key: (-(after[key]["cpu_percent"] or 0), key))
    big = sorted((key for key in after if not after[key]["kernel"]), key=lambda key: (-after[key]["pages"], key))
    dead = [key for key in both if after[key]["state"] == "Z" and before[key]["state"] == "Z"]
    blocked = [key for key in both if after[key]["state"] == "D" and before[key]["state"] == "D"]
    return {
        "count": len(after),
        "threads": sum(process["threads"] for process in after.values()),
        "top_cpu": [_named(machine, after[key]) for key in busy[:TOP] if after[key]["cpu_percent"]],
        "top_memory": [_with_memory(machine, after[key]) for key in big[:TOP]],
        "top_files": _top_files(machine, [after[key] for key in big]),
        "blocked": [_named(machine, after[key]) for key in sorted(blocked)[:LIST_CAP]],
        "blocked_count": len(blocked),
        "zombies": _zombies(machine, [after[key] for key in sorted(dead)], after),
    }


def _named(machine, process):
    """What tells a person which process this is: never its arguments."""
    folder = "/proc/%d" % process["pid"]
    owner = machine.stat(folder)
    return {
        "pid": process["pid"],
        "start": process["start"],
        "comm": process["comm"],
        "unit": parse_unit(machine.read(folder + "/cgroup", source="process units") or ""),
        "user": machine.user_name(owner["uid"]) if owner else None,
        "kernel": process["kernel"],
        "cpu_percent": process.get("cpu_percent"),
    }


def _with_memory(machine, process):
    """``rss_bytes`` from status; ``pss_bytes`` (shared pages counted once) where this user may read it."""
    facts = _named(machine, process)
    folder = "/proc/%d" % process["pid"]
    facts["rss_bytes"] = _kilobytes(machine.read(folder + "/status", source="processes"), "VmRSS")
    facts["pss_bytes"] = _kilobytes(machine.read(folder + "/smaps_rollup", source="process memory"), "Pss")
    return facts


def _kilobytes(text, name):
    match = re.search(r"^%s:\s+(\d+) kB" % name, text or "", re.MULTILINE)
    return int(match.group(1)) * 1024 if match else None


def _top_files(machine, processes):
    """The processes that come closest to their own limit of open files; None when this user may see none."""
    counted = []
    for process in processes[:FILES_CAP]:
        folder = "/proc/%d" % process["pid"]
        count = len(machine.listdir(folder + "/fd", source="open files"))
        if not count:
            continue
        limits = machine.read(folder + "/limits", source="open files") or ""
        match = re.search(r"^Max open files\s+(\d+)", limits, re.MULTILINE)
        if match and int(match.group(1)):
            counted.append((count / float(match.group(1)), count, int(match.group(1)), process))
    if not counted:
        return None
    counted.sort(key=lambda row: (-row[0], row[3]["pid"]))
    return [dict(_named(machine, row[3]), files=row[1], limit=row[2]) for row in counted[:TOP]]


def _zombies(machine, dead, after):
    """{"count", "parents": [who does not collect them, how many]}."""
    by_pid = dict((process["pid"], process) for process in after.values())
    counts = {}
    for process in dead:
        counts[process["parent"]] = counts.get(process["parent"], 0) + 1
    parents = []
    for pid in sorted(counts, key=lambda pid: (-counts[pid], pid))[:TOP]:
        facts = _named(machine, by_pid[pid]) if pid in by_pid else {"pid": pid, "comm": None, "unit": None}
        parents.append(dict(facts, count=counts[pid]))
    return {"count": len(dead), "parents": parents}
