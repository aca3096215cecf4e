"""A real sshd on loopback, and whole runs of the playbooks, as a user starts them."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import typing as t
from dataclasses import dataclass
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
IN_CI = bool(os.environ.get("CI"))
SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
TEST_USERS = {"kwtest-sudo": True, "kwtest-plain": False}


def need(condition: object, what: str) -> None:
    """Skip with a notice where something is missing; in CI that is a failure."""
    if not condition:
        if IN_CI:
            pytest.fail(f"CI must have {what}")
        pytest.skip(f"needs {what}")


@dataclass
class Outcome:
    """What a run of a playbook left behind."""

    rc: int
    output: str
    state: Path

    def status(self, client: str) -> dict[str, t.Any]:
        return json.loads((self.state / client / "status.json").read_text())

    def run(self, client: str) -> dict[str, t.Any]:
        newest = sorted((self.state / client / "runs").iterdir())[-1]
        return json.loads((newest / "run.json").read_text())


@dataclass
class Project:
    """The project with a state directory of its own."""

    state: Path

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "KEEPWELL_"))}
        return {
            **kept,
            "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
            "NO_COLOR": "1",
            "ANSIBLE_LOCAL_TEMP": str(self.state.parent / "tmp"),
        }

    def command(self, playbook: str, inventory: str | Path | None, *arguments: str) -> list[str]:
        chosen = ["-i", str(inventory)] if inventory else []
        return [
            str(Path(sys.executable).parent / "ansible-playbook"),
            f"playbooks/{playbook}.yml",
            *chosen,
            "-e",
            f"keepwell_state_dir={self.state}",
            *arguments,
        ]

    def play(self, playbook: str, inventory: str | Path | None = None, *arguments: str, timeout: int = 170) -> Outcome:
        done = subprocess.run(
            self.command(playbook, inventory, *arguments),
            cwd=PROJECT,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, self.state)


@dataclass
class Ssh:
    """A running sshd with host keys known to the inventory it gives."""

    port: int
    key: Path
    known_hosts: Path
    folder: Path

    def host(self, user: str, **more: t.Any) -> dict[str, t.Any]:
        options = f"-o UserKnownHostsFile={self.known_hosts} -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes -o ControlPath={self.folder}/%C"
        return {
            "ansible_host": "127.0.0.1",
            "ansible_port": self.port,
            "ansible_user": user,
            "ansible_ssh_private_key_file": str(self.key),
            "ansible_ssh_common_args": options,
            **more,
        }


def inventory(path: Path, hosts: dict[str, dict[str, t.Any]], **variables: t.Any) -> Path:
    """Write an inventory file; JSON is YAML."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"all": {"hosts": hosts, "vars": variables}}, indent=1))
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def users() -> t.Iterator[None]:
    """Accounts with and without sudo. Only root in CI (or with KEEPWELL_TEST_USERS=1) makes them, and removes them."""
    made = []
    rules = Path("/etc/sudoers.d/kwtest")
    try:
        for name, sudo in TEST_USERS.items():
            if has_user(name):
                # Of a session that was killed.
                subprocess.run(["userdel", "--remove", "--force", name], check=False, capture_output=True)
            subprocess.run(["useradd", "--create-home", "--password", "*", "--shell", "/bin/bash", name], check=True)
            made.append(name)
            if sudo:
                rules.write_text(f"{name} ALL=(ALL) NOPASSWD:ALL\n")
                rules.chmod(0o440)
        yield
    finally:
        rules.unlink(missing_ok=True)
        for name in made:
            subprocess.run(["userdel", "--remove", "--force", name], check=False, capture_output=True)


def has_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
