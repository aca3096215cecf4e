"""Every recording below cases/patching_apt: what apt's backend makes of it is what the case says.

``call`` names the function; ``items``, ``moves`` and ``said`` are its arguments. Commands are named as in probe cases,
with two abbreviations: APT for apt-get as a look asks it, PACKAGES for the list of installed packages.
"""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import replay
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.keepwell.fleet.plugins.module_utils.patching import _apt, _apt_moves
from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _dpkg
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import Output

LOOKING = (
    "apt-get -y -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o Debug::NoLocking=1"
    " -o Dir::Log::Planner=/dev/null"
)


def _command(name: str) -> str:
    """What the abbreviated name of a command stands for."""
    if name == "PACKAGES":
        return " ".join(_dpkg.QUERY)
    kind, _space, rest = name.partition(" ")
    return f"{LOOKING} {rest}" if kind == "APT" else name


class Commands:
    """What a backend acts with, on a recorded machine; remembers what was run."""

    def __init__(self, machine: replay.ReplayMachine) -> None:
        self.machine = machine
        self.ran: list[list[str]] = []

    def run(self, argv: list[str], env: dict[str, str] | None = None, timeout: float | None = None) -> t.Any:
        self.ran.append(argv)
        return self.machine.run(argv, accepted=None, env=env)


@pytest.mark.parametrize("path", replay.cases("patching_apt"), ids=lambda path: path.stem)
def test_case(path: Path) -> None:
    case = replay.load(path)
    commands = {_command(name): answer for name, answer in (case.get("commands") or {}).items()}
    machine = replay.ReplayMachine({**case, "commands": commands})
    arguments = [case[name] for name in ("items", "moves", "said") if name in case]
    acting = Commands(machine)
    if case["call"] == "undo":
        answer = _apt.undo(acting, case["moves"], {})
    else:
        answer = getattr(_apt, case["call"])(acting if case["call"] == "refresh" else machine, *arguments)
    assert not replay.differences(case["expect"], answer)
    # What has no way back was not tried.
    assert case["call"] != "undo" or bool(acting.ran) is (answer["rc"] == 0)


@pytest.mark.parametrize("function", ["download", "apply"])
def test_what_changes_the_host_names_exact_versions_removes_nothing_and_asks_nothing(function: str) -> None:
    ran: list[list[str]] = []

    class Acting:
        @staticmethod
        def run(argv: list[str]) -> None:
            ran.append(argv)

    items = [
        {"name": "kw-tool", "arch": "all", "version": "1.0-1+deb12u1", "kind": "package"},
        {"name": "kw-multi", "arch": "i386", "version": "1:2.0", "kind": "package"},
    ]
    getattr(_apt, function)(Acting(), items)
    (argv,) = ran
    assert argv[:2] == ["apt-get", "-y"]
    for option in ("--no-remove", "Dpkg::Options::=--force-confdef", "Dpkg::Options::=--force-confold"):
        assert option in argv
    assert not [word for word in argv if word.startswith(("--allow", "--force-yes", "--yes-i"))]
    assert argv[-4:] == ["install", "--only-upgrade", "kw-multi:i386=1:2.0", "kw-tool=1.0-1+deb12u1"]
    # What is installed was fetched before: no archive can change it in between.
    assert ("-d" in argv, "--no-download" in argv) == (function == "download", function == "apply")


COUNTS = "{} upgraded, {} newly installed, {} to remove and 5 not upgraded.\n"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "Inst libc6:i386 [2.36-9] (2.36-9+deb12u1 Debian:12.1/stable, Debian-Security:12/stable [i386]) [x:amd64 ]",
            ("libc6", "i386", "upgrade", "2.36-9", "2.36-9+deb12u1"),
        ),
        ("Inst kw-tool [1.0-2] (1.0-1 local-deb [all])", ("kw-tool", "all", "downgrade", "1.0-2", "1.0-1")),
        ("Inst kw-tool [1.0~rc1] (1.0 [all])", ("kw-tool", "all", "upgrade", "1.0~rc1", "1.0")),
        ("Inst kw-tool [1.0-1] (1.0-1 A:1/b [all])", ("kw-tool", "all", "reinstall", "1.0-1", "1.0-1")),
        ("Inst kw-new (1:0.9-1 A:1/b [amd64]) []", ("kw-new", "amd64", "install", None, "1:0.9-1")),
    ],
)
def test_a_step_is_read_with_its_architecture_and_direction(line: str, expected: tuple[str | None, ...]) -> None:
    new = expected[2] == "install"
    (found,) = _apt_moves.parse_simulation(line + "\n" + COUNTS.format(int(not new), int(new), 0))
    assert tuple(found[name] for name in ("name", "arch", "action", "before", "after")) == expected


def test_what_goes_is_a_removal_purged_or_not() -> None:
    text = "Remv kw-a [1] [kw-b:amd64 ]\nPurg kw-b:i386 [2]\n" + COUNTS.format(0, 0, 2)
    assert [(move["name"], move["arch"], move["action"]) for move in _apt_moves.parse_simulation(text)] == [
        ("kw-a", "", "remove"),
        ("kw-b", "i386", "remove"),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no count of changes, last line 'no output'"),
        ("Reading package lists...\nKilled\n", "no count of changes, last line 'Killed'"),
        ("Inst kw-tool\n" + COUNTS.format(1, 0, 0), "unexpected line 'Inst kw-tool'"),
        ("Remv kw-tool\n" + COUNTS.format(0, 0, 1), "unexpected line 'Remv kw-tool'"),
        ("Inst kw-tool [1] (2 A:1/b [all])\n" + COUNTS.format(1, 0, 1), "2 changes counted, 1 named"),
        ("Inst kw-tool [1] (2 A:1/b [all])\n", "no count of changes"),
    ],
)
def test_a_simulation_that_is_none_is_an_error_that_names_it(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        _apt_moves.parse_simulation(text)


@pytest.mark.parametrize(
    ("line", "grown"),
    [
        ("After this operation, 1,024 B of additional disk space will be used.", 1024),
        ("After this operation, 5243 kB of additional disk space will be used.", 5243000),
        ("After this operation, 1.5 GB disk space will be freed.", -1500000000),
        ("  Space needed: 12.5 MB / 3 GB available", 12500000),
        ("nothing of the kind", None),
    ],
)
def test_growth_is_read_in_every_unit(line: str, grown: int | None) -> None:
    fetched = (
        "'http://deb.example.invalid/a_1_all.deb' a_1_all.deb 1218 SHA256:00\n'file:/b_2_all.deb' b_2_all.deb 5 \n"
    )
    assert _apt_moves.parse_sizes(line + "\n" + fetched) == (1223, grown)


def test_an_apt_that_says_nothing_is_told_by_its_return_code() -> None:
    assert _apt_moves.errors(Output("ok", 100)) == ["apt-get ended with return code 100"]
    assert _apt_moves.errors(Output("timeout", None)) == ["apt-get gave no answer in time"]


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused_by_name(text: str) -> None:
    try:
        moves = _apt_moves.parse_simulation(text)
    except ValueError as exc:
        assert str(exc).startswith("apt-get -s: ")
    else:
        assert all(move["name"] for move in moves)
    _apt_moves.parse_sizes(text)
