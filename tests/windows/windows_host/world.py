"""Hosts that listen, and the inventory by which Ansible finds them: what tests, the bench and ``up`` start."""

from __future__ import annotations

import contextlib
import tempfile
import typing as t
from dataclasses import dataclass
from pathlib import Path

import windows_host.models  # noqa: F401 - registers the models
from windows_host import server
from windows_host.authentication import PASSWORD, USER
from windows_host.certificates import Certificates, make
from windows_host.host import WindowsHost

Transport = t.Literal["psrp", "winrm", "psrp-https", "winrm-https"]
TRANSPORTS: tuple[Transport, ...] = ("psrp", "winrm", "psrp-https", "winrm-https")


@dataclass
class World:
    """Hosts by name, listening on a port with HTTP and one with HTTPS."""

    hosts: dict[str, WindowsHost]
    http_port: int
    https_port: int
    refusing_port: int
    certificates: Certificates

    def __getitem__(self, name: str) -> WindowsHost:
        return self.hosts[name]

    def add(self, host: WindowsHost) -> WindowsHost:
        """A host more; it listens at once."""
        self.hosts[host.name] = host
        return host

    def variables(self, name: str, transport: Transport = "psrp", **more: t.Any) -> dict[str, t.Any]:
        """The variables of a host in an inventory. ``more`` wins."""
        connection, _dash, tls = transport.partition("-")
        told: dict[str, t.Any] = {
            "ansible_connection": connection,
            "ansible_host": "127.0.0.1",
            "ansible_port": self.https_port if tls else self.http_port,
            "ansible_user": USER,
            "ansible_password": PASSWORD,
            "ansible_become_method": "runas",
        }
        ca = str(self.certificates.ca)
        if connection == "psrp":
            told |= {
                "ansible_psrp_path": f"wsman/{name}",
                "ansible_psrp_protocol": "https" if tls else "http",
                # Whoever is looked for on a dead port is found to be gone at once.
                "ansible_psrp_reconnection_retries": 0,
                **({"ansible_psrp_ca_cert": ca} if tls else {}),
            }
        else:
            told |= {
                "ansible_winrm_path": f"/wsman/{name}",
                "ansible_winrm_scheme": "https" if tls else "http",
                "ansible_winrm_transport": "ntlm",
                **({"ansible_winrm_ca_trust_path": ca} if tls else {}),
            }
        return {**told, **more}

    def inventory(self, transport: Transport = "psrp", **more: t.Any) -> dict[str, dict[str, t.Any]]:
        """All hosts with their variables: the ``hosts`` of an inventory."""
        return {name: self.variables(name, transport, **more) for name in self.hosts}

    def problems(self) -> list[str]:
        """What nobody has modelled, of all hosts; asking for it takes it off the list."""
        found = [problem for host in self.hosts.values() for problem in host.problems]
        for host in self.hosts.values():
            host.problems.clear()
        return found


@contextlib.contextmanager
def running(*hosts: WindowsHost) -> t.Iterator[World]:
    """Hosts that listen as long as the block lasts."""
    known = {host.name: host for host in hosts}
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="keepwell-windows-")))
        certificates = make(folder)
        http = stack.enter_context(server.listening(known))
        https = stack.enter_context(server.listening(known, certificates.server))
        refusing = stack.enter_context(server.refusing())
        try:
            yield World(known, http.port, https.port, refusing, certificates)
        finally:
            for host in known.values():
                host.gone.set()


def several(count: int, *, prefix: str = "win", versions: t.Sequence[str] = ("2022",)) -> list[WindowsHost]:
    """So many hosts: win01, win02, ..., of these versions in turn."""
    return [WindowsHost(f"{prefix}{number + 1:02}", versions[number % len(versions)]) for number in range(count)]
