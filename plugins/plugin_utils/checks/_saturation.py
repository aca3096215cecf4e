# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Services, third part: who was killed, who is stuck, which tables of the kernel are nearly full?"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import (
    State,
    Verdict,
    View,
    check,
    count_text,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._resource_words import percent_text
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._services_policy import Policy


@check(
    "services.oom_kills",
    title="Out-of-memory kills",
    advice="See which program was killed and which one had grown; give it a limit of its own or the host more memory.",
    needs=("pressure",),
    sources=("/proc/vmstat", "/sys/fs/cgroup/*"),
    thresholds=("oom_crit",),
)
def oom_kills(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge kills since the previous run (or since boot when there is nothing to compare with): a hard fact.

    Windows kills nothing; it writes an event when virtual memory runs low (hardware.kernel_errors).
    """
    if view.windows:
        return
    data = view.data("pressure")
    count = (data.get("vmstat") or {}).get("oom_kill")
    units = {entry["unit"]: entry["oom_kill"] for entry in data.get("cgroup_oom") or []}
    if count is None and data.get("cgroup_oom") is None:
        text = "This kernel does not count them (it came with version 4.13)."
        yield Verdict("unknown", observed="not counted", expected="none", summary=text, command="dmesg | grep -i oom")
        return
    before = view.history.previous("pressure")
    compared = before is not None and before.get("boot_id") == data.get("boot_id")
    past = before if compared and before is not None else {}
    known = {entry["unit"]: entry["oom_kill"] for entry in past.get("cgroup_oom") or []}
    # A unit that started anew counts from 0 again: what it shows now came since.
    hit = {unit: kills - (known[unit] if known.get(unit, kills + 1) <= kills else 0) for unit, kills in units.items()}
    hit = {unit: kills for unit, kills in hit.items() if kills > 0}
    then = (past.get("vmstat") or {}).get("oom_kill") or 0
    grown = count - then if count is not None and count >= then else count or 0
    kills = max(grown, sum(hit.values()))
    since = "the previous run" if compared else "boot"
    if not kills:
        yield Verdict("ok", observed=f"none since {since}", expected="none")
        return
    services = view.probes.get("services")
    listed = services.data.get("units") or {} if services is not None and services.status == "ok" else {}
    names = sorted(set(hit) | {name for name, unit in listed.items() if unit.get("result") == "oom-kill"})
    observed = f"{count_text(kills, 'program')} since {since}"
    yield Verdict(
        "crit" if kills >= policy.oom_crit else "watch",
        observed=observed,
        expected="none",
        summary=f"The kernel killed {observed} to free memory{': ' + ', '.join(names[:5]) if names else ''}.",
        command="journalctl -k --no-pager --since=-1d | grep -i 'killed process'",
        data={"kills": kills, "units": names},
    )


@check(
    "services.processes",
    title="Processes",
    advice="Stuck in the kernel: look at the storage or network share it waits for. Zombies: restart their parent.",
    needs=("pressure",),
    sources=("processes", "/proc/sys/kernel/random/boot_id"),
    thresholds=("zombies_max", "blocked_s"),
)
def processes(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge zombies, and processes in uninterruptible sleep now and at the previous run (same pid and same start)."""
    if view.windows:
        return
    facts = view.data("pressure").get("processes")
    if facts is None:
        yield Verdict("unknown", observed="not readable", expected="none stuck", command="ps -eo pid,stat,wchan,comm")
        return
    before = view.history.previous("pressure") or {}
    moment = view.history.previous_at()
    long_enough = moment is not None and view.now - moment >= policy.blocked_s
    past = {(entry["pid"], entry["start"]) for entry in (before.get("processes") or {}).get("blocked") or []}
    same_boot = before.get("boot_id") == view.data("pressure").get("boot_id")
    stuck = [
        entry for entry in facts["blocked"] if long_enough and same_boot and (entry["pid"], entry["start"]) in past
    ]
    for entry in stuck:
        yield Verdict(
            "watch",
            f"process/{entry['comm']}",
            observed=f"process {entry['pid']} blocked at two runs",
            expected="none stuck",
            summary=f"{entry['unit'] or entry['comm']} has been stuck in the kernel since at least the previous run.",
            command=f"cat /proc/{entry['pid']}/wchan /proc/{entry['pid']}/stack",
            since=moment,
            age_basis="previous run",
            data={"pid": entry["pid"], "start": entry["start"]},
        )
    zombies = facts["zombies"]
    if zombies["count"] > policy.zombies_max:
        parents = ", ".join(str(parent.get("unit") or parent.get("comm")) for parent in zombies["parents"][:3])
        yield Verdict(
            "watch",
            "zombies",
            observed=count_text(zombies["count"], "zombie"),
            expected=f"at most {policy.zombies_max}",
            summary=f"{zombies['count']} dead processes were not collected by their parents: {parents}.",
            command="ps -eo ppid,stat,comm | awk '$2 ~ /^Z/' | sort | uniq -c | sort -rn | head",
        )
    elif not stuck:
        observed = f"{count_text(facts['count'], 'process', 'processes')}, {count_text(zombies['count'], 'zombie')}"
        yield Verdict("ok", observed=f"{observed}, {facts['blocked_count']} blocked just now", expected="none stuck")


@check(
    "services.limits",
    title="Kernel and process limits",
    advice="At the limit, new connections, files or processes are refused. Find who holds them before raising it.",
    needs=("pressure",),
    sources=("/proc/sys/*", "/proc/loadavg"),
    thresholds=("limit_watch_percent", "limit_crit_percent"),
)
def limits(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge how full the tables of files, processes and tracked connections are, and single processes' open files."""
    if view.windows:
        return
    data = view.data("pressure")
    words = {"files": "open files", "pids": "processes and threads", "conntrack": "tracked connections"}
    rows = [
        (name, words[name], table["used"], table["max"])
        for name, table in data["limits"].items()
        if table and table["max"]
    ]
    for process in (data.get("processes") or {}).get("top_files") or []:
        # A sandbox lowers its own limit on purpose: sshd's unauthenticated child has 1 and more files open than that.
        if process["limit"] < policy.sandbox_files:
            continue
        name = process["unit"] or process["comm"]
        rows.append((f"process/{name}", f"open files of {name}", process["files"], process["limit"]))
    expected = f"below {policy.limit_watch_percent:g} %"
    if data["limits"].get("files") is None and data["limits"].get("pids") is None:
        yield Verdict("unknown", observed="not readable", expected=expected, command="cat /proc/sys/fs/file-nr")
        return
    bad: set[str] = set()
    for name, text, used, most in rows:
        percent = used / most * 100
        state: State = (
            "crit"
            if percent >= policy.limit_crit_percent
            else "watch"
            if percent >= policy.limit_watch_percent
            else "ok"
        )
        if state == "ok" or name in bad:
            continue
        bad.add(name)
        yield Verdict(
            state,
            name,
            observed=f"{used} of {most} ({percent_text(percent)})",
            expected=expected,
            summary=f"Nearly used up: {text}, {used} of {most}.",
            command="cat /proc/sys/fs/file-nr; ls /proc/[0-9]*/fd 2>/dev/null | wc -l; sysctl net.netfilter",
            data={"used": used, "max": most},
        )
    if not bad:
        name, text, used, most = max(rows, key=lambda row: row[2] / row[3])
        seen = "; single processes were not visible" if view.record("pressure").denied("open files") else ""
        yield Verdict("ok", observed=f"fullest: {text} at {percent_text(used / most * 100)}{seen}", expected=expected)
