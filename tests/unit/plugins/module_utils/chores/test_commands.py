"""Commands that change a host: bounded, recorded, and never ended while packages are being installed."""

from __future__ import annotations

import time
from pathlib import Path

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
