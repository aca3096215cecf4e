"""`make bench`: start hosts, let everybody look at them in turn, print and keep the figures, remove the hosts."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import sys
import tempfile
import time
import typing as t
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from lab import hosts, needs, podman

from bench import backups, cleanup, contenders, environments, figures, measure, watch, windows
from bench.contenders import CONTENDERS, TITLES, Contender, Facts, Setting
from bench.figures import Kind, Sample

NAME = "bench"
KIND = "debian-12"
TIME_LIMIT_S = 900.0
# For hosts that have just started, and for what a run leaves behind on them.
CALM_S = 5.0
PAUSE_S = 1.0
# Probes a host that may run out of time, because all hosts share the processors of this machine.
LATE_LIMIT = 0.5
MEASURED_FOR_MEMORY = ("sweep", "whole")
# Benches of their own, with their own arguments.
OTHERS: Mapping[str, Callable[[Sequence[str]], int]] = {
    "--backups": backups.main,
    "--cleanup": cleanup.main,
    "--watch": watch.main,
    "--windows": windows.main,
}


@dataclass(frozen=True)
class Plan:
    """How much is measured: hosts, rounds of quick and of slow contenders, cold and warm, and hosts for memory."""

    hosts: int
    memory_hosts: int
    rounds: int
    slow_rounds: int
    warm_rounds: int
    slow_warm_rounds: int
    only: Sequence[str]

    def cold(self, contender: Contender) -> int:
        """Rounds in which a contender begins without connections."""
        return self.slow_rounds if contender.slow else self.rounds

    def warm(self, contender: Contender) -> int:
        """Rounds in which it runs again, on the connections of its last run."""
        return (self.slow_warm_rounds if contender.slow else self.warm_rounds) if contender.warms else 0


def plan(arguments: Sequence[str]) -> Plan:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(prog="make bench ARGS=")
    parser.add_argument("--backups", action="store_true", help="measure the verification of backups instead")
    parser.add_argument("--cleanup", action="store_true", help="measure disk cleanup instead")
    parser.add_argument("--watch", action="store_true", help="measure beats of the watch instead")
    parser.add_argument("--windows", action="store_true", help="measure simulated Windows hosts instead")
    parser.add_argument("--hosts", type=int, default=20, help="how many (default 20)")
    parser.add_argument("--memory-hosts", type=int, default=100, help="to compare memory with; 0: do not (default 100)")
    parser.add_argument("--rounds", type=int, default=5, help="of the contenders that take seconds (default 5)")
    parser.add_argument("--slow-rounds", type=int, default=2, help="of those that take a minute (default 2)")
    parser.add_argument("--quick", action="store_true", help="three rounds of what is quick, one of the rest, no more")
    parser.add_argument("--only", nargs="+", choices=tuple(TITLES), default=tuple(TITLES), metavar="CONTENDER")
    chosen = parser.parse_args(arguments)
    if chosen.quick:
        return Plan(chosen.hosts, 0, 3, 1, 0, 0, chosen.only)
    return Plan(
        hosts=chosen.hosts,
        memory_hosts=chosen.memory_hosts,
        rounds=chosen.rounds,
        slow_rounds=chosen.slow_rounds,
        warm_rounds=min(3, chosen.rounds),
        slow_warm_rounds=min(1, chosen.slow_rounds),
        only=chosen.only,
    )


@dataclass
class Bench:
    """The hosts, what is true of them, and folders: ``sockets`` is short, as the path of a socket has to be."""

    lab: hosts.Lab
    state: Path
    scratch: Path
    sockets: Path
    history: Path | None = None
    # Runs that did not do their work and were measured again.
    retries: int = 0

    def start(self, number: int) -> None:
        """Have this many hosts."""
        there = len(self.lab.hosts)
        self.lab.start([hosts.Wanted(f"host-{count:03}", KIND) for count in range(there + 1, number + 1)])
        with ThreadPoolExecutor(4) as pool:
            true = pool.map(contenders.truth, self.lab.hosts.values())
            self._expected: Mapping[str, Facts] = dict(zip(self.lab.hosts, true, strict=True))
        self._clock = measure.HostsClock([host.container for host in self.lab.hosts.values()])

    def prepare(self) -> None:
        """Let every host be assessed once: the runs that are measured have a history, as all but the first have."""
        whole = next(contender for contender in CONTENDERS if contender.name == "whole")
        setting = self._setting(whole, "prepare")
        self._run(whole, setting)
        self.history = setting.state
        measure.end_connections()
        time.sleep(CALM_S)

    def sample(self, contender: Contender, kind: Kind, number: int) -> Sample:
        """Measure one run. Raise BenchError when it did not do its work, and not when it tried again either."""
        name = f"{contender.name}-{len(self.lab.hosts)}-{number}-{kind}"
        try:
            measured, late = self._run(contender, self._setting(contender, name))
        except measure.BenchError as exc:
            print(f"Measured again: {exc}", flush=True)
            self.retries += 1
            if kind == "cold":
                measure.end_connections()
            measured, late = self._run(contender, self._setting(contender, f"{name}-again"))
        sample = Sample(
            contender.name,
            kind,
            number,
            len(self.lab.hosts),
            measured.wall_s,
            measured.controller_cpu_s,
            measured.hosts_cpu_s,
            measured.foreign_cpu_s,
            measured.peak_bytes,
            late,
        )
        print(
            f"{number + 1}. {contender.title}, {kind}, {sample.hosts} hosts: {sample.wall_s:.1f} s, CPU "
            f"{sample.controller_cpu_s:.1f} s here, {sample.hosts_cpu_s or 0:.1f} s on hosts, "
            f"{sample.foreign_cpu_s:.1f} s of others; {sample.peak_bytes / 2**20:.0f} MiB; {late} probes late",
            flush=True,
        )
        return sample

    def _setting(self, contender: Contender, name: str) -> Setting:
        folder, sockets = self.scratch / name, self.sockets / contender.name
        folder.mkdir()
        sockets.mkdir(exist_ok=True)
        return Setting(list(self.lab.hosts.values()), folder, sockets, self.state, self.history)

    def _run(self, contender: Contender, setting: Setting) -> tuple[measure.Measured, int]:
        argv, log = contender.argv(setting), setting.folder / "log"
        measured = measure.run(
            argv,
            contenders.environment(contender, setting),
            contenders.PROJECT,
            log,
            self._clock,
            TIME_LIMIT_S,
        )
        try:
            if measured.rc != 0:
                raise measure.BenchError(f"{contender.title} ended with return code {measured.rc}")
            late = contenders.compare(contender, setting, self._expected)
        except measure.BenchError as exc:
            tail = log.read_text(encoding="utf-8", errors="replace").splitlines()[:30]
            raise measure.BenchError("\n".join([str(exc), *tail])) from exc
        return measured, late


def rounds(bench: Bench, wanted: Plan, samples: list[Sample]) -> None:
    """Measure everybody in turn, again and again, so that a busier machine meets all of them; add to ``samples``."""
    taking_part = [contender for contender in CONTENDERS if contender.name in wanted.only]
    for number in range(max(wanted.rounds, wanted.slow_rounds)):
        for contender in taking_part:
            if number < wanted.cold(contender):
                samples.append(bench.sample(contender, "cold", number))
                if number < wanted.warm(contender):
                    samples.append(bench.sample(contender, "warm", number))
                measure.end_connections()
                time.sleep(PAUSE_S)


def memory(bench: Bench, wanted: Plan, samples: list[Sample]) -> None:
    """Run Keepwell over many hosts, once; add to ``samples``."""
    names = [contender for contender in CONTENDERS if contender.name in MEASURED_FOR_MEMORY]
    if wanted.memory_hosts <= wanted.hosts:
        return
    bench.start(wanted.memory_hosts)
    for contender in names:
        samples.append(bench.sample(contender, "cold", 0))
        measure.end_connections()


def machine() -> dict[str, t.Any]:
    """What this machine is, and what runs on it."""
    with open("/proc/meminfo", encoding="ascii") as stream:
        total = int(stream.readline().split()[1]) * 1024
    with open("/proc/cpuinfo", encoding="utf-8") as stream:
        models = [line.partition(":")[2].strip() for line in stream if line.startswith("model name")]
    return {
        "processors": os.cpu_count(),
        "model": models[0] if models else platform.machine(),
        "memory_bytes": total,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "ssh": podman.run("ssh", "-V").stderr.strip(),
    }


def report(wanted: Plan, samples: list[Sample], many: list[Sample], retries: int, state: Path) -> str:
    """Write the figures as JSON and Markdown beside each other and return the latter."""
    used = machine()
    versions = {
        "keepwell": environments.versions(None, ("ansible-core", "pydantic")),
        "mitogen": environments.versions(environments.packages(state / "mitogen"), ("ansible-core", "mitogen")),
        "pyinfra": environments.versions(environments.packages(state / "pyinfra"), ("pyinfra", "paramiko")),
    }
    goals = figures.targets(samples, figures.growth(samples, many, "whole"))
    share = figures.foreign_share([*samples, *many], used["processors"] or 1)
    parts = [
        f"{wanted.hosts} hosts, {dt.datetime.now(dt.UTC).date().isoformat()}; {used['processors']} processors ({used['model']}), "
        f"{used['memory_bytes'] / 2**30:.0f} GiB, Python {used['python']}, {used['ssh'].split(',')[0]}",
        "; ".join(f"{name}: {', '.join(f'{k} {v}' for k, v in found.items())}" for name, found in versions.items()),
        f"Something else took {share:.0%} of the processors meanwhile. Probes that ran out of time, a host: "
        f"{figures.number(figures.late_per_host(samples), 2)}. Runs that failed and were measured again: {retries}.",
        figures.table(samples, TITLES),
        figures.memory_table(samples, many, TITLES) if many else "",
        figures.target_table(goals),
    ]
    text = "\n\n".join(part for part in parts if part) + "\n"
    document = {
        "machine": used,
        "versions": versions,
        "foreign_share": share,
        "retries": retries,
        "samples": [asdict(sample) for sample in [*samples, *many]],
        "targets": [{**asdict(goal), "verdict": goal.verdict} for goal in goals],
    }
    (state / "results.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    (state / "results.md").write_text(text, encoding="utf-8")
    return text


def main(arguments: Sequence[str]) -> int:
    """Run the bench; return the exit code."""
    for name, measured in OTHERS.items():
        if name in arguments:
            return measured([word for word in arguments if word != name])
    wanted = plan(arguments)
    lacking = needs.missing()
    if lacking:
        print(f"This machine cannot run it: {lacking}.", file=sys.stderr)
        return 2
    needs.prepare()
    labs = contenders.PROJECT / ".lab"
    state = labs / NAME
    samples: list[Sample] = []
    many: list[Sample] = []
    retries = 0
    ended = ""
    with tempfile.TemporaryDirectory(prefix="kwb-") as sockets, tempfile.TemporaryDirectory(prefix="kwb-") as scratch:
        lab = hosts.prepare(labs, NAME, {KIND})
        try:
            for name in ("mitogen", "pyinfra"):
                environments.ensure(state, name)
            bench = Bench(lab, state, Path(scratch), Path(sockets))
            print(f"Starting {wanted.hosts} hosts", flush=True)
            bench.start(wanted.hosts)
            bench.prepare()
            try:
                rounds(bench, wanted, samples)
                memory(bench, wanted, many)
            finally:
                retries = bench.retries
        except (measure.BenchError, podman.LabError) as exc:
            ended = str(exc)
            print(ended, file=sys.stderr)
        finally:
            measure.end_connections()
            lab.remove()
    if not samples:
        return 2
    print("\n" + report(wanted, samples, many, retries, state))
    late = figures.late_per_host(samples)
    if late is not None and late > LATE_LIMIT:
        print(
            "Too many probes ran out of time: the machine is too busy for figures that mean anything.", file=sys.stderr
        )
        return 2
    print(f"Kept in {state / 'results.json'} and {state / 'results.md'}")
    if ended:
        # What was measured until then is worth having; the bench as a whole has failed.
        print(f"Ended before its end: {ended.splitlines()[0]}", file=sys.stderr)
    return 2 if ended else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
