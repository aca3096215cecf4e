"""Dumps of a real PostgreSQL, restored into a throw-away server: what is whole, and what is not."""

from __future__ import annotations

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

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import _drivers, _server
from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification._pg_dump import PgDump, roles
from ansible_collections.keepwell.fleet.plugins.module_utils.chores import _commands, _folder

Make = t.Callable[..., t.Any]
BIN = max(Path("/usr/lib/postgresql").glob("*/bin"), default=Path("/nonexistent"))
SCHEMA = """
CREATE ROLE shop_owner; CREATE ROLE "Reader One";
CREATE TABLE customers (id serial PRIMARY KEY, name text NOT NULL);
ALTER TABLE customers OWNER TO shop_owner;
GRANT SELECT ON customers TO "Reader One";
CREATE POLICY own ON customers TO "Reader One" USING (true);
INSERT INTO customers (name) SELECT 'Müller ' || n FROM generate_series(1, 5000) n;
CREATE TABLE orders (id int PRIMARY KEY, customer int REFERENCES customers, total numeric);
INSERT INTO orders SELECT n, n, n * 1.5 FROM generate_series(1, 5000) n;
CREATE TABLE keepwell_canary (ts timestamptz, nonce text);
INSERT INTO keepwell_canary VALUES ('2026-11-20 00:00+00', 'x');
CREATE FUNCTION pay() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER pay BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION pay();
CREATE PUBLICATION everything FOR ALL TABLES;
CREATE SUBSCRIPTION outward CONNECTION 'host=192.0.2.1 connect_timeout=60' PUBLICATION p WITH (connect = false);
"""


def nobody() -> None:
    """The identity of a server, in its child."""
    if os.geteuid() == 0:
        account = pwd.getpwnam("nobody")
        os.setgroups([])
        os.setgid(account.pw_gid)
        os.setuid(account.pw_uid)


@pytest.fixture(scope="module")
def dumps(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Path]:
    """Dumps of one database in all forms."""
    need((BIN / "postgres").exists(), "a PostgreSQL server (Debian package postgresql)")
    top = Path("/tmp") / f"keepwell-pg-{os.getpid()}"
    top.mkdir(mode=0o755)
    folder = tmp_path_factory.mktemp("dumps")
    if os.geteuid() == 0:
        shutil.chown(top, "nobody")

    def run(*argv: str | Path, **more: t.Any) -> None:
        subprocess.run(
            [str(word) for word in argv], check=True, capture_output=True, preexec_fn=nobody, cwd="/", **more
        )

    try:
        run(
            BIN / "initdb",
            "-D",
            top / "data",
            "-U",
            "postgres",
            "--auth=trust",
            "--no-sync",
            "--encoding=UTF8",
            "--locale=C",
        )
        options = f"-c listen_addresses= -c unix_socket_directories={top} -c fsync=off -c wal_level=logical"
        run(BIN / "pg_ctl", "-D", top / "data", "-w", "-l", top / "log", "-o", options, "start")
        try:
            connection = ("-h", top, "-U", "postgres")
            run(BIN / "createdb", *connection, "shop")
            run(BIN / "psql", *connection, "-v", "ON_ERROR_STOP=1", "-d", "shop", "-f", "-", input=SCHEMA.encode())
            for name, form in (
                ("custom.dump", "-Fc"),
                ("folder.dir", "-Fd"),
                ("tape.tar", "-Ft"),
                ("plain.sql", "-Fp"),
            ):
                run(BIN / "pg_dump", *connection, form, "-f", top / name, "shop")
            run(BIN / "pg_dumpall", *connection, "-f", top / "all.sql")
        finally:
            run(BIN / "pg_ctl", "-D", top / "data", "-m", "immediate", "-w", "stop")
        for name in ("custom.dump", "folder.dir", "tape.tar", "plain.sql", "all.sql"):
            shutil.move(top / name, folder / name)
        for program, suffix in (("gzip", "gz"), ("zstd", "zst"), ("xz", "xz")):
            with (folder / f"plain.sql.{suffix}").open("wb") as stream:
                subprocess.run([program, "-c", str(folder / "plain.sql")], stdout=stream, check=True)
        for path in folder.rglob("*"):
            os.chown(path, os.geteuid(), os.getegid())
            path.chmod(0o700 if path.is_dir() else 0o600)
        yield folder
    finally:
        shutil.rmtree(top)


@pytest.fixture
def put(dumps: Path, repository: Path) -> t.Callable[[str], Path]:
    """Put one of the dumps into the repository."""

    def putting(name: str) -> Path:
        copy = shutil.copytree if (dumps / name).is_dir() else shutil.copy2
        return Path(copy(dumps / name, repository / name))

    return putting


QUERIES = [
    {"sql": "SELECT count(*) FROM customers", "expect": "5000"},
    {"sql": "SELECT name FROM customers WHERE id = 7", "expect": "Müller 7"},
    {"sql": "SELECT id, total FROM orders ORDER BY id LIMIT 3", "expect": None},
]
FORMS = (
    "custom.dump",
    "folder.dir",
    "tape.tar",
    "plain.sql",
    "plain.sql.gz",
    "plain.sql.zst",
    "plain.sql.xz",
    "all.sql",
)


@pytest.mark.parametrize("name", FORMS)
def test_a_whole_dump_is_seen_as_whole(
    make: Make, put: t.Callable[[str], Path], repository: Path, same: t.Callable[[Path], str], name: str
) -> None:
    put(name)
    before = same(repository)
    driver = make(PgDump, repository)
    assert [entry["id"] for entry in driver.list()["snapshots"]] == [name]
    for method in ("structure", "data"):
        answer = driver.check(method, None, None, None)
        assert (answer["outcome"], answer["errors"]) == ("ok", []), answer
    sizes: list[int] = []
    assert driver.pick(None, lambda _path, size, _mtime: sizes.append(size)).rc == 0
    assert sizes[0] > 200_000_000
    assert same(repository) == before


@pytest.mark.parametrize("name", ["folder.dir", "plain.sql.zst", "all.sql"])
def test_a_whole_dump_is_restored_and_asked(
    make: Make, put: t.Callable[[str], Path], repository: Path, target: Path, same: t.Callable[[Path], str], name: str
) -> None:
    put(name)
    before = same(repository)
    options = {} if name == "folder.dir" else {"database": "shop"}
    driver = make(PgDump, repository, queries=QUERIES, options=options)
    sizes: list[int] = []
    assert driver.pick(None, lambda _path, size, _mtime: sizes.append(size)).rc == 0
    answer = driver.restore(name, None, str(target))
    assert answer == {"outcome": "ok", "errors": [], "files": None}
    assert _server.processes(str(target)) == []
    proof = driver.compare(name, str(target))
    assert proof["errors"] == []
    assert [(query["rows"], query["value"], query["ok"]) for query in proof["queries"]] == [
        (1, "5000", True),
        (1, "Müller 7", True),
        (3, "1\t1.5", True),
    ]
    assert (proof["tables"], proof["rows"]) == (3, 10001)
    used = sum(file.stat().st_size for file in target.rglob("*") if file.is_file())
    assert 0 < proof["bytes"] < used < sizes[0]
    driver.clean(str(target))
    assert same(repository) == before
    assert b"Kanarienvogel" not in b"".join(file.read_bytes() for file in target.rglob("*.log"))


def test_the_server_reaches_nothing_and_owns_nothing(
    make: Make, put: t.Callable[[str], Path], repository: Path, target: Path
) -> None:
    put("custom.dump")
    queries = [
        {"sql": "SHOW listen_addresses", "expect": ""},
        {"sql": "SHOW shared_preload_libraries", "expect": ""},
        {"sql": "SELECT count(*) FROM pg_subscription", "expect": "0"},
        {"sql": "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'logical replication%'", "expect": "0"},
        {"sql": "SELECT count(*) FROM pg_roles WHERE rolcanlogin", "expect": "1"},
    ]
    driver = make(PgDump, repository, queries=queries)
    assert driver.restore(None, None, str(target))["outcome"] == "ok"
    server = driver.opened(str(target))
    with server.running():
        (main,) = [process["pid"] for process in _server.processes(str(target)) if process["main"]]
        if os.geteuid() == 0:
            assert Path(f"/proc/{main}").stat().st_uid == pwd.getpwnam("nobody").pw_uid
            status = Path(f"/proc/{main}/status").read_text()
            assert "NoNewPrivs:\t1" in status
            assert "CapEff:\t0000000000000000" in status
        assert (target / "server").stat().st_mode & 0o777 == 0o700
        inodes = {line.split()[9] for line in Path(f"/proc/{main}/net/tcp").read_text().splitlines()[1:]}
        links = [os.readlink(path) for path in Path(f"/proc/{main}/fd").iterdir()]
        assert not [link for link in links if link.startswith("socket:[") and link[8:-1] in inodes]
    assert [query["text"] for query in driver.compare(None, str(target))["queries"]] == [""] * 5


def test_a_wrong_answer_is_told(make: Make, put: t.Callable[[str], Path], repository: Path, target: Path) -> None:
    put("custom.dump")
    os.utime(repository / "custom.dump", (1_795_132_800 + 3600 * 30,) * 2)
    queries = [
        {"sql": "SELECT count(*) FROM customers", "expect": "4999"},
        {"sql": "SELECT id FROM customers WHERE false", "expect": None},
        {"sql": "SELECT * FROM invoices", "expect": None},
    ]
    canary = {"table": "keepwell_canary", "column": "ts", "max_age_hours": 26}
    driver = make(PgDump, repository, queries=queries, options={"canary": canary})
    assert driver.restore(None, None, str(target))["outcome"] == "ok"
    proof = driver.compare(None, str(target))
    assert [query["ok"] for query in proof["queries"]] == [False] * 4
    texts = [query["text"] for query in proof["queries"]]
    assert texts[0] == "it answers 5000 instead of 4999"
    assert texts[1] == "no row came back"
    assert 'relation "invoices" does not exist' in texts[2]
    assert texts[3] == "the newest row was 30.0 hours old when the dump began; 26.0 are allowed"
    canary["max_age_hours"] = 31
    assert make(PgDump, repository, options={"canary": canary}).compare(None, str(target))["queries"][0]["ok"] is True


@pytest.mark.parametrize("name", ["custom.dump", "tape.tar", "plain.sql", "plain.sql.gz", "plain.sql.zst", "all.sql"])
def test_a_dump_that_was_cut_is_damaged(
    make: Make, put: t.Callable[[str], Path], repository: Path, target: Path, name: str
) -> None:
    path = put(name)
    os.truncate(path, int(path.stat().st_size * 0.8))
    driver = make(PgDump, repository)
    if name == "custom.dump":
        # The list at its begin is whole: this is what pg_restore -l proves.
        assert driver.check("structure", None, None, None)["outcome"] == "ok"
    answer = driver.check("data", None, None, None)
    assert (answer["outcome"], answer["broken"]) == ("damaged", [name])
    # psql alone takes the half of a dump for the whole.
    assert driver.restore(None, None, str(target))["outcome"] == "damaged"


def test_a_file_of_a_folder_that_is_missing_is_damage(
    make: Make, put: t.Callable[[str], Path], repository: Path, target: Path
) -> None:
    path = put("folder.dir")
    max((file for file in path.iterdir() if file.name != "toc.dat"), key=lambda file: file.stat().st_size).unlink()
    driver = make(PgDump, repository)
    assert driver.check("data", None, None, None)["outcome"] == "damaged"
    assert driver.restore(None, None, str(target))["outcome"] == "damaged"


def test_sql_without_its_last_line_is_damaged(make: Make, put: t.Callable[[str], Path], repository: Path) -> None:
    path = put("plain.sql")
    text = path.read_text()
    path.write_text(text.replace("-- PostgreSQL database dump complete", "--"))
    assert make(PgDump, repository).check("structure", None, None, None)["outcome"] == "damaged"
    path.write_text("CREATE TABLE x (y int);\n")
    answer = make(PgDump, repository).check("structure", None, None, None)
    assert (answer["outcome"], "nothing says where it has to end" in answer["errors"][0]) == ("error", True)


def test_a_cluster_is_not_whole_when_one_of_its_databases_is(
    make: Make, put: t.Callable[[str], Path], repository: Path
) -> None:
    path = put("all.sql")
    text = path.read_text()
    path.write_text(
        text[: text.rindex("-- PostgreSQL database dump complete")] + "-- PostgreSQL database dump complete\n--\n"
    )
    assert make(PgDump, repository).check("data", None, None, None)["outcome"] == "damaged"


def test_a_dump_that_restores_with_errors_is_damaged(
    make: Make, put: t.Callable[[str], Path], repository: Path, target: Path
) -> None:
    path = put("plain.sql")
    path.write_text(path.read_text().replace("5000\tMüller 5000", "4999\tMüller 5000"))
    answer = make(PgDump, repository).restore(None, None, str(target))
    assert answer["outcome"] == "damaged"
    assert 'could not create unique index "customers_pkey"' in answer["errors"][0]
    # Lines that quote data are left out.
    assert not any("DETAIL" in text for text in answer["errors"])
    assert _server.processes(str(target)) == []


def test_what_the_host_lacks_is_no_damage(
    make: Make, put: t.Callable[[str], Path], repository: Path, target: Path
) -> None:
    path = put("plain.sql")
    lines = path.read_text().replace(
        "CREATE TABLE public.customers", "CREATE EXTENSION no_such;\nCREATE TABLE public.customers", 1
    )
    path.write_text(lines)
    answer = make(PgDump, repository).restore(None, None, str(target))
    assert answer["outcome"] == "error"
    assert "This host lacks" in answer["errors"][0]
    driver = make(PgDump, repository, options={"bin": "/nonexistent"})
    assert "No PostgreSQL server" in driver.restore(None, None, str(target / "x"))["errors"][0]


def test_commands_in_a_dump_are_not_roots(
    make: Make, put: t.Callable[[str], Path], repository: Path, place: Path, target: Path
) -> None:
    need(os.geteuid() == 0, "root")
    path = put("plain.sql")
    open_to_all = place / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    evil = f"\\! readlink /proc/self/ns/net > {open_to_all}/network\n"
    evil += f"\\! id -u > {place}/evil\nCOPY (SELECT 1) TO PROGRAM 'id -u > {place}/worse';\n"
    need(subprocess.run(["unshare", "--net", "true"], check=False).returncode == 0, "a network of its own")
    text = "\n".join(
        line for line in path.read_text().splitlines() if not line.startswith(("\\restrict", "\\unrestrict"))
    )
    path.write_text(text.replace("CREATE TABLE public.customers", evil + "CREATE TABLE public.customers", 1) + "\n")
    make(PgDump, repository).restore(None, None, str(target))
    assert not (place / "evil").exists()
    assert not (place / "worse").exists()
    assert (open_to_all / "network").read_text().strip() != os.readlink("/proc/self/ns/net"), "it reaches nobody"


def test_the_server_of_a_crash_is_found_by_its_data_and_ended(
    make: Make, put: t.Callable[[str], Path], repository: Path, target: Path
) -> None:
    put("custom.dump")
    child = os.fork()
    if child == 0:
        try:
            server = make(PgDump, repository).server(str(target))
            server.prepare()
            running = server.running()
            running.__enter__()
            os.kill(os.getpid(), signal.SIGKILL)
        finally:
            os._exit(9)
    os.waitpid(child, 0)
    left = _server.processes(str(target))
    assert [process["name"] for process in left if process["main"]] == ["postgres"]
    # A server of somebody else's, and one whose pid file is gone.
    (target / "server" / "data" / "postmaster.pid").unlink()
    assert _server.end_server(str(target / "server" / "nothing")) == 0
    assert _server.processes(str(target))
    assert _server.end_server(str(target)) == len(left)
    assert _server.processes(str(target)) == []
    assert _server.end_server(str(target)) == 0


def test_a_folder_that_lets_nobody_through_is_refused(
    make: Make, put: t.Callable[[str], Path], repository: Path, place: Path, target: Path
) -> None:
    need(os.geteuid() == 0, "root")
    put("custom.dump")
    (target.parent / "CACHEDIR.TAG").unlink()
    answer = make(PgDump, repository).restore(None, None, str(target))
    assert answer["outcome"] == "error"
    assert f"{target.parent} lets no other user pass" in answer["errors"][0]
    long = target / ("x" * 90)
    long.mkdir()
    target.parent.chmod(0o711)
    answer = make(PgDump, repository).restore(None, None, str(long))
    assert "too long" in answer["errors"][0]
    for user, words in (("root", "does not run as root"), ("no-such-user", "There is no user")):
        answer = make(PgDump, repository, options={"user": user}).restore(None, None, str(target))
        assert (answer["outcome"], words in answer["errors"][0]) == ("error", True)
        shutil.rmtree(target / "server")


def test_keepwells_own_folders_let_through_and_show_nothing(
    make: Make, repository: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need((BIN / "postgres").exists(), "a PostgreSQL server (Debian package postgresql)")
    monkeypatch.setattr(_folder, "ROOT", str(place / "keepwell"))
    target = place / "keepwell" / "sandbox" / "one" / "data"
    target.mkdir(parents=True)
    folders = [target, *target.parents[:3]]
    for folder in folders:
        folder.chmod(0o700)
    server = make(PgDump, repository).server(str(target))
    for _again in range(2):
        server._let_through()
        assert [folder.stat().st_mode & 0o777 for folder in folders] == [0o701] * 4
    # A folder that somebody gave another mode meanwhile is his.
    folders[3].chmod(0o755)
    _drivers.end_servers(str(target))
    assert [folder.stat().st_mode & 0o777 for folder in folders[1:]] == [0o700, 0o700, 0o755]


def test_the_time_limit_ends_a_restore_with_its_server(
    make: Make, put: t.Callable[[str], Path], repository: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_commands, "_GRACE_S", 0.5)
    path = put("plain.sql")
    path.write_text(
        path.read_text().replace(
            "CREATE TABLE public.customers", "SELECT pg_sleep(60);\nCREATE TABLE public.customers", 1
        )
    )
    begun = time.monotonic()
    driver = make(PgDump, repository)
    load = driver.load

    def hurry(server: t.Any, name: str) -> None:
        driver.tools.commands._end = time.monotonic() + 5
        load(server, name)

    monkeypatch.setattr(driver, "load", hurry)
    answer = driver.restore(None, None, str(target))
    assert answer["outcome"] == "timeout"
    assert time.monotonic() - begun < 50
    assert _server.processes(str(target)) == []


def test_the_roles_that_a_dump_needs() -> None:
    lines = [
        "ALTER TABLE public.a OWNER TO shop;",
        'GRANT SELECT,INSERT ON TABLE public.a TO "Reader ""One""";',
        "GRANT ALL ON SCHEMA public TO PUBLIC;",
        "REVOKE ALL ON FUNCTION public.f() FROM old;",
        "ALTER DEFAULT PRIVILEGES FOR ROLE boss IN SCHEMA public GRANT SELECT ON TABLES TO reader;",
        'CREATE POLICY p ON public.a TO tenant, "guest, x" USING ((x = 1));',
        "GRANT pg_monitor TO ops WITH ADMIN OPTION GRANTED BY postgres;",
        "CREATE ROLE ops;",
        "ALTER TABLE x OWNER TO a; DROP TABLE y;",
    ]
    assert roles(lines) == ['"Reader ""One"""', '"guest, x"', "boss", "old", "reader", "shop", "tenant"]
