"""`make bench ARGS=--reports`: what the reports of 1,000 hosts cost beside reading their evidence as JSON, and no more.

The evidence is that of a run as it lies on disk: a file a host, with what the probes of this machine saw of it, and the
run as a whole. Everybody gets a process of its own, and they take turns; the time is that of the work, without the start
of Python.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.measure import BenchError

PROJECT = Path(__file__).parents[3]
LIMIT = 5.0
MEMORY_LIMIT_MIB = 400.0
FORMATS = ("html", "csv", "json")
# Who takes part, as tables call them; the first is what all others stand beside.
TITLES = {
    "evidence": "all evidence of the run as JSON",
    "document": "its run.json as JSON",
    "reports": "Keepwell, its reports",
}
_MAKE = """
import json, pathlib, subprocess, sys, tempfile
sys.path[:0] = [{collections!r}, {makers!r}]
import fleet_maker
from ansible_collections.keepwell.fleet.plugins.plugin_utils import evidence, models
run = fleet_maker.make_run({hosts})
observed = json.loads(pathlib.Path({observed!r}).read_bytes())["observation"]
store = evidence.Store({state!r}, run.header.client.id)
store.begin(run.header)
for host in run.hosts:
    seen = observed if host.contact.reached else None
    store.write_host(models.HostEvidence(
        run_id=run.header.run_id, client=run.header.client.id, judged_at=run.ended_at, result=host, observation=seen
    ))
with store.sealing():
    store.seal(run, None)
"""
_READ = """
import json, pathlib, time
files = sorted(pathlib.Path({run!r}).rglob({pattern!r}))
began = time.perf_counter()
for file in files:
    json.loads(file.read_bytes())
took = time.perf_counter() - began
"""
_REPORTS = """
import pathlib, sys, time
sys.path.insert(0, {collections!r})
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.bundle import make_bundle
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.environment import search_path
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.reading import read_run
began = time.perf_counter()
made = make_bundle(read_run(pathlib.Path({run!r})), search_path([]), formats={formats!r}).files
took = time.perf_counter() - began
assert len(made) > {hosts}, sorted(made)
"""
_TELL = """
memory = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM:")]
print([took, int(memory[0])])
"""


@dataclass(frozen=True)
class Sample:
    """One of them, once: seconds of work and peak memory of its process in KiB."""

    who: str
    round: int
    seconds: float
    memory_kib: int


def make(folder: Path, hosts: int) -> Path:
    """Make the evidence of a run over ``hosts`` hosts, each seen as this machine is; return the run's folder."""
    environment = {**os.environ, "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg")}
    looked = subprocess.run(
        [
            *(Path(sys.executable).with_name("ansible-playbook"), PROJECT / "playbooks" / "assess.yml"),
            *("-e", f"keepwell_state_dir={folder / 'own'}"),
        ],
        cwd=PROJECT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    observed = sorted((folder / "own").glob("*/runs/*/hosts/*.json"))
    if looked.returncode or not observed:
        raise BenchError(f"this machine could not be assessed:\n{looked.stdout}\n{looked.stderr}")
    _python(
        _MAKE.format(
            collections=str(PROJECT / "collections"),
            makers=str(PROJECT / "tests" / "unit"),
            hosts=hosts,
            observed=str(observed[0]),
            state=str(folder / "state"),
        )
    )
    [run] = (folder / "state").glob("*/runs/*")
    return run


def measure(who: str, number: int, run: Path, hosts: int) -> Sample:
    """Let one of them work once."""
    if who == "reports":
        program = _REPORTS.format(
            collections=str(PROJECT / "collections"), run=str(run / "run.json"), formats=FORMATS, hosts=hosts
        )
    else:
        program = _READ.format(run=str(run), pattern="*.json" if who == "evidence" else "run.json")
    seconds, memory = json.loads(_python(program + _TELL))
    return Sample(who, number, seconds, memory)


def _python(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(done.stderr)
    return done.stdout


def beside(samples: Sequence[Sample], base: str) -> float:
    """Return how many times as long as ``base`` the reports take: the median of the ratios within each round."""
    bases = {sample.round: sample.seconds for sample in samples if sample.who == base}
    return statistics.median(s.seconds / bases[s.round] for s in samples if s.who == "reports")


def table(samples: Sequence[Sample], run: Path) -> str:
    """The figures as Markdown."""
    whole = sum(path.stat().st_size for path in run.rglob("*.json"))
    sizes = {"evidence": whole, "document": (run / "run.json").stat().st_size}
    lines = ["| who | MB | s | lowest to highest | peak memory, MiB |", "| --- " + "| ---: " * 4 + "|"]
    for who, title in TITLES.items():
        mine = [sample for sample in samples if sample.who == who]
        times = [sample.seconds for sample in mine]
        size = f"{sizes[who] / 1e6:.1f}" if who in sizes else ""
        lines.append(
            f"| {title} | {size} | {statistics.median(times):.3f} | {min(times):.3f} to {max(times):.3f} "
            f"| {max(sample.memory_kib for sample in mine) / 1024:.0f} |"
        )
    memory = max(sample.memory_kib for sample in samples if sample.who == "reports") / 1024
    ratio = beside(samples, "evidence")
    goals = [
        ("the reports beside reading all evidence of the run", LIMIT, f"{ratio:.2f}", ratio <= LIMIT),
        ("peak memory, MiB", MEMORY_LIMIT_MIB, f"{memory:.0f}", memory <= MEMORY_LIMIT_MIB),
    ]
    lines += ["", "| target | aimed for | measured | |", "| --- | ---: | ---: | --- |"]
    lines += [
        f"| {text} | at most {limit:g} | {seen} | {'met' if met else 'missed'} |" for text, limit, seen, met in goals
    ]
    return "\n".join([*lines, "", f"Beside its run.json alone: {beside(samples, 'document'):.1f}."])


def main(arguments: Sequence[str]) -> int:
    """Measure, print and keep the figures; return the exit code."""
    parser = argparse.ArgumentParser(prog="make bench ARGS=--reports")
    parser.add_argument("--hosts", type=int, default=1000, help="of the run (default 1000)")
    parser.add_argument("--rounds", type=int, default=7, help="of all (default 7)")
    chosen = parser.parse_args(arguments)
    state = PROJECT / ".lab" / "bench-reports"
    state.mkdir(parents=True, exist_ok=True)
    samples: list[Sample] = []
    with tempfile.TemporaryDirectory(dir=state) as scratch:
        try:
            run = make(Path(scratch), chosen.hosts)
            for number in range(chosen.rounds):
                for who in TITLES:
                    samples.append(measure(who, number, run, chosen.hosts))
                    print(f"{number + 1}. {TITLES[who]}: {samples[-1].seconds:.3f} s", flush=True)
        except BenchError as exc:
            print(exc, file=sys.stderr)
            return 2
        text = table(samples, run)
    (state / "results.json").write_text(json.dumps([asdict(one) for one in samples], indent=1) + "\n", encoding="utf-8")
    (state / "results.md").write_text(text + "\n", encoding="utf-8")
    print(f"\n{text}")
    return 0
