"""Run a program and measure it: time, CPU time of all its processes, memory of the first one."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import subprocess
import threading
import time
import typing as t
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab import podman

_TICK_S = 1.0 / os.sysconf("SC_CLK_TCK")
_PR_SET_CHILD_SUBREAPER = 36
_POLL_S = 0.05
_END_S = 5.0


class BenchError(Exception):
    """A contender did not do its work; the text says which and what it said."""


@dataclass(frozen=True)
class Measured:
    """What one run of a program took."""

    rc: int
    wall_s: float
    controller_cpu_s: float
    hosts_cpu_s: float | None
    foreign_cpu_s: float
    peak_bytes: int


@contextlib.contextmanager
def adopting_orphans() -> Iterator[None]:
    """Become the parent of what a contender leaves running (kept SSH connections), to count and to end it.

    Not for longer: the guardians of containers leave their parents as well.
    """
    library = ctypes.CDLL(None)
    library.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        library.prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


class Clock(t.Protocol):
    """What knows the CPU time of hosts."""

    def seconds(self) -> float | None:
        """CPU seconds of all of them since they started; None where this machine does not say."""


class HostsClock:
    """CPU time of containers."""

    def __init__(self, containers: Sequence[str]) -> None:
        said = podman.podman("inspect", "--format", "{{.State.CgroupPath}}", *containers)
        # Control groups version 1 count in nanoseconds, version 2 in microseconds within a text.
        self._files = [_first_there(group) for group in said.split()]

    def seconds(self) -> float | None:
        """CPU seconds of all of them since they started; None where this machine does not say."""
        total = 0.0
        for file in self._files:
            if file is None:
                return None
            text = file.read_text(encoding="ascii")
            total += int(text) / 1e9 if file.name == "cpuacct.usage" else int(text.split()[1]) / 1e6
        return total


def _first_there(group: str) -> Path | None:
    places = (Path(f"/sys/fs/cgroup/cpuacct{group}/cpuacct.usage"), Path(f"/sys/fs/cgroup{group}/cpu.stat"))
    return next((place for place in places if place.exists()), None)


def run(
    argv: Sequence[str], environment: Mapping[str, str], folder: Path, log: Path, hosts: Clock, timeout: float
) -> Measured:
    """Run a program to its end. Raise BenchError when it takes longer than ``timeout`` seconds."""
    hosts_before, machine_before, ours_before = hosts.seconds(), _machine_cpu_s(), _ours_cpu_s()
    peak = Peak()
    with adopting_orphans(), log.open("wb") as output:
        started = time.monotonic()
        process = subprocess.Popen(
            argv,
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        with peak.watching(process.pid):
            try:
                rc = process.wait(timeout)
            except BaseException as exc:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                if isinstance(exc, subprocess.TimeoutExpired):
                    raise BenchError(f"{argv[0]} did not end within {timeout:.0f} s; see {log}") from None
                raise
        wall = time.monotonic() - started
    ours = _ours_cpu_s() - ours_before
    hosts_after = hosts.seconds()
    theirs = None if hosts_before is None or hosts_after is None else hosts_after - hosts_before
    foreign = max(0.0, _machine_cpu_s() - machine_before - ours - (theirs or 0.0))
    return Measured(rc, wall, ours, theirs, foreign, peak.bytes)


class Peak:
    """The most memory a process ever had (VmHWM, proc(5)); what forked children share is counted once."""

    def __init__(self) -> None:
        self.bytes = 0

    @contextlib.contextmanager
    def watching(self, pid: int) -> Iterator[None]:
        """Look at the process again and again until the end of the block."""
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(_POLL_S):
                with contextlib.suppress(OSError):
                    self.bytes = max(self.bytes, _peak(Path(f"/proc/{pid}/status").read_text(encoding="utf-8")))

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def _peak(status: str) -> int:
    return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:")), 0)


def _machine_cpu_s() -> float:
    """CPU seconds that the whole machine worked: user, nice, system, irq, softirq and steal of /proc/stat (proc(5))."""
    fields = [int(word) for word in Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]]
    user, nice, system, _idle, _iowait, irq, softirq, steal = fields
    return (user + nice + system + irq + softirq + steal) * _TICK_S


def _ours_cpu_s() -> float:
    """CPU seconds of our children: those that ended, and those that still run."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    living = sum(ticks for _pid, ticks in _children()) * _TICK_S
    return ended.ru_utime + ended.ru_stime + living


def _children() -> list[tuple[int, int]]:
    """Our children and their CPU time in ticks, with that of children of their own that ended."""
    mine = str(os.getpid())
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text(encoding="utf-8", errors="replace").rsplit(")", 1)[1].split()
                if fields[1] == mine:
                    found.append((int(entry.name), sum(int(field) for field in fields[11:15])))
    return found


def end_connections() -> None:
    """End what contenders left running, which is the SSH connections that they keep for the next run."""
    end = time.monotonic() + _END_S
    for pid, _ticks in _children():
        _signal(pid, signal.SIGTERM)
    while (left := _children()) and time.monotonic() < end:
        for pid, _ticks in left:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        time.sleep(0.02)
    for pid, _ticks in left:
        _signal(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)


def _signal(pid: int, number: t.Any) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
