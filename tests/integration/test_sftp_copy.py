"""An off-site copy is listed over a real SFTP connection, and nothing in it is touched."""

from __future__ import annotations

import os
import subprocess
import typing as t
from pathlib import Path

import pytest
from harness import Ssh

from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification import sftp
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.models import Look

NOW = 1_795_200_000.0
DAY = 1_795_132_800

pytestmark = pytest.mark.ssh


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A folder of dumps, one of dated trees, and what must not be counted."""
    folder = tmp_path / "off site"
    folder.mkdir()
    for number, name in enumerate(("shop-2026-11-18.sql.gz", "shop-2026-11-19.sql.gz", "shop-2026-11-20.sql.gz")):
        (folder / name).write_bytes(b"x" * (1000 + number))
        os.utime(folder / name, (DAY + 7200 + (number - 2) * 86400,) * 2)
    (folder / "shop-2026-11-21.sql.gz.part").write_text("not yet")
    (folder / "shop-2026-11-22.sql.gz").symlink_to("/etc/passwd")
    tree = folder / "tree-2026-11-19" / "deep" / "deeper"
    tree.mkdir(parents=True)
    (tree / "file").write_bytes(b"x" * 5000)
    (tree / "loop").symlink_to(folder)
    (tree.parent / "file").write_bytes(b"x" * 70)
    return folder


def look(ssh: Ssh, me: str, folder: Path, secrets: dict[str, str] | None = None, **options: t.Any) -> dict[str, t.Any]:
    settings = {"known_hosts": str(ssh.known_hosts), "key_file": str(ssh.key), **options}
    address = f"sftp://{me}@127.0.0.1:{ssh.port}{str(folder).replace(' ', '%20')}"
    found = sftp.look(address, settings, secrets or {}, NOW)
    Look.model_validate(found)
    return found


def contents(folder: Path) -> list[tuple[str, int, int, int]]:
    return [
        (str(path), status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        for path in sorted(folder.rglob("*"))
        for status in [path.lstat()]
    ]


def test_a_copy_is_as_old_as_its_newest_file(ssh: Ssh, me: str, copy: Path) -> None:
    before = contents(copy)
    found = look(ssh, me, copy, pattern="shop-*", time_format="%Y-%m-%d", utc=True)
    assert (found["status"], found["detail"]) == ("ok", "")
    assert [(entry["id"], entry["bytes"]) for entry in found["snapshots"]] == [
        ("shop-2026-11-18.sql.gz", 1000),
        ("shop-2026-11-19.sql.gz", 1001),
        ("shop-2026-11-20.sql.gz", 1002),
    ]
    assert found["snapshots"][-1]["time"] == DAY + 7200
    assert found["groups"] == [{"host": None, "paths": [], "latest": DAY + 7200, "count": 3}]
    assert found["repository"]["location"] == "sftp"
    room = os.statvfs(copy)
    assert abs(found["repository"]["free_bytes"] - room.f_bavail * room.f_frsize) < 1 << 32
    assert contents(copy) == before


def test_folders_are_counted_as_deep_as_is_asked(ssh: Ssh, me: str, copy: Path) -> None:
    options = {"pattern": "tree-*", "time_format": "%Y-%m-%d", "utc": True}
    (entry,) = look(ssh, me, copy, depth=3, **options)["snapshots"]
    assert (entry["bytes"], entry["files"], entry["time"]) == (5070, 2, DAY - 86400)
    (entry,) = look(ssh, me, copy, **options)["snapshots"]
    assert entry["files"] is None


def test_what_cannot_be_listed(ssh: Ssh, me: str, copy: Path, tmp_path: Path) -> None:
    found = look(ssh, me, copy / "gone")
    assert (found["status"], found["detail"]) == ("no_repository", f"{copy}/gone is not there on 127.0.0.1.")
    assert look(ssh, me, copy, pattern="none-*")["snapshots"] == []
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "other")], check=True)
    assert look(ssh, me, copy, key_file=str(tmp_path / "other"))["status"] == "denied"
    found = look(ssh, me, copy, {"SFTP_PASSWORD": "Kanarienvogel"}, key_file=None)
    assert found["status"] == "denied"
    assert "Kanarienvogel" not in str(found)


def test_an_unknown_or_another_host_key_ends_it(ssh: Ssh, me: str, copy: Path, tmp_path: Path) -> None:
    empty = tmp_path / "known_hosts"
    empty.touch()
    found = look(ssh, me, copy, known_hosts=str(empty))
    assert (found["status"], f"Add its key to {empty}" in found["detail"]) == ("error", True)
    assert empty.read_text() == ""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "false")], check=True)
    key = " ".join((tmp_path / "false.pub").read_text().split()[:2])
    empty.write_text(f"[127.0.0.1]:{ssh.port} {key}\n")
    found = look(ssh, me, copy, known_hosts=str(empty))
    assert (found["status"], "has another key" in found["detail"]) == ("error", True)


def test_nobody_listens(ssh: Ssh, me: str, copy: Path) -> None:
    closed = Ssh(1, ssh.key, ssh.known_hosts, ssh.folder)
    assert look(closed, me, copy)["status"] == "error"


def test_a_list_without_an_end_is_given_up(ssh: Ssh, me: str, copy: Path) -> None:
    address = f"sftp://{me}@127.0.0.1:{ssh.port}{str(copy).replace(' ', '%20')}"
    options = {"known_hosts": str(ssh.known_hosts), "key_file": str(ssh.key)}
    assert sftp.look(address, options, {}, NOW, patience=-1.0)["status"] == "timeout"
