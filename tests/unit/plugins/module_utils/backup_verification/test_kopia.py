"""The driver of kopia, on outputs written after its documentation and source: kopia itself is in no archive we use."""

from __future__ import annotations

import json
import stat
import typing as t
from pathlib import Path

import pytest
import repositories

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import _kopia
from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification._kopia import Kopia
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._sources import Output

# source: kopia, snapshot/manifest.go, cli/command_snapshot_list.go, cli/command_repository_status.go; recorded: false
SNAPSHOTS = [
    {
        "id": "0123456789abcdef0123456789abcdef",
        "source": {"host": "web1", "userName": "root", "path": "/srv"},
        "startTime": "2026-11-26T02:00:00.5Z",
        "endTime": "2026-11-26T02:05:00Z",
        "stats": {"totalSize": 5, "fileCount": 2, "errorCount": 0},
        "rootEntry": {"name": "srv", "type": "d", "obj": "k1", "summ": {"size": 1500, "files": 3, "numFailed": 0}},
    },
    {
        "id": "f123456789abcdef0123456789abcdef",
        "source": {"host": "web1", "userName": "root", "path": "/srv"},
        "startTime": "2026-11-27T02:00:00Z",
        "endTime": "2026-11-27T02:05:00Z",
        "stats": {"totalSize": 5, "fileCount": 2, "errorCount": 4},
        "rootEntry": {"name": "srv", "type": "d", "obj": "k2", "summ": {"size": 1500, "files": 3, "numFailed": 4}},
    },
    {
        "id": "a123456789abcdef0123456789abcdef",
        "source": {"host": "web2", "userName": "root", "path": "/home"},
        "startTime": "2026-11-27T03:00:00+01:00",
        "endTime": "2026-11-27T03:00:01+01:00",
        "incomplete": "checkpoint",
        "rootEntry": {"name": "home", "type": "d", "obj": "k3", "summ": {"size": 1, "files": 1}},
    },
]
STATUS = {
    "uniqueIDHex": "abcd",
    "contentFormat": {"encryption": "AES256-GCM-HMAC-SHA256"},
    "blobRetention": {"retentionMode": "COMPLIANCE", "retentionPeriod": 30 * 86400 * 10**9},
}
# source: kopia, cli/command_ls.go; recorded: false
LIST = b"""drwxr-xr-x         1500 2026-11-27 01:00:00 UTC k2a                                sub dir/ (4 errors)
-rw-r--r--         1024 2026-11-27 01:02:03 UTC 1f2e                               sub dir/a  b.txt
Lrwxrwxrwx            4 2026-11-27 01:02:03 UTC 1f2f                               link
urwxr-xr-x            9 2026-11-27 01:02:03 UTC 1f30                               tool
"""


class Place:
    """A kopia that prints what it is told to, connected to a repository in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.repository = folder / "repository"
        self.repository.mkdir()
        self.config = folder / "repository.config"
        storage = {"type": "filesystem", "config": {"path": str(self.repository)}}
        self.config.write_text(json.dumps({"storage": storage, "caching": {"cacheDirectory": "x"}, "hostname": "web1"}))
        self.program = folder / "kopia"
        self.answers = folder / "answers"
        self.answers.mkdir()
        self.program.write_text(
            f'#!/bin/sh\ncase "$1 $2" in\n--version*) echo "0.21.1 build: x";;\n'
            f'*) key="$1-$2"; case "$1" in list|restore) key=$1;; esac\n'
            f'echo "$KOPIA_CONFIG_PATH $@" >>{folder}/calls\n'
            f'cat "{self.answers}/$key.err" >&2 2>/dev/null; cat "{self.answers}/$key" 2>/dev/null\n'
            f'exit "$(cat "{self.answers}/$key.rc" 2>/dev/null || echo 0)";;\nesac\n'
        )
        self.program.chmod(0o755)
        self.answer("snapshot-list", json.dumps(SNAPSHOTS))
        self.answer("repository-status", json.dumps(STATUS))
        (self.answers / "list").write_bytes(LIST)

    def answer(self, key: str, out: str = "", err: str = "", rc: int = 0) -> None:
        (self.answers / key).write_text(out)
        (self.answers / f"{key}.err").write_text(err)
        (self.answers / f"{key}.rc").write_text(str(rc))

    def driver(self, **more: t.Any) -> Kopia:
        options = {"program": str(self.program), "config": str(self.config)}
        dataset = {"id": "files", "tool": "kopia", "repository": "x", "options": options, "hosts": ["web1"], **more}
        secrets = {"KOPIA_PASSWORD": repositories.PASSWORD}
        return Kopia(repositories.tools(self.folder / "work", Kopia, secrets), dataset)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_snapshots_errors_lock_and_paths_are_told(place: Place) -> None:
    look = place.driver(expected_paths=["/srv/sub dir/a  b.txt", "/srv/x"], unwanted_paths=["/srv/sub dir"]).list()
    assert (look["status"], look["tool"]["version"]) == ("ok", "0.21.1")
    assert [(entry["id"][0], entry["complete"], entry["errors"]) for entry in look["snapshots"]] == [
        ("0", True, 0),
        ("f", False, 4),
    ]
    first = look["snapshots"][0]
    assert (first["time"], first["end"] - first["time"], first["bytes"], first["files"]) == (
        1795658400.5,
        299.5,
        1500,
        3,
    )
    assert [(group["host"], group["paths"], group["count"]) for group in look["groups"]] == [
        ("web1", ["/srv"], 2),
        ("web2", ["/home"], 1),
    ] or look["groups"][0]["host"] == "web2"
    repository = look["repository"]
    assert (repository["id"], repository["encrypted"], repository["location"]) == ("abcd", True, "local")
    assert repository["object_lock"] == {"mode": "COMPLIANCE", "days": 30}
    assert (look["missing"], look["unwanted"]) == (["/srv/x"], ["/srv/sub dir"])
    [other] = place.driver(hosts=["web2"]).list()["snapshots"]
    assert other["complete"] is False


def test_kopia_gets_a_connection_that_cannot_write(place: Place) -> None:
    before = place.config.read_text()
    place.driver().list()
    copy = place.folder / "work" / "scratch" / "kopia" / "repository.config"
    assert json.loads(copy.read_text())["readonly"] is True
    assert str(place.folder / "work" / "scratch") in json.loads(copy.read_text())["caching"]["cacheDirectory"]
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert all(line.startswith(f"{copy} ") for line in (place.folder / "calls").read_text().splitlines())
    assert place.config.read_text() == before
    assert repositories.PASSWORD not in (place.folder / "calls").read_text()


def test_files_are_picked_and_restored_one_by_one(place: Place) -> None:
    files: list[tuple[str, int, float]] = []
    driver = place.driver(sources=["/srv"])
    driver.list()
    driver.pick("f1", lambda path, size, mtime: files.append((path, size, mtime)))
    assert files == [("sub dir/a  b.txt", 1024, 1795741323.0), ("tool", 9, 1795741323.0)], "no folder, no link"
    assert driver.live("sub dir/a  b.txt") == "/srv/sub dir/a  b.txt"
    target = place.folder / "target"
    target.mkdir()
    assert driver.restore("f1", ["sub dir/a  b.txt"], str(target))["outcome"] == "ok"
    assert (
        (place.folder / "calls")
        .read_text()
        .splitlines()[-1]
        .endswith(f"restore --mode=local f1/sub dir/a  b.txt {target}/sub dir/a  b.txt")
    )
    place.answer("restore", err="error: unable to open object: content not found\n", rc=1)
    assert driver.restore("f1", None, str(target))["outcome"] == "damaged"


def test_a_file_is_looked_for_below_the_folder_that_was_saved(place: Place) -> None:
    driver = place.driver(hosts=["web2"], sources=["/home/anna"])
    driver.list()
    driver.pick("a123456789abcdef0123456789abcdef", lambda *_entry: None)
    assert driver.live("anna/a.txt") == "/home/anna/a.txt"


def test_only_all_of_it_counts_as_read(place: Place) -> None:
    driver = place.driver()
    assert driver.PARTS is False
    for method, percent in (("structure", 0), ("data", 100)):
        assert driver.check(method, 1, 1, None)["outcome"] == "ok"
        assert f"--verify-files-percent={percent}" in (place.folder / "calls").read_text().splitlines()[-1]
    # source: kopia, cli/command_snapshot_verify.go; recorded: false
    place.answer("snapshot-verify", err="failed on root@web1:/srv/a: error reading 1f: x\nencountered 1 errors\n", rc=1)
    found = driver.check("data", 1, 1, None)
    assert (found["outcome"], len(found["errors"])) == ("damaged", 1)
    place.answer("snapshot-verify", err="failed on root@web1:/srv/a: error reading 1f: x\n", rc=0)
    assert driver.check("data", 1, 1, None)["outcome"] == "damaged"


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ("ERROR error connecting to repository: invalid repository password", "bad_password"),
        (
            "ERROR open repository: repository is not connected. See https://kopia.io/docs/repositories/",
            "no_repository",
        ),
        ("ERROR open repository: open /r/kopia.repository.f: permission denied", "denied"),
        ("ERROR something new", "error"),
    ],
)
def test_what_went_wrong_is_told_by_words(place: Place, words: str, status: str) -> None:
    place.answer("snapshot-list", err=words + "\n", rc=1)
    look = place.driver().list()
    assert (look["status"], look["snapshots"]) == (status, [])
    assert _kopia.trouble(Output("timeout"))[0] == "timeout"


def test_a_list_that_cannot_be_understood_is_an_error(place: Place) -> None:
    place.answer("snapshot-list", "[{}]")
    assert place.driver().list()["status"] == "error"


def test_without_a_connection_nothing_is_claimed(place: Place) -> None:
    place.config.unlink()
    driver = place.driver()
    assert driver.list()["status"] == "no_repository"
    assert driver.check("data", 1, 1, None)["outcome"] == "error"
    assert driver.restore("x", None, str(place.folder))["outcome"] == "error"
