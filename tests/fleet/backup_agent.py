"""Ask a host of the lab about its backups, as the steps of backup verification do: a program over standard input."""

from __future__ import annotations

import time
import typing as t

from lab import podman
from lab.hosts import Host

from ansible_collections.keepwell.fleet.plugins.plugin_utils import payload

RESTIC_PASSWORD = "lab-restic-4711"
BORG_PASSWORD = "lab-borg-4711"
STORE = "/srv/store"


def ask(host: Host, operation: str, /, **request: t.Any) -> dict[str, t.Any]:
    """What the host's agent answers, behind the back of SSH."""
    program = payload.agent("backup_verification", {"operation": operation, **request}).decode("ascii")
    done = podman.run("podman", "exec", "-i", host.container, "/usr/bin/python3", "-I", "-", text=program, check=False)
    return payload.read_answer(done.stdout, done.stderr, done.returncode)


def dataset(name: str, tool: str, repository: str, **more: t.Any) -> dict[str, t.Any]:
    """The declaration of one backup on the host that it protects."""
    passwords = {"restic": {"RESTIC_PASSWORD": RESTIC_PASSWORD}, "borg": {"BORG_PASSPHRASE": BORG_PASSWORD}}
    declared = {
        "id": name,
        "protects": f"What {name} stands for",
        "tool": tool,
        "repository": f"{STORE}/{repository}",
        "copies": [
            {"location": f"{STORE}/{repository}", "media": "disk"},
            {"location": "a vault in another town", "media": "object", "offsite": True, "immutable": True},
        ],
        "key_escrow": {"place": "a safe", "tested": time.strftime("%Y-%m-%d", time.gmtime())},
        **more,
    }
    if tool in passwords and "credentials" not in more:
        declared["credentials"] = {"environment": passwords[tool]}
    return declared
