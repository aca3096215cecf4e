"""Drivers as the agent makes them, with the real tools of this machine."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification._driver import Driver
from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification._tools import Tools
from ansible_collections.keepwell.fleet.plugins.module_utils.chores._commands import Commands
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import Machine

# What says that a tool is missing, and starts sshd; and what tests here share.
sys.path.insert(0, str(Path(__file__).parents[4] / "integration"))
sys.path.insert(0, str(Path(__file__).parent))

import made_backup
from verification_host import FILES


@pytest.fixture
def place() -> t.Iterator[Path]:
    """A folder whose parents let every user through; pytest's own do not."""
    folder = Path(tempfile.mkdtemp(prefix="keepwell-drivers-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def make(place: Path) -> t.Callable[..., Driver]:
    """Make a driver for a repository; more words are keys of the dataset."""

    def made(kind: type[Driver], repository: Path | str, limit: float = 120.0, **more: t.Any) -> Driver:
        for name in ("words", "scratch"):
            (place / name).mkdir(mode=0o700, exist_ok=True)
        dataset = {"id": "files", "tool": kind.NAME, "repository": str(repository), "options": {}, "canary": None}
        dataset.update(
            {name: [] for name in ("sources", "hosts", "tags", "expected_paths", "unwanted_paths", "queries")}
        )
        commands = Commands(Machine(), str(place / "words"), time.monotonic() + limit)
        tools = Tools(
            commands,
            kind.ALLOWED,
            {"BACKUP_PASSWORD": "Kanarienvogel", "MYSQL_PWD": "Kanarienvogel"},
            str(place / "scratch"),
        )
        return kind(tools, {**dataset, **more})

    return made


@pytest.fixture
def target(place: Path) -> Path:
    """An empty folder of our own, as the sandbox makes it."""
    folder = place / "sandbox" / "data"
    folder.mkdir(parents=True)
    folder.parent.chmod(0o700)
    folder.chmod(0o700)
    (folder.parent / "CACHEDIR.TAG").touch()
    return folder


def fingerprint(folder: Path) -> str:
    """One hash of all names, contents, modes and times below a folder."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        found.update(f"{path.relative_to(folder)} {status.st_mode} {status.st_size} {status.st_mtime_ns}\n".encode())
        if path.is_symlink():
            found.update(os.readlink(path).encode())
        elif path.is_file():
            found.update(path.read_bytes())
    return found.hexdigest()


@pytest.fixture
def repository(place: Path) -> Path:
    """Where a test puts its backups."""
    folder = place / "repository"
    folder.mkdir()
    return folder


@pytest.fixture
def same() -> t.Callable[[Path], str]:
    return fingerprint


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host with a repository of one snapshot that began an hour ago."""
    made_backup.install(tmp_path, monkeypatch.setattr)
    made_backup.snapshot(tmp_path, FILES, time.time() - 3600)
    return tmp_path
