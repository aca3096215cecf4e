"""Hosts of a lab: containers with systemd, reached by real SSH on loopback with known host keys."""

from __future__ import annotations

import json
import socket
import subprocess
import time
import typing as t
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from lab import images, podman, repositories
from lab.podman import LabError

PREFIX = "keepwell-lab-"
REPOSITORY = "repository.lab.invalid"
# What brings the lists of packages up to date, as an administrator does it.
_REFRESH = {
    "debian": "apt-get -qq update",
    "el9-emulation": "dnf -q makecache",
    "suse-emulation": "zypper --quiet --non-interactive refresh",
}
_AT_ONCE = 4


@dataclass(frozen=True)
class Wanted:
    """A host to start: its name and kind, what podman is told besides, and what root runs before the first refresh."""

    name: str
    kind: str
    options: tuple[str, ...] = ()
    before: str = ""
    refresh: bool = True


@dataclass
class Host:
    """A running host."""

    name: str
    kind: images.Kind
    container: str
    port: int
    wanted: Wanted
    lab: Lab = field(repr=False)

    def run(self, script: str, check: bool = True, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a shell script as root on the host, behind the back of SSH."""
        return podman.run("podman", "exec", self.container, "sh", "-c", script, check=check, timeout=timeout)

    def start_in_background(self, script: str) -> None:
        """Start a shell script as root and leave it running."""
        podman.podman("exec", "--detach", self.container, "sh", "-c", script)

    def pid(self) -> int:
        """The host's PID 1 as this machine sees it."""
        return int(podman.podman("inspect", "--format", "{{.State.Pid}}", self.container))

    def variables(self, user: str = "ops", **more: t.Any) -> dict[str, t.Any]:
        """Inventory variables to reach the host: ``ops`` may use sudo, ``plain`` may not."""
        options = f"-o UserKnownHostsFile={self.lab.known_hosts} -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes"
        if self.lab.sockets:
            options += f" -o ControlPath={self.lab.sockets}/%C"
        return {
            "ansible_host": "127.0.0.1",
            "ansible_port": self.port,
            "ansible_user": user,
            "ansible_become": user == "ops",
            "ansible_ssh_private_key_file": str(self.lab.key),
            "ansible_ssh_common_args": options,
            **more,
        }

    def wait(self, timeout: float = 30.0) -> None:
        """Wait until systemd has started everything and sshd answers."""
        end = time.monotonic() + timeout
        # Return code 1 means degraded: started all the same.
        self.run("systemctl is-system-running --wait >/dev/null 2>&1 || true", timeout=timeout)
        while time.monotonic() < end:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 2) as connection:
                    if connection.recv(4) == b"SSH-":
                        return
            except OSError:
                pass
            time.sleep(0.05)
        raise LabError(f"{self.name}: sshd did not answer within {timeout:.0f} s")

    def refresh(self) -> None:
        """Bring the host's lists of packages up to date."""
        self.run(_REFRESH[self.kind.layer])

    def recreate(self) -> None:
        """Go back to the image: every package at its base version, no file of former tests."""
        self.lab.forget_connections()
        podman.remove([self.container])
        self.lab.launch(self)


@dataclass
class Lab:
    """A set of hosts with a repository of their own. ``folder`` keeps keys, known hosts and the inventory."""

    name: str
    folder: Path
    made: repositories.Repositories
    tags: dict[str, str]
    sockets: Path | None = None
    hosts: dict[str, Host] = field(default_factory=dict)
    _address: str = ""

    @property
    def prefix(self) -> str:
        """What the names of its containers begin with."""
        return f"{PREFIX}{self.name}-"

    @property
    def key(self) -> Path:
        """Private key of the users ``ops`` and ``plain``."""
        return self.folder / "keys" / "id"

    @property
    def known_hosts(self) -> Path:
        """Host keys by port."""
        return self.folder / "known_hosts"

    def start(self, wanted: Iterable[Wanted]) -> None:
        """Start hosts, and the repository before the first; return when all of them answer."""
        if not self.hosts:
            self.remove()
            _make_key(self.key)
            self._start_repository()
        fresh = [self._host(entry) for entry in wanted]
        self.hosts.update({host.name: host for host in fresh})
        with self.known_hosts.open("a", encoding="utf-8") as stream:
            for host in fresh:
                kind, public = self._host_key(host.name).with_suffix(".pub").read_text().split()[:2]
                stream.write(f"[127.0.0.1]:{host.port} {kind} {public}\n")
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(self.launch, fresh))

    def _host(self, wanted: Wanted) -> Host:
        _make_key(self._host_key(wanted.name))
        kind = images.KINDS[wanted.kind]
        return Host(wanted.name, kind, self.prefix + wanted.name, _free_port(), wanted, self)

    def _host_key(self, name: str) -> Path:
        return self.folder / "keys" / "hosts" / name

    def launch(self, host: Host) -> None:
        """Create the container of a host and wait for it."""
        podman.podman(
            *("run", "--detach", "--name", host.container, "--hostname", host.name, "--restart", "always"),
            *("--publish", f"127.0.0.1:{host.port}:22", "--add-host", f"{REPOSITORY}:{self._address}"),
            # Root of a real host may look at every process; root of a container may not without it.
            *("--cap-add", "SYS_PTRACE"),
            *("--volume", f"{self._host_key(host.name)}:/etc/ssh/ssh_host_ed25519_key:ro"),
            *("--volume", f"{self.key}.pub:/etc/ssh/lab_authorized_keys:ro"),
            *("--volume", f"{self.made.key}:/usr/share/keyrings/keepwell-lab.gpg:ro"),
            *(*host.wanted.options, self.tags[host.kind.name], "/sbin/init"),
        )
        host.wait()
        if host.wanted.before:
            host.run(host.wanted.before)
        if host.wanted.refresh:
            host.refresh()

    def _start_repository(self) -> None:
        """Serve the repositories by HTTP to the hosts of this lab only."""
        name = self.prefix + "repository"
        podman.podman(
            *("run", "--detach", "--name", name, "--volume", f"{self.made.folder}:/srv/lab:ro"),
            *(self.tags["debian-12"], "python3", "-m", "http.server", "--directory", "/srv/lab", "80"),
        )
        self._address = podman.podman("inspect", "--format", "{{.NetworkSettings.IPAddress}}", name)

    def forget_connections(self) -> None:
        """End the SSH connections that Ansible keeps: they hold on to hosts that are no more."""
        for control in self.sockets.glob("*") if self.sockets else ():
            if control.is_socket():
                podman.run("ssh", "-S", str(control), "-O", "exit", "-", check=False)

    def write_inventory(self) -> Path:
        """Write all hosts as what a dynamic inventory answers, grouped by kind."""
        groups: dict[str, t.Any] = {}
        for host in self.hosts.values():
            name = host.kind.name.replace("-", "_")
            groups.setdefault(name, {"hosts": []})["hosts"].append(host.name)
        answer = {**groups, "_meta": {"hostvars": {host.name: host.variables() for host in self.hosts.values()}}}
        path = self.folder / "inventory.json"
        path.write_text(json.dumps(answer, indent=1) + "\n", encoding="utf-8")
        return path

    def remove(self) -> list[str]:
        """Remove all containers of this lab, also those of a session that was killed; return their names."""
        self.forget_connections()
        names = podman.containers(self.prefix)
        podman.remove(names)
        self.hosts.clear()
        for name in ("known_hosts", "inventory.json"):
            (self.folder / name).unlink(missing_ok=True)
        return names


def prepare(state: Path, name: str, kinds: Iterable[str] = images.KINDS) -> Lab:
    """Return a lab without hosts yet, with repositories and images in place. ``state`` keeps what labs share."""
    made = repositories.ensure(state)
    wanted = [images.KINDS[kind] for kind in sorted({*kinds, "debian-12"})]
    tags = images.ensure(wanted, made.folder, made.digest)
    folder = state / name
    folder.mkdir(parents=True, exist_ok=True)
    return Lab(name, folder, made, tags)


def _make_key(path: Path) -> None:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        podman.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "keepwell-lab", "-f", str(path))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
