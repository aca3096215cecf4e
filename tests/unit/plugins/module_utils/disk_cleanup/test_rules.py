# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules as they are carried out: what they look for, what they keep for ever, and how the account adds up."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import time
import typing as t
from pathlib import Path

import pytest
from cleanup_tree import put

from ansible_collections.keepwell.fleet.plugins.module_utils.chores import _folder, _system, _unit
from ansible_collections.keepwell.fleet.plugins.module_utils.chores._errors import AgentError
from ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup import (
    _account,
    _agent,
    _bases,
    _command_rules,
    _container_rule,
    _control,
    _file_rules,
    _growers,
    _kernel_rule,
    _rules,
    _space,
    _sweep,
    _work,
)
from ansible_collections.keepwell.fleet.plugins.module_utils.patching import _locks
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import Machine, Output

JOURNAL = "system@0123456789abcdef0123456789abcdef-0000000000000001-0005aabbccddeeff.journal"
FUTURE = time.time() + 100 * 86400
# What the rules find on a tree in which everything is 100 days old: the rule, or None for what stays for ever.
TREE = {
    "var/log/syslog": None,
    "var/log/syslog.1": "rotated_logs",
    "var/log/app/app.log.2.gz": "rotated_logs",
    "var/log/app/app-20260101": "rotated_logs",
    "var/log/app/app.log-20260101.gz": "rotated_logs",
    "var/log/app/app-99999999": None,
    "var/log/app/v1.2345": None,
    "var/log/wtmp": None,
    "var/log/wtmp.1": None,
    "var/log/btmp.1": None,
    "var/log/lastlog.1": None,
    "var/log/audit/audit.log.1": None,
    f"var/log/journal/abc/{JOURNAL}": "journal",
    "var/log/journal/abc/system@0005aabbccddeeff-0005aabbccddeeff.journal~": "journal",
    "var/log/journal/abc/system.journal": None,
    "var/log/journal/abc/notes.gz": None,
    "var/cache/apt/archives/a_1_all.deb": "package_cache",
    "var/cache/apt/archives/lock": None,
    "var/cache/apt/pkgcache.bin": None,
    "var/crash/_usr_bin_x.0.crash": "crash_data",
    "var/crash/dmesg.txt": None,
    "var/lib/systemd/coredump/core.x.0.zst": "crash_data",
    "var/lib/mysql/binlog.1": None,
    "var/lib/keepwell/patching/01/kept/a.deb": None,
    "var/spool/mail/root.1": None,
    "var/lib/docker/volumes/v/_data/x.gz": None,
    "boot/vmlinuz-1.gz": None,
}
TERMS = {"log_days": 90, "log_retention_days": 90, "package_keep_days": 14, "crash_keep": 1}


class Host(Machine):
    """This machine with another set of programs and files."""

    def __init__(self, programs: t.Mapping[str, str] = {}, files: t.Mapping[str, str] = {}) -> None:
        super().__init__()
        self.programs = programs
        self.files = files
        self.ran: list[list[str]] = []

    def which(self, name: str) -> str | None:
        return "/usr/bin/" + name if any(line.split()[0] == name for line in self.programs) else None

    def exists(self, path: str) -> bool:
        return path in self.files

    def read(self, path: str, limit: t.Any = None, source: t.Any = None) -> str | None:
        return self.files.get(path)

    def run(self, argv: list[str], timeout: float = 3.0, accepted: t.Any = (0,), **_more: t.Any) -> Output:
        self.ran.append(argv)
        line = " ".join(argv)
        known = [key for key in self.programs if line.startswith(key)]
        if not known:
            return Output("absent", None, "", "not installed")
        text = self.programs[max(known, key=len)]
        return Output("error", 1, "", text[1:]) if text.startswith("!") else Output("ok", 0, text)


DEBIAN = Host({"apt-get": ""}, {"/var/lib/dpkg/status": ""})


@pytest.fixture
def all_of_it(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tree above, on a filesystem that asks for room."""
    for name in TREE:
        put(root / name)
    device = root.stat().st_dev
    monkeypatch.setattr(_space, "targets", lambda wanted: {device: _account.Target("/", device, 0, None)})
    monkeypatch.setattr(
        _space,
        "measure",
        lambda _mount: {
            "at": 0,
            "size_bytes": 1,
            "avail_bytes": 0,
            "free_bytes": 0,
            "inodes_total": 1,
            "inodes_free": 0,
        },
    )
    monkeypatch.setattr(_space, "settled", lambda *_: _space.measure("/"))
    monkeypatch.setattr(_space, "pace", lambda _mount: 0.0)
    monkeypatch.setattr(_locks, "held", lambda *_: [])
    return root


def request(*rules: str, **terms: t.Any) -> dict[str, t.Any]:
    return {
        "rules": list(rules),
        "filesystems": [{"mount": "/", "target_percent": None}],
        "terms": {**TERMS, **terms},
    }


FILE_RULES = tuple(rule.id for rule in _rules.RULES if rule.how == "files" and rule.id != "temporary_files")


@pytest.mark.parametrize("rule", FILE_RULES)
def test_each_rule_takes_what_it_is_for_and_nothing_else(all_of_it: Path, rule: str) -> None:
    if rule == "crash_data":
        newest = put(all_of_it / "var/crash/newest.crash"), put(all_of_it / "var/lib/systemd/coredump/core.newest")
    _sweep.sweep(DEBIAN, request(rule), True, FUTURE)
    gone = {name for name in TREE if not (all_of_it / name).exists()}
    assert gone == {name for name, owner in TREE.items() if owner == rule}
    if rule == "crash_data":
        assert all(path.exists() for path in newest)


def test_together_they_are_what_was_announced(all_of_it: Path) -> None:
    seen = _sweep.sweep(DEBIAN, request(*FILE_RULES), False, FUTURE)
    told: list[t.Any] = []
    done = _sweep.sweep(DEBIAN, request(*FILE_RULES), True, FUTURE, tell=told.append)
    assert done["rules"] == seen["rules"]
    assert done["filesystems"][0]["predicted_bytes"] == seen["filesystems"][0]["predicted_bytes"] > 0
    # The crash dumps were written down before they went.
    assert [entry["id"] for entry in told[3]] == ["package_cache", "journal", "rotated_logs", "crash_data"]
    assert {report["id"] for report in seen["reports"]} == {"orphans", "package_leftovers"}


KDUMP = ("127.0.0.1-2026-01-01-10:00:00", "web1.example.com-2026-01-02-10:00:00", "2026-01-03-10:00", "202601041000")


def crash(root: Path, name: str, *files: str) -> Path:
    """A folder of kdump."""
    for file in files or ("vmcore", "vmcore-dmesg.txt", "kexec-dmesg.log"):
        put(root / "var/crash" / name / file, 4096)
    return root / "var/crash" / name


def test_a_folder_of_kdump_goes_as_a_whole_and_the_newest_stay(all_of_it: Path) -> None:
    suse = crash(all_of_it, "2025-01-03-10:00", "vmcore", "README.txt", "System.map-6.4", "vmlinux-6.4.gz", "dmesg.txt")
    debian = crash(all_of_it, "20250101100000", "dump.20250101100000", "dmesg.20250101100000")
    folders = [crash(all_of_it, name) for name in KDUMP]
    asked = request("crash_data", crash_keep=2)
    seen = _sweep.sweep(DEBIAN, asked, False, FUTURE)["rules"][0]
    assert all(folder.exists() for folder in [*folders, suse, debian])
    done = _sweep.sweep(DEBIAN, asked, True, FUTURE)["rules"][0]
    assert {folder.name for folder in folders if folder.exists()} == set(KDUMP[2:])
    assert not (suse.exists() or debian.exists())
    assert (seen["files"], seen["folders"]) == (done["files"], done["folders"]) == (13, 4)
    assert seen["list_sha256"] == done["list_sha256"]
    assert done["skipped"]["newest"] == 4


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (lambda folder: put(folder / "notes-of-the-admin.txt"), "kept"),
        (lambda folder: (folder / "vmcore.link").symlink_to("/etc/passwd"), "symlink"),
        (lambda folder: put(folder / "vmcore.d/x"), "not_regular"),
        (lambda folder: os.link(folder / "vmcore", folder.parent / "mine"), "hardlink"),
        (lambda folder: os.utime(folder / "vmcore", (FUTURE, FUTURE)), "age"),
        (lambda folder: os.chown(folder, 4711, 4711), "owner"),
    ],
)
def test_a_folder_of_kdump_stays_whole_when_anything_is_against_it(
    all_of_it: Path, spoil: t.Callable[[Path], t.Any], word: str
) -> None:
    if word == "owner" and os.geteuid():
        pytest.skip("needs root")
    folder = crash(all_of_it, KDUMP[0])
    for name in KDUMP[1:2]:
        crash(all_of_it, name)
    spoil(folder)
    before = sorted(folder.rglob("*"))
    done = _sweep.sweep(DEBIAN, request("crash_data"), True, FUTURE)["rules"][0]
    assert sorted(folder.rglob("*")) == before
    assert done["skipped"][word] == 1


def test_a_dump_that_is_read_keeps_its_folder(all_of_it: Path) -> None:
    folder = crash(all_of_it, KDUMP[0])
    crash(all_of_it, KDUMP[1])
    reader = ["/usr/bin/python3", "-c", "import sys; a = open(sys.argv[1]); print(flush=True); sys.stdin.read()"]
    with subprocess.Popen([*reader, str(folder / "vmcore")], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        holder.stdout.readline()
        done = _sweep.sweep(DEBIAN, request("crash_data"), True, FUTURE)["rules"][0]
        holder.communicate()
    assert len(os.listdir(folder)) == 3
    assert done["skipped"]["open"] == 1


def test_a_target_ends_the_work_between_folders_of_kdump(all_of_it: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in KDUMP:
        crash(all_of_it, name)
    device = all_of_it.stat().st_dev
    monkeypatch.setattr(_space, "renew", lambda _targets: None)
    monkeypatch.setattr(_space, "targets", lambda wanted: {device: _account.Target("/", device, 0, 8192)})
    (all_of_it / "var/crash/_usr_bin_x.0.crash").unlink()
    seen = _sweep.sweep(DEBIAN, request("crash_data"), False, FUTURE)["rules"][0]
    done = _sweep.sweep(DEBIAN, request("crash_data"), True, FUTURE)["rules"][0]
    # Whole folders, the oldest first; a preview tells what more could go.
    assert (done["files"], done["folders"], done["stopped"]) == (3, 1, "target")
    assert (seen["files"], seen["rest_files"]) == (3, 6)
    assert not (all_of_it / "var/crash" / KDUMP[0]).exists()


def test_other_folders_below_the_crash_folder_are_no_units(all_of_it: Path) -> None:
    for name in ("2026-01-01", "20260101", "x-202601011000", "notes 2026-01-01-10:00"):
        crash(all_of_it, name, "vmcore", "mine.txt")
    _sweep.sweep(DEBIAN, request("crash_data"), True, FUTURE)
    assert len(list((all_of_it / "var/crash").glob("*/mine.txt"))) == 4


@pytest.mark.parametrize(("days", "retention"), [(30, 90), (89.9, 90), (90, 365), (0, 0)])
def test_logs_that_have_to_be_kept_are_refused_whoever_asks(all_of_it: Path, days: float, retention: float) -> None:
    for rule in ("journal", "rotated_logs"):
        with pytest.raises(AgentError, match=r"have to be kept \(disk_cleanup_log_retention_days\)"):
            _sweep.sweep(DEBIAN, request(rule, log_days=days, log_retention_days=retention), True, FUTURE)
    assert all((all_of_it / name).exists() for name in TREE)


def test_young_logs_and_packages_stay(all_of_it: Path) -> None:
    done = _sweep.sweep(DEBIAN, request("package_cache", "rotated_logs", "journal"), True, time.time())
    assert [(rule["files"], rule["skipped"]) for rule in done["rules"]] == [
        (0, {"age": 1}),
        (0, {"age": 2}),
        (0, {"age": 4, "kept": 3}),
    ]


def test_logs_of_people_stay(all_of_it: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    os.chown(all_of_it / "var/log/syslog.1", 1500, 1500)
    done = _sweep.sweep(DEBIAN, request("rotated_logs"), True, FUTURE)
    assert done["rules"][0]["skipped"]["owner"] == 1
    assert (all_of_it / "var/log/syslog.1").exists()


def test_the_cache_stays_while_a_package_manager_works(all_of_it: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    holder = {"path": "/var/lib/dpkg/lock", "pid": 7, "process": "apt-get", "unit": None}
    monkeypatch.setattr(_locks, "held", lambda *_: [holder])
    done = _sweep.sweep(DEBIAN, request("package_cache"), True, FUTURE)
    assert done["rules"][0]["files"] == 0
    assert done["rules"][0]["notes"][0].startswith("nothing was done: apt-get (process 7) holds /var/lib/dpkg/lock")


def test_a_rule_that_names_another_folder_is_refused(all_of_it: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_file_rules, "plan", lambda *_: ([("/var/lib/mysql", None)], []))
    with pytest.raises(AgentError, match="in no folder in which Keepwell deletes anything"):
        _sweep.sweep(DEBIAN, request("rotated_logs"), True, FUTURE)


@pytest.mark.parametrize(
    ("rule", "code"), [("everything", "unknown_rule"), ("orphans", "rule_off"), ("package_leftovers", "rule_off")]
)
def test_what_is_no_rule_is_refused(rule: str, code: str) -> None:
    with pytest.raises(AgentError) as caught:
        _sweep.request_of(request(rule))
    assert caught.value.code == code


def test_only_filesystems_that_are_mounted_can_be_asked_for() -> None:
    with pytest.raises(AgentError, match="/nowhere is no mounted local filesystem"):
        _space.targets([{"mount": "/nowhere", "target_percent": 5}])


# --- what is predicted and what comes of it

BEFORE = {"at": 0.0, "avail_bytes": 0, "free_bytes": 0}
MIB = 1 << 20


@pytest.mark.parametrize(
    ("avail", "free", "pace", "held", "snapshots", "codes", "explained"),
    [
        (100, 100, 0.0, 0, None, [], True),
        (96, 96, 0.0, 0, None, [], True),
        (70, 100, 0.0, 0, None, ["reserved"], True),
        (60, 60, 0.0, 40, None, ["open"], True),
        (50, 50, -5.0, 0, None, ["writers"], True),
        (150, 150, 5.0, 0, None, ["writers"], True),
        (0, 0, 0.0, 0, 3, ["snapshots"], True),
        (50, 50, 0.0, 0, None, ["unknown"], False),
        (20, 30, 0.0, 20, 2, ["reserved", "open", "snapshots"], True),
    ],
)
def test_a_gap_is_explained_or_said_to_be_unexplained(
    avail: int, free: int, pace: float, held: int, snapshots: int | None, codes: list[str], explained: bool
) -> None:
    after = {"at": 10.0, "avail_bytes": avail * MIB, "free_bytes": free * MIB}
    told = _space.explain(100 * MIB, BEFORE, after, [pace * MIB], held * MIB, snapshots, 5)
    assert ([entry["code"] for entry in told["reasons"]], told["explained"]) == (codes, explained)
    assert (told["actual_bytes"], told["gap_bytes"]) == (avail * MIB, (100 - avail) * MIB)
    if codes:
        assert sum(entry["bytes"] for entry in told["reasons"]) == told["gap_bytes"]


# --- kernels


def kernels(*releases: str) -> list[dict[str, str]]:
    return [{"release": name, "flavour": name.rsplit("-", 1)[-1]} for name in releases]


@pytest.mark.parametrize(
    ("installed", "running", "default", "gone"),
    [
        (["6.1.0-1-amd64", "6.1.0-2-amd64", "6.1.0-3-amd64"], "6.1.0-3-amd64", None, ["6.1.0-1-amd64"]),
        (["6.1.0-1-amd64", "6.1.0-2-amd64", "6.1.0-3-amd64"], "6.1.0-1-amd64", None, []),
        (["1-amd64", "2-amd64", "3-amd64", "4-amd64", "5-amd64"], "3-amd64", None, ["1-amd64"]),
        (["1-amd64", "2-amd64", "3-amd64", "4-amd64"], "4-amd64", "1-amd64", ["2-amd64"]),
        (["1-amd64"], "1-amd64", None, []),
        (["1-rt", "2-rt", "3-rt", "1-amd64"], "1-amd64", None, ["1-rt"]),
    ],
)
def test_the_running_the_newest_and_the_previous_kernel_stay(
    installed: list[str], running: str, default: str | None, gone: list[str]
) -> None:
    found, kept = _kernel_rule.choose(kernels(*installed), running, default)
    assert [kernel["release"] for kernel in found] == gone
    assert running in kept


RUNNING = "6.1.0-30-amd64"
DPKG = (
    "".join(
        f"linux-{part}-6.1.0-{number}-amd64\tii \t6.1.{number}-1\n"
        for part in ("image", "headers")
        for number in (10, 20, 30)
    )
    + "linux-image-amd64\tii \t6.1.30-1\n"
)
REMOVED = "Purg linux-headers-6.1.0-10-amd64 [6.1.10-1]\nPurg linux-image-6.1.0-10-amd64 [6.1.10-1]\n{0} upgraded, 0 newly installed, {1} to remove and 0 not upgraded.\n"
FILES = {"/var/lib/dpkg/status": "", "/proc/sys/kernel/osrelease": RUNNING + "\n"}


def kernel_host(simulated: str) -> Host:
    return Host({"apt-get": "", "apt-get --simulate --quiet purge": simulated, "dpkg-query": DPKG}, FILES)


def test_exactly_the_packages_of_old_kernels_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_locks, "held", lambda *_: [])
    host = kernel_host(REMOVED.format(0, 2))
    found = _kernel_rule.look(host)
    assert found["packages"] == ["linux-headers-6.1.0-10-amd64", "linux-image-6.1.0-10-amd64"]
    assert (found["releases"], found["kept"], found["note"]) == (["6.1.0-10-amd64"], ["6.1.0-20-amd64", RUNNING], "")


@pytest.mark.parametrize(
    ("simulated", "note"),
    [
        ("Purg zfs-dkms [2.1]\n" + REMOVED.format(0, 3), "refused, these would go or change as well: zfs-dkms"),
        ("!E: Unmet dependencies", "refused, apt-get does not want to: Unmet dependencies"),
        ("nonsense", "refused, the simulation cannot be read: apt-get -s: no count of changes"),
    ],
)
def test_kernels_stay_when_anything_else_would_go(simulated: str, note: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_locks, "held", lambda *_: [])
    found = _kernel_rule.look(kernel_host(simulated))
    assert found["packages"] == []
    assert found["note"].startswith(note)


def test_a_container_and_a_kernel_of_no_package_have_nothing_to_remove() -> None:
    host = kernel_host(REMOVED.format(0, 2))
    host.files = {**FILES, "/run/systemd/container": "podman"}
    assert "has no kernel of its own" in _kernel_rule.look(host)["note"]
    host.files = {**FILES, "/proc/sys/kernel/osrelease": "6.18.0-custom"}
    assert "belongs to no installed package" in _kernel_rule.look(host)["note"]


# --- containers

DOCKER = {
    "docker version": "24.0.7\n",
    "docker info": "/\n",
    "docker system df": '{"Type":"Images","TotalCount":"9","Active":"2","Size":"5GB","Reclaimable":"1.5GB (30%)"}\n'
    '{"Type":"Local Volumes","TotalCount":"3","Active":"0","Size":"9GB","Reclaimable":"9GB (100%)"}\n',
}


def test_docker_prunes_its_images_and_never_a_volume() -> None:
    (found,) = _container_rule.look(Host(DOCKER), "container_images")
    assert found["argv"] == ["docker", "image", "prune", "--all", "--force", "--filter", "until=168h"]
    assert (found["bytes"], found["count"]) == (1_500_000_000, 7)
    (cache,) = _container_rule.look(Host(DOCKER), "container_build_cache")
    assert cache["argv"] == []
    for argv in (found["argv"], list(_container_rule._CACHE)):
        assert not [word for word in argv if "volume" in word or word in ("container", "system")]


@pytest.mark.parametrize(
    ("programs", "files", "note"),
    [
        ({**DOCKER, "docker version": "19.03.1\n"}, {}, "docker 19.3 is older than 20.10"),
        ({**DOCKER, "docker version": "!cannot connect"}, {}, "docker does not answer"),
        (DOCKER, {"/var/lib/kubelet": ""}, "docker: left to the kubelet, this is a Kubernetes node (/var/lib/kubelet)"),
        ({"podman version": "3.4.4\n"}, {}, "podman 3.4 is older than 4.0"),
    ],
)
def test_images_stay_where_that_is_not_safe(programs: dict[str, str], files: dict[str, str], note: str) -> None:
    (found,) = _container_rule.look(Host(programs, files), "container_images")
    assert (found["argv"], found["note"]) == ([], note)


@pytest.mark.parametrize(
    ("text", "size"), [("1.5GB (30%)", 1_500_000_000), ("0B (0%)", 0), ("12kB", 12_000), (77, 77), ("?", 0)]
)
def test_sizes_of_container_programs_are_read(text: t.Any, size: int) -> None:
    assert _container_rule.parse_size(text) == size


def test_a_command_that_fails_is_told_and_counts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Commands:
        def run(self, argv: list[str]) -> Output:
            return Output("ok", 125, "", "the storage is locked")

    target = _account.Target("/", os.stat("/").st_dev, 0, None)
    account = _command_rules.run(
        Host(DOCKER), _rules.by_id("container_images"), True, {target.dev: target}, _account.Budget(), Commands()
    )
    assert (account.files, account.stopped) == (0, "command_failed")
    assert account.notes[-1] == "docker image prune ended with 125: the storage is locked"


def test_images_that_stayed_are_not_counted_as_gone() -> None:
    class Commands:
        def run(self, argv: list[str]) -> Output:
            return Output("ok", 0, "Total reclaimed space: 0B", "")

    target = _account.Target("/", os.stat("/").st_dev, 0, None)
    account = _command_rules.run(
        Host(DOCKER), _rules.by_id("container_images"), True, {target.dev: target}, _account.Budget(), Commands()
    )
    assert (account.files, account.bytes, account.stopped) == (0, 0, "")


def test_orphans_and_leftovers_are_only_told() -> None:
    host = Host(
        {
            "apt-get": "",
            "apt-get --simulate --quiet autoremove": "Remv libfoo [1]\nRemv linux-image-6.1.0-1-amd64 [1]\n",
            "dpkg-query": "rc \told-app\nii \tbash\n",
            "snap list": "Name Version Rev Tracking Publisher Notes\ncore 16 100 s c disabled\ncore 16 101 s c -\n",
        },
        {"/var/lib/dpkg/status": ""},
    )
    orphans, leftovers = _command_rules.reports(host)
    assert (orphans["items"], leftovers["items"]) == (["libfoo"], ["old-app", "snap core revision 100"])
    assert not [argv for argv in host.ran if "--simulate" not in argv and argv[0] == "apt-get"]


# --- what grows


def test_growers_are_counted_once_and_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    big = put(root / "a/b/big", 400_000)
    put(root / "c/small", 40_000)
    os.link(big, root / "c/same")
    monkeypatch.setattr(_space, "table", lambda: [(str(root), "ext4", [str(root)])])
    (found,) = _growers.collect(Machine(), [str(root), "/not-mounted"], seconds=20.0)
    sizes = {entry["path"].removeprefix(str(root)): entry["bytes"] for entry in found["folders"]}
    assert sum(size for path, size in sizes.items() if path in ("/a/b", "/c")) <= found["bytes"]
    assert found["folders"][0]["path"] == str(root)
    assert max(sizes.get("/a/b", 0), sizes.get("/c", 0)) >= 400_000
    # What is nearly all of the folder above it stands for that.
    assert "/a" not in sizes or "/a/b" not in sizes
    assert found["partial"] == ""
    assert found["folders"][0]["user"]
    (cut,) = _growers.collect(Machine(), [str(root)], entries=3)
    assert cut["partial"] == "entries"


# --- the work on the host


@pytest.fixture
def host_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(_folder, "MEMORY_ROOT", str(tmp_path / "memory"))
    monkeypatch.setattr(_folder, "LOCK", str(tmp_path / "lock"))
    monkeypatch.setattr(_system, "has_systemd", lambda machine: False)
    monkeypatch.setattr(_unit, "start", lambda *_: None)
    return tmp_path / "memory/disk_cleanup"


def start(**more: t.Any) -> dict[str, t.Any]:
    asked = {"id": "01CLEANUP", "run_id": "run", "client": "acme", "host": "web1", "kind": "cleanup", "program": "pass"}
    return _control.start(Machine(), {**asked, **request("rotated_logs"), **more})


def test_the_work_ends_with_its_account(host_folder: Path, all_of_it: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Machine, "now", lambda _self: FUTURE)
    assert start()["started"]
    _work.run(str(host_folder / "01CLEANUP"))
    state = _control.status(Machine(), "01CLEANUP")
    assert (state["outcome"], state["phase"], state["rules"][0]["files"]) == ("done", "ended", 4)
    assert [entry["id"] for entry in _control.unfinished(Machine())["work"]] == ["01CLEANUP"]
    _control.recorded(Machine(), "01CLEANUP")
    assert _control.unfinished(Machine()) == {"work": []}


def test_a_disk_too_full_to_write_down_progress_does_not_end_the_work(
    host_folder: Path, all_of_it: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Machine, "now", lambda _self: FUTURE)
    start()
    real = _folder.write
    refused = []

    def full(folder: str, name: str, text: str) -> None:
        if json.loads(text).get("rules") and not json.loads(text).get("outcome"):
            refused.append(name)
            raise OSError(errno.ENOSPC, "No space left on device", name)
        real(folder, name, text)

    monkeypatch.setattr(_folder, "write", full)
    _work.run(str(host_folder / "01CLEANUP"))
    state = _control.status(Machine(), "01CLEANUP")
    assert refused
    assert (state["outcome"], state["rules"][0]["files"]) == ("done", 4)


def test_work_whose_program_is_gone_is_judged(host_folder: Path) -> None:
    start()
    state = json.loads((host_folder / "01CLEANUP/state.json").read_text())
    for phase, outcome in (("waiting", "refused"), ("cleaning", "failed"), ("growing", "failed")):
        changed = {**state, "phase": phase, "started_at": 1.0, "process": {"pid": 1, "started": 1}}
        (host_folder / "01CLEANUP/state.json").write_text(json.dumps(changed))
        ended = _control.status(Machine(), "01CLEANUP")
        assert (ended["outcome"], ended["code"]) == (outcome, "interrupted")
        assert ("the next run makes up" in ended["text"]) == (phase == "growing")


def test_what_may_not_be_done_is_refused_before_anything_is_written(host_folder: Path) -> None:
    with pytest.raises(AgentError, match="never carried out"):
        start(rules=["orphans"])
    assert not host_folder.exists()


def test_the_agent_knows_what_only_reads() -> None:
    assert set(_agent.READING) < set(_agent.OPERATIONS)
    assert {"start", "recorded", "clean"} == set(_agent.OPERATIONS) - set(_agent.READING)
    assert set(_bases.ALLOWED).isdisjoint({"/var/lib", "/var", "/", "/home", "/etc"})
