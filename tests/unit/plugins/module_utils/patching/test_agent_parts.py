"""What the agent reads and runs beside the package manager: sessions, crypttab, units, commands with a limit."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ansible_collections.keepwell.fleet.plugins.module_utils.chores import _commands, _folder, _unit
from ansible_collections.keepwell.fleet.plugins.module_utils.patching import _look, _services, _space
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import Machine

GIB = 1 << 30
# loginctl show-session of systemd 252 for three sessions: a person, a connection without a terminal, a manager.
SESSIONS = """\
Name=ann
TTY=pts/3
RemoteHost=192.0.2.7
Class=user
State=active

Name=ops
TTY=
RemoteHost=192.0.2.9
Class=user
State=active

Name=bob
TTY=tty1
RemoteHost=
Class=user
State=closing

Name=lightdm
TTY=tty7
RemoteHost=
Class=greeter
State=online
"""


def test_people_are_those_at_a_terminal() -> None:
    assert _look.parse_sessions(SESSIONS) == [{"user": "ann", "tty": "pts/3", "from": "192.0.2.7"}]
    assert _look.parse_sessions("") == []


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("root UUID=1 none luks,discard", ["root"]),
        ("root UUID=1", ["root"]),
        ("root UUID=1 - luks", ["root"]),
        ("data UUID=2 /etc/keys/data luks", []),
        ("data UUID=2 none luks,noauto", []),
        ("root UUID=1 none luks,tpm2-device=auto", []),
        ("# root UUID=1 none luks", []),
        ("swap /dev/sda3 /dev/urandom swap", []),
        ("", []),
    ],
)
def test_a_passphrase_at_boot_is_seen(line: str, names: list[str]) -> None:
    assert _look.parse_crypttab(line + "\n") == names


@pytest.mark.parametrize(
    "unit",
    [
        *("dbus.service", "dbus-broker.service", "systemd-logind.service", "user@1000.service", "getty@tty1.service"),
        *("docker.service", "containerd.service", "kubelet.service", "libvirtd.service", "gdm3.service"),
        *("NetworkManager.service", "systemd-networkd.service", "networking.service", "pacemaker.service"),
        *("keepwell-patching-01ABC.service", "session-3.scope", "run-user-0.mount", "cron.timer", "-.service", "a b"),
    ],
)
def test_some_units_are_never_restarted(unit: str) -> None:
    assert _services.against(unit)


@pytest.mark.parametrize(
    "unit",
    [
        *("ssh.service", "cron.service", "nginx.service", "postgresql@15-main.service", "systemd-journald.service"),
        *("systemd-resolved.service", "networkd-dispatcher.service", "dbus2mqtt.service", "my\\x2dapp.service"),
    ],
)
def test_others_are_restarted(unit: str) -> None:
    assert _services.against(unit) == ""


def test_a_command_is_told_with_all_its_words(tmp_path: Path) -> None:
    told: list[int | None] = []
    commands = _commands.Commands(Machine(), str(tmp_path), time.monotonic() + 20, told.append, {"ASKED": "never"})
    done = commands.run(["sh", "-c", "echo out; echo err >&2; echo $ASKED; exit 3"])
    assert (done.status, done.rc, done.out, done.err) == ("ok", 3, "out\nnever\n", "err\n")
    assert commands.said == "out\nnever\nerr\n"
    assert (told[0] or 0, told[-1]) == (told[0], None)
    assert "# ended with 3" in (tmp_path / "log").read_text()
    assert _folder.log_tail(str(tmp_path)).endswith("# ended with 3\n")
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600
    assert commands.run(["no-such-program"]).status == "absent"


def test_a_command_that_takes_too_long_ends_with_all_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_commands, "_GRACE_S", 0.5)
    commands = _commands.Commands(Machine(), str(tmp_path), time.monotonic() + 20)
    # Long enough for a shell to say which child it has, also where others have the processor.
    done = commands.run(["sh", "-c", "trap '' TERM; sleep 77 & echo $!; wait"], timeout=2)
    assert (done.status, done.rc) == ("timeout", None)
    # It was told to end; when it is gone is for the kernel to say.
    end = time.monotonic() + 30
    while _folder.started(int(done.out)) is not None and time.monotonic() < end:
        time.sleep(0.05)
    assert _folder.started(int(done.out)) is None


def test_what_the_package_manager_has_begun_may_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_commands, "_GRACE_S", 20.0)
    commands = _commands.Commands(Machine(), str(tmp_path), time.monotonic() + 20)
    # The child takes a second, its parent is told to stop before.
    script = "(trap '' TERM; sleep 1; echo finished >" + str(tmp_path / "child") + ") & sleep 60"
    assert commands.run(["bash", "-c", "trap 'kill %2; exit 1' TERM; " + script + " & wait"], timeout=0.3).rc is None
    assert (tmp_path / "child").read_text() == "finished\n"


def test_a_process_is_known_by_its_start() -> None:
    alive = {"pid": 1, "started": _folder.started(1)}
    assert _folder.is_alive(alive)
    assert not _folder.is_alive({**alive, "started": -1})
    assert not _folder.is_alive(None)


@pytest.mark.parametrize(
    ("roles", "free", "moves", "found"),
    [
        (["/", "/var", "cache"], 3 * GIB, [], []),
        (["/", "/var", "cache"], GIB, [], ["/x needs 2048.0 MiB free and has 1024.0 MiB"]),
        (["cache"], GIB, [], []),
        (["cache"], 100, [], ["/x needs 0.5 MiB free and has 0.0 MiB"]),
        (["/boot"], 100, [], []),
        (["/boot"], 100, [{"name": "linux-image-6.1.0-40-amd64", "after": "6.1.1"}], ["/x needs 160.0 MiB free"]),
        (["/boot"], 100, [{"name": "linux-image-6.1.0-40-amd64", "after": None}], []),
        (["/usr"], None, [], ["/x does not answer"]),
    ],
)
def test_room_is_looked_for_where_it_is_needed(
    monkeypatch: pytest.MonkeyPatch, roles: list[str], free: int | None, moves: list[dict[str, str]], found: list[str]
) -> None:
    entry = {"mount": "/x", "roles": roles, "free_bytes": free}
    monkeypatch.setattr(_space, "look", lambda machine, cache: [entry])
    monkeypatch.setattr(_space, "newest_boot_bytes", lambda machine: 80 << 20)
    texts = _space.lacking(Machine(), "/cache", 2 * GIB, 1 << 19, moves)
    assert len(texts) == len(found)
    assert all(text.startswith(start) for text, start in zip(texts, found, strict=True))


def test_without_systemd_a_program_still_outlives_its_parent(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import os, pathlib, sys\npathlib.Path(__file__).with_name('session').write_text(str(os.getsid(0)))"
    )
    _unit._detached([_unit._PYTHONS[0], "-I", str(program)], 0)
    end = time.monotonic() + 10
    while not (tmp_path / "session").exists() and time.monotonic() < end:
        time.sleep(0.05)
    time.sleep(0.1)
    assert int((tmp_path / "session").read_text()) not in (0, os.getsid(0))
