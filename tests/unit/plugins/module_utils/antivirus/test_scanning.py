# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is scanned, what is left out, and how the scanner's answers are counted."""

from __future__ import annotations

import ast
import os
import typing as t
from pathlib import Path

import pytest

from ansible_collections.keepwell.fleet.plugins.module_utils.antivirus import (
    _engine,
    _ledger,
    _places,
    _scanner,
)
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import Machine
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._sources import Output

ROOT = Path(__file__).parents[5]
LIMITS = {"max_file_bytes": 1000, "max_scan_bytes": 4000}
CLAMD = {"scanner": "clamd", "limits": {"MaxFileSize": 500, "MaxScanSize": 0}}
CLAMSCAN = {"scanner": "clamscan", "limits": {}}


def walk(*paths: Path, **options: t.Any) -> tuple[list[str], _places.Walk]:
    """Names of the files that a walk hands over, and the walk."""
    made = _places.Walk(Machine(), [str(path) for path in paths], **options)
    return [os.fsdecode(path) for path, _size in made.files()], made


def fill(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")


def test_a_walk_leaves_out_what_a_scan_has_no_business_with(tmp_path: Path) -> None:
    fill(tmp_path, "a", "b/c", "pg/PG_VERSION", "pg/base/1", "pg/global/1", "my/ibdata1", "mine/e")
    fill(tmp_path, *(f"restic/{name}" for name in ("config", "data/1", "keys/1", "snapshots/1", "index/1")))
    fill(tmp_path, "borg/config", "borg/data/1", "docker/overlay2/x", "docker/image/x", "declared/x")
    (tmp_path / "borg/README").write_text("This is a Borg Backup repository.\n")
    (tmp_path / "empty").touch()
    (tmp_path / "large").write_bytes(b"x" * 2000)
    (tmp_path / "link").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "pipe")
    files, made = walk(tmp_path, largest=1000, excluded=[str(tmp_path / "mine")], backups=[str(tmp_path / "declared")])
    assert [Path(path).relative_to(tmp_path).as_posix() for path in files] == ["a", "b/c"]
    codes = {Path(path).relative_to(tmp_path).as_posix(): code for path, code in made.left_out.items()}
    assert codes == {
        "pg": "database", "my": "database", "restic": "backup", "borg": "backup", "docker": "container",
        "declared": "backup", "mine": "setting",
    }  # fmt: skip
    assert made.skipped == {"empty": 1, "large": 1, "link": 1, "special": 1}
    assert made.large == [f"{tmp_path}/large (2000 bytes)"]


def test_views_of_the_kernel_and_the_network_are_never_walked() -> None:
    for path in ("/proc", "/sys/kernel", "/dev", "/run", "/var/lib/docker/overlay2", "/var/lib/mysql"):
        files, made = walk(Path(path))
        assert files == [] and list(made.left_out) == [path]


def test_a_mount_from_the_network_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, "share/x", "y")
    machine = Machine()
    line = f"99 1 0:77 / {tmp_path}/share rw - nfs4 server:/x rw\n"
    monkeypatch.setattr(machine, "read", lambda path: line if path == "/proc/self/mountinfo" else None)
    made = _places.Walk(machine, [str(tmp_path)])
    assert [os.fsdecode(path) for path, _size in made.files()] == [str(tmp_path / "y")]
    assert made.left_out == {str(tmp_path / "share"): "network"}


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    _files, made = walk(tmp_path / "nothing")
    assert made.unreadable == [f"{tmp_path}/nothing: No such file or directory"]


def test_a_walk_goes_on_where_an_earlier_one_stopped(tmp_path: Path) -> None:
    fill(tmp_path, "a/1", "a/2", "b/1/x", "b/1/y", "b/2", "c")
    whole, _made = walk(tmp_path)
    for number, path in enumerate(whole):
        assert walk(tmp_path, resume=path)[0] == whole[number + 1 :]


def test_a_walk_through_several_folders_goes_on_where_an_earlier_one_stopped(tmp_path: Path) -> None:
    fill(tmp_path, "data/www/1", "data/www/2", "data-old/1", "data-old/2/x")
    folders = [tmp_path / "data/www", tmp_path / "data-old", tmp_path / "data-old/2"]
    whole, _made = walk(*folders)
    assert len(whole) == 4
    for number, path in enumerate(whole):
        assert walk(*folders, resume=path)[0] == whole[number + 1 :]


def test_a_walk_over_many_files_by_name_does_not_compare_each_with_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = []
    fsdecode = os.fsdecode
    monkeypatch.setattr(os, "fsdecode", lambda path: decoded.append(path) or fsdecode(path))
    fill(tmp_path, *(str(number) for number in range(300)))
    assert len(walk(*tmp_path.iterdir())[0]) == 300
    assert len(decoded) < 3000


def test_a_walk_through_everything_goes_on_where_an_earlier_one_stopped() -> None:
    made = _places.Walk(Machine(), ["/"], resume="/etc/hostname")
    path, _size = next(made.files())
    assert path > b"/etc/hostname"


def test_names_that_are_no_text_are_walked(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff")).write_text("x")
    files, _made = walk(tmp_path)
    assert os.fsencode(files[0]).endswith(b"bad\xff")
    assert _places.printable(files[0]).endswith(r"bad\xff")


def test_a_count_can_be_cut_short(tmp_path: Path) -> None:
    fill(tmp_path, *(str(number) for number in range(10)))
    counted = _places.estimate(Machine(), _places.Walk(Machine(), [str(tmp_path)]), 60, 5)
    assert counted == {"files": 5, "bytes": 5, "whole": False}


class Answers:
    """Commands whose scanner says what the test wants."""

    def __init__(self, folder: Path, *lines: bytes, status: str = "ok", rc: int = 0, err: str = "") -> None:
        self.folder = str(folder)
        self.lines = list(lines)
        self.argv: list[list[str]] = []
        self.ended = Output(status, rc, "", err)

    def stream(self, argv: list[str], take: t.Callable[[bytes], None], timeout: float) -> Output:
        self.argv.append(argv)
        for line in self.lines:
            take(line)
        return self.ended

    def run(self, argv: list[str], timeout: float) -> Output:
        self.argv.append(argv)
        return Output("ok", self.ended.rc, f"{argv[-1]}: Bad.Thing FOUND\n" if self.ended.rc == 1 else "", "")


def scan(answers: Answers, *paths: bytes, engine: dict[str, t.Any] = CLAMD) -> tuple[bool, _scanner.Scan]:
    made = _scanner.Scan(answers, engine, LIMITS, lambda scan: None)
    return made.batches([(path, 10) for path in paths], lambda: 60.0), made


def test_return_code_2_hides_no_finds(tmp_path: Path) -> None:
    answers = Answers(
        tmp_path, b"/t/a: OK\n", b"/t/b: Bad.Thing FOUND\n", b"/t/c: Access denied. ERROR\n", rc=2, err="x"
    )
    whole, made = scan(answers, b"/t/a", b"/t/b", b"/t/c")
    assert whole and made.found == [{"path": b"/t/b", "name": "Bad.Thing"}]
    assert (made.scanned, made.bytes, made.errors, made.unanswered) == (2, 20, 1, 0)
    assert made.unreadable == ["/t/c: Access denied"]


def test_return_code_0_makes_nobody_clean(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    _whole, made = scan(Answers(tmp_path, err="out of memory"), os.fsencode(tmp_path / "a"), b"/t/gone")
    assert (made.scanned, made.unanswered, made.gone) == (0, 1, 1)
    assert "out of memory" in made.unreadable[0]


def test_what_the_scanner_passes_by_is_not_clean(tmp_path: Path) -> None:
    lines = (b"/t/a: Excluded\n", b"/t/b: Symbolic link\n", b"/t/c: OK\n", b"/t/d: Empty file\n")
    made = _scanner.Scan(Answers(tmp_path, *lines), CLAMD, LIMITS, lambda scan: None)
    made.asked = frozenset((b"/t/a", b"/t/b", b"/t/c", b"/t/d"))
    assert made.batches([(path, 10) for path in sorted(made.asked)], lambda: 60.0)
    assert made.clean == {b"/t/c", b"/t/d"}
    assert (made.scanned, made.passed_by, made.unanswered) == (2, 2, 0)


def test_a_name_that_looks_like_an_answer_is_told_apart(tmp_path: Path) -> None:
    answers = Answers(tmp_path, b"/t/evil: OK: Bad(d41d8cd98f00b204e9800998ecf8427e:3) FOUND\n", b"/t/evil: OK\n")
    _whole, made = scan(answers, b"/t/evil", b"/t/evil: OK")
    assert made.found == [{"path": b"/t/evil: OK", "name": "Bad"}] and made.scanned == 2


def test_an_answer_about_a_file_that_nobody_asked_for_is_no_answer(tmp_path: Path) -> None:
    _whole, made = scan(Answers(tmp_path, b"/etc/passwd: Bad FOUND\n", b"/t/a: OK\n"), b"/t/a")
    assert made.found == [] and made.scanned == 1


def test_a_name_over_two_lines_is_scanned_by_itself(tmp_path: Path) -> None:
    answers = Answers(tmp_path, b"/t/a: OK\n", rc=1)
    _whole, made = scan(answers, b"/t/new\nline", b"/t/a")
    assert made.found == [{"path": b"/t/new\nline", "name": "Bad.Thing"}]
    assert answers.argv[0][-1] == "/t/new\nline"
    assert (tmp_path / "files").read_bytes() == b"/t/a\n"


def test_a_scan_that_ran_out_of_time_is_not_whole(tmp_path: Path) -> None:
    whole, made = scan(Answers(tmp_path, b"/t/a: OK\n", status="timeout"), b"/t/a", b"/t/b")
    assert not whole and made.last == b"/t/a" and made.unanswered == 0


def test_a_daemon_outside_of_all_limits_is_given_pauses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, slept = [0.0], []
    monkeypatch.setattr(_scanner.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(_scanner.time, "sleep", slept.append)

    class Slow(Answers):
        def stream(self, argv: list[str], take: t.Callable[[bytes], None], timeout: float) -> Output:
            clock[0] += 3.0
            return super().stream(argv, take, timeout)

    for engine, expected in ((CLAMD, [9.0]), (CLAMSCAN, [])):
        slept.clear()
        made = _scanner.Scan(Slow(tmp_path, b"/t/a: OK\n"), engine, {**LIMITS, "cpu_percent": 25}, lambda scan: None)
        assert made.batches([(b"/t/a", 10)], lambda: 60.0)
        assert slept == expected


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (b"fd[11]: Bad.Thing FOUND\0", "Bad.Thing"),
        (b"fd[11]: OK\0", ""),
        (b"", None),
        (b"fd[11]: Can't allocate memory ERROR\0", None),
        (b"INSTREAM size limit exceeded. ERROR\0", None),
    ],
)
def test_what_clamd_says_of_an_open_file(monkeypatch: pytest.MonkeyPatch, answer: bytes, found: str | None) -> None:
    monkeypatch.setattr(_engine, "scan_open", lambda where, descriptor: answer)
    assert _scanner.is_found(None, {**CLAMD, "socket": "/x"}, 3, LIMITS) == found


def test_nothing_can_make_the_scanner_remove_or_move_anything() -> None:
    for engine in (CLAMD, CLAMSCAN):
        for follow in (False, True):
            words = _engine.scan_command(engine, {**LIMITS, "remove": True}, follow)
            assert not [word for word in words if word.startswith(("--remove", "--move", "--copy"))]
    for path in (ROOT / "plugins/module_utils/antivirus").glob("*.py"):
        texts = [node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)]
        assert not [text for text in texts if isinstance(text, str) and text.startswith(("--remove", "--move"))], path


def test_files_above_any_limit_of_the_daemon_are_not_called_scanned() -> None:
    assert _engine.largest(CLAMD, LIMITS) == 500
    assert _engine.largest(CLAMSCAN, LIMITS) == 1000


def ledger_with(*paths: str) -> dict[str, t.Any]:
    ledger = _ledger.empty()
    for path in paths:
        _ledger.found(ledger, "Bad", path, 100.0)
    return ledger


def test_only_what_was_looked_at_again_is_over() -> None:
    ledger = ledger_with("/t/a", "/t/b", "/t/c")
    closed = _ledger.looked(ledger, {"/t/a"}, {"/t/b"}, 200.0)
    assert closed == sorted([_ledger.key("Bad", "/t/a"), _ledger.key("Bad", "/t/b")])
    assert _ledger.open_paths(ledger) == ["/t/c"]


def test_what_was_moved_is_open_until_its_place_was_looked_at() -> None:
    ledger = ledger_with("/t/a")
    entry = ledger["detections"][_ledger.key("Bad", "/t/a")]
    _ledger.acted(entry, "quarantined", "X", 150.0)
    assert _ledger.open_paths(ledger) == ["/t/a"]
    _ledger.looked(ledger, set(), {"/t/a"}, 200.0)
    assert entry["state"] == "cleared" and entry["why"] == "quarantined, and its place was looked at again"


def test_what_comes_back_is_a_new_detection() -> None:
    ledger = ledger_with("/t/a")
    _ledger.looked(ledger, set(), {"/t/a"}, 200.0)
    entry = _ledger.found(ledger, "Bad", "/t/a", 300.0)
    assert (entry["first_seen"], entry["state"], entry["cleared_at"]) == (300.0, "open", None)
    again = _ledger.found(ledger, "Bad", "/t/a", 400.0)
    assert (again["first_seen"], again["last_seen"]) == (300.0, 400.0)


def test_a_scan_in_parts_counts_from_its_first_part() -> None:
    ledger = _ledger.empty()
    _ledger.scanned(ledger, ["quick"], False, 100.0, "/t/m", ["/t"])
    assert _ledger.resume_of(ledger, ["quick"], ["/t"]) == "/t/m" and ledger["scans"] == {}
    assert _ledger.resume_of(ledger, ["full", "quick"], ["/t"]) is None
    _ledger.scanned(ledger, ["quick"], True, 900.0, None, ["/t"])
    assert ledger["scans"] == {"quick": 100.0} and ledger["resume"] is None


def test_a_scan_of_other_folders_begins_anew() -> None:
    ledger = _ledger.empty()
    _ledger.scanned(ledger, ["quick"], False, 100.0, "/srv/m", ["/srv"])
    assert _ledger.resume_of(ledger, ["quick"], ["/srv", "/home"]) is None
    _ledger.scanned(ledger, ["quick"], True, 900.0, None, ["/srv", "/home"])
    assert ledger["scans"] == {"quick": 900.0}


def test_repairs_are_counted_by_the_day() -> None:
    ledger = _ledger.empty()
    for moment in (0.0, 80000.0, 90000.0):
        _ledger.repaired(ledger, "clamav-daemon.service", moment, "started")
    assert _ledger.repairs_of_a_day(ledger, "clamav-daemon.service", 100000.0) == 2
    assert _ledger.repairs_of_a_day(ledger, "mdatp.service", 100000.0) == 0


def test_a_ledger_of_another_form_is_refused() -> None:
    for text in ("", "[]", '{"detections": []}'):
        with pytest.raises(ValueError):
            _ledger.parse(text)
