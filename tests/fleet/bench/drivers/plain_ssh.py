"""The floor: feed a program to `ssh host sudo python3 -` on all hosts, a number of them at once.

Usage: plain_ssh.py <request.json>; the request is {"program", "answers", "at_once", "hosts": {name: [ssh arguments]}}.
"""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

with open(sys.argv[1], encoding="utf-8") as stream:
    request = json.load(stream)
program = Path(request["program"]).read_bytes()


def ask(name: str) -> int:
    """Run the program on one host and keep what it prints."""
    done = subprocess.run(request["hosts"][name], input=program, stdout=subprocess.PIPE, check=False)
    (Path(request["answers"]) / name).write_bytes(done.stdout)
    return done.returncode


with ThreadPoolExecutor(request["at_once"]) as pool:
    sys.exit(max(pool.map(ask, request["hosts"])))
