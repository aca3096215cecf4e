# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How short a host is of memory, CPU and I/O, who uses them, and how close it is to the kernel's limits.

Two samples two seconds apart. Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import re

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _processes
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import Unreadable

TIME_LIMIT_S = 10
SAMPLE_S = 2.0
CGROUP_CAP = 400
VMSTAT_KEYS = ("oom_kill", "pswpin", "pswpout", "pgmajfault")
MEMINFO_KEYS = {
    "MemTotal": "total_bytes",
    "MemFree": "free_bytes",
    "MemAvailable": "available_bytes",
    "SwapTotal": "swap_total_bytes",
    "SwapFree": "swap_free_bytes",
    "Dirty": "dirty_bytes",
    "Committed_AS": "committed_bytes",
    "CommitLimit": "commit_limit_bytes",
    "SUnreclaim": "slab_unreclaimable_bytes",
}
_PSI = re.compile(r"^(some|full) avg10=([\d.]+) avg60=([\d.]+) avg300=([\d.]+) total=(\d+)$")


def collect(machine, parameters):
    """Return the facts of ``pressure``.

    ``psi`` (cpu, memory, io -> some, full -> avg10, avg60, avg300 in percent, total_us; None: the kernel has none),
    ``memory`` (bytes), ``vmstat`` (counters since boot; pswpin and pswpout in pages), ``rates`` (swapped pages and
    major faults a second between the samples), ``load``, ``runnable``, ``cpus``, ``cgroup_oom`` (units whose own
    memory limit killed something since they started; None: no cgroup v2), ``processes``, ``limits``, ``boot_id``.
    """
    if not machine.exists("/proc/meminfo"):
        raise Unreadable("absent", "this host has no /proc/meminfo")
    vmstat_before, uptime_before = machine.parsed_file("/proc/vmstat", parse_vmstat), _uptime(machine)
    before = _processes.sample(machine)
    machine.sleep(SAMPLE_S)
    after = _processes.sample(machine)
    vmstat, uptime = machine.parsed_file("/proc/vmstat", parse_vmstat), _uptime(machine)
    seconds = uptime - uptime_before if uptime is not None and uptime_before is not None else None
    load = machine.parsed_file("/proc/loadavg", parse_loadavg) or {}
    return {
        "psi": _psi(machine),
        "memory": machine.parsed_file("/proc/meminfo", parse_meminfo),
        "vmstat": vmstat,
        "rates": _rates(vmstat_before, vmstat, seconds),
        "load": load.get("load"),
        "runnable": load.get("runnable"),
        "cpus": machine.parsed_file("/sys/devices/system/cpu/online", parse_cpu_list),
        "cgroup_oom": _cgroup_oom(machine),
        "processes": _processes.describe(machine, before, after, seconds),
        "limits": _limits(machine, load),
        "boot_id": (machine.read("/proc/sys/kernel/random/boot_id") or "").strip() or None,
        "uptime_s": uptime,
    }


def _uptime(machine):
    return machine.parsed_file("/proc/uptime", lambda text: float(text.split()[0]))


def parse_psi(text):
    """Parse /proc/pressure/*: one line for some, one for full (cpu has no full before kernel 5.13)."""
    facts = {}
    for line in text.splitlines():
        match = _PSI.match(line.strip())
        if not match:
            raise ValueError("pressure: cannot read %r" % line[:120])
        names = ("avg10", "avg60", "avg300")
        facts[match.group(1)] = dict((name, float(match.group(n + 2))) for n, name in enumerate(names))
        facts[match.group(1)]["total_us"] = int(match.group(5))
    return facts


def _psi(machine):
    """Without psi=1 on the kernel command line some distributions have the files but refuse to be read (EOPNOTSUPP)."""
    facts = dict((name, machine.parsed_file("/proc/pressure/" + name, parse_psi)) for name in ("cpu", "memory", "io"))
    return facts if any(facts.values()) else None


def parse_meminfo(text):
    """Parse /proc/meminfo into bytes. ``available_bytes`` is None on kernels before 3.14, which do not estimate it."""
    facts = dict((name, None) for name in MEMINFO_KEYS.values())
    for line in text.splitlines():
        match = re.match(r"^([\w()]+):\s+(\d+)( kB)?$", line.strip())
        if not match:
            raise ValueError("meminfo: cannot read %r" % line[:120])
        if match.group(1) in MEMINFO_KEYS:
            facts[MEMINFO_KEYS[match.group(1)]] = int(match.group(2)) * 1024
    if not facts["total_bytes"]:
        raise ValueError("meminfo: no MemTotal in %r" % text[:120])
    return facts


def parse_vmstat(text):
    """Parse /proc/vmstat; a counter this kernel does not have is None (oom_kill came with 4.13)."""
    facts = dict((name, None) for name in VMSTAT_KEYS)
    for line in text.splitlines():
        fields = line.split()
        if len(fields) != 2 or not fields[1].lstrip("-").isdigit():
            raise ValueError("vmstat: cannot read %r" % line[:120])
        if fields[0] in facts:
            facts[fields[0]] = int(fields[1])
    return facts


def _rates(before, after, seconds):
    """Pages a second swapped in and out, and major faults; None when there were not two samples."""
    names = (("pswpin", "swap_in_pages"), ("pswpout", "swap_out_pages"), ("pgmajfault", "major_faults"))
    rates = {}
    for counter, name in names:
        values = [(sample or {}).get(counter) for sample in (before, after)]
        known = None not in values and seconds
        rates[name] = round((values[1] - values[0]) / seconds, 1) if known else None
    return rates


def parse_loadavg(text):
    """Parse /proc/loadavg: three averages, runnable/all threads, last pid."""
    match = re.match(r"^([\d.]+) ([\d.]+) ([\d.]+) (\d+)/(\d+) (\d+)$", text.strip())
    if not match:
        raise ValueError("loadavg: cannot read %r" % text[:120])
    return {
        "load": [float(match.group(n)) for n in (1, 2, 3)],
        "runnable": int(match.group(4)),
        "threads": int(match.group(5)),
    }


def parse_cpu_list(text):
    """Number of CPUs in a list such as ``0-3,8``."""
    count = 0
    for part in text.strip().split(","):
        match = re.match(r"^(\d+)(?:-(\d+))?$", part)
        if not match:
            raise ValueError("cpu list: cannot read %r" % text[:120])
        count += int(match.group(2) or match.group(1)) - int(match.group(1)) + 1
    return count


def parse_events(text):
    """``oom_kill`` of a cgroup's memory.events."""
    for line in text.splitlines():
        fields = line.split()
        if len(fields) != 2 or not fields[1].isdigit():
            raise ValueError("memory.events: cannot read %r" % line[:120])
        if fields[0] == "oom_kill":
            return int(fields[1])
    return None


def _cgroup_oom(machine):
    """[{unit, oom_kill}] of units with kills, two levels below the root (slices and their units); None without v2."""
    if not machine.exists("/sys/fs/cgroup/cgroup.controllers"):
        return None
    paths = machine.glob("/sys/fs/cgroup/*/memory.events") + machine.glob("/sys/fs/cgroup/*/*/memory.events")
    found = []
    for path in paths[:CGROUP_CAP]:
        unit = path.split("/")[-2]
        kills = machine.parsed_file(path, parse_events)
        if kills and not unit.endswith(".slice"):
            found.append({"unit": unit, "oom_kill": kills})
    return found


def _limits(machine, load):
    """Use and limit of the kernel's tables; ``conntrack`` is None where connections are not tracked."""
    files = (machine.read("/proc/sys/fs/file-nr") or "").split()
    threads_max = _number(machine, "/proc/sys/kernel/threads-max")
    pid_max = _number(machine, "/proc/sys/kernel/pid_max")
    bounds = [bound for bound in (threads_max, pid_max) if bound is not None]
    tracked = _number(machine, "/proc/sys/net/netfilter/nf_conntrack_count")
    tracked_max = _number(machine, "/proc/sys/net/netfilter/nf_conntrack_max")
    return {
        "files": {"used": int(files[0]), "max": int(files[2])} if len(files) == 3 else None,
        "pids": {"used": load["threads"], "max": min(bounds)} if bounds and "threads" in load else None,
        "conntrack": {"used": tracked, "max": tracked_max} if tracked is not None and tracked_max else None,
    }


def _number(machine, path):
    return machine.parsed_file(path, lambda text: int(text.strip()))
