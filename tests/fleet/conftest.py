"""The lab as tests use it: started once for all of them, and removed at the end."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import sys
import tempfile
import typing as t
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "integration")]

import backup_hosts
from fleet import HOSTS, Fleet, aged_hosts
from harness import PROJECT, Project, need
from lab import hosts, mounts, needs


@pytest.fixture(scope="session")
def lab() -> t.Iterator[hosts.Lab]:
    """The lab without hosts. One session at a time: they share names and a processor or two."""
    lacking = needs.missing()
    need(not lacking, lacking)
    needs.prepare()
    state = PROJECT / ".lab"
    state.mkdir(exist_ok=True)
    # Short, because the path of a socket may have 108 characters only.
    sockets = Path(tempfile.mkdtemp(prefix="keepwell-"))
    with (state / "test.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        mounts.clear()
        name = "test-" + hashlib.sha256(str(PROJECT).encode()).hexdigest()[:6]
        lab = hosts.prepare(state, name)
        lab.sockets = sockets
        try:
            yield lab
        finally:
            lab.remove()
            mounts.clear()
            shutil.rmtree(sockets)


@pytest.fixture(scope="session")
def fleet(lab: hosts.Lab, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Fleet]:
    """All hosts that most tests share, up and reachable."""
    lab.start(HOSTS)
    with aged_hosts(lab, tmp_path_factory.mktemp("aged")):
        yield Fleet(lab)


@pytest.fixture(scope="session")
def vaults(lab: hosts.Lab) -> dict[str, hosts.Host]:
    """A host of each generation of backup tools, with its backups."""
    lab.start(backup_hosts.HOSTS)
    found = {wanted.name: lab.hosts[wanted.name] for wanted in backup_hosts.HOSTS}
    for name, host in found.items():
        backup_hosts.prepare(host, everything=name == "vault")
    return found


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "state")
