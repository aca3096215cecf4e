"""What the unit of a piece of work is told, and how it is found out whether that holds."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.keepwell.fleet.plugins.module_utils.chores import _unit

LIMITS = {"cpu_percent": 50, "memory_bytes": 1 << 30, "read_limit": "/ 20000000"}
V2 = "0::/system.slice/keepwell-x.service\n"
# A machine that keeps both kinds: systemd's own hierarchy has no controllers.
V1 = "5:memory:/kw\n4:blkio:/kw\n3:cpu,cpuacct:/kw\n0::/kw\n"


class Files:
    """A host of which only these files can be read."""

    def __init__(self, files: dict[str, str]) -> None:
        self.files = files

    def read(self, path: str) -> str | None:
        return self.files.get(path)


@pytest.mark.parametrize(
    ("groups", "files", "held"),
    [
        (V2, {"/sys/fs/cgroup/system.slice/keepwell-x.service/cpu.max": "50000 100000\n"}, ["cpu_percent"]),
        (V2, {"/sys/fs/cgroup/system.slice/keepwell-x.service/cpu.max": "max 100000\n"}, []),
        (V2, {"/sys/fs/cgroup/system.slice/keepwell-x.service/memory.max": "1073741824\n"}, ["memory_bytes"]),
        (V2, {"/sys/fs/cgroup/system.slice/keepwell-x.service/io.max": "8:0 rbps=20000000\n"}, ["read_limit"]),
        (V2, {"/sys/fs/cgroup/system.slice/keepwell-x.service/io.max": ""}, []),
        (V1, {"/sys/fs/cgroup/memory/kw/memory.limit_in_bytes": "1073741824\n"}, ["memory_bytes"]),
        (V1, {"/sys/fs/cgroup/memory/kw/memory.limit_in_bytes": "9223372036854771712\n"}, []),
        (V1, {"/sys/fs/cgroup/cpu,cpuacct/kw/cpu.cfs_quota_us": "-1\n"}, []),
        ("", {}, []),
    ],
)
def test_a_limit_holds_when_the_kernel_keeps_it(groups: str, files: dict[str, str], held: list[str]) -> None:
    machine: t.Any = Files(files)
    assert [limit for limit in LIMITS if _unit.holds(machine, groups, limit)] == held


def test_what_was_not_asked_for_is_not_set() -> None:
    plain = _unit._properties({"runtime_s": 60, "nice": 10})
    assert not any(entry.startswith(("CPUQuota", "MemoryMax", "IORead")) for entry in plain)
    assert {"KillMode=process", "RuntimeMaxSec=180", "Nice=10"} <= set(plain)
    asked = _unit._properties({**LIMITS, "runtime_s": 60, "nice": 19, "idle": True, "whole": True})
    assert {
        "KillMode=control-group",
        "IOSchedulingClass=idle",
        "CPUQuota=50%",
        "MemoryMax=1073741824",
        "IOReadBandwidthMax=/ 20000000",
    } <= set(asked)


@pytest.mark.parametrize(
    ("groups", "path", "text", "told"),
    [
        (V2, "/sys/fs/cgroup/system.slice/keepwell-x.service/memory.events", "low 0\noom 1\noom_kill 1\n", True),
        (V2, "/sys/fs/cgroup/system.slice/keepwell-x.service/memory.events", "oom 3\noom_kill 0\n", False),
        (V1, "/sys/fs/cgroup/memory/kw/memory.oom_control", "under_oom 0\noom_kill 2\n", True),
        (V1, "/sys/fs/cgroup/memory/kw/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\n", False),
        (V2, "/nothing", "", False),
    ],
)
def test_a_program_that_the_kernel_ended_is_told(groups: str, path: str, text: str, told: bool) -> None:
    machine: t.Any = Files({"/proc/self/cgroup": groups, path: text})
    assert _unit.starved(machine) is told
