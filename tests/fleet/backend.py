"""Call a patching backend on a host of the lab, as the agent does: as root, with the host's own Python."""

from __future__ import annotations

import json
import shutil
import tempfile
import typing as t
from pathlib import Path

from harness import PROJECT
from lab import podman
from lab.hosts import Host

_FOLDER = "/run/keepwell-test"
_PACKAGE = Path("ansible_collections/keepwell/fleet/plugins/module_utils")
_PROGRAM = """
import json, sys, tempfile, time
from ansible_collections.keepwell.fleet.plugins.module_utils.patching import {backend} as backend
from ansible_collections.keepwell.fleet.plugins.module_utils.chores._commands import Commands
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import Machine

commands = Commands(Machine(), tempfile.mkdtemp(dir="/run"), time.monotonic() + 100)
call, arguments = json.loads(sys.argv[1])
acting = call in ("refresh", "download", "keep_old", "apply", "undo")
answer = getattr(backend, call)(commands if acting else commands.machine, *arguments)
print(json.dumps([answer.rc if hasattr(answer, "rc") else answer, commands.said]))
"""


def install(host: Host) -> None:
    """Put the code that runs on hosts where ``call`` finds it, in memory."""
    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch) / "keepwell-test" / _PACKAGE
        for name in ("probes", "chores", "patching"):
            source = PROJECT / "plugins" / "module_utils" / name
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        podman.podman("cp", str(Path(scratch) / "keepwell-test"), f"{host.container}:/run/")


def call(host: Host, backend: str, function: str, *arguments: t.Any) -> tuple[t.Any, str]:
    """Return what the function answers, and what the package manager said meanwhile."""
    done = podman.run(
        *("podman", "exec", "--env", f"PYTHONPATH={_FOLDER}", "--env", "PYTHONDONTWRITEBYTECODE=1", host.container),
        *("/usr/bin/python3", "-c", _PROGRAM.format(backend=backend), json.dumps([function, arguments])),
    )
    answer, said = json.loads(done.stdout)
    return answer, said
