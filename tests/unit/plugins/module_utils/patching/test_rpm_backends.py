"""Every recording below cases/patching_rpm: what dnf's and zypper's backend make of it is what the case says.

``backend`` and ``call`` name the function; ``items``, ``moves`` and ``said`` are its arguments. Commands are named as
in probe cases, with three abbreviations: HOOK for dnf run up to its transaction, DNF for dnf as it is asked, RPM for
the list of installed packages.
"""

from __future__ import annotations

import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import replay
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.keepwell.fleet.plugins.module_utils.patching import (
    _dnf,
    _dnf_hook,
    _rpm_moves,
    _zypper,
    _zypper_text,
)
from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _dnf as probe
from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _rpm

BACKENDS = {"dnf": _dnf, "zypper": _zypper}
ACTING = ("refresh", "download", "keep_old", "apply", "undo")


def _command(name: str, python: str) -> str:
    """What the abbreviated name of a command stands for."""
    kind, _space, rest = name.partition(" ")
    if kind == "HOOK":
        mode, *words = rest.split()
        return " ".join(_dnf_hook.argv(python, mode, words))
    return {"DNF": " ".join([*probe.DNF4, rest]), "RPM": " ".join(_rpm.QUERY)}.get(kind, name)


def _machine(case: dict[str, t.Any]) -> replay.ReplayMachine:
    program = (case.get("files") or {}).get("/usr/bin/dnf")
    python = (program or "#!none").strip()[2:]
    commands = {_command(name, python): answer for name, answer in (case.get("commands") or {}).items()}
    installed = [*case.get("installed", ()), *(("dnf", python) if program else ())]
    # dnf was only asked for its history where it has one.
    asked = "DNF history info" in (case.get("commands") or {})
    files = {**(case.get("files") or {}), **({_dnf_hook.HISTORY: ""} if asked else {})}
    return replay.ReplayMachine({**case, "commands": commands, "installed": installed, "files": files})


class Commands:
    """What a backend acts with, on a recorded machine; remembers what was run."""

    def __init__(self, machine: replay.ReplayMachine) -> None:
        self.machine = machine
        self.ran: list[list[str]] = []

    def run(self, argv: list[str], env: dict[str, str] | None = None, timeout: float | None = None) -> t.Any:
        self.ran.append(argv)
        return self.machine.run(argv, accepted=None, env=env)


@pytest.mark.parametrize("path", replay.cases("patching_rpm"), ids=lambda path: path.stem)
def test_case(path: Path) -> None:
    case = replay.load(path)
    machine = _machine(case)
    arguments = [case[name] for name in ("items", "moves", "said") if name in case]
    function = getattr(BACKENDS[case["backend"]], case["call"])
    answer = function(Commands(machine) if case["call"] in ACTING else machine, *arguments)
    assert not replay.differences(case["expect"], answer)


NAMES = st.sampled_from(["kernel-core", "kw-tool", "glibc", "python3.11", "a-b-c"])
ENTRIES = st.builds(
    lambda name, arch, number, many: {"name": name, "arch": arch, "evr": f"0:{number}-1", "side_by_side": many},
    NAMES,
    st.sampled_from(["x86_64", "i686", "noarch"]),
    st.integers(1, 4),
    st.booleans(),
)


@given(st.lists(ENTRIES, max_size=6), st.lists(ENTRIES, max_size=6))
def test_every_package_that_comes_or_goes_is_in_exactly_one_move(
    install: list[dict[str, t.Any]], remove: list[dict[str, t.Any]]
) -> None:
    moves = _rpm_moves.paired(install, remove)
    after = sorted((move["name"], move["after"]) for move in moves if move["after"] is not None)
    before = sorted((move["name"], move["before"]) for move in moves if move["before"] is not None)
    assert after == sorted((entry["name"], _rpm.short_evr(entry["evr"])) for entry in install)
    assert before == sorted((entry["name"], _rpm.short_evr(entry["evr"])) for entry in remove)


def test_a_package_that_goes_is_a_removal_however_many_kernels_come() -> None:
    kernel = {"name": "kernel-core", "arch": "x86_64", "evr": "0:5-2", "side_by_side": True}
    other = {"name": "kernel-tools", "arch": "x86_64", "evr": "0:5-1", "side_by_side": True}
    assert [move["action"] for move in _rpm_moves.paired([kernel], [other])] == ["install", "remove"]


@pytest.mark.parametrize(
    ("name", "possible"),
    [
        ("kw-tool", True),
        ("glibc", False),
        ("glibc-common", False),
        ("dbus", False),
        ("dbus-broker", False),
        ("selinux-policy-targeted", False),
        ("rocky-release", False),
        ("epel-release", True),
        ("dbusmenu", True),
    ],
)
def test_no_way_back_is_offered_where_the_vendor_supports_none(name: str, possible: bool) -> None:
    moves = [_rpm_moves.move(name, "x86_64", "upgrade", "0:1-1", "0:1-2")]
    back, stays = _rpm_moves.way_back(moves)
    assert bool(back) is possible
    assert (f"{name}:x86_64" in stays) is not possible


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "unexpected text ''"),
        ("No such transaction\n", "unexpected text 'No such transaction"),
        ("Transaction ID : x\nReturn-Code    : Success\n", "unexpected text"),
    ],
)
def test_a_history_that_is_none_is_an_error_that_names_it(text: str, words: str) -> None:
    with pytest.raises(ValueError, match="dnf history info: " + words):
        _dnf.parse_history(text)


def test_words_of_a_script_do_not_look_like_the_head_of_a_history() -> None:
    text = (
        "Transaction ID : 7\nEnd time       : Mon Nov 23 05:43:04 2026 (0 seconds)\nReturn-Code    : Success\n"
        "Command Line   : -y upgrade\nPackages Altered:\n    Upgrade kw-1-2.noarch @x\nScriptlet output:\n"
        "   1 Return-Code    : Aborted\nTransaction ID : 99\n"
    )
    found = _dnf.parse_history(text)
    assert (found["id"], found["unfinished"], found["succeeded"]) == (7, False, True)


@pytest.mark.parametrize("parse", [_zypper_text.parse_install, _zypper_text.parse_download])
@pytest.mark.parametrize("text", ["", "Killed\n", "<?xml version='1.0'?>\n<stream>\n<message"])
def test_what_zypper_did_not_finish_is_an_error_that_shows_it(parse: t.Callable[[str], t.Any], text: str) -> None:
    with pytest.raises(ValueError, match=r"zypper: not XML: .* in "):
        parse(text)


def test_the_script_for_dnf_is_python_3_6_and_stops_before_anything_is_done() -> None:
    compile(_dnf_hook.SCRIPT, "hook", "exec")
    head, _then, tail = _dnf_hook.SCRIPT.partition('if mode == "simulate":\n        raise ')
    assert "original(self" not in head.split("def do_transaction")[1]
    assert "cacheonly = False" in tail


# What stands in for dnf: it says what it was asked, and keeps a history where it was told to.
_STANDIN = """
import os, types
BaseCli = type("BaseCli", (), {"do_transaction": None})
CliError = RuntimeError
def user_main(words):
    print(" ".join(words))
    for word in words:
        if word.startswith("--setopt=persistdir="):
            open(os.path.join(word.rpartition("=")[2], "history.sqlite"), "w").close()
    return 7
"""


@pytest.mark.parametrize(
    ("mode", "has_history", "in_memory"),
    [("simulate", False, True), ("simulate", True, False), ("download", False, False)],
)
def test_a_simulation_makes_no_history(tmp_path: Path, mode: str, has_history: bool, in_memory: bool) -> None:
    for name in ("dnf/__init__", "dnf/cli/__init__", "dnf/cli/cli", "dnf/cli/main"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / f"{name}.py").write_text(_STANDIN)
    history = tmp_path / "history.sqlite"
    if has_history:
        history.touch()
    script = _dnf_hook.SCRIPT.replace(_dnf_hook.HISTORY, str(history)).replace('dir="/run"', f'dir="{tmp_path}"')
    done = subprocess.run(
        [sys.executable, "-c", script, mode, "upgrade"],
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (7, "")
    assert ("--setopt=persistdir=" in done.stdout) is in_memory
    assert done.stdout.split()[-1] == "upgrade"
    assert list(tmp_path.glob("keepwell-dnf-*")) == []
