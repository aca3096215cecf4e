"""`make bench ARGS=--windows`: what an assessment of simulated Windows hosts costs beside a bare `win_ping` to them.

The hosts are threads of this process (tests/windows): they seal and unseal messages, read what is sent and answer, and
run no PowerShell. What is measured is the control node and the protocol.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
import typing as t
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from windows_host.world import TRANSPORTS, World, running, several

from bench import contenders, measure

NAME = "bench-windows"
TIME_LIMIT_S = 600.0
PAUSE_S = 1.0
AIM = 1.3
PING, SWEEP, WHOLE = "bare win_ping", "Keepwell, sweep", "Keepwell, assess.yml"
PLAYBOOKS = {
    PING: contenders.HERE / "playbooks" / "win_ping.yml",
    SWEEP: contenders.HERE / "playbooks" / "sweep.yml",
    WHOLE: contenders.PROJECT / "playbooks" / "assess.yml",
}
MODULES = {PING: "ansible.windows.win_ping", SWEEP: "keepwell.fleet.assess", WHOLE: "keepwell.fleet.assess"}


@dataclass(frozen=True)
class Run:
    """One run: seconds, seconds of processor time here, in the simulated hosts and of others, peak memory."""

    who: str
    number: int
    hosts: int
    wall_s: float
    controller_cpu_s: float
    hosts_cpu_s: float
    foreign_cpu_s: float
    peak_bytes: int


class _Clock:
    """CPU time of this process: the simulated hosts are its threads, and it does nothing else meanwhile."""

    def seconds(self) -> float:
        return time.process_time()


class Bench:
    """Hosts, and an inventory of them."""

    def __init__(self, world: World, transport: t.Any, scratch: Path, forks: int) -> None:
        self._world = world
        self._scratch = scratch
        self._inventory = scratch / "inventory.yml"
        variables = {"keepwell_client": {"id": "bench", "name": "Bench"}}
        told = {"all": {"hosts": world.inventory(transport), "vars": variables}}
        self._inventory.write_text(json.dumps(told), encoding="utf-8")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "KEEPWELL_"))}
        own = {"ANSIBLE_CONFIG": str(contenders.PROJECT / "ansible.cfg"), "ANSIBLE_FORKS": str(forks), "NO_COLOR": "1"}
        self._environment = {**kept, **own, "LC_ALL": "C.UTF-8"}

    def run(self, who: str, number: int) -> Run:
        """Measure one run; raise BenchError when it did not ask every host once, or a host knew no answer."""
        for host in self._world.hosts.values():
            host.calls.clear()
        log = self._scratch / "log"
        measured = measure.run(
            [
                str(Path(sys.executable).with_name("ansible-playbook")),
                *(
                    str(PLAYBOOKS[who]),
                    "-i",
                    str(self._inventory),
                    "-e",
                    f"keepwell_state_dir={self._scratch / 'state'}",
                ),
            ],
            self._environment,
            contenders.PROJECT,
            log,
            _Clock(),
            TIME_LIMIT_S,
        )
        asked = sum(len(host.called(MODULES[who])) == 1 for host in self._world.hosts.values())
        problems = self._world.problems()
        if measured.rc or asked != len(self._world.hosts) or problems:
            tail = "\n".join([*problems, *log.read_text(encoding="utf-8", errors="replace").splitlines()[-30:]])
            raise measure.BenchError(f"{who} ended with {measured.rc} and asked {asked} hosts\n{tail}")
        run = Run(
            who,
            number,
            len(self._world.hosts),
            measured.wall_s,
            measured.controller_cpu_s,
            measured.hosts_cpu_s or 0.0,
            measured.foreign_cpu_s,
            measured.peak_bytes,
        )
        print(
            f"{number + 1}. {who}: {run.wall_s:.2f} s, CPU {run.controller_cpu_s:.1f} s here, {run.hosts_cpu_s:.1f} s in "
            f"simulated hosts, {run.foreign_cpu_s:.1f} s of others; {run.peak_bytes / 2**20:.0f} MiB",
            flush=True,
        )
        return run


def beside(runs: Sequence[Run], who: str, value: t.Callable[[Run], float]) -> float:
    """The median of the ratios to win_ping within each round."""
    base = {run.number: value(run) for run in runs if run.who == PING}
    return statistics.median(value(run) / base[run.number] for run in runs if run.who == who and run.number in base)


def table(runs: Sequence[Run]) -> str:
    """The figures as a Markdown table: medians, and medians of ratios within rounds."""
    lines = [
        "| who | s | lowest to highest | beside win_ping | controller CPU, s a host | simulated hosts' CPU, s a host "
        "| all CPU beside win_ping | peak memory, MiB | runs |",
        "| --- |" + " ---: |" * 8,
    ]
    for who in PLAYBOOKS:
        mine = [run for run in runs if run.who == who]
        if not mine:
            continue
        walls = [run.wall_s for run in mine]
        lines.append(
            f"| {who} | {statistics.median(walls):.1f} | {min(walls):.1f} to {max(walls):.1f} "
            f"| {beside(runs, who, lambda run: run.wall_s):.2f} "
            f"| {statistics.median(run.controller_cpu_s / run.hosts for run in mine):.2f} "
            f"| {statistics.median(run.hosts_cpu_s / run.hosts for run in mine):.2f} "
            f"| {beside(runs, who, lambda run: run.controller_cpu_s + run.hosts_cpu_s):.2f} "
            f"| {max(run.peak_bytes for run in mine) / 2**20:.0f} | {len(mine)} |"
        )
    share = sum(run.foreign_cpu_s for run in runs) / sum(run.wall_s for run in runs) / (os.cpu_count() or 1)
    return "\n".join([*lines, "", f"Something else took {share:.0%} of the processors meanwhile."])


def main(arguments: Sequence[str]) -> int:
    """Measure, print and keep the figures; return the exit code."""
    parser = argparse.ArgumentParser(prog="make bench ARGS=--windows")
    parser.add_argument("--hosts", type=int, default=20, help="how many (default 20)")
    parser.add_argument("--rounds", type=int, default=7, help="each with all contenders in turn (default 7)")
    parser.add_argument(
        "--forks", type=int, default=contenders.AT_ONCE, help="hosts that are asked at a time (default 20)"
    )
    parser.add_argument("--transport", choices=TRANSPORTS, default="psrp")
    chosen = parser.parse_args(arguments)
    state = contenders.PROJECT / ".lab" / NAME
    state.mkdir(parents=True, exist_ok=True)
    runs: list[Run] = []
    with tempfile.TemporaryDirectory(prefix="kwb-") as scratch, running(*several(chosen.hosts)) as world:
        bench = Bench(world, chosen.transport, Path(scratch), chosen.forks)
        try:
            # Once unmeasured: what Python compiles, and a history as all runs but the first have it.
            bench.run(WHOLE, -1)
            for number in range(chosen.rounds):
                for who in PLAYBOOKS:
                    runs.append(bench.run(who, number))
                    time.sleep(PAUSE_S)
        except measure.BenchError as exc:
            print(exc, file=sys.stderr)
            return 2
    text = table(runs)
    (state / "results.json").write_text(json.dumps([asdict(run) for run in runs], indent=1) + "\n", encoding="utf-8")
    (state / "results.md").write_text(text + "\n", encoding="utf-8")
    ratio = beside(runs, SWEEP, lambda run: run.wall_s)
    print(f"\n{text}\n\nAimed for: the sweep at most {AIM} times win_ping. Measured: {ratio:.2f}. Kept in {state}.")
    return 0
