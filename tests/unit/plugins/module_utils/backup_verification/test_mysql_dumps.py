"""Dumps of a real MariaDB, restored into a throw-away server: what is whole, and what is not."""

from __future__ import annotations

import gzip
import os
import pwd
import shutil
import signal
import subprocess
import time
import typing as t
from pathlib import Path

import pytest
from harness import need

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import _server
from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification._mysql_dump import MysqlDump

Make = t.Callable[..., t.Any]
SCHEMA = """
CREATE DATABASE shop; USE shop;
CREATE TABLE customers (id int PRIMARY KEY AUTO_INCREMENT, name varchar(50) NOT NULL) CHARACTER SET utf8mb4;
INSERT INTO customers (name) SELECT CONCAT('Müller ', seq) FROM seq_1_to_5000;
CREATE TABLE orders (id int PRIMARY KEY, note longtext) ENGINE=MyISAM;
INSERT INTO orders SELECT seq, REPEAT('x', 100) FROM seq_1_to_2000;
CREATE TABLE keepwell_canary (ts timestamp, nonce text);
INSERT INTO keepwell_canary VALUES (FROM_UNIXTIME(1795132800), 'x');
CREATE USER app@'10.0.0.%' IDENTIFIED BY 'geheim';
GRANT ALL ON shop.* TO app@'10.0.0.%';
CREATE DEFINER=app@'10.0.0.%' VIEW names AS SELECT name FROM customers;
CREATE EVENT grow ON SCHEDULE EVERY 1 SECOND DO INSERT INTO customers (name) VALUES ('event');
"""
QUERIES = [
    {"sql": "SELECT COUNT(*) FROM customers", "expect": "5000"},
    {"sql": "SELECT name FROM customers WHERE id = 7", "expect": "Müller 7"},
    {"sql": "SELECT @@event_scheduler, @@skip_networking, @@local_infile", "expect": "OFF\t1\t0"},
]


def nobody() -> None:
    """The identity of a server, in its child."""
    if os.geteuid() == 0:
        account = pwd.getpwnam("nobody")
        os.setgroups([])
        os.setgid(account.pw_gid)
        os.setuid(account.pw_uid)


@pytest.fixture(scope="module")
def dumps(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Path]:
    """Dumps of one database and of all."""
    need(shutil.which("mariadbd", path="/usr/sbin:/usr/bin"), "a MariaDB server (Debian package mariadb-server)")
    top = Path("/tmp") / f"keepwell-my-{os.getpid()}"
    top.mkdir(mode=0o755)
    folder = tmp_path_factory.mktemp("dumps")
    if os.geteuid() == 0:
        shutil.chown(top, "nobody")
    data, socket = f"--datadir={top}/data", f"--socket={top}/sock"
    install = [
        "mariadb-install-db",
        "--no-defaults",
        data,
        "--auth-root-authentication-method=normal",
        "--skip-test-db",
    ]
    subprocess.run(install, check=True, capture_output=True, preexec_fn=nobody, cwd="/")
    argv = ["/usr/sbin/mariadbd", "--no-defaults", data, socket, "--skip-networking", f"--pid-file={top}/pid"]
    with (top / "log").open("w") as log:
        server = subprocess.Popen(argv, stdout=log, stderr=log, preexec_fn=nobody, cwd="/")
    client = ["mariadb", "--no-defaults", socket, "--user=root", "--default-character-set=utf8mb4"]
    try:
        for _ in range(600):
            if subprocess.run([*client, "-e", "SELECT 1"], capture_output=True, check=False).returncode == 0:
                break
            time.sleep(0.1)
        subprocess.run(client, input=SCHEMA.encode(), check=True)
        for name, words in (
            ("shop.sql", ["shop"]),
            ("all.sql", ["--all-databases", "--flush-privileges"]),
            ("bare.sql", ["--compact", "shop"]),
        ):
            with (folder / name).open("wb") as stream:
                command = [
                    "mariadb-dump",
                    "--no-defaults",
                    socket,
                    "--user=root",
                    "--single-transaction",
                    "--events",
                    *words,
                ]
                subprocess.run(command, stdout=stream, check=True)
        (folder / "shop.sql.gz").write_bytes(gzip.compress((folder / "shop.sql").read_bytes()))
        yield folder
    finally:
        server.kill()
        server.wait()
        shutil.rmtree(top)


@pytest.fixture
def put(dumps: Path, repository: Path) -> t.Callable[[str], Path]:
    """Put one of the dumps into the repository."""
    return lambda name: Path(shutil.copy2(dumps / name, repository / name))


@pytest.mark.parametrize("name", ["shop.sql.gz", "all.sql"])
def test_a_whole_dump_is_restored_and_asked(
    make: Make, put: t.Callable[[str], Path], repository: Path, target: Path, same: t.Callable[[Path], str], name: str
) -> None:
    os.utime(put(name), (1_795_132_800 + 3600,) * 2)
    before = same(repository)
    canary = {"table": "keepwell_canary", "column": "ts", "max_age_hours": 26}
    driver = make(MysqlDump, repository, queries=QUERIES, options={"canary": canary, "database": "shop"})
    for method in ("structure", "data"):
        answer = driver.check(method, None, None, None)
        assert (answer["outcome"], answer["errors"]) == ("ok", []), answer
    sizes: list[int] = []
    assert driver.pick(None, lambda _path, size, _mtime: sizes.append(size)).rc == 0
    answer = driver.restore(name, None, str(target))
    assert answer == {"outcome": "ok", "errors": [], "files": None}
    assert _server.processes(str(target)) == []
    proof = driver.compare(name, str(target))
    assert proof["errors"] == []
    assert [(query["value"], query["text"]) for query in proof["queries"]] == [
        ("5000", ""),
        ("Müller 7", ""),
        ("OFF\t1\t0", ""),
        ("1795132800", ""),
    ]
    assert (proof["tables"], proof["rows"]) == (3, 7001)
    used = sum(file.stat().st_blocks * 512 for file in target.rglob("*") if file.is_file())
    assert used < sizes[0]
    driver.clean(str(target))
    assert same(repository) == before


@pytest.mark.parametrize("name", ["shop.sql", "shop.sql.gz"])
def test_a_dump_that_was_cut_is_damaged(
    make: Make, put: t.Callable[[str], Path], repository: Path, target: Path, name: str
) -> None:
    path = put(name)
    os.truncate(path, int(path.stat().st_size * 0.7))
    driver = make(MysqlDump, repository)
    for method in ("structure", "data"):
        answer = driver.check(method, None, None, None)
        assert (answer["outcome"], answer["broken"]) == ("damaged", [name])
    assert driver.restore(None, None, str(target))["outcome"] == "damaged"


def test_a_dump_without_its_last_line_is_damaged(make: Make, put: t.Callable[[str], Path], repository: Path) -> None:
    path = put("shop.sql")
    text = path.read_text()
    path.write_text(text[: text.rindex("-- Dump completed")])
    answer = make(MysqlDump, repository).check("structure", None, None, None)
    assert (answer["outcome"], "-- Dump completed" in answer["errors"][0]) == ("damaged", True)
    path.write_text(text[:-4])
    assert make(MysqlDump, repository).check("structure", None, None, None)["outcome"] == "damaged"


def test_a_dump_without_comments_cannot_be_proven_whole(
    make: Make, put: t.Callable[[str], Path], repository: Path
) -> None:
    put("bare.sql")
    answer = make(MysqlDump, repository).check("data", None, None, None)
    assert (answer["outcome"], "--compact" in answer["errors"][0]) == ("error", True)


def test_a_dump_that_restores_with_errors_is_damaged(
    make: Make, put: t.Callable[[str], Path], repository: Path, target: Path
) -> None:
    path = put("shop.sql")
    path.write_text(path.read_text().replace("(5000,'Müller 5000')", "(4999,'Müller 5000')"))
    answer = make(MysqlDump, repository).restore(None, None, str(target))
    assert answer["outcome"] == "damaged"
    assert answer["errors"][0].startswith("ERROR 1")
    assert _server.processes(str(target)) == []


def test_what_the_host_lacks_is_no_damage(
    make: Make, put: t.Callable[[str], Path], repository: Path, target: Path
) -> None:
    path = put("shop.sql")
    path.write_text(path.read_text().replace("DEFAULT CHARSET=utf8mb4", "DEFAULT CHARSET=utf8mb9"))
    answer = make(MysqlDump, repository).restore(None, None, str(target))
    assert (answer["outcome"], "This host lacks" in answer["errors"][0]) == ("error", True), answer


def test_commands_in_a_dump_are_not_run(
    make: Make, put: t.Callable[[str], Path], repository: Path, place: Path, target: Path
) -> None:
    path = put("shop.sql")
    path.write_text(
        f"{path.read_text().splitlines()[0]}\nsystem touch {place}/evil\n\\! touch {place}/worse\n" + path.read_text()
    )
    make(MysqlDump, repository).restore(None, None, str(target))
    assert not (place / "evil").exists()
    assert not (place / "worse").exists()


def test_a_wrong_answer_is_told_and_the_server_of_a_crash_is_ended(
    make: Make, put: t.Callable[[str], Path], repository: Path, target: Path
) -> None:
    put("shop.sql")
    queries = [{"sql": "SELECT COUNT(*) FROM orders", "expect": "1"}, {"sql": "SELECT * FROM none", "expect": None}]
    driver = make(MysqlDump, repository, queries=queries)
    assert driver.restore(None, None, str(target))["outcome"] == "ok"
    proof = driver.compare(None, str(target))
    assert proof["queries"][0]["text"] == "it answers 2000 instead of 1"
    assert "doesn't exist" in proof["queries"][1]["text"]
    child = os.fork()
    if child == 0:
        try:
            running = driver.opened(str(target)).running()
            running.__enter__()
            os.kill(os.getpid(), signal.SIGKILL)
        finally:
            os._exit(9)
    os.waitpid(child, 0)
    left = _server.processes(str(target))
    assert [process["name"] for process in left if process["main"]] == ["mariadbd"]
    if os.geteuid() == 0:
        assert Path(f"/proc/{left[0]['pid']}").stat().st_uid == pwd.getpwnam("nobody").pw_uid
    assert _server.end_server(str(target)) == len(left)
    assert _server.processes(str(target)) == []
