"""A real sshd on loopback, and a project with a state directory of its own."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from harness import IN_CI, SSHD, Project, Ssh, free_port, need, users


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "state")


@pytest.fixture(scope="session")
def ssh() -> t.Iterator[Ssh]:
    """sshd on a free port, for this user and, as root in CI, for two accounts with and without sudo."""
    need(SSHD, "sshd (Debian package openssh-server)")
    # sshd reads authorized_keys as the user who logs in: the folder must be open to all of them.
    folder = Path(tempfile.mkdtemp(prefix="keepwell-sshd-"))
    folder.chmod(0o755)
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    port = free_port()
    authorized = folder / "authorized_keys"
    shutil.copy(folder / "user.pub", authorized)
    authorized.chmod(0o644)
    host_key = (folder / "host.pub").read_text().rsplit(" ", 1)[0]
    known_hosts = folder / "known_hosts"
    known_hosts.write_text(f"[127.0.0.1]:{port} {host_key}\n")
    config = folder / "sshd_config"
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nAuthorizedKeysFile {authorized}\n"
        "PasswordAuthentication no\nPermitRootLogin prohibit-password\nUsePAM no\nStrictModes no\nPidFile none\n"
        "Subsystem sftp internal-sftp\n"
    )
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
            if IN_CI or os.environ.get("KEEPWELL_TEST_USERS"):
                stack.enter_context(users())
        daemon = subprocess.Popen([str(SSHD), "-D", "-e", "-f", str(config)], stderr=(folder / "log").open("w"))
        try:
            for _ in range(100):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                time.sleep(0.05)
            else:
                pytest.fail(f"sshd did not start: {(folder / 'log').read_text()}")
            yield Ssh(port, folder / "user", known_hosts, folder)
        finally:
            # Connections that Ansible keeps for a minute would hold the accounts that are to be removed.
            for control in folder.glob("*"):
                if control.is_socket():
                    subprocess.run(["ssh", "-S", str(control), "-O", "exit", "-"], check=False, capture_output=True)
            daemon.terminate()
            daemon.wait()


@pytest.fixture
def me() -> str:
    return getpass.getuser()
