# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Quarantine on real files, with somebody at work on them at the same time: nothing but what was found is moved."""

from __future__ import annotations

import json
import os
import shutil
import stat
import tempfile
import threading
import typing as t
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ansible_collections.keepwell.fleet.plugins.module_utils.antivirus import (
    _allowed,
    _control,
    _ledger,
    _owners,
    _quarantine,
    _vault,
)
from ansible_collections.keepwell.fleet.plugins.module_utils.chores import _folder
from ansible_collections.keepwell.fleet.plugins.module_utils.chores._errors import AgentError
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import Machine
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._sources import Output

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root takes other people's files")

BAD = b"#!/bin/sh\necho bad\n"
SECRET = b"root:secret\n"
ID = "01M9ZZZZZZZZZZZZZZZZZZZZZZ000"


class Place:
    """A folder that is world-writable, as /tmp is, a quarantine, and something that must stay as it is."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.open = folder / "open"
        self.open.mkdir()
        self.open.chmod(0o1777)
        self.root = folder / "var"
        self.root.mkdir(mode=0o700)
        self.home = self.root / "quarantine"
        self.secret = folder / "secret"
        self.secret.write_bytes(SECRET)
        self.secret.chmod(0o600)
        self.before = self.secret.stat()
        self.confirms: list[int] = []
        self.meanwhile: Callable[[], None] = lambda: None
        monkeypatch.setattr(_folder, "ROOT", str(self.root))
        monkeypatch.setattr(_vault, "HOME", str(self.home))

    def quarantine(self, folders: t.Sequence[str] = ("/tmp",), archives: str = "report") -> _quarantine.Quarantine:
        return _quarantine.Quarantine(
            Machine(), list(folders), self._confirm, lambda path: "", lambda status: "", archives, "run", "work"
        )

    def _confirm(self, descriptor: int) -> str:
        """A scanner that finds BAD, and lets somebody do something while it looks."""
        os.lseek(descriptor, 0, os.SEEK_SET)
        found = "Bad" if BAD in os.read(descriptor, 4096) else ""
        self.meanwhile()
        return found

    def file(self, name: str = "bad", content: bytes = BAD, mode: int = 0o644) -> Path:
        path = self.open / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(mode)
        return path

    def take(self, path: Path, **options: t.Any) -> dict[str, t.Any]:
        return self.quarantine(**options).take(str(path), "Bad", ID)

    def refused(self, path: Path | str, **options: t.Any) -> str:
        with pytest.raises(_vault.Refused) as caught:
            self.quarantine(**options).take(str(path), "Bad", ID)
        return caught.value.code

    def is_unharmed(self) -> bool:
        """True when the secret is as it was, and nothing of it lies in quarantine."""
        now = self.secret.stat()
        same = all(getattr(now, name) == getattr(self.before, name) for name in ("st_ino", "st_mode", "st_uid"))
        stored = [path.read_bytes() for path in self.home.glob("*.quarantined")] if self.home.exists() else []
        return same and self.secret.read_bytes() == SECRET and SECRET not in stored


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    folder = Path(tempfile.mkdtemp(prefix="keepwell-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        yield Place(folder, monkeypatch)
    finally:
        shutil.rmtree(folder)


def test_a_round_trip_restores_bytes_owner_mode_times_and_attributes(place: Place) -> None:
    path = place.file(mode=0o751)
    os.chown(path, 1234, 4321)
    os.setxattr(path, "user.origin", b"the web\0")
    os.utime(path, ns=(1_500_000_000_123_456_789, 1_600_000_000_987_654_321))
    before = path.stat()
    manifest = place.take(path)
    assert not path.exists()
    stored = Path(manifest["folder"]) / f"{ID}.quarantined"
    assert stored.read_bytes() == BAD
    assert (stored.stat().st_uid, stat.S_IMODE(stored.stat().st_mode)) == (0, 0)
    assert stat.S_IMODE(place.home.stat().st_mode) == 0o700
    written = json.loads((place.home / f"{ID}.json").read_text())
    assert {"path", "sha256", "uid", "mode", "mtime_ns", "xattrs", "signature", "run_id", "at"} <= written.keys()
    assert [entry["id"] for entry in _vault.entries(Machine())] == [ID]
    _vault.restore(Machine(), ID)
    after = path.stat()
    assert path.read_bytes() == BAD
    for name in ("st_ino", "st_uid", "st_gid", "st_mode", "st_mtime_ns"):
        assert getattr(after, name) == getattr(before, name), name
    assert os.getxattr(path, "user.origin") == b"the web\0"
    assert not _vault.entries(Machine())


def test_a_restore_overwrites_nothing(place: Place) -> None:
    path = place.file()
    place.take(path)
    path.write_bytes(b"new")
    with pytest.raises(AgentError, match="there is a file in its place"):
        _vault.restore(Machine(), ID)
    assert path.read_bytes() == b"new"
    assert (place.home / f"{ID}.quarantined").exists()


def test_a_restore_follows_no_link(place: Place) -> None:
    path = place.file("folder/bad")
    place.take(path)
    path.parent.rmdir()
    path.parent.symlink_to(place.secret.parent)
    with pytest.raises(AgentError, match="a folder on its path is a link"):
        _vault.restore(Machine(), ID)
    assert place.is_unharmed()


def test_what_is_not_in_quarantine_cannot_be_restored(place: Place) -> None:
    with pytest.raises(AgentError, match="nothing in quarantine"):
        _vault.restore(Machine(), ID)


def test_a_link_in_the_place_of_the_file_is_left_alone(place: Place) -> None:
    path = place.open / "bad"
    path.symlink_to(place.secret)
    assert place.refused(path) == "link"
    assert place.is_unharmed()


def test_a_link_in_the_place_of_a_folder_is_left_alone(place: Place) -> None:
    (place.open / "folder").symlink_to(place.secret.parent)
    assert place.refused(place.open / "folder" / "secret") == "link"
    assert place.is_unharmed()


def test_a_hard_link_is_left_alone(place: Place) -> None:
    os.link(place.secret, place.open / "bad")
    assert place.refused(place.open / "bad") == "hard_link"
    assert place.is_unharmed()


def test_a_folder_swapped_for_a_link_while_the_scanner_looks_leads_nowhere(place: Place) -> None:
    path = place.file("folder/secret")

    def swap() -> None:
        path.parent.rename(place.open / "away")
        path.parent.symlink_to(place.secret.parent)

    place.meanwhile = swap
    manifest = place.take(path)
    # What was found is moved from wherever it is by now; what the link leads to is not touched.
    assert Path(manifest["folder"], f"{ID}.quarantined").read_bytes() == BAD
    assert not (place.open / "away" / "secret").exists()
    assert place.is_unharmed()


def test_a_file_replaced_while_the_scanner_looks_goes_back(place: Place) -> None:
    path = place.file()

    def swap() -> None:
        path.rename(place.open / "moved")
        path.write_bytes(b"the accounts of the year")

    place.meanwhile = swap
    assert place.refused(path) in ("swapped", "changed")
    assert path.read_bytes() == b"the accounts of the year"
    assert (place.open / "moved").read_bytes() == BAD
    assert not list(place.home.glob(f"{ID}*"))


@pytest.mark.parametrize("taken", [False, True])
def test_a_folder_that_comes_instead_goes_back(place: Place, monkeypatch: pytest.MonkeyPatch, taken: bool) -> None:
    path = place.file()
    rename = os.rename

    def swap(*names: t.Any, **folders: t.Any) -> None:
        monkeypatch.setattr(os, "rename", rename)
        path.unlink()
        (path / "books").mkdir(parents=True)
        rename(*names, **folders)
        if taken:
            path.write_bytes(b"new")

    monkeypatch.setattr(_vault, "keep", lambda *_file: monkeypatch.setattr(os, "rename", swap))
    assert place.refused(path) == "swapped"
    assert (place.open / (f"bad.{ID}" if taken else "bad") / "books").is_dir()
    assert not list(place.home.glob(f"{ID}*"))


def test_a_hard_link_planted_while_the_scanner_looks_goes_back(place: Place) -> None:
    path = place.file()

    def swap() -> None:
        path.unlink()
        os.link(place.secret, path)

    place.meanwhile = swap
    assert place.refused(path) in ("swapped", "changed")
    assert path.stat().st_ino == place.before.st_ino
    assert place.is_unharmed()


def test_a_file_changed_while_the_scanner_looks_stays(place: Place) -> None:
    path = place.file()
    place.meanwhile = lambda: path.write_bytes(b"harmless")
    assert place.refused(path) == "changed"
    assert path.read_bytes() == b"harmless"


def test_a_file_in_which_nothing_is_found_any_more_stays(place: Place) -> None:
    assert place.refused(place.file(content=b"harmless")) == "changed"


def test_a_file_of_another_hash_stays(place: Place) -> None:
    path = place.file()
    with pytest.raises(_vault.Refused) as caught:
        place.quarantine().take(str(path), "Bad", ID, sha256="0" * 64)
    assert caught.value.code == "changed"
    assert path.exists()


def test_a_file_that_is_gone_is_no_failure(place: Place) -> None:
    assert place.refused(place.open / "nothing") == "gone"
    assert place.refused(place.open / "no" / "folder") == "gone"


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/usr/bin/ls", "not_allowed"),
        ("/etc/shadow", "not_allowed"),
        ("/var/lib/mysql/shop/orders.ibd", "not_allowed"),
        ("/var/mail/anna", "not_allowed"),
        ("/tmp/../etc/shadow", "path"),
        ("/tmp//x", "path"),
        ("tmp/x", "path"),
        ("/home/anna/Maildir/cur/1", "mail"),
        ("/srv/mail/anna/1", "mail"),
        ("/home/anna/.ssh/authorized_keys", "login"),
        ("/srv/postgresql/13/base/1", "database"),
        ("/home/anna/addresses.sqlite", "database"),
        ("/srv/docker/overlay2/x/diff/bad", "container"),
        ("/tmp/.keepwell-quarantine/x", "own"),
    ],
)
def test_what_is_never_touched(place: Place, path: str, code: str) -> None:
    assert place.refused(path, folders=_allowed.SAFE_ROOTS) == code


@pytest.mark.parametrize(
    ("content", "mode", "code"),
    [
        (b"SQLite format 3\0" + BAD, 0o644, "database"),
        (b"From anna Mon Nov 23\n" + BAD, 0o644, "mail"),
        (b"PK\x03\x04" + BAD, 0o644, "archive"),
        (BAD, 0o4755, "set_id"),
        (BAD, 0o2755, "set_id"),
    ],
)
def test_what_a_file_is_decides_too(place: Place, content: bytes, mode: int, code: str) -> None:
    assert place.refused(place.file(content=content, mode=mode)) == code


def test_an_archive_goes_as_a_whole_where_the_policy_says_so(place: Place) -> None:
    path = place.file(content=b"PK\x03\x04" + BAD)
    assert place.take(path, archives="quarantine")["state"] == "taken"


def test_a_pipe_holds_nobody_up(place: Place) -> None:
    os.mkfifo(place.open / "pipe")
    assert place.refused(place.open / "pipe") == "special"


def test_settings_can_only_narrow(place: Place) -> None:
    path = place.file()
    assert place.refused(path, folders=["/home"]) == "not_allowed"
    assert place.refused("/etc/passwd", folders=["/", "/etc"]) == "not_allowed"
    assert _allowed.problems(["/etc", "/", "/home/../etc", "/usr/bin"]) and not _allowed.problems(["/srv/ftp", "/opt"])


def test_a_quarantine_that_somebody_else_made_is_not_used(place: Place) -> None:
    place.home.mkdir(mode=0o700)
    os.chown(place.home, 1234, 1234)
    path = place.file()
    assert place.refused(path) == "no_quarantine"
    assert path.exists()


def test_a_link_in_the_place_of_the_quarantine_is_not_followed(place: Place) -> None:
    target = place.open / "mine"
    target.mkdir()
    place.home.symlink_to(target)
    path = place.file()
    with pytest.raises(OSError):
        place.take(path)
    assert path.exists() and not list(target.iterdir())


def swap_when_looked_at(monkeypatch: pytest.MonkeyPatch, place: Place, instead: Path) -> None:
    """Put a folder of somebody else in the place of the quarantine as soon as anybody has asked what is there."""
    aside, done = place.root / "aside", []

    def then_swap(ask: Callable[..., os.stat_result]) -> Callable[..., os.stat_result]:
        def asked(what: t.Any, **more: t.Any) -> os.stat_result:
            told = ask(what, **more)
            if not done and (told.st_dev, told.st_ino) == inode:
                done.append(True)
                place.home.rename(aside)
                instead.rename(place.home)
            return told

        return asked

    status = place.home.stat()
    inode = (status.st_dev, status.st_ino)
    for name in ("fstat", "lstat"):
        monkeypatch.setattr(os, name, then_swap(getattr(os, name)))


def forged(place: Place, **more: t.Any) -> Path:
    """A folder of somebody else that looks like a quarantine, with a file that would become root's and set-uid."""
    manifest = place.take(place.file())
    other = place.open / "forged"
    other.mkdir()
    (other / f"{ID}.quarantined").write_bytes(BAD)
    written = {**manifest, "uid": 0, "gid": 0, "mode": "4755", "path": str(place.open / "shell"), **more}
    (other / f"{ID}.json").write_text(json.dumps(written))
    return other


def test_what_is_written_down_goes_into_the_folder_that_was_judged(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the root of another filesystem, whose owner may rename what is in it."""
    target = place.open / "etc"
    target.mkdir()
    (target / f"{ID}.json.new").symlink_to(place.secret)
    note = _quarantine._leave_note

    def swap(home: int) -> None:
        note(home)
        place.home.rename(place.root / "aside")
        place.home.symlink_to(target)

    monkeypatch.setattr(_quarantine, "_leave_note", swap)
    place.take(place.file())
    assert place.secret.read_bytes() == SECRET
    assert [path.name for path in target.iterdir()] == [f"{ID}.json.new"]
    assert json.loads((place.root / "aside" / f"{ID}.json").read_text())["state"] == "taken"


def test_nothing_is_read_from_a_folder_that_came_instead(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    instead = forged(place)
    with monkeypatch.context() as patched:
        swap_when_looked_at(patched, place, instead)
        (entry,) = _vault.entries(Machine())
    assert entry["path"] == str(place.open / "bad")


def test_nothing_is_put_back_from_a_folder_that_came_instead(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    instead = forged(place)
    with monkeypatch.context() as patched:
        swap_when_looked_at(patched, place, instead)
        manifest = _vault.restore(Machine(), ID)
    assert manifest["path"] == str(place.open / "bad")
    assert not (place.open / "shell").exists()


def test_nothing_is_settled_in_a_folder_that_came_instead(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    instead = forged(place, state="taking", id="../../secret")
    with monkeypatch.context() as patched:
        swap_when_looked_at(patched, place, instead)
        assert _vault.settle(Machine()) == []
    assert sorted(path.name for path in place.home.iterdir()) == [f"{ID}.json", f"{ID}.quarantined"]
    assert place.is_unharmed()


def test_a_file_that_a_process_has_open_is_in_use(place: Place) -> None:
    path = place.file()
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        held = path.open("rb")
        os.write(write_end, b"x")
        threading.Event().wait(30)
        held.close()
        os._exit(0)
    try:
        os.read(read_end, 1)
        assert f"process {child}" in _owners.process(path.stat())
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
    assert _owners.process(path.stat()) == ""


def test_a_file_of_a_package_is_told(place: Place) -> None:
    if shutil.which("dpkg-query") is None:
        pytest.skip("needs dpkg")
    assert "the package" in _owners.package(Machine(), "/bin/dash") + _owners.package(Machine(), "/usr/bin/dash")
    assert _owners.package(Machine(), str(place.file("a[b]*?"))) == ""


@pytest.mark.parametrize(
    ("answers", "stays"),
    [
        (
            {"dpkg-query": (1, "", "no path found"), "rpm": (0, "web-server\n", "")},
            "it belongs to the package web-server",
        ),
        ({"rpm": (1, "file /srv/x is not owned by any package\n", "")}, ""),
        (
            {"rpm": (1, "file /srv/x is not owned by any package\n", "error: cannot open Packages database")},
            "the package manager could not say whether it belongs to a package",
        ),
        ({}, ""),
    ],
)
def test_every_package_manager_is_asked_and_believed_only_when_it_can_tell(
    monkeypatch: pytest.MonkeyPatch, answers: dict[str, tuple[int, str, str]], stays: str
) -> None:
    machine = Machine()
    monkeypatch.setattr(machine, "which", lambda name: name if name in answers else None)
    monkeypatch.setattr(machine, "run", lambda argv, **_more: Output("ok", *answers[argv[0]]))
    assert _owners.package(machine, "/srv/x") == stays


def test_a_killed_program_leaves_nothing_half_done(place: Place) -> None:
    moved, stays = place.file(), place.file("stays")
    manifest = place.take(moved)
    other = ID[:-1] + "1"
    for identifier, path in ((ID, moved), (other, stays)):
        half = dict(manifest, id=identifier, state="taking", path=str(path))
        (place.home / f"{identifier}.json").write_text(json.dumps(half))
    assert [entry["id"] for entry in _vault.settle(Machine())] == [ID]
    assert [(entry["id"], entry["state"]) for entry in _vault.entries(Machine())] == [(ID, "taken")]
    assert stays.exists()


def test_what_a_killed_program_had_moved_is_known_as_quarantined(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_ledger, "FOLDER", str(place.root))
    monkeypatch.setattr(_ledger, "PATH", str(place.root / "ledger.json"))
    moved = place.file()
    ledger = _ledger.empty()
    _ledger.found(ledger, "Bad", str(moved), 1.0)
    _ledger.save(ledger)
    manifest = place.take(moved)
    (place.home / f"{ID}.json").write_text(json.dumps({**manifest, "state": "taking"}))
    state = {"phase": "quarantining", "steps": ["quarantine"], "results": {}, "progress": {}}
    assert "moved at the last moment" in _control._cut_off(Machine(), state, False, "It was ended")["text"]
    (entry,) = _ledger.load()["detections"].values()
    assert (entry["state"], entry["acted"]["id"]) == ("acted", ID)


def test_a_link_with_the_number_of_what_was_moved_is_not_followed(place: Place) -> None:
    manifest = place.take(place.file())
    stored = place.home / f"{ID}.quarantined"
    stored.unlink()
    stored.symlink_to(place.secret)
    half = {**manifest, "state": "taking", "inode": stored.lstat().st_ino}
    (place.home / f"{ID}.json").write_text(json.dumps(half))
    assert _vault.settle(Machine()) == []
    assert place.secret.stat().st_mode == place.before.st_mode


def test_racing_for_seconds_never_moves_the_wrong_file(place: Place) -> None:
    """Somebody swaps file, links and hard links as fast as possible; whatever is moved is what was found."""
    path = place.open / "bad"
    bad, link, hard = (place.open / name for name in ("1", "2", "3"))
    over = threading.Event()

    def swap() -> None:
        while not over.is_set():
            bad.write_bytes(BAD)
            os.replace(bad, path)
            link.symlink_to(place.secret)
            os.replace(link, path)
            os.link(place.secret, hard)
            os.replace(hard, path)

    attacker = threading.Thread(target=swap)
    attacker.start()
    taken, codes = 0, set()
    try:
        for number in range(600):
            try:
                place.quarantine().take(str(path), "Bad", f"{ID[:-3]}{number:03d}")
                taken += 1
            except _vault.Refused as exc:
                codes.add(exc.code)
    finally:
        over.set()
        attacker.join()
    assert place.secret.read_bytes() == SECRET
    assert stat.S_IMODE(place.secret.stat().st_mode) == 0o600
    for manifest in _vault.entries(Machine()):
        assert Path(manifest["folder"], manifest["id"] + ".quarantined").read_bytes() == BAD
    assert codes, f"{taken} taken and never a race: the attacker did nothing"
