"""playbooks/maintain.yml over hosts of the lab: twice in a row, killed at any moment, and out of time."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import random
import signal
import subprocess
import time
import typing as t
from pathlib import Path

import patch_runs
import pytest
from fleet import Fleet
from harness import PROJECT, Outcome, Project
from lab import full_disks, mounts
from lab.hosts import Host, Wanted
from patch_runs import FIX

pytestmark = [pytest.mark.lab, pytest.mark.long, pytest.mark.xdist_group("lab")]

CLIENT = "maintained"
NAMES = ("maintain-1", "maintain-2", "maintain-3")
CACHE = "/var/cache/apt/archives"
FILLER = f"{CACHE}/kw-filler_1.0_all.deb"
# A small filesystem that an old package fills; and a package manager that takes its time, to be killed in.
SIZE = "16M"
BEFORE = f"""
echo 'DPkg::Pre-Invoke {{ "sleep 2"; }};' >/etc/apt/apt.conf.d/99slow
[ -e {FILLER} ] || head -c $(($(df --output=size --block-size=1 {CACHE} | tail -n 1) * 9 / 10)) /dev/zero >{FILLER}
"""
WANTED = {"kw-conf": FIX, "kw-linux-image": "6.1.11-1", "kw-svc": FIX, "kw-tool": FIX}
EVERYTHING = ["monitoring", "patching", "antivirus", "backup_verification", "disk_cleanup"]
VARIABLES: dict[str, t.Any] = {
    "keepwell_plan": {"name": "lab", "services": EVERYTHING},
    "patching_exclusions": patch_runs.WITHOUT_BROKEN,
    "patching_ring": 1,
    "disk_cleanup_package_keep_days": 0,
    "disk_cleanup_when": "below_target",
    "disk_cleanup_target_free_percent": 50,
}
ACT = ("-e", '{"maintain_act": true}')
MOMENTS = int(os.environ.get("KEEPWELL_MOMENTS", "10"))
LIMIT_S = 150.0
# How many times as long a run with changes takes as one that finds nothing to do.
QUICKER = 3.0
WORKERS = "workers of it are still at a host: wait for their end"


@pytest.fixture(scope="module")
def disks(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[dict[str, Path]]:
    """A small disk for the packages that each host fetches."""
    folder = tmp_path_factory.mktemp("disks")
    with contextlib.ExitStack() as stack:
        images = {name: full_disks.image(folder / name, "archives", (), Path(FILLER).name, SIZE) for name in NAMES}
        yield {name: stack.enter_context(mounts.mounted(images[name], parent=mounts.PLACE)) for name in NAMES}


@pytest.fixture
def hosts(fleet: Fleet, disks: dict[str, Path]) -> list[Host]:
    """Three hosts with updates pending and too little room, as the image made them."""
    for name in NAMES:
        if name in fleet.lab.hosts:
            fleet[name].recreate()
    fleet.lab.start(
        Wanted(name, "debian-12", ("--volume", f"{disks[name]}:{CACHE}"), BEFORE)
        for name in NAMES
        if name not in fleet.lab.hosts
    )
    return [fleet[name] for name in NAMES]


def client(folder: Path, hosts: t.Sequence[Host], **more: t.Any) -> Path:
    by_name = {host.name: host.variables() for host in hosts}
    return patch_runs.client(folder / f"{CLIENT}.yml", by_name, **{**VARIABLES, **more})


def maintain(project: Project, file: Path, *arguments: str) -> tuple[Outcome, float]:
    """Run the playbook; return what came of it and the seconds that it took."""
    began = time.monotonic()
    outcome = project.play("maintain", file, "--forks", "3", *arguments, timeout=500)
    return outcome, time.monotonic() - began


def records(run: Path) -> dict[tuple[str, str], dict[str, t.Any]]:
    """The change records of a run, by chore and host."""
    chores = ("backup_verification", "disk_cleanup", "patching", "antivirus")
    return {(chore, host): found for chore in chores for host, found in patch_runs.changes(run, chore).items()}


def filler(host: Host) -> bool:
    return host.run(f"test -e {FILLER}", check=False).returncode == 0


def well(host: Host) -> None:
    """Every update is there, nothing is half done, and there is room again."""
    versions = patch_runs.versions(host)
    assert {name: versions[f"{name}:all"] for name in WANTED} == WANTED
    assert host.run("dpkg --audit; ls /var/lib/dpkg/updates").stdout == ""
    assert not filler(host)


def test_the_second_of_two_runs_changes_nothing_and_is_quick(
    hosts: list[Host], project: Project, tmp_path: Path
) -> None:
    file = client(tmp_path, hosts, patching_settle_s=20, patching_settle_limit_s=30)
    before = {host.name: patch_runs.versions(host) for host in hosts}
    first, took = maintain(project, file, *ACT)
    assert first.rc == 0, first.output
    (run,) = patch_runs.runs(first, CLIENT)
    found = records(run)
    for host in hosts:
        assert found["disk_cleanup", host.name]["outcome"] == "done", found["disk_cleanup", host.name]
        well(host)
        change = found["patching", host.name]
        assert change["outcome"] == "done", change["text"]
        assert patch_runs.recorded(change) == set(patch_runs.moved(before[host.name], patch_runs.versions(host)))
        assert (change["expected_s"], change["window"]) == (60.0, "always")
        assert found["disk_cleanup", host.name]["entered_at"] < change["entered_at"]
    after = {host.name: patch_runs.versions(host) for host in hosts}
    second, again = maintain(project, file, *ACT)
    assert second.rc == 0, second.output
    quiet = patch_runs.runs(second, CLIENT)[-1]
    assert {record["outcome"] for record in records(quiet).values()} == {"nothing"}
    assert not (quiet / "before").exists()
    assert {host.name: patch_runs.versions(host) for host in hosts} == after
    # What else this machine does may slow down one of them.
    third, once_more = maintain(project, file, *ACT)
    assert third.rc == 0, third.output
    again = min(again, once_more)
    assert took >= QUICKER * again, f"{took:.0f} s with changes, {again:.0f} s without"
    print(
        f"maintain.yml on {len(hosts)} hosts: {took:.0f} s with changes, {again:.0f} s without, {took / again:.1f} to 1"
    )


def killed(project: Project, file: Path, moment_s: float) -> None:
    """Begin an acting run and kill its process group at a moment, unless it is over by then."""
    with subprocess.Popen(
        project.command("maintain", file, "--forks", "3", *ACT),
        cwd=PROJECT,
        env=project.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as running:
        try:
            running.wait(moment_s)
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, signal.SIGKILL)


@pytest.mark.parametrize(
    "number",
    [pytest.param(number, marks=pytest.mark.long) for number in range(MOMENTS)],
)
def test_killed_at_any_moment(hosts: list[Host], project: Project, tmp_path: Path, number: int) -> None:
    seed = os.environ.get("KEEPWELL_SEED") or str(random.randrange(10**6))
    moment = random.Random(f"{seed}-{number}").uniform(2.0, 45.0)
    print(f"KEEPWELL_SEED={seed}: killed after {moment:.1f} s")
    file = client(tmp_path, hosts)
    before = {host.name: patch_runs.versions(host) for host in hosts}
    killed(project, file, moment)
    for path in project.state.rglob("*.json"):
        json.loads(path.read_text())
    hosts[0].lab.forget_connections()
    begun = patch_runs.runs_of(project.state, CLIENT)
    outcome, _took = maintain(project, file, *ACT)
    end = time.monotonic() + LIMIT_S
    # A worker has a session of its own: it lives on until its task has ended, and the run that was killed is not over.
    while outcome.rc != 0 and WORKERS in " ".join(outcome.output.split()) and time.monotonic() < end:
        outcome, _took = maintain(project, file, *ACT)
    assert outcome.rc == 0, outcome.output
    runs = patch_runs.runs(outcome, CLIENT)
    # Nothing ran twice, by the host's own account, and what happened is in the records of these runs.
    for host in hosts:
        well(host)
        assert host.run("grep -c ' upgrade kw-tool:' /var/log/dpkg.log").stdout.strip() == "1"
        told = [patch_runs.recorded(change) for run in runs if (change := records(run).get(("patching", host.name)))]
        assert set().union(*told) == set(patch_runs.moved(before[host.name], patch_runs.versions(host)))
    taken_up = {change["begun_by"] for run in runs for change in records(run).values() if change["begun_by"]}
    assert taken_up <= {run.name for run in begun}
    for key, change in records(runs[-1]).items():
        assert change["outcome"] in ("done", "nothing"), (key, change["text"])
    # Nothing is lost, and nobody holds on to anything: a third run finds nothing to do and waits for nobody.
    after = {host.name: patch_runs.versions(host) for host in hosts}
    quiet, _took = maintain(project, file, *ACT)
    assert quiet.rc == 0, quiet.output
    assert {change["outcome"] for change in records(patch_runs.runs(quiet, CLIENT)[-1]).values()} == {"nothing"}
    assert {host.name: patch_runs.versions(host) for host in hosts} == after


@pytest.mark.long
def test_a_run_that_outlives_its_window_begins_no_further_host(
    hosts: list[Host], project: Project, tmp_path: Path
) -> None:
    """The first host is begun before the cutoff; when the second one's turn comes, the cutoff has passed."""
    now = dt.datetime.now(dt.UTC)
    # The next full minute that is far enough away for the first host to be begun.
    cutoff = (now + dt.timedelta(seconds=150)).replace(second=0, microsecond=0)
    start = cutoff - dt.timedelta(minutes=30)
    windows = {
        "short": {
            "rule": {"once": start.date().isoformat()},
            "start": start.strftime("%H:%M"),
            "duration": "1h30m",
            "cutoff": "1h",
            "allow": ["patch", "reboot"],
        }
    }
    rings = {"patching_rings": [{"soak_h": 0}], "patching_settle_s": 160, "patching_settle_limit_s": 170}
    file = patch_runs.client(
        tmp_path / f"{CLIENT}.yml",
        {host.name: host.variables(patching_ring=ring) for ring, host in enumerate(hosts[:2], start=1)},
        **{**VARIABLES, **rings, "keepwell_windows": windows},
    )
    outcome, _took = maintain(project, file, *ACT)
    assert outcome.rc == 0, outcome.output
    found = patch_runs.changes(patch_runs.runs(outcome, CLIENT)[-1])
    first, second = (found[host.name] for host in hosts[:2])
    assert (first["outcome"], first["window"]) == ("done", "short")
    assert (second["outcome"], second["code"]) == ("skipped", "window_closed")
    assert "begins nothing new since" in second["text"]
    versions = patch_runs.versions(hosts[1])
    assert versions["kw-tool:all"] == "1.0-1"
    # It waits, and the run says so.
    assert [(entry["host"], entry["chore"]) for entry in outcome.run(CLIENT)["waiting"]] == [
        (hosts[1].name, "patching")
    ]
    # Once a window is open it has its turn.
    later, _took = maintain(project, client(tmp_path, hosts[:2], **rings, patching_ring=0), *ACT)
    assert patch_runs.changes(patch_runs.runs(later, CLIENT)[-1])[hosts[1].name]["outcome"] == "done", later.output
    assert later.run(CLIENT).get("waiting", []) == []


@pytest.mark.long
def test_the_brake_holds_the_other_hosts_and_the_host_itself_is_left_alone(
    hosts: list[Host], project: Project, tmp_path: Path
) -> None:
    """The first upgrade fails; with a limit of one host nobody else is begun, and no other chore touches that host."""
    file = client(tmp_path, hosts, patching_exclusions=[], keepwell_brake={"hosts": 1})
    outcome, _took = maintain(project, file, *ACT, "--forks", "1")
    assert outcome.rc == 2, outcome.output
    found = records(patch_runs.runs(outcome, CLIENT)[-1])
    first, *others = NAMES
    assert found["patching", first]["outcome"] == "failed", found["patching", first]["text"]
    assert found["antivirus", first]["code"] in ("", "in_doubt")
    for name in others:
        assert (found["patching", name]["outcome"], found["patching", name]["code"]) == ("skipped", "brake")
        assert f"{first}, 1 of 3 hosts, show " in found["patching", name]["text"]
        assert patch_runs.versions(hosts[0].lab.hosts[name])["kw-tool:all"] == "1.0-1"
    assert "The brake held patching." in outcome.output
