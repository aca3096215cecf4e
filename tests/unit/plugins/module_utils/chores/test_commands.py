"""Commands that change a host: bounded, recorded, and never ended while packages are being installed."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from ansible_collections.keepwell.fleet.plugins.module_utils.chores._commands import Commands
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import Machine


def test_what_takes_too_long_is_ended_with_its_children(tmp_path: Path) -> None:
    commands = Commands(Machine(), str(tmp_path), time.monotonic() + 60)
    began = time.monotonic()
    output = commands.run(["sh", "-c", "sleep 5; echo late"], timeout=0.2)
    assert (output.status, output.rc) == ("timeout", None)
    assert "late" not in output.out
    assert time.monotonic() - began < 20


def test_the_installation_of_packages_is_never_ended(tmp_path: Path) -> None:
    commands = Commands(Machine(), str(tmp_path), time.monotonic())
    commands.patient = True
    output = commands.run(["sh", "-c", "sleep 0.4; echo whole"])
    assert (output.status, output.rc, output.out) == ("ok", 0, "whole\n")


def test_every_command_its_words_and_its_end_are_in_the_log(tmp_path: Path) -> None:
    told: list[int | None] = []
    commands = Commands(Machine(), str(tmp_path), time.monotonic() + 60, told.append)
    assert commands.run(["sh", "-c", "echo one; echo two >&2; exit 3"]).rc == 3
    assert commands.run(["keepwell-has-no-such-command"]).status == "absent"
    log = (tmp_path / "log").read_text()
    assert log.startswith("$ sh -c ")
    assert log.endswith("one\ntwo\n# ended with 3\n")
    assert commands.said == "one\ntwo\n"
    assert [pid is None for pid in told] == [False, True]


def test_what_a_command_prints_can_be_read_while_it_runs(tmp_path: Path) -> None:
    commands = Commands(Machine(), str(tmp_path), time.monotonic() + 60)
    taken: list[int] = []
    output = commands.pipe(["head", "-c", "3000000", "/dev/zero"], lambda stream: taken.append(len(stream.read())))
    assert (taken, output.status, output.rc, output.out) == ([3_000_000], "ok", 0, "")
    began = time.monotonic()
    # Who reads no further ends it.
    assert commands.pipe(["cat", "/dev/zero"], lambda stream: taken.append(len(stream.read(10)))).rc == -13
    with pytest.raises(ZeroDivisionError):
        commands.pipe(["cat", "/dev/zero"], lambda stream: 1 / 0)
    assert time.monotonic() - began < 20
    assert 0 < commands.left() < 60


def test_lines_can_be_taken_one_by_one(tmp_path: Path) -> None:
    commands = Commands(Machine(), str(tmp_path), time.monotonic() + 60)
    taken: list[bytes] = []
    script = "echo one; head -c 100000 /dev/zero | tr '\\0' x; echo; echo two; echo bad >&2; exit 4"
    output = commands.stream(["sh", "-c", script], taken.append)
    assert (output.status, output.rc, output.out, output.err) == ("ok", 4, "", "bad\n")
    assert [line[:4] for line in taken] == [b"one\n", b"xxxx", b"two\n"]
    assert max(map(len, taken)) == 64 * 1024
    assert commands.stream(["sh", "-c", "echo x; sleep 9"], taken.append, timeout=0.2).status == "timeout"
    assert commands.stream(["keepwell-has-no-such-command"], taken.append).status == "absent"
