"""The control node dies in the middle: the host ends well by itself, and the next run knows what happened."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
import typing as t
from pathlib import Path

import agent
import patch_runs
import pytest
from fleet import Fleet
from harness import PROJECT, Project
from lab.hosts import Host, Wanted
from patch_runs import ACT, FIX

from ansible_collections.keepwell.fleet.plugins.plugin_utils import payload

pytestmark = [pytest.mark.lab, pytest.mark.long, pytest.mark.xdist_group("lab")]

CLIENT = "killed"
SLOW = "echo 'DPkg::Pre-Invoke { \"sleep 3\"; };' >/etc/apt/apt.conf.d/99slow"
WANTED = {"kw-conf": FIX, "kw-linux-image": "6.1.11-1", "kw-svc": FIX, "kw-tool": FIX}
LIMIT_S = 90.0
MOMENTS = int(os.environ.get("KEEPWELL_MOMENTS", "10"))
WORKERS = "workers of it are still at a host: wait for their end"
STATES = "cat /var/lib/keepwell/patching/*/state.json 2>/dev/null; true"


@pytest.fixture
def host(fleet: Fleet) -> Host:
    """A host that is patched slowly, as the image made it."""
    if "killed" not in fleet.lab.hosts:
        fleet.lab.start([Wanted("killed", "debian-12", before=SLOW)])
    else:
        fleet["killed"].recreate()
    return fleet["killed"]


@pytest.fixture
def file(host: Host, tmp_path: Path) -> Path:
    variables = {host.name: host.variables()}
    return patch_runs.client(tmp_path / f"{CLIENT}.yml", variables, patching_exclusions=patch_runs.WITHOUT_BROKEN)


def killed(project: Project, file: Path, reached: t.Callable[[], bool], *arguments: str) -> bool:
    """Begin an acting run and kill its process group at a moment; False when it was over before that."""
    command = project.command("patch", file, *ACT, *arguments)
    with subprocess.Popen(
        command,
        cwd=PROJECT,
        env=project.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as running:
        end = time.monotonic() + LIMIT_S
        while running.poll() is None and not reached():
            assert time.monotonic() < end, "the moment never came"
            time.sleep(0.1)
        over = running.poll() is not None
        if not over:
            os.killpg(running.pid, signal.SIGKILL)
    return not over


def judge(project: Project, file: Path, host: Host, before: dict[str, str]) -> dict[str, t.Any]:
    """Run again, as an administrator would; check that everything is right then, and return its change record."""
    for path in project.state.rglob("*.json"):
        json.loads(path.read_text())
    host.lab.forget_connections()
    begun = patch_runs.runs_of(project.state, CLIENT)
    outcome = patch_runs.patch(project, file, *ACT)
    end = time.monotonic() + LIMIT_S
    # A worker has a session of its own: it lives on until its task has ended, and the run that was killed is not over.
    while outcome.rc != 0 and WORKERS in " ".join(outcome.output.split()) and time.monotonic() < end:
        outcome = patch_runs.patch(project, file, *ACT)
    assert outcome.rc == 0, outcome.output
    after = patch_runs.versions(host)
    assert {name: after[f"{name}:all"] for name in WANTED} == WANTED
    assert host.run("dpkg --audit; ls /var/lib/dpkg/updates").stdout == ""
    host.run("apt-get check")
    (newest,) = set(patch_runs.runs(outcome, CLIENT)) - set(begun)
    (change,) = patch_runs.changes(newest).values()
    assert change["half_done"] == []
    if change["outcome"] == "done":
        assert patch_runs.recorded(change) == set(patch_runs.moved(before, after)), change
    else:
        # The run that was killed had come to its own end on this host.
        assert change["outcome"] == "nothing", change
    # Nobody holds on to anything: a third run finds nothing and waits for nobody.
    again = patch_runs.patch(project, file, *ACT)
    assert again.rc == 0, again.output
    assert {entry["outcome"] for entry in patch_runs.changes(patch_runs.runs(again, CLIENT)[-1]).values()} == {
        "nothing"
    }
    assert patch_runs.versions(host) == after
    return change


def test_killed_while_packages_are_installed(host: Host, file: Path, project: Project) -> None:
    before = patch_runs.versions(host)
    assert killed(project, file, lambda: '"applying"' in host.run(STATES).stdout)
    assert patch_runs.versions(host)["kw-tool:all"] == "1.0-1"
    (begun,) = patch_runs.runs_of(project.state, CLIENT)
    change = judge(project, file, host, before)
    assert (change["outcome"], change["begun_by"]) == ("done", begun.name)


def test_what_a_killed_run_left_at_work_keeps_another_chore_off_the_host(
    host: Host, file: Path, project: Project
) -> None:
    """Another control node, which shares no lease with the first, comes while packages are being installed."""
    before = patch_runs.versions(host)
    assert killed(project, file, lambda: '"applying"' in host.run(STATES).stdout)
    transaction = json.loads(host.run(STATES).stdout)["id"]
    request = {"id": "02ANOTHERCHORE", "run_id": "other", "client": "other", "host": host.name, "kind": "grow"}
    program = payload.work_program("disk_cleanup")
    answer = agent.ask(host, "start", chore="disk_cleanup", **request, mounts=[], program=program)
    assert (answer["started"], answer["code"]) == (False, "host_locked"), answer
    assert f"patching {transaction} of run " in answer["text"]
    assert host.run("ls /run/keepwell/disk_cleanup").stdout == ""
    change = judge(project, file, host, before)
    assert change["outcome"] == "done"
    # Nothing is in its way any more.
    assert agent.ask(host, "start", chore="disk_cleanup", **request, mounts=[], program=program)["started"]


def test_killed_while_the_host_is_compared(host: Host, file: Path, project: Project) -> None:
    before = patch_runs.versions(host)

    def compares() -> bool:
        found = [patch_runs.changes(run) for run in patch_runs.runs_of(project.state, CLIENT)]
        return any(
            step["name"] == "restart_services" for run in found for step in run.get("killed", {}).get("steps", ())
        )

    settling = '{"patching_settle_s": 30, "patching_settle_limit_s": 30}'
    assert killed(project, file, compares, "-e", settling)
    (begun,) = patch_runs.runs_of(project.state, CLIENT)
    change = judge(project, file, host, before)
    assert (change["outcome"], change["begun_by"]) == ("done", begun.name)
    # It is compared with how it was before the run that was killed.
    assert [step["outcome"] for step in change["steps"] if step["name"] == "verify"] == ["done"]


@pytest.mark.long
@pytest.mark.parametrize("number", range(MOMENTS))
def test_killed_at_any_moment(host: Host, file: Path, project: Project, number: int) -> None:
    seed = os.environ.get("KEEPWELL_SEED") or str(random.randrange(10**6))
    chosen = random.Random(f"{seed}-{number}")
    moment = chosen.uniform(1.0, 25.0)
    print(f"KEEPWELL_SEED={seed}: killed after {moment:.1f} s")
    before = patch_runs.versions(host)
    begun = time.monotonic()
    killed(project, file, lambda: time.monotonic() - begun > moment)
    judge(project, file, host, before)
