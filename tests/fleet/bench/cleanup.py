"""`make bench ARGS=--cleanup`: what letting 200,000 files go costs beside `find -delete`, and how much memory it takes.

Both get a tree of their own of the same shape, in turns, each in a process of its own: files of a kilobyte in folders of
a thousand, older than asked for. Times are those of the whole process; the tree is made outside of them.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.measure import BenchError

PROJECT = Path(__file__).parents[3]
LIMIT = 1.5
FOLDER = 1000
# The age that is asked for is below that of files made a moment ago: nothing makes a file look older (ctime).
_FIND = ("find", "{root}/tmp", "-xdev", "-type", "f", "-mmin", "-600", "-delete")
_OURS = """
import re, sys, time
sys.path.insert(0, {path!r})
from ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup import (
    _account, _bases, _engine, _file_rules, _open_files,
)
import os
_bases.ROOT = {root!r}
device = os.stat({root!r}).st_dev
account = _account.Account("bench")
selector = _file_rules.Names(re.compile("."), time.time() + 600)
target = _account.Target("/", device, avail_bytes=0, wanted_bytes=None)
_engine.Walk(True, _open_files.OpenFiles(), _account.Budget(), account, selector, {{device: target}}).run("/tmp")
assert account.files == {files}, account.document()
"""


@dataclass(frozen=True)
class Run:
    """One of them over one tree: seconds, seconds of processor time, peak memory in KiB."""

    who: str
    files: int
    wall: float
    cpu: float
    memory_kib: int


def make(root: Path, files: int) -> None:
    """Make a tree of old files."""
    for number in range(0, files, FOLDER):
        folder = root / "tmp" / f"folder-{number // FOLDER}"
        folder.mkdir(parents=True)
        for name in range(number, min(number + FOLDER, files)):
            (folder / f"file-{name}").write_bytes(b"x" * 1024)
    os.sync()


def measure(who: str, root: Path, files: int) -> Run:
    """Let all files of a tree go and return what that took."""
    make(root, files)
    argv = (
        [word.format(root=root) for word in _FIND]
        if who == "find"
        else [
            "/usr/bin/python3",
            "-I",
            "-c",
            _OURS.format(path=str(PROJECT / "collections"), root=str(root), files=files),
        ]
    )
    began = time.monotonic()
    process = subprocess.Popen(argv)
    _pid, status, used = os.wait4(process.pid, 0)
    wall = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    left = sum(len(names) for _folder, _folders, names in os.walk(root))
    if process.returncode or left:
        raise BenchError(f"{who} ended with {process.returncode} and left {left} files")
    shutil.rmtree(root)
    return Run(who, files, wall, used.ru_utime + used.ru_stime, used.ru_maxrss)


def table(runs: Sequence[Run], few: Sequence[Run]) -> str:
    """The figures as a Markdown table: medians, and medians of the ratios within each round."""
    lines = ["| who | s | beside find | CPU, s | beside find | peak memory, MiB |", "| --- " + "| ---: " * 5 + "|"]
    finds = [run for run in runs if run.who == "find"]
    for who in ("find", "Keepwell"):
        mine = [run for run in runs if run.who == who]
        lines.append(
            f"| {who} | {statistics.median(run.wall for run in mine):.2f} "
            f"| {statistics.median(run.wall / find.wall for run, find in zip(mine, finds, strict=True)):.2f} "
            f"| {statistics.median(run.cpu for run in mine):.2f} "
            f"| {statistics.median(run.cpu / find.cpu for run, find in zip(mine, finds, strict=True)):.2f} "
            f"| {max(run.memory_kib for run in mine) / 1024:.0f} |"
        )
    told = max(run.memory_kib for run in few if run.who == "Keepwell") / 1024
    return "\n".join([*lines, "", f"Peak memory of Keepwell over a tenth of the files: {told:.0f} MiB."])


def main(arguments: Sequence[str]) -> int:
    """Measure, print and keep the figures; return the exit code."""
    parser = argparse.ArgumentParser(prog="make bench ARGS=--cleanup")
    parser.add_argument("--files", type=int, default=200_000, help="in each tree (default 200000)")
    parser.add_argument("--rounds", type=int, default=5, help="of both (default 5)")
    chosen = parser.parse_args(arguments)
    state = PROJECT / ".lab" / "bench-cleanup"
    state.mkdir(parents=True, exist_ok=True)
    runs: list[Run] = []
    with tempfile.TemporaryDirectory(dir=state) as scratch:
        try:
            few = [measure("Keepwell", Path(scratch) / "few", chosen.files // 10)]
            for number in range(chosen.rounds):
                # Whoever is second finds the disk busy with the first one's work: they take turns in that.
                order = ("find", "Keepwell") if number % 2 == 0 else ("Keepwell", "find")
                for who in order:
                    runs.append(measure(who, Path(scratch) / who, chosen.files))
                    print(f"{number + 1}. {who}: {runs[-1].wall:.2f} s, CPU {runs[-1].cpu:.2f} s", flush=True)
        except BenchError as exc:
            print(exc, file=sys.stderr)
            return 2
    text = table(sorted(runs, key=lambda run: run.who), few)
    (state / "results.json").write_text(json.dumps([asdict(run) for run in runs], indent=1) + "\n", encoding="utf-8")
    (state / "results.md").write_text(text + "\n", encoding="utf-8")
    print(f"\n{text}\n\nAimed for: at most {LIMIT} times find.")
    return 0
