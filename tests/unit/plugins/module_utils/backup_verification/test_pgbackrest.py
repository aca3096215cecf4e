"""A real pgBackRest: its words are believed, its return codes are not, and its archive gets nothing."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest
from harness import need

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import _server
from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification._pgbackrest import PgBackRest
from ansible_collections.keepwell.fleet.plugins.module_utils.chores._errors import AgentError

Make = t.Callable[..., t.Any]
BIN = max(Path("/usr/lib/postgresql").glob("*/bin"), default=Path("/nonexistent"))
OPTIONS = {"stanza": "main", "user": "nobody"}


def nobody() -> None:
    """The identity of a server, in its child."""
    if os.geteuid() == 0:
        account = pwd.getpwnam("nobody")
        os.setgroups([])
        os.setgid(account.pw_gid)
        os.setuid(account.pw_uid)


@pytest.fixture(scope="module")
def top() -> t.Iterator[Path]:
    """A cluster that was backed up, and is gone."""
    need(shutil.which("pgbackrest"), "pgbackrest (Debian package pgbackrest)")
    need((BIN / "postgres").exists(), "a PostgreSQL server (Debian package postgresql)")
    top = Path("/tmp") / f"keepwell-pgbackrest-{os.getpid()}"
    top.mkdir(mode=0o755)
    if os.geteuid() == 0:
        shutil.chown(top, "nobody")
    (top / "pgbackrest.conf").write_text(
        f"[global]\nrepo1-path={top}/repo\nlog-path={top}/log\nlock-path={top}/lock\nspool-path={top}/spool\n"
        f"start-fast=y\ncompress-level=1\nprocess-max=2\n[main]\npg1-path={top}/data\npg1-socket-path={top}\npg1-user=postgres\n"
    )
    archive = f"pgbackrest --config={top}/pgbackrest.conf --stanza=main archive-push %p"

    def run(*argv: str | Path) -> None:
        subprocess.run([str(word) for word in argv], check=True, capture_output=True, preexec_fn=nobody, cwd="/")

    try:
        run(BIN / "initdb", "-D", top / "data", "-U", "postgres", "--auth=trust", "--no-sync")
        settings = f"\narchive_mode=on\narchive_command='{archive}'\nlisten_addresses=''\nunix_socket_directories='{top}'\nfsync=off\n"
        with (top / "data" / "postgresql.conf").open("a") as stream:
            stream.write(settings)
        run(BIN / "pg_ctl", "-D", top / "data", "-w", "-l", top / "pglog", "start")
        try:
            sql = "CREATE DATABASE shop"
            run(BIN / "psql", "-h", top, "-U", "postgres", "-c", sql)
            sql = "CREATE TABLE orders AS SELECT n, md5(n::text) FROM generate_series(1, 3000) n"
            run(BIN / "psql", "-h", top, "-U", "postgres", "-d", "shop", "-c", sql)
            for verb in ("stanza-create", "backup"):
                run("pgbackrest", f"--config={top}/pgbackrest.conf", "--stanza=main", verb)
        finally:
            run(BIN / "pg_ctl", "-D", top / "data", "-m", "immediate", "-w", "stop")
        shutil.copytree(top / "repo", top / "pristine", copy_function=shutil.copy2)
        yield top
    finally:
        shutil.rmtree(top)


@pytest.fixture
def whole(top: Path) -> Path:
    """The repository as it was made; a test may damage it."""
    shutil.rmtree(top / "repo")
    shutil.copytree(top / "pristine", top / "repo", copy_function=shutil.copy2)
    if os.geteuid() == 0:
        subprocess.run(["chown", "-R", "nobody", str(top / "repo")], check=True)
    return top / "repo"


def largest(whole: Path) -> Path:
    return max(whole.glob("backup/main/2*F/pg_data/base/*/*"), key=lambda path: path.stat().st_size)


def test_a_backup_is_told_verified_restored_and_asked(
    make: Make, top: Path, whole: Path, target: Path, same: t.Callable[[Path], str]
) -> None:
    before = same(whole)
    queries = [
        {"sql": "SELECT count(*) FROM orders", "expect": "3000"},
        {"sql": "SELECT pg_is_in_recovery()", "expect": "f"},
        {"sql": "SHOW archive_mode", "expect": "off"},
        {"sql": "SHOW listen_addresses", "expect": ""},
    ]
    driver = make(PgBackRest, top / "pgbackrest.conf", options=OPTIONS, queries=queries)
    found = driver.list()
    assert (found["status"], found["writer"], found["repository"]["location"]) == ("ok", "", "local")
    assert found["repository"]["encrypted"] is False
    folder = make(PgBackRest, whole, options=OPTIONS)
    assert folder.list()["snapshots"] == found["snapshots"]
    assert folder.list()["repository"]["path"] == str(whole)
    (entry,) = found["snapshots"]
    assert entry["time"] < entry["end"]
    assert (entry["complete"], entry["errors"], entry["tags"]) == (True, 0, ["full"])
    for method in ("structure", "data"):
        answer = driver.check(method, None, None, None)
        assert (answer["outcome"], answer["errors"]) == ("ok", []), answer
    assert answer["read_bytes"] > 1_000_000
    answer = driver.restore(entry["id"], None, str(target))
    assert answer == {"outcome": "ok", "errors": [], "files": None}
    proof = driver.compare(entry["id"], str(target))
    assert proof["errors"] == []
    assert [query["text"] for query in proof["queries"]] == [""] * 4
    assert (proof["tables"], proof["rows"]) == (1, 3000)
    assert _server.processes(str(target)) == []
    # The clone has put no log of its own into the archive.
    assert same(whole) == before


def test_a_flipped_bit_is_seen_though_verify_ends_with_0(make: Make, top: Path, whole: Path) -> None:
    path = largest(whole)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    driver = make(PgBackRest, top / "pgbackrest.conf", options=OPTIONS)
    assert driver.check("structure", None, None, None)["outcome"] == "ok"
    answer = driver.check("data", None, None, None)
    assert answer["outcome"] == "damaged"
    assert answer["broken"] == [driver.list()["snapshots"][0]["id"]]
    assert any("checksum invalid: 1" in text for text in answer["errors"])


def test_a_missing_file_is_damage(make: Make, top: Path, whole: Path, target: Path) -> None:
    largest(whole).unlink()
    driver = make(PgBackRest, top / "pgbackrest.conf", options=OPTIONS)
    assert driver.check("data", None, None, None)["outcome"] == "damaged"
    assert driver.restore(None, None, str(target))["outcome"] == "damaged"


def test_a_gap_in_the_log_is_damage(make: Make, top: Path, whole: Path) -> None:
    for path in whole.glob("archive/main/*/*/*"):
        path.unlink()
    driver = make(PgBackRest, top / "pgbackrest.conf", options=OPTIONS)
    found = driver.list()
    assert found["snapshots"][0]["complete"] is False
    assert "which the archive does not have" in found["detail"]
    answer = driver.check("structure", None, None, None)
    assert (answer["outcome"], "log that it needs is missing" in answer["errors"][0]) == ("damaged", True)


def test_what_cannot_be_looked_at(make: Make, top: Path, whole: Path) -> None:
    assert make(PgBackRest, top / "none.conf", options=OPTIONS).list()["status"] == "no_repository"
    found = make(PgBackRest, top / "pgbackrest.conf", options=dict(OPTIONS, stanza="other")).list()
    assert (found["status"], found["detail"]) == ("no_repository", "missing stanza path")
    shutil.rmtree(whole / "backup" / "main")
    assert make(PgBackRest, top / "pgbackrest.conf", options=OPTIONS).list()["status"] != "damaged"
    with pytest.raises(AgentError, match=r"needs options\.stanza"):
        make(PgBackRest, top / "pgbackrest.conf").list()


@pytest.mark.parametrize("verb", ["check", "expire", "stanza-delete", "backup", "archive-push", "stop"])
def test_nothing_that_writes_can_be_said(make: Make, top: Path, verb: str) -> None:
    driver = make(PgBackRest, top / "pgbackrest.conf", options=OPTIONS)
    with pytest.raises(AgentError, match="reading verbs"):
        driver._pgbackrest(verb)


def test_nothing_that_writes_can_be_said_as_another_user_either(make: Make, top: Path) -> None:
    driver = make(PgBackRest, top / "pgbackrest.conf", options=OPTIONS)
    with pytest.raises(AgentError, match="reading verbs"):
        driver.tools.run(["pgbackrest", "expire"], before=["setpriv", "--reuid", "65534"])
