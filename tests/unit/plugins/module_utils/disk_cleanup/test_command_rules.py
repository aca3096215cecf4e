# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules that leave it to a program: kernels, containers, and what is only told."""

from __future__ import annotations

import os
import typing as t

import pytest
from cleanup_rules import Host

from ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup import (
    _account,
    _command_rules,
    _container_rule,
    _kernel_rule,
    _rules,
)
from ansible_collections.keepwell.fleet.plugins.module_utils.patching import _locks
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import Output


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
