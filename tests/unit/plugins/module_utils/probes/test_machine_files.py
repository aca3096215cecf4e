# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a user plants in the way of a probe that runs as root harms neither the host nor the answer."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import pytest

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _machine, _machine_files

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to others")
WAYS = ("read", "tail")


@pytest.fixture
def machine() -> _machine.Machine:
    return _machine.Machine(time.monotonic() + 30)


@pytest.mark.parametrize("way", WAYS)
def test_a_device_is_never_opened(
    machine: _machine.Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """Opening /dev/watchdog starts it: a link to it in a home folder would restart the host a minute later."""
    planted = tmp_path / "authorized_keys"
    planted.symlink_to("/dev/null")
    opened = []
    real = os.open

    def spy(path, flags, *rest, **more):
        if not flags & os.O_PATH:
            opened.append(path)
        return real(path, flags, *rest, **more)

    monkeypatch.setattr(os, "open", spy)
    assert getattr(machine, way)(str(planted)) is None
    assert opened == []
    assert machine.sources[str(planted)] == {"status": "error", "detail": "neither a file nor a folder"}


@pytest.mark.parametrize("way", WAYS)
def test_a_pipe_does_not_hang(machine: _machine.Machine, tmp_path: Path, way: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert machine.in_child(lambda: getattr(machine, way)(str(tmp_path / "pipe")), 2.0) == ("ok", None)


@root_only
@pytest.mark.parametrize("way", WAYS)
def test_root_follows_no_link_of_others_to_a_file_that_is_not_theirs(
    machine: _machine.Machine, tmp_path: Path, way: str
) -> None:
    secret = tmp_path / "shadow"
    secret.write_text("root:hash")
    planted = tmp_path / "freshclam.log"
    planted.symlink_to(secret)
    os.lchown(planted, 65534, 65534)
    assert getattr(machine, way)(str(planted)) is None
    assert machine.sources[str(planted)]["detail"] == "a link that user 65534 set to a file of user 0"


@root_only
def test_links_of_root_and_to_own_files_are_followed(machine: _machine.Machine, tmp_path: Path) -> None:
    target = tmp_path / "keys"
    target.write_text("text")
    by_root = tmp_path / "by_root"
    by_root.symlink_to(target)
    os.chown(target, 65534, 65534)
    own = tmp_path / "own"
    own.symlink_to(target)
    os.lchown(own, 65534, 65534)
    assert machine.read(str(by_root)) == machine.read(str(own)) == "text"


def test_a_table_of_ten_thousand_mounts_is_read_whole(machine: _machine.Machine, tmp_path: Path) -> None:
    line = "36 35 0:32 / /run/containers/%064d rw,relatime - tmpfs tmpfs rw,size=65536k,mode=755\n"
    text = "".join(line % number for number in range(10000))
    (tmp_path / "mountinfo").write_text(text)
    assert machine.read(str(tmp_path / "mountinfo")) == text
    assert machine.sources == {}


def test_a_file_beyond_the_cap_is_cut_and_says_so(
    machine: _machine.Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_machine_files, "FILE_CAP", 10)
    (tmp_path / "passwd").write_text("x" * 11)
    assert machine.read(str(tmp_path / "passwd")) == "x" * 10
    assert machine.truncated
    assert machine.sources[str(tmp_path / "passwd")]["status"] == "error"
    assert machine.read(str(tmp_path / "passwd"), limit=5) == "x" * 5


def test_the_end_of_a_file_is_its_end(machine: _machine.Machine, tmp_path: Path) -> None:
    (tmp_path / "log").write_text("one\ntwo\n")
    assert machine.tail(str(tmp_path / "log"), 4) == "two\n"
    assert machine.tail(str(tmp_path / "log"), 400) == "one\ntwo\n"


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EOPNOTSUPP, errno.ENODEV, errno.ESRCH])
def test_a_file_in_which_the_kernel_keeps_nothing_is_no_failed_source(
    machine: _machine.Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    path = tmp_path / "io"
    path.write_text("full avg10=0.00\n")

    def refuse(_descriptor, _size):
        raise OSError(number, "refused")

    monkeypatch.setattr(os, "read", refuse)
    assert machine.read(str(path)) is None
    assert machine.sources == {}
