"""Plays of real Ansible over simulated hosts, and what came of every task on every host."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parents[2]


@dataclass
class Played:
    """The results of a play: by task and host."""

    rc: int
    output: str
    results: dict[str, dict[str, dict[str, t.Any]]]

    def of(self, task: str, host: str = "win01") -> dict[str, t.Any]:
        return self.results[task][host]


def play(
    folder: Path, hosts: dict[str, dict[str, t.Any]], tasks: list[dict[str, t.Any]], *arguments: str, timeout: int = 60
) -> Played:
    """Run tasks; what one host is refused or fails in is in its results."""
    (folder / "hosts.json").write_text(json.dumps({"all": {"hosts": hosts}}))
    named = [{"name": f"task {number}", **task} for number, task in enumerate(tasks)]
    (folder / "play.json").write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": named}]))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "KEEPWELL_"))}
    done = subprocess.run(
        [
            str(Path(sys.executable).parent / "ansible-playbook"),
            *("-i", str(folder / "hosts.json"), str(folder / "play.json"), *arguments),
        ],
        cwd=PROJECT,
        env={
            **kept,
            "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
            "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
            "ANSIBLE_LOCAL_TEMP": str(folder / "tmp"),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    begin = done.stdout.find("{")
    assert begin >= 0, done.stdout + done.stderr
    plays = json.JSONDecoder().raw_decode(done.stdout[begin:])[0]["plays"]
    results = {task["task"]["name"]: task["hosts"] for ran in plays for task in ran["tasks"]}
    return Played(done.returncode, done.stdout + done.stderr, results)
