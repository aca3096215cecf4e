"""`make bench ARGS=--watch`: what a beat of the watch costs over 20 hosts, and over 200.

The 200 are the same hosts under ten names each: every name has an SSH connection of its own, made anew in each beat, as
minutes between beats have it. Hosts and control node share the processors of this machine.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from lab import hosts, needs, podman

from bench import contenders, measure

NAME = "bench-watch"
KIND = "debian-12"
BEAT_S = 300.0
TIME_LIMIT_S = 900.0
CALM_S = 5.0
# Beats are told apart by seconds.
PAUSE_S = 1.5
WATCHED = ("ssh", "systemd-journald")


@dataclass(frozen=True)
class Beat:
    """One beat: seconds, seconds of processor time here and on hosts, peak memory, and bytes of its line."""

    hosts: int
    number: int
    wall_s: float
    controller_cpu_s: float
    hosts_cpu_s: float | None
    foreign_cpu_s: float
    peak_bytes: int
    line_bytes: int


class Bench:
    """Hosts of the lab under several names each."""

    def __init__(self, lab: hosts.Lab, scratch: Path, sockets: Path) -> None:
        self._lab = lab
        self._scratch = scratch
        self._sockets = sockets
        self._clock = measure.HostsClock([host.container for host in lab.hosts.values()])

    def _inventory(self, names: int) -> Path:
        """Write an inventory in which every host has this many names."""
        told = {}
        for host in self._lab.hosts.values():
            for number in range(names):
                name = f"{host.name}-{number:02}"
                variables = host.variables()
                variables["ansible_ssh_common_args"] += f" -o ControlPath={self._sockets}/{name}"
                told[name] = variables
        client = {"id": "bench", "name": "Bench", "timezone": "Europe/Amsterdam"}
        variables = {"keepwell_client": client, "keepwell_probes": {"services": {"watched": list(WATCHED)}}}
        path = self._scratch / f"inventory-{names}.yml"
        path.write_text(json.dumps({"all": {"hosts": told, "vars": variables}}), encoding="utf-8")
        return path

    def beats(self, names: int, rounds: int, forks: int) -> list[Beat]:
        """Let beats be measured, one after the other on the same evidence; raise BenchError when a host did not answer."""
        inventory, state = self._inventory(names), self._scratch / f"state-{names}"
        number_of_hosts = len(self._lab.hosts) * names
        found = []
        for number in range(rounds):
            log = self._scratch / f"log-{names}-{number}"
            measured = measure.run(
                [
                    str(Path(sys.executable).with_name("ansible-playbook")),
                    *("playbooks/watch.yml", "-i", str(inventory), "-e", f"keepwell_state_dir={state}"),
                ],
                _environment(forks),
                contenders.PROJECT,
                log,
                self._clock,
                TIME_LIMIT_S,
            )
            measure.end_connections()
            line = _newest_line(state)
            told = json.loads((state / "bench" / "watch.json").read_text(encoding="utf-8"))
            if measured.rc or told["hosts"]["total"] != number_of_hosts or told["silent"]:
                tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-30:])
                raise measure.BenchError(f"not every host answered the beat (return code {measured.rc})\n{tail}")
            found.append(
                Beat(
                    number_of_hosts,
                    number,
                    measured.wall_s,
                    measured.controller_cpu_s,
                    measured.hosts_cpu_s,
                    measured.foreign_cpu_s,
                    measured.peak_bytes,
                    len(line),
                )
            )
            print(
                f"{number + 1}. {number_of_hosts} hosts: {measured.wall_s:.1f} s, CPU {measured.controller_cpu_s:.1f} s "
                f"here, {measured.hosts_cpu_s or 0:.1f} s on hosts, {measured.foreign_cpu_s:.1f} s of others; "
                f"{measured.peak_bytes / 2**20:.0f} MiB; line of {len(line)} bytes",
                flush=True,
            )
            time.sleep(PAUSE_S)
        shutil.rmtree(state)
        return found


def _environment(forks: int) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "KEEPWELL_"))}
    own = {"ANSIBLE_CONFIG": str(contenders.PROJECT / "ansible.cfg"), "ANSIBLE_FORKS": str(forks), "NO_COLOR": "1"}
    return {**kept, **own, "LC_ALL": "C.UTF-8"}


def _newest_line(state: Path) -> bytes:
    days = sorted((state / "bench" / "watch").glob("*.jsonl"))
    if not days:
        raise measure.BenchError("no beat was written")
    return days[-1].read_bytes().splitlines()[-1]


def table(beats: Sequence[Beat]) -> str:
    """The figures as a Markdown table: medians; the first line of a day names all hosts, the others what changed."""
    lines = [
        "| hosts | s | lowest to highest | controller CPU, s a host | hosts' CPU, s a host | peak memory, MiB "
        "| first line, bytes | later lines, bytes | beats |",
        "| ---: " * 9 + "|",
    ]
    for number in sorted({beat.hosts for beat in beats}):
        mine = [beat for beat in beats if beat.hosts == number]
        walls = [beat.wall_s for beat in mine]
        theirs = [beat.hosts_cpu_s for beat in mine if beat.hosts_cpu_s is not None]
        lines.append(
            f"| {number} | {statistics.median(walls):.1f} | {min(walls):.1f} to {max(walls):.1f} "
            f"| {statistics.median(beat.controller_cpu_s for beat in mine) / number:.2f} "
            f"| {statistics.median(theirs) / number:.2f} "
            f"| {max(beat.peak_bytes for beat in mine) / 2**20:.0f} | {mine[0].line_bytes} "
            f"| {statistics.median(beat.line_bytes for beat in mine[1:] or mine):.0f} | {len(mine)} |"
        )
    share = sum(beat.foreign_cpu_s for beat in beats) / sum(beat.wall_s for beat in beats) / (os.cpu_count() or 1)
    return "\n".join([*lines, "", f"Something else took {share:.0%} of the processors meanwhile."])


def main(arguments: Sequence[str]) -> int:
    """Measure, print and keep the figures; return the exit code."""
    parser = argparse.ArgumentParser(prog="make bench ARGS=--watch")
    parser.add_argument("--hosts", type=int, default=20, help="how many (default 20)")
    parser.add_argument("--names", type=int, default=10, help="of each host, in the second part (default 10)")
    parser.add_argument("--rounds", type=int, default=5, help="beats of both (default 5)")
    parser.add_argument("--forks", type=int, default=20, help="hosts that are asked at a time (default 20)")
    chosen = parser.parse_args(arguments)
    lacking = needs.missing()
    if lacking:
        print(f"This machine cannot run it: {lacking}.", file=sys.stderr)
        return 2
    needs.prepare()
    labs = contenders.PROJECT / ".lab"
    state = labs / NAME
    state.mkdir(parents=True, exist_ok=True)
    beats: list[Beat] = []
    with tempfile.TemporaryDirectory(prefix="kwb-") as sockets, tempfile.TemporaryDirectory(prefix="kwb-") as scratch:
        lab = hosts.prepare(labs, NAME, {KIND})
        try:
            print(f"Starting {chosen.hosts} hosts", flush=True)
            lab.start([hosts.Wanted(f"host-{count:03}", KIND) for count in range(1, chosen.hosts + 1)])
            time.sleep(CALM_S)
            bench = Bench(lab, Path(scratch), Path(sockets))
            for names in (1, chosen.names):
                beats += bench.beats(names, chosen.rounds, chosen.forks)
        except (measure.BenchError, podman.LabError) as exc:
            print(exc, file=sys.stderr)
            return 2
        finally:
            measure.end_connections()
            lab.remove()
    text = table(beats)
    (state / "results.json").write_text(json.dumps([asdict(beat) for beat in beats], indent=1) + "\n", encoding="utf-8")
    (state / "results.md").write_text(text + "\n", encoding="utf-8")
    print(f"\n{text}\n\nAimed for: {chosen.hosts * chosen.names} hosts within a beat of {BEAT_S:.0f} s.")
    return 0
