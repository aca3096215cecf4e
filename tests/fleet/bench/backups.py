"""`make bench ARGS=--backups`: what verifying a backup by restoring all of it costs beside the bare tool.

Both restore the same 200 MB on the same host, in turns and with the same priority, for each tool:

- bare: the tool's restore, then sha256sum of every file that came back;
- Keepwell: a test of the kind ``full``: start, look at the repository, list, restore, compare, remove.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import typing as t
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import backup_agent
from lab import hosts, needs, podman

from ansible_collections.keepwell.fleet.plugins.plugin_utils import payload
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification import asking
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.datasets import Dataset
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.models import DueTest
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.options import Assigned, Options
from bench.measure import BenchError

PROJECT = Path(__file__).parents[3]
NAME = "bench-backups"
LIMIT = 1.15
WORK = "/var/lib/keepwell/backup_verification"
_SECRETS = f"RESTIC_PASSWORD={backup_agent.RESTIC_PASSWORD} BORG_PASSPHRASE={backup_agent.BORG_PASSWORD}"
_MAKE = f"""
set -e
export {_SECRETS}
mkdir -p /srv/live /srv/store
python3 - <<'PYTHON'
import pathlib, random
drawn = random.Random(4711)
for number in range(400):
    path = pathlib.Path("/srv/live") / str(number // 100) / str(number)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(drawn.randbytes(500_000))
PYTHON
restic -q --repo /srv/store/restic init
restic -q --repo /srv/store/restic backup /srv/live
borg init --encryption repokey-blake2 /srv/store/borg
borg create /srv/store/borg::live /srv/live
"""
_RESTORES = {
    "restic": "restic -q --no-lock --no-cache --repo /srv/store/restic restore latest --target .",
    "borg": "borg extract /srv/store/borg::live",
}
_BARE = """
set -e
export {secrets}
mkdir /srv/restored
cd /srv/restored
begin=$(date +%s.%N)
{restore}
restored=$(date +%s.%N)
find . -type f -print0 | sort -z | xargs -0 sha256sum >/srv/sums
end=$(date +%s.%N)
cd /
test "$(wc -l </srv/sums)" = 400
rm -r /srv/restored
echo "$begin $restored $end"
"""


@dataclass(frozen=True)
class Turn:
    """What both took in one round, in seconds."""

    tool: str
    number: int
    bare_restore: float
    bare: float
    # The tool's restore alone; from the list of files to the end of the comparison; from the start to the removal.
    restore: float
    test: float
    whole: float


def bare(host: hosts.Host, tool: str) -> tuple[float, float]:
    """Seconds of the bare restore, and with the checksums."""
    script = _BARE.format(secrets=_SECRETS, restore=_RESTORES[tool])
    begin, restored, end = (float(word) for word in host.run(script).stdout.split())
    return restored - begin, end - begin


def keepwell(host: hosts.Host, tool: str, identifier: str) -> tuple[float, float, float]:
    """Seconds of the restore in a test, of the test, and of all of its work."""
    declared = backup_agent.dataset("live", tool, tool, sources=["/srv/live"])
    entry = Assigned(host.name, Dataset.model_validate(declared))
    request = asking.start(entry, DueTest(kind="full", reason=""), Options(), host.name, (), None)
    request = {**request, "id": identifier, "run_id": "bench", "client": "bench", "limits": {"nice": 0, "idle": False}}
    operation = request.pop("operation")
    request["program"] = payload.work_program("backup_verification")
    started = backup_agent.ask(host, operation, **request)
    if not started.get("started"):
        raise BenchError(f"{tool}: {started.get('text')}")
    state_file = f"{WORK}/{identifier}/state.json"
    # Nothing is asked of the host while it works.
    host.run(f'until grep -q \'"phase": *"ended"\' {state_file}; do sleep 0.1; done')
    state = json.loads(host.run(f"cat {state_file}").stdout)
    proof = state["proof"]
    if (proof["outcome"], proof["identical"]) != ("proven", 400):
        raise BenchError(f"{tool}: {proof['outcome']}: {proof['text']}")
    backup_agent.ask(host, "recorded", id=identifier)
    return proof["seconds"], proof["total_seconds"], state["ended_at"] - state["started_at"]


def measure(host: hosts.Host, rounds: int) -> list[Turn]:
    """Measure both in turns."""
    turns = []
    for number in range(rounds):
        for tool in _RESTORES:
            # Whoever is second finds the repository in memory: they take turns in that, too.
            first = bare(host, tool) if number % 2 == 0 else None
            ours = keepwell(host, tool, f"01BENCH{tool.upper()}{number:03}")
            turn = Turn(tool, number, *(first or bare(host, tool)), *ours)
            turns.append(turn)
            print(
                f"{number + 1}. {tool}: bare {turn.bare:.2f} s; Keepwell restores {turn.restore:.2f} s, tests "
                f"{turn.test:.2f} s, all of it {turn.whole:.2f} s",
                flush=True,
            )
    return turns


def table(turns: Sequence[Turn]) -> str:
    """The figures as a Markdown table: medians, and medians of the ratios within each round."""
    lines = [
        "| tool | bare restore and sha256sum, s | Keepwell restores and compares, s | beside bare | all of its work, s "
        "| beside bare | rounds |",
        "| --- " + "| ---: " * 6 + "|",
    ]
    for tool in _RESTORES:
        mine = [turn for turn in turns if turn.tool == tool]
        cells = (
            f"{_median(turn.bare for turn in mine):.2f}",
            f"{_median(turn.test for turn in mine):.2f}",
            f"{_median(turn.test / turn.bare for turn in mine):.2f}",
            f"{_median(turn.whole for turn in mine):.2f}",
            f"{_median(turn.whole / turn.bare for turn in mine):.2f}",
            str(len(mine)),
        )
        lines.append(f"| {tool} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _median(values: t.Iterable[float]) -> float:
    return statistics.median(values)


def main(arguments: Sequence[str]) -> int:
    """Start a host, measure, print and keep the figures, remove the host; return the exit code."""
    parser = argparse.ArgumentParser(prog="make bench ARGS=--backups")
    parser.add_argument("--rounds", type=int, default=7, help="of each tool (default 7)")
    chosen = parser.parse_args(arguments)
    lacking = needs.missing()
    if lacking:
        print(f"This machine cannot run it: {lacking}.", file=sys.stderr)
        return 2
    needs.prepare()
    labs = PROJECT / ".lab"
    lab = hosts.prepare(labs, NAME, {"debian-12-backup"})
    try:
        lab.start([hosts.Wanted("vault", "debian-12-backup", refresh=False)])
        host = lab.hosts["vault"]
        host.run(_MAKE)
        turns = measure(host, chosen.rounds)
    except (BenchError, podman.LabError) as exc:
        print(exc, file=sys.stderr)
        return 2
    finally:
        lab.remove()
    text = table(turns)
    state = labs / NAME
    (state / "results.json").write_text(json.dumps([asdict(turn) for turn in turns], indent=1) + "\n", encoding="utf-8")
    (state / "results.md").write_text(text + "\n", encoding="utf-8")
    print(f"\n{text}\n\nAimed for: at most {LIMIT} times the bare tool.")
    print(f"Kept in {state / 'results.json'} and {state / 'results.md'}")
    return 0
