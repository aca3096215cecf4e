"""What the agent reads and runs beside the package manager: sessions, crypttab, units, commands with a limit."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ansible_collections.keepwell.fleet.plugins.module_utils.chores import _commands, _folder, _unit
from ansible_collections.keepwell.fleet.plugins.module_utils.patching import _fsck, _look, _services, _space
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import Machine, Output

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


# tune2fs -l of e2fsprogs 1.47, the lines that count.
SUPERBLOCK = """\
tune2fs 1.47.0 (5-Feb-2023)
Filesystem volume name:   <none>
Filesystem state:         {state}
Last mount time:          Fri Nov 27 08:00:00 2026
Mount count:              {count}
Maximum mount count:      {most}
Last checked:             Sun Feb  1 00:00:00 2026
Check interval:           {interval}
{next}Lifetime writes:          14 GB
"""
SIX_MONTHS = {"interval": "15552000 (6 months)", "next": "Next check after:         Fri Jul 31 00:00:00 2026\n"}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({}, ""),
        ({"count": "29", "most": "30"}, ""),
        ({"count": "30", "most": "30"}, "mounted 30 times since its last check, 30 are allowed"),
        ({"state": "clean with errors"}, "it has recorded errors"),
        ({"next": "FS Error count:           3\n"}, "it has recorded errors"),
        (SIX_MONTHS, "its next check was due after Fri Jul 31 00:00:00 2026"),
        ({**SIX_MONTHS, "next": "Next check after:         Sat Jan 30 00:00:00 2027\n"}, ""),
        # The date stands there although nobody goes by it.
        ({**SIX_MONTHS, "interval": "0 (<none>)"}, ""),
    ],
)
def test_a_superblock_says_whether_a_whole_check_is_due(changed: dict[str, str], words: str) -> None:
    plain = {"state": "clean", "count": "9", "most": "-1", "interval": "0 (<none>)", "next": ""}
    assert _fsck.parse_superblock(SUPERBLOCK.format(**plain | changed), 1_795_000_000.0) == words


def test_only_what_is_checked_at_boot_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "/etc/fstab": (
            "# /dev/vdz1 /old ext4 defaults 0 2\nUUID=1 / ext4 errors=remount-ro 0 1\nUUID=2 /srv/a\\040b ext4 defaults 0 2\n"
            "UUID=3 /big xfs defaults 0 2\nUUID=4 /scratch ext4 defaults 0 0\nUUID=5 /gone ext4 defaults 0 2\n"
        ),
        "/proc/self/mountinfo": "".join(
            f"{number} 1 254:{number} / {mount} rw - {kind} /dev/vda{number} rw\n"
            for number, mount, kind in (
                (1, "/", "ext4"), (2, "/srv/a\\040b", "ext4"), (3, "/big", "xfs"), (4, "/scratch", "ext4"),
            )
        ),
    }  # fmt: skip
    asked: list[str] = []

    def run(argv: list[str], **_more: object) -> Output:
        asked.append(argv[-1])
        if argv[-1] == "/dev/block/254:2":
            return Output("error", 1, "", "tune2fs: Bad magic number in super-block")
        return Output("ok", 0, SUPERBLOCK.format(state="clean", count="8", most="5", interval="0", next=""))

    machine = Machine()
    monkeypatch.setattr(machine, "read", lambda path, **_more: files.get(path))
    monkeypatch.setattr(machine, "exists", lambda path: path in ("/dev/vda1", "/forcefsck"))
    monkeypatch.setattr(machine, "run", run)
    assert _fsck.due(machine) == [
        "/forcefsck asks for it",
        "/ (mounted 8 times since its last check, 5 are allowed)",
        "/srv/a b (its state cannot be read: tune2fs: Bad magic number in super-block)",
    ]
    assert asked == ["/dev/vda1", "/dev/block/254:2"]
    odd = SUPERBLOCK.format(state="clean", count="8", most="many", interval="0", next="")
    monkeypatch.setattr(machine, "run", lambda *_argv, **_more: Output("ok", 0, odd))
    assert _fsck.due(machine)[1].startswith("/ (its state cannot be understood: ")
    monkeypatch.setattr(machine, "run", lambda *_argv, **_more: Output("absent"))
    assert _fsck.due(machine) == ["/forcefsck asks for it"]


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
