"""What was restored is compared with what it should be; what changed since the snapshot is never a mismatch."""

from __future__ import annotations

import hashlib
import os
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import _compare
from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification._compare import Comparison
from ansible_collections.keepwell.fleet.plugins.module_utils.chores._errors import AgentError

BIG = os.urandom(3 * 1024 * 1024 + 17)


class Case:
    """A restored folder and a live one."""

    def __init__(self, root: Path) -> None:
        self.target = root / "restored"
        self.live = root / "live"
        self.target.mkdir()
        self.live.mkdir()

    def write(self, restored: bytes | None, live: bytes | None = None, name: str = "file") -> None:
        for folder, data in ((self.target, restored), (self.live, live)):
            if data is not None:
                Path(os.fsdecode(os.fsencode(folder) + b"/" + os.fsencode(name))).write_bytes(data)

    def compared(self, size: int = 0, later: float = 60, name: str = "/file", **more: t.Any) -> dict[str, t.Any]:
        """The answer for one file; the snapshot began ``later`` seconds from now."""
        live = more.pop("live", lambda path: f"{self.live}/{path.lstrip('/')}")
        comparison = Comparison(str(self.target), live, time.time() + later, **more)
        comparison.add(name, size)
        return comparison.close()


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


def counts(found: dict[str, t.Any]) -> list[str]:
    """Which of the numbers are not 0, and which lists not empty."""
    return [name for name in ("identical", "changed", "unreferenced", "mismatches", "missing") if found[name]]


@pytest.mark.parametrize("data", [b"", b"x", BIG], ids=["empty", "small", "large"])
def test_equal_files_are_identical(case: Case, data: bytes) -> None:
    case.write(data, data)
    found = case.compared(len(data))
    assert (counts(found), found["files"], found["bytes"]) == (["identical"], 1, len(data))


@pytest.mark.parametrize("position", [0, 1024 * 1024, len(BIG) - 1])
def test_one_flipped_bit_is_a_mismatch(case: Case, position: int) -> None:
    wrong = bytearray(BIG)
    wrong[position] ^= 1
    case.write(bytes(wrong), BIG)
    found = case.compared()
    assert found["mismatches"] == [
        {"path": "/file", "why": "its content is not that of the live file, which has not changed since the snapshot"}
    ]
    assert found["identical"] == 0


def test_what_changed_since_the_snapshot_is_no_mismatch(case: Case) -> None:
    case.write(b"as it was", b"as it is now")
    assert counts(case.compared(later=-60)) == ["changed"]
    case.write(b"same", b"same")
    assert counts(case.compared(later=-60)) == ["identical"]


def test_a_new_ctime_is_a_change_too(case: Case) -> None:
    case.write(b"before", b"after!")
    os.utime(case.live / "file", (1000, 1000))
    assert counts(case.compared(later=-1)) == ["changed"]


def test_what_changes_while_it_is_read_is_no_mismatch(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    case.write(b"before", b"after!")
    fill = _compare._fill

    def slow(stream: t.Any, block: t.Any) -> int:
        os.utime(case.live / "file", (1000, 1000))
        return fill(stream, block)

    monkeypatch.setattr(_compare, "_fill", slow)
    assert counts(case.compared()) == ["changed"]


def test_a_shorter_file_is_told_with_its_size(case: Case) -> None:
    case.write(b"abc", b"abcdef")
    assert case.compared()["mismatches"][0]["why"].startswith("3 bytes came back, the live file,")
    found = case.compared(size=6)
    assert found["mismatches"] == [{"path": "/file", "why": "3 bytes came back, the snapshot says 6"}]


def test_without_a_live_file_there_is_nothing_to_compare_with(case: Case) -> None:
    case.write(b"abc")
    assert counts(case.compared()) == ["unreferenced"]
    assert counts(case.compared(live=None)) == ["unreferenced"]
    (case.live / "file").symlink_to("/etc/passwd")
    assert counts(case.compared()) == ["unreferenced"]
    (case.live / "file").unlink()
    os.mkfifo(case.live / "file")
    assert counts(case.compared()) == ["unreferenced"]


def test_what_did_not_come_back_is_missing(case: Case) -> None:
    found = case.compared()
    assert (found["missing"], found["files"]) == (["/file"], 0)


def test_a_restored_link_is_not_followed(case: Case) -> None:
    (case.target / "file").symlink_to("/etc/passwd")
    (case.target / "etc").symlink_to("/etc")
    assert case.compared()["mismatches"] == [{"path": "/file", "why": "it came back as something else than a file"}]
    assert counts(case.compared(name="/etc/passwd")) != ["identical"]
    assert case.compared(name="/etc/passwd")["bytes"] == 0
    assert case.compared(name="/../../etc/passwd")["bytes"] == 0


def test_mode_and_owner_count_when_wanted(case: Case) -> None:
    case.write(b"abc", b"abc")
    (case.target / "file").chmod(0o600)
    (case.live / "file").chmod(0o644)
    assert counts(case.compared()) == ["identical"]
    found = case.compared(metadata=True)
    assert found["mismatches"][0]["why"].startswith("mode and owner are 0600 ")
    assert counts(case.compared(metadata=True, later=-60)) == ["identical"]


def test_a_list_of_checksums_is_the_better_reference(case: Case) -> None:
    case.write(BIG, b"something else")
    sums = {"file": hashlib.sha256(BIG).hexdigest()}
    assert counts(case.compared(sums=sums)) == ["identical"]
    found = case.compared(sums={"file": "0" * 64}, live=None)
    assert found["mismatches"][0]["why"].endswith("the list of checksums says 000000000000...")


@pytest.mark.parametrize("name", ["new\nline", "back\\slash", "\udcff\udcfe", "ü", "-n", "a b", "*"])
def test_hostile_names_are_names(case: Case, name: str) -> None:
    case.write(b"abc", b"abc", name)
    found = case.compared(name="/" + name)
    assert counts(found) == ["identical"]
    shown = found["paths"][0]
    assert shown.isprintable()
    shown.encode("utf-8")


@pytest.mark.parametrize("sign", ["\ufffd", "?"])
def test_a_name_that_a_tool_cannot_spell_is_found(case: Case, sign: str) -> None:
    case.write(b"abc", b"abc", "x\udcff\udcfe")
    assert counts(case.compared(name=f"/x{sign}{sign}")) == ["identical"]
    assert counts(case.compared(name=f"/x{sign}")) == ["missing"]


def test_lists_have_an_end(case: Case) -> None:
    comparison = Comparison(str(case.target), None, 0)
    for number in range(500):
        comparison.add(f"/gone{number}", 1)
    found = comparison.close()
    assert len(found["missing"]) == _compare.PATH_CAP + 1
    assert found["missing"][-1] == "... and 300 more"


def test_the_list_is_what_sha256sum_writes(tmp_path: Path) -> None:
    one, two = "a" * 64, "B" * 64
    path = tmp_path / "SUMS"
    path.write_text(f"{one}  ./srv/a b\n{two} */srv/c\n\\{one}  srv/new\\nline\\\\x\n")
    assert _compare.read_sums(str(path)) == {"srv/a b": one, "srv/c": two.lower(), "srv/new\nline\\x": one}
    assert _compare.read_sums(str(path), {"srv/c"}) == {"srv/c": two.lower()}
    path.write_text(f"{one}  ok\nnothing of the kind\n")
    with pytest.raises(AgentError, match="line 2: this is no line of sha256sum"):
        _compare.read_sums(str(path))
    with pytest.raises(AgentError, match="cannot be read: No such file"):
        _compare.read_sums(str(tmp_path / "none"))
