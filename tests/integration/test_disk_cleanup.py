"""playbooks/disk_cleanup.yml on this machine, with filesystems of its own that are nearly full: no container needed."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from harness import PROJECT, Outcome, Project, inventory, need

from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord

sys.path.insert(0, str(PROJECT / "tests" / "fleet"))

from lab import full_disks, mounts

CLIENT = "cleaned"
ACT = ("-e", '{"disk_cleanup_act": true}')
VARIABLES: dict[str, t.Any] = {
    "keepwell_client": {"id": CLIENT, "name": "Cleaned"},
    "keepwell_plan": {"name": "Care", "services": ["monitoring", "disk_cleanup"]},
    "keepwell_subset": "disks",
}
TOOLS = ("mke2fs", "debugfs", "unshare", "losetup")


class Disks:
    """Two filesystems that are 97 % full, on /var/log and on /srv, seen by what is started in here alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.images = {
            "/var/log": full_disks.image(folder, "log", full_disks.LOGS, "app/current.log"),
            "/srv": full_disks.image(folder, "srv", full_disks.DATA, "customers/photos/b.raw"),
        }
        self.project = Project(folder / "state")

    def play(self, *arguments: str, more: str = "", **variables: t.Any) -> Outcome:
        """Run the playbook where these filesystems are mounted; ``more`` is a shell line that goes before."""
        hosts = {"here": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}}
        file = inventory(self.folder / f"{CLIENT}.yml", hosts, **{**VARIABLES, **variables})
        command = shlex.join(self.project.command("disk_cleanup", file, *arguments))
        # What else is at work on this machine has its own lock, and its own account in memory.
        places = {"/run": "-t tmpfs none", **{mount: f"-o loop {image}" for mount, image in self.images.items()}}
        script = " && ".join(f"mount {what} {mount}" for mount, what in places.items())
        done = subprocess.run(
            [
                "unshare",
                "--mount",
                "--propagation",
                "private",
                "sh",
                "-c",
                f"{script} && {more or ':'} && exec {command}",
            ],
            cwd=PROJECT,
            env=self.project.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, self.project.state)

    def contents(self, mount: str) -> dict[str, str]:
        """Hash of every file of one of them."""
        with mounts.mounted(self.images[mount], "ro") as place:
            return {
                str(path.relative_to(place)): hashlib.sha256(path.read_bytes()).hexdigest()
                for path in place.rglob("*")
                if path.is_file()
            }


@pytest.fixture
def disks(tmp_path: Path) -> Disks:
    need(os.geteuid() == 0 and all(shutil.which(tool) for tool in TOOLS), "root, e2fsprogs and loop devices")
    return Disks(tmp_path)


def change(outcome: Outcome) -> ChangeRecord:
    run = sorted((outcome.state / CLIENT / "runs").iterdir())[-1]
    return ChangeRecord.model_validate_json((run / "changes" / "here.disk_cleanup.json").read_text())


def findings(outcome: Outcome, check: str) -> dict[str, dict[str, t.Any]]:
    run = sorted((outcome.state / CLIENT / "runs").iterdir())[-1]
    results = json.loads((run / "hosts" / "here.json").read_text())["result"]["results"]
    return {f["object"]: f for result in results if result["check"] == check for f in result["findings"]}


def test_a_full_filesystem_is_brought_under_its_target_by_safe_rules_alone(disks: Disks) -> None:
    before = {mount: disks.contents(mount) for mount in disks.images}
    announced = disks.play("--check")
    assert announced.rc == 0, announced.output
    assert {mount: disks.contents(mount) for mount in disks.images} == before
    seen = change(announced)
    assert (seen.outcome, announced.run(CLIENT)["header"].get("acting", [])) == ("planned", [])
    assert seen.cleanup
    assert "This is an announcement: nothing has been changed." in announced.output

    done = disks.play(*ACT)
    assert done.rc == 0, done.output
    record = change(done)
    assert record.outcome == "done", record.text
    assert record.cleanup
    # Nothing but what may go went, the oldest first, and not more than the target asks for.
    after = {mount: disks.contents(mount) for mount in disks.images}
    assert set(before["/var/log"]) - set(after["/var/log"]) == full_disks.GOES - {
        "app/app.log.2.gz",
        "app/app.log.3.gz",
    }
    assert after["/srv"] == before["/srv"]
    assert after["/var/log"].items() <= before["/var/log"].items()

    log, srv = (next(e for e in record.cleanup.filesystems if e.mount == mount) for mount in ("/var/log", "/srv"))
    assert log.predicted_bytes == log.deleted_bytes
    assert log.actual_bytes
    assert abs(log.actual_bytes - log.predicted_bytes) <= 0.05 * log.predicted_bytes or log.reasons
    for announced_rule, rule in zip(seen.cleanup.rules, record.cleanup.rules, strict=True):
        assert announced_rule.predicted
        assert rule.done
        for name in ("files", "bytes", "list_sha256", "top", "oldest", "newest", "stopped"):
            assert getattr(rule.done, name) == getattr(announced_rule.predicted, name), (rule.id, name)
    rotated = next(rule for rule in seen.cleanup.rules if rule.id == "rotated_logs")
    assert rotated.predicted
    assert (rotated.predicted.stopped, rotated.predicted.rest_files) == ("target", 2)
    assert "/var/log" not in findings(done, "capacity.space")

    # What cannot be helped stays a finding, and what takes the room there is named.
    left = findings(done, "capacity.space")["/srv"]
    assert left["state"] in ("watch", "crit")
    assert "Largest: /srv/customers " in left["summary"] or "Largest: /srv/customers/photos" in left["summary"]
    assert [entry.path for entry in srv.growers][:2] == ["/srv/customers", "/srv/customers/photos"]
    assert record.residual[0].startswith("/srv still asks for room (capacity.space); look at /srv/customers")

    again = disks.play(*ACT)
    assert again.rc == 0, again.output
    assert change(again).outcome == "nothing"
    assert {mount: disks.contents(mount) for mount in disks.images} == after
    # Only the report is written anew.
    assert "changed=0" in again.output


def test_logs_below_the_retention_policy_are_refused_before_any_connection(disks: Disks) -> None:
    before = disks.contents("/var/log")
    refused = disks.play(*ACT, disk_cleanup_log_days=30)
    assert refused.rc == 2
    assert "disk_cleanup_log_days (30) is below disk_cleanup_log_retention_days (90)" in refused.output
    assert disks.contents("/var/log") == before


def test_without_a_plan_that_has_it_nothing_is_deleted(disks: Disks) -> None:
    before = disks.contents("/var/log")
    refused = disks.play(*ACT, keepwell_plan={"name": "Look", "services": ["monitoring"]})
    assert refused.rc == 2
    assert "disk_cleanup" in refused.output
    held = disks.play(*ACT, disk_cleanup_hold="INC-12: evidence is being secured")
    assert (change(held).outcome, change(held).code) == ("skipped", "held")
    closed = disks.play(*ACT, disk_cleanup_window=True)
    assert (change(closed).outcome, change(closed).code) == ("skipped", "window_closed")
    assert disks.contents("/var/log") == before


def test_it_begins_on_a_disk_that_is_full_to_the_last_byte(disks: Disks) -> None:
    fill = "{ head -c 99999999 /dev/zero >/var/log/app/full 2>/dev/null || true; }"
    done = disks.play(*ACT, more=fill)
    assert done.rc == 0, done.output
    record = change(done)
    assert record.outcome == "done"
    assert record.cleanup
    log = next(entry for entry in record.cleanup.filesystems if entry.mount == "/var/log")
    assert log.avail_before_bytes == 0
    assert log.actual_bytes == log.deleted_bytes
