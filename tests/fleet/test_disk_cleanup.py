"""playbooks/disk_cleanup.yml over SSH on real hosts with filesystems that are nearly full."""

from __future__ import annotations

import contextlib
import typing as t
from pathlib import Path

import patch_runs
import pytest
from fleet import Fleet
from harness import Project, inventory
from lab import full_disks, mounts
from lab.hosts import Host, Wanted

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab")]

CLIENT = "cleaning"
KINDS = ("debian-12", "el9-emulation")
ACT = ("-e", '{"disk_cleanup_act": true}')
VARIABLES: dict[str, t.Any] = {
    "keepwell_lab": True,
    "keepwell_plan": {"name": "lab", "services": ["monitoring", "disk_cleanup"]},
}


@pytest.fixture(scope="module")
def hosts(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[dict[str, Host]]:
    """A host of each kind whose logs and whose data are 97 % full."""
    folder = tmp_path_factory.mktemp("disks")
    with contextlib.ExitStack() as stack:
        for kind in KINDS:
            volumes: list[str] = []
            for name, mount, things, filler in (
                ("log", "/var/log", full_disks.LOGS, "app/current.log"),
                ("srv", "/srv", full_disks.DATA, "customers/photos/b.raw"),
            ):
                image = full_disks.image(folder / kind, name, things, filler)
                place = stack.enter_context(mounts.mounted(image, parent=mounts.PLACE))
                volumes += ["--volume", f"{place}:{mount}"]
            # podman puts a filesystem in memory over the journal's folder.
            fleet.lab.start([Wanted(f"cleaning-{kind}", kind, tuple(volumes), refresh=False)])
        yield {kind: fleet[f"cleaning-{kind}"] for kind in KINDS}


def names(host: Host) -> set[str]:
    """Which of the things that were put there are there; a living host writes logs of its own."""
    found = {name.removeprefix("./") for name in host.run("cd /var/log && find . -xdev -type f").stdout.split()}
    return found & {thing.path for thing in full_disks.LOGS}


def test_hosts_are_cleaned_up_over_ssh_as_was_announced(hosts: dict[str, Host], tmp_path: Path) -> None:
    by_name = {host.name: host.variables() for host in hosts.values()}
    file = inventory(tmp_path / f"{CLIENT}.yml", by_name, **VARIABLES)
    project = Project(tmp_path / "state")
    before = {kind: names(host) for kind, host in hosts.items()}
    announced = project.play("disk_cleanup", file, "--check", timeout=400)
    assert announced.rc == 0, announced.output
    assert {kind: names(host) for kind, host in hosts.items()} == before
    done = project.play("disk_cleanup", file, *ACT, timeout=400)
    assert done.rc == 0, done.output
    first, second = patch_runs.runs(done, CLIENT)
    seen, records = patch_runs.changes(first, "disk_cleanup"), patch_runs.changes(second, "disk_cleanup")
    for kind, host in hosts.items():
        record, told = records[host.name], seen[host.name]
        assert record["outcome"] == "done", record["text"]
        assert record["bounded"].startswith("by systemd: at most ")
        gone = before[kind] - names(host)
        assert gone
        assert gone < full_disks.GOES
        log = next(entry for entry in record["cleanup"]["filesystems"] if entry["mount"] == "/var/log")
        assert log["predicted_bytes"] == log["deleted_bytes"]
        assert abs(log["gap_bytes"]) <= 0.05 * log["predicted_bytes"] or log["reasons"], log
        for rule, announced_rule in zip(record["cleanup"]["rules"], told["cleanup"]["rules"], strict=True):
            assert rule["done"]["list_sha256"] == announced_rule["predicted"]["list_sha256"]
        assert any(line.startswith("/srv still asks for room") for line in record["residual"])
        assert host.run("ls /run/keepwell/disk_cleanup").stdout
