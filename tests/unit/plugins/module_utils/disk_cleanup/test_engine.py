# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The walk on real files: what goes, what stays and why, how it is counted, and that a preview tells the same."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import resource
import subprocess
import time
from pathlib import Path

import pytest
from cleanup_tree import NOW, names, picture, put, target, walk

from ansible_collections.keepwell.fleet.plugins.module_utils.chores._errors import AgentError
from ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup import _account, _bases, _open_files

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def test_old_files_go_and_are_counted(root: Path) -> None:
    files = [put(root / "tmp/a/one", 9000), put(root / "tmp/two", 100)]
    sizes = [path.stat().st_blocks * 512 for path in files]
    account = walk(root).document()
    assert not files[0].exists()
    assert not files[1].exists()
    assert files[0].parent.is_dir()
    assert (account["files"], account["bytes"], account["skipped"]) == (2, sum(sizes), {})
    assert account["by_mount"] == {"/": sum(sizes)}
    assert [entry["path"] for entry in account["top"]] == ["/tmp/a/one", "/tmp/two"]
    assert account["list_sha256"] == hashlib.sha256(b"/tmp/two\0/tmp/a/one\0").hexdigest()
    assert account["oldest"] <= account["newest"]


def test_a_preview_is_the_walk_without_its_last_step(root: Path) -> None:
    for number in range(20):
        put(root / f"tmp/d{number % 3}/{number}")
    (root / "tmp/link").symlink_to("/etc/passwd")
    before = picture(root)
    seen = walk(root, act=False).document()
    assert picture(root) == before
    assert walk(root, act=True).document() == seen
    assert seen["files"] == 20


def test_age_is_that_of_the_later_of_both_times(root: Path) -> None:
    moved_here = put(root / "tmp/moved")
    os.utime(moved_here, (0, 0))
    account = walk(root, selector=names(days=(NOW - time.time()) / 86400 + 1))
    assert moved_here.exists()
    assert account.skipped == {"age": 1}


def test_links_devices_and_pipes_stay(root: Path) -> None:
    sentinel = put(root / "etc/precious")
    (root / "tmp/link").symlink_to(sentinel)
    (root / "tmp/folder").symlink_to(sentinel.parent)
    os.mkfifo(root / "tmp/pipe")
    account = walk(root)
    assert account.skipped == {"symlink": 2, "not_regular": 1}
    assert sentinel.exists()
    assert account.files == 0


def test_a_file_with_two_names_stays(root: Path) -> None:
    shadow = put(root / "etc/shadow")
    os.link(shadow, root / "tmp/shadow")
    account = walk(root)
    assert account.skipped == {"hardlink": 1}
    assert (root / "tmp/shadow").exists()
    assert shadow.stat().st_nlink == 2


def test_open_and_mapped_files_stay(root: Path) -> None:
    opened, mapped = put(root / "tmp/opened"), put(root / "tmp/mapped")
    script = (
        "import mmap, sys; a = open(sys.argv[1]); b = open(sys.argv[2], 'r+b'); m = mmap.mmap(b.fileno(), 0); b.close();"
        "print('ready', flush=True); sys.stdin.read()"
    )
    argv = ["/usr/bin/python3", "-c", script, str(opened), str(mapped)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        holder.stdout.readline()
        account = walk(root)
        holder.communicate(b"")
    assert account.skipped == {"open": 2}
    assert walk(root).files == 2


@as_root
def test_a_mapped_file_of_another_filesystem_with_the_same_inode_keeps_nothing(root: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for folder in (root / "tmp", elsewhere):
        subprocess.run(["mount", "-t", "tmpfs", "none", folder], check=True)
    try:
        # A new tmpfs counts from its beginning.
        here, there = put(root / "tmp/here"), put(elsewhere / "there")
        assert here.stat().st_ino == there.stat().st_ino
        script = "import mmap, sys; b = open(sys.argv[1], 'r+b'); m = mmap.mmap(b.fileno(), 0); print(1, flush=True); input()"
        with subprocess.Popen(
            ["/usr/bin/python3", "-c", script, str(there)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as holder:
            assert holder.stdout
            holder.stdout.readline()
            opened = _open_files.OpenFiles()
            opened.look()
            assert opened.holds(there.stat().st_dev, there.stat().st_ino)
            account = walk(root, targets=target(root / "tmp"))
            holder.communicate(b"\n")
        assert (account.files, account.skipped) == (1, {})
    finally:
        for folder in (root / "tmp", elsewhere):
            subprocess.run(["umount", folder], check=True)


def test_a_mapped_file_that_nobody_can_tell_apart_stays(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = put(root / "tmp/file")
    opened = _open_files.OpenFiles(fresh_s=1000)
    opened.look()
    monkeypatch.setattr(opened, "_mapped", {file.stat().st_ino: {b"00:fa": "/proc/0/map_files/1-2"}})
    assert walk(root, opened=opened).skipped == {"open": 1}


def test_a_file_opened_between_preview_and_deletion_stays(root: Path) -> None:
    late = put(root / "tmp/late")
    put(root / "tmp/other")
    assert walk(root, act=False).files == 2
    with subprocess.Popen(["/usr/bin/tail", "-f", str(late)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        holder.stdout.read(10)
        account = walk(root)
        holder.kill()
    assert (account.files, account.skipped) == (1, {"open": 1})
    assert late.exists()


def test_owners_that_are_not_allowed_keep_their_files(root: Path) -> None:
    put(root / "tmp/mine")
    account = walk(root, selector=names(owners=lambda uid: uid != os.getuid()))
    assert account.skipped == {"owner": 1}


@as_root
def test_a_mount_inside_the_tree_is_not_crossed(root: Path) -> None:
    inside, elsewhere = root / "tmp/inside", root / "tmp/same"
    inside.mkdir()
    elsewhere.mkdir()
    home = put(root / "home/letter").parent
    subprocess.run(["mount", "-t", "tmpfs", "none", inside], check=True)
    subprocess.run(["mount", "--bind", home, elsewhere], check=True)
    try:
        put(inside / "file")
        account = walk(root)
        assert (inside / "file").exists()
        assert (home / "letter").exists()
        assert account.skipped == {"mount": 2}
    finally:
        subprocess.run(["umount", inside, elsewhere], check=True)


@as_root
def test_an_immutable_file_stays_and_the_preview_knows(root: Path) -> None:
    fixed = put(root / "tmp/fixed")
    subprocess.run(["chattr", "+i", fixed], check=True)
    try:
        assert walk(root, act=False).skipped == {"immutable": 1}
        assert walk(root).skipped == {"immutable": 1}
    finally:
        subprocess.run(["chattr", "-i", fixed], check=True)


@as_root
def test_a_read_only_filesystem_ends_the_walk(root: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "none", root / "tmp"], check=True)
    try:
        put(root / "tmp/a")
        put(root / "tmp/b")
        subprocess.run(["mount", "-o", "remount,ro", root / "tmp"], check=True)
        account = walk(root, targets=target(root / "tmp"))
        assert (account.stopped, account.files) == ("read_only", 0)
    finally:
        subprocess.run(["umount", root / "tmp"], check=True)


HOSTILE = [b"new\nline", b"\xff\xfe", b"-rf", b"$(touch x)", b"a" * 255, b" ", b"\x1b[2J", b"*"]


def test_hostile_names_are_names_like_others(root: Path) -> None:
    for name in HOSTILE:
        put(Path(os.fsdecode(os.path.join(os.fsencode(root / "tmp"), name))))
    account = walk(root).document()
    assert account["files"] == len(HOSTILE)
    assert os.listdir(root / "tmp") == []
    assert "/tmp/\\xff\\xfe" in [entry["path"] for entry in account["top"]]
    assert all(entry["path"].encode("utf-8") for entry in account["top"])


@pytest.mark.parametrize(
    ("budget", "files", "stopped"),
    [({"files": 3}, 3, "budget_files"), ({"size": 9000}, 2, "budget_bytes"), ({"seconds": 0}, 0, "budget_seconds")],
)
def test_it_ends_when_the_budget_is_spent(root: Path, budget: dict[str, int], files: int, stopped: str) -> None:
    for number in range(6):
        put(root / f"tmp/{number}", 8000)
    preview = walk(root, act=False, budget=_account.Budget(**budget)).document()
    account = walk(root, budget=_account.Budget(**budget)).document()
    assert (account["files"], account["stopped"]) == (files, stopped)
    assert account == preview
    assert len(os.listdir(root / "tmp")) == 6 - files


@pytest.mark.parametrize("act", [False, True])
def test_the_time_ends_a_walk_in_which_nothing_may_go(root: Path, act: bool) -> None:
    put(root / "tmp/young")
    account = walk(root, act=act, selector=names(days=1000), budget=_account.Budget(seconds=0))
    assert (account.files, account.skipped, account.stopped) == (0, {}, "budget_seconds")


def test_it_ends_at_the_target_and_the_preview_says_what_more_there_is(root: Path) -> None:
    for number in range(6):
        put(root / f"tmp/{number}", 8000)
    wanted = {"avail_bytes": 1000, "wanted_bytes": 1000 + 15000}
    preview = walk(root, act=False, targets=target(root, **wanted))
    account = walk(root, targets=target(root, **wanted))
    assert (preview.files, account.files, account.stopped, preview.stopped) == (2, 2, "target", "target")
    assert (preview.rest_files, preview.rest_bytes) == (4, 4 * 8192)
    assert preview.document()["list_sha256"] == account.document()["list_sha256"]


def test_inodes_are_a_target_too(root: Path) -> None:
    for number in range(6):
        put(root / f"tmp/{number}", 10)
    account = walk(root, targets=target(root, avail_bytes=10, wanted_bytes=5, inodes_free=1, wanted_inodes=4))
    assert account.files == 3


def test_the_oldest_goes_first_and_the_newest_can_be_kept(root: Path) -> None:
    for number in range(4):
        put(root / f"tmp/vmcore{3 - number}")
        time.sleep(0.02)
    account = walk(root, selector=names(re.compile("^vmcore"), keep_newest=2))
    assert sorted(os.listdir(root / "tmp")) == ["vmcore0", "vmcore1"]
    assert account.skipped == {"newest": 2}


def test_a_folder_on_another_filesystem_than_asked_for_is_left_alone(root: Path) -> None:
    put(root / "tmp/a")
    device = root.stat().st_dev + 1
    account = walk(root, targets={device: _account.Target("/other", device, 0, None)})
    assert account.files == 0


@pytest.mark.parametrize(
    "path", ["/etc", "/", "/tmp/../etc", "tmp", "/tmpx", "//tmp", "/tmp/\0", "/var/lib", "/var/log/."]
)
def test_nothing_outside_the_allowed_folders_is_ever_opened(root: Path, path: str) -> None:
    put(root / "etc/file")
    with pytest.raises(AgentError, match="in no folder in which Keepwell deletes anything"):
        walk(root, path)
    assert (root / "etc/file").exists()


@pytest.mark.parametrize("part", ["tmp", "var"])
def test_an_allowed_folder_that_is_reached_by_a_link_is_left_alone(root: Path, part: str) -> None:
    (root / "tmp").rmdir()
    put(root / "elsewhere/tmp/file")
    (root / part).symlink_to(root / "elsewhere")
    account = walk(root, "/tmp" if part == "tmp" else "/var/tmp")
    assert account.notes[0].endswith("was left alone: symlink.")
    assert (root / "elsewhere/tmp/file").exists()


def test_a_tree_deeper_than_it_may_be_is_not_entered(root: Path) -> None:
    folder = root / "tmp"
    for _level in range(70):
        folder /= "d"
        folder.mkdir()
    put(folder / "file")
    account = walk(root)
    assert account.skipped == {"depth": 1}


def test_a_hundred_thousand_files_take_little_memory(root: Path) -> None:
    for number in range(100):
        folder = root / f"tmp/{number}"
        folder.mkdir()
        for name in range(1000):
            os.close(os.open(folder / str(name), os.O_CREAT | os.O_WRONLY))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    account = walk(root)
    assert account.files == 100_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40_000


def test_a_locked_folder_is_left_to_whoever_locked_it(root: Path) -> None:
    put(root / "tmp/held/file")
    put(root / "tmp/free/file")
    selector = names()
    selector.locks = True
    holder = os.open(root / "tmp/held", os.O_RDONLY)
    try:
        fcntl.flock(holder, fcntl.LOCK_SH)
        account = walk(root, selector=selector)
    finally:
        os.close(holder)
    assert (account.files, account.skipped) == (1, {"locked": 1})


def test_the_kernels_own_files_are_in_use(root: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    image = root / "tmp/image"
    image.touch()
    os.truncate(image, 1 << 20)
    device = subprocess.run(
        ["losetup", "-f", "--show", image], capture_output=True, text=True, check=True
    ).stdout.strip()
    try:
        assert walk(root).skipped == {"open": 1}
    finally:
        subprocess.run(["losetup", "-d", device], check=True)


def test_every_allowed_folder_can_be_told_from_its_neighbours() -> None:
    for base in _bases.ALLOWED:
        _bases.check(base)
        _bases.check(base + "/x")
    assert _open_files.FRESH_S <= 1.0
