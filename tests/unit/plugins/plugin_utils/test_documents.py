"""Documents as files: whole, with safe names, told in one sentence when they cannot be read."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.keepwell.fleet.plugins.plugin_utils import documents
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import Manifest, Run


@given(st.text(min_size=1, max_size=300))
def test_any_host_name_gives_a_safe_file_name(name: str) -> None:
    file_name = documents.host_file_name(name)
    assert file_name
    assert "/" not in file_name
    assert not file_name.startswith(".")
    assert len((file_name + ".json").encode()) <= 255


@given(st.text(max_size=200), st.text(max_size=200))
def test_different_hosts_get_different_files(one: str, other: str) -> None:
    same = documents.host_file_name(one) == documents.host_file_name(other)
    # Surrogates that no file system can hold are replaced; everything else is told apart.
    assert same == (one.encode("utf-8", "replace") == other.encode("utf-8", "replace"))


def test_canonical_json_is_sorted_compact_utf8() -> None:
    assert documents.canonical({"b": [1, None], "a": "é"}) == '{"a":"é","b":[1,null]}\n'.encode()
    with pytest.raises(ValueError, match="Out of range"):
        documents.canonical({"a": float("nan")})


@pytest.mark.parametrize("write", [documents.write_atomic, documents.append_line])
def test_folders_made_on_the_way_are_for_the_owner_and_the_group(
    tmp_path: Path, write: t.Callable[[Path, bytes], None]
) -> None:
    before = os.umask(0o022)
    try:
        write(tmp_path / "state" / "acme" / "runs" / "one", b"{}\n")
    finally:
        os.umask(before)
    folders = [tmp_path / "state", tmp_path / "state" / "acme", tmp_path / "state" / "acme" / "runs"]
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in folders] == [0o750] * 3


def test_atomic_write_leaves_the_old_file_when_it_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file.json"
    documents.write_atomic(path, b"old")

    def fail(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        documents.write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.json"]


def test_kill_during_writes_leaves_no_torn_file(tmp_path: Path) -> None:
    """Kill a writer with SIGKILL at many moments; what is there is always one whole document."""
    program = (
        "import sys; sys.path.insert(0, sys.argv[2])\n"
        "from pathlib import Path\n"
        "from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import write_atomic\n"
        "print('ready', flush=True)\n"
        "n = 0\n"
        "while True:\n"
        "    n += 1\n"
        "    write_atomic(Path(sys.argv[1]), (str(n) * 200000 + 'end').encode())\n"
    )
    path = tmp_path / "hosts" / "web1.json"
    collections = str(Path(__file__).parents[4] / "collections")
    for pause in (0.05, 0.11, 0.17):
        writer = subprocess.Popen([sys.executable, "-c", program, str(path), collections], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(pause)
        writer.kill()
        writer.wait()
        text = path.read_text()
        number = text[: (len(text) - 3) // 200000]
        assert text == number * 200000 + "end"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"{", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"[]", "is not a Run of this version"),
        (b'{"status": "complete"}', "is not a Run of this version (header: Field required)"),
        (b'{"status": "complete", "header": {}, "surprise": 1}', "is not a Run of this version"),
    ],
)
def test_unreadable_evidence_is_told_in_one_sentence(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(content)
    with pytest.raises(documents.EvidenceError) as caught:
        documents.load(Run, path)
    assert str(path) in str(caught.value)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_evidence_is_told_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(documents.EvidenceError, match="cannot be read: No such file or directory"):
        documents.load(Manifest, tmp_path / "manifest.json")
