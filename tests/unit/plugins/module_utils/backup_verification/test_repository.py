"""What drivers of repositories share: times, places, which snapshot is whose, paths that should or should not be there."""

from __future__ import annotations

import os
import subprocess
import time
import typing as t

import pytest

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import _repository
from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification._driver import snapshot
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import Machine


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-11-27T07:47:21.103674901Z", 1795765641.1036749),
        ("2026-11-27T08:47:21+01:00", 1795765641.0),
        ("2026-11-27T02:17:21-0530", 1795765641.0),
        # Borg's, which has no zone: the command ran in UTC. In the hour that a clock change repeats, too.
        ("2026-10-25T02:30:00.000000", 1792895400.0),
        ("yesterday", None),
        ("2026-13-01T00:00:00Z", None),
        (None, None),
    ],
)
def test_times_are_epoch_seconds(text: str | None, seconds: float | None) -> None:
    assert _repository.epoch(text) == (None if seconds is None else pytest.approx(seconds, abs=1e-3))


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("/srv/backup/", ("local", "/srv/backup")),
        ("local:/srv/backup", ("local", "/srv/backup")),
        ("file:///srv/backup", ("local", "/srv/backup")),
        ("ssh://backup@host:22/./web1", ("ssh", None)),
        ("backup@host:web1", ("ssh", None)),
        ("sftp:backup@host:/web1", ("sftp", None)),
        ("s3:s3.example.com/bucket", ("object", None)),
        ("b2:bucket:path", ("object", None)),
        ("rest:https://host/", ("other", None)),
        ("rclone:drive:backup", ("other", None)),
    ],
)
def test_a_repository_text_tells_its_place(text: str, place: tuple[str, str | None]) -> None:
    assert _repository.location(text) == place


class Mounted(Machine):
    """A host with a network filesystem on /mnt/nas."""

    def parsed_file(self, path: str, parse: t.Any) -> t.Any:
        return parse(
            "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n40 22 0:50 / /mnt/nas rw - nfs4 nas:/export rw\n"
            "41 40 8:2 / /mnt/nas/disk rw - ext4 /dev/sdb1 rw\n"
        )


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/mnt/nas/repo", "mount"), ("/mnt/nas/disk/repo", "local"), ("/mnt/nasty", "local"), ("/x", "local")],
)
def test_a_folder_on_a_network_filesystem_is_a_mount(path: str, kind: str) -> None:
    assert _repository.place(Mounted(time.monotonic() + 30), path)["location"] == kind


@pytest.mark.parametrize(
    ("dataset", "belongs"),
    [
        ({}, True),
        ({"hosts": ["web1"]}, True),
        ({"hosts": ["web2"]}, False),
        ({"sources": ["/srv/data", "/etc"]}, True),
        ({"sources": ["/srvdata"]}, False),
        ({"sources": ["/etc", "/home"]}, False),
        ({"tags": ["nightly"]}, True),
        ({"tags": ["nightly", "weekly"]}, False),
    ],
)
def test_a_snapshot_is_one_of_the_dataset_by_host_paths_and_tags(dataset: dict[str, t.Any], belongs: bool) -> None:
    entry = snapshot("1", 1.0, host="web1", paths=["/srv", "/etc"], tags=["nightly"])
    assert _repository.belongs(entry, dataset) is belongs


def test_only_a_process_of_this_very_host_can_be_seen_dead() -> None:
    machine, here = Machine(time.monotonic() + 30), os.uname().nodename
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert _repository.is_dead(machine, here, ended.pid) is True
    assert _repository.is_dead(machine, here, os.getpid()) is False
    assert _repository.is_dead(machine, "elsewhere", ended.pid) is False


@pytest.mark.parametrize(
    ("told", "here", "dead"),
    [
        ("web", "web", True),
        ("web.one.example", "web", True),
        ("web", "web.one.example", True),
        ("web.one.example", "web.one.example", True),
        ("web.two.example", "web.one.example", False),
        ("web2", "web", False),
        ("web", "", False),
    ],
)
def test_a_host_is_told_by_all_of_its_name(told: str, here: str, dead: bool) -> None:
    class Named(Machine):
        def read(self, path: str, *_words: t.Any, **_more: t.Any) -> str:
            return here + "\n"

        def exists(self, path: str) -> bool:
            return False

    assert _repository.is_dead(Named(), told, 7) is dead


def test_long_lists_of_paths_are_divided() -> None:
    paths = [f"/{'x' * 1000}{number}" for number in range(200)]
    portions = _repository.portions(paths)
    assert [path for portion in portions for path in portion] == paths
    assert len(portions) > 1
    assert (_repository.portions(None), _repository.portions([])) == ([[]], [])
