"""Holds and the lease of a client, by the playbooks as a person starts them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import typing as t
from pathlib import Path

import pytest
from harness import PROJECT, Outcome, Project, inventory, need
from test_guard import acting, play, project_run, said

SERVICES = {"keepwell_plan": {"name": "Care", "services": ["backup_verification", "patching"]}}


def hosts(tmp_path: Path) -> dict[str, dict[str, t.Any]]:
    """Two names for this machine; each has a folder of its own in which a canary is kept."""
    found = {}
    for name in ("web1", "web2"):
        live = tmp_path / name
        live.mkdir()
        dataset = {
            "id": "files", "protects": "the files", "tool": "restic", "repository": str(tmp_path / "none"),
            "hosts": [name], "sources": [str(live)], "expected_paths": [str(live)], "canary": {"path": str(live / "canary")},
            "offsite_required": False, "immutable_required": False, "key_escrow": {"place": "a safe", "tested": "2026-11-01"},
        }  # fmt: skip
        found[name] = {"ansible_connection": "local", "backup_verification_datasets": [dataset]}
    return found


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return inventory(
        tmp_path / "shop.yml",
        hosts(tmp_path),
        keepwell_client={"id": "shop", "name": "Shop", "timezone": "Europe/Amsterdam"},
        **SERVICES,
    )


def records(project: Project) -> list[dict[str, t.Any]]:
    return [json.loads(path.read_text()) for path in sorted((project.state / "shop" / "holds").glob("*.json"))]


def steps(project: Project, tmp_path: Path, shop: Path, go: Path) -> list[str]:
    """The command of a run that writes a canary on web1, waits for a file, and then writes the one on web2."""
    playbook = tmp_path / "steps.yml"
    canary = {"keepwell.fleet.backup_canary": {}}
    tasks: list[dict[str, t.Any]] = [
        {"keepwell.fleet.run_begin": {"acting": ["backup_verification"]}, "run_once": True},
        {**canary, "when": "inventory_hostname == 'web1'"},
        {"ansible.builtin.debug": {}, "until": f"'{go}' is exists", "retries": 90, "delay": 1, "run_once": True},
        {**canary, "when": "inventory_hostname == 'web2'"},
        {"keepwell.fleet.record": {}, "run_once": True},
    ]
    playbook.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    command = project.command("assess", shop, "-e", '{"backup_verification_act": true}')
    return [str(playbook) if part == "playbooks/assess.yml" else part for part in command]


def test_a_hold_that_is_placed_during_a_run_stops_its_next_host(project: Project, tmp_path: Path, shop: Path) -> None:
    need(os.geteuid() == 0, "root, as on a host that is worked on")
    go = tmp_path / "go"
    running = subprocess.Popen(
        steps(project, tmp_path, shop, go), cwd=PROJECT, env=project.environment(), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    end = time.monotonic() + 60
    while not (tmp_path / "web1" / "canary").exists() and time.monotonic() < end and running.poll() is None:
        time.sleep(0.1)
    placed = project.play("hold", shop, "-e", "keepwell_reason=incident", "-e", "keepwell_hosts=web2")
    go.touch()
    output, _ = running.communicate(timeout=100)
    assert placed.rc == 0, placed.output
    assert "Shop, web2: On hold until " in said(placed.output)
    assert running.returncode == 0, output
    assert (tmp_path / "web1" / "canary").exists(), output
    assert not (tmp_path / "web2" / "canary").exists()
    # The last lines of the run tell it, and so does its evidence.
    assert "On hold   web2 until " in output
    assert [hold["hosts"] for hold in project_run(project)["holds"]] == [["web2"]]
    # Let go, it is worked on, and nobody has to be told twice.
    released = project.play("release", shop, "-e", "keepwell_reason=secured", "-e", "keepwell_hosts=web2")
    assert "Shop, web2: released." in said(released.output)
    again = play(project, steps(project, tmp_path, shop, go))
    assert again.rc == 0, again.output
    assert (tmp_path / "web2" / "canary").exists()
    assert "On hold" not in again.output


def test_a_hold_is_kept_with_who_when_until_and_why_and_released_by_whom(project: Project, shop: Path) -> None:
    arguments = ("-e", 'keepwell_reason="audit week"')
    assert project.play("hold", shop, *arguments, "--check").rc == 0
    assert not project.state.exists()
    first = project.play("hold", shop, *arguments)
    assert first.rc == 0, first.output
    assert "Shop, the whole client: On hold until " in said(first.output)
    before = (project.state / "shop" / "holds").stat().st_mtime_ns
    assert "changed=0" in project.play("hold", shop, *arguments).output
    assert (project.state / "shop" / "holds").stat().st_mtime_ns == before
    [hold] = records(project)
    assert hold["reason"] == "audit week"
    assert "hosts" not in hold
    assert set(hold["placed_by"]) >= {"user", "controller", "origin"}
    assert hold["until"].endswith(("T22:59:00Z", "T21:59:00Z")), "the last minute of a day in Amsterdam"
    assert project.play("release", shop, "-e", "keepwell_reason=over").rc == 0
    kept, release = records(project)
    assert kept == hold
    assert (release["hold_id"], release["reason"]) == (hold["hold_id"], "over")
    assert release["released_by"]["user"] == hold["placed_by"]["user"]
    idle = project.play("release", shop, "-e", "keepwell_reason=over")
    assert (idle.rc, "Shop: nothing is on hold there." in idle.output) == (0, True)


@pytest.mark.parametrize(
    "arguments",
    [("--limit", "web2"), ("-e", "keepwell_hosts=all:!web1"), ("-e", '{"keepwell_hosts": ["web2"]}')],
    ids=["limit", "pattern", "list"],
)
def test_hosts_are_chosen_as_for_any_playbook(project: Project, shop: Path, arguments: tuple[str, str]) -> None:
    assert project.play("hold", shop, "-e", "keepwell_reason=audit", *arguments).rc == 0
    assert [hold["hosts"] for hold in records(project)] == [["web2"]]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "keepwell_reason: say in a few words why"),
        (("-e", "keepwell_reason=audit week"), "-e: 'week' belongs to no variable."),
        (("-e", "keepwell_reason=audit", "-e", "keepwell_until=2020-01-01"), "'2020-01-01' is past"),
        (("-e", "keepwell_reason=audit", "-e", "keepwell_until=2099-01-01"), "is more than 90 days away"),
        (
            ("-e", "keepwell_reason=audit", "-e", "keepwell_hosts=typo"),
            "keepwell_hosts: 'typo' matches no host of this inventory.",
        ),
        (("-e", "keepwell_reason=audit", "-e", "keepwell_hosts=web1:typo"), "keepwell_hosts: 'typo' matches no host"),
        (("-e", "keepwell_reason=audit", "--limit", "web1,typo"), "--limit: 'typo' matches no host of this inventory."),
        (
            ("-e", "keepwell_reason=audit", "-e", "keepwell_hosts=web1", "--limit", "web2"),
            "No host of this inventory matches.",
        ),
    ],
)
def test_a_hold_that_nobody_could_mean_is_refused(
    project: Project, shop: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    outcome = project.play("hold", shop, *arguments)
    assert outcome.rc == 2
    assert sentence in said(outcome.output)
    assert not project.state.exists()


def killed(project: Project, tmp_path: Path, shop: Path) -> str:
    """Kill an acting run without warning; return its id."""
    first = subprocess.Popen(
        acting(project, tmp_path, shop, wait_s=90), cwd=PROJECT, env=project.environment(), start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    while not list((project.state / "shop" / "runs").glob("0*")):
        assert first.poll() is None
        time.sleep(0.1)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    return str(project_run(project)["header"]["run_id"])


def test_the_lease_of_a_killed_run_is_taken_over_and_that_is_told(project: Project, tmp_path: Path, shop: Path) -> None:
    run_id = killed(project, tmp_path, shop)
    outcome = play(project, acting(project, tmp_path, shop))
    assert outcome.rc == 0, outcome.output
    assert f"Took over the lease of run {run_id}" in said(outcome.output)
    assert project_run(project)["header"]["taken_over"]["run_id"] == run_id


def test_one_elsewhere_keeps_its_lease_while_its_heart_beats(project: Project, tmp_path: Path, shop: Path) -> None:
    run_id = killed(project, tmp_path, shop)
    [file] = (project.state / "shop" / "lease").glob("*.json")
    held = json.loads(file.read_text())
    held["process"]["controller"] = "elsewhere"
    file.write_text(json.dumps(held))
    outcome: Outcome = play(project, acting(project, tmp_path, shop))
    assert outcome.rc == 2
    assert f"Hosts of Shop are being changed (patching) by run {run_id}, since 2" in said(outcome.output)
    assert "after 30 minutes without one the next run takes over." in said(outcome.output)
    # Who only looks is never kept waiting.
    looking = acting(project, tmp_path, shop, "--check")
    assert play(project, looking).rc == 0
    long_ago = time.time() - 3600
    os.utime(file, (long_ago, long_ago))
    outcome = play(project, acting(project, tmp_path, shop))
    assert outcome.rc == 0, outcome.output
    assert "It gave no sign of life for 60 minutes" in said(outcome.output)


def test_a_run_whose_hosts_all_failed_gives_its_lease_back(project: Project, tmp_path: Path) -> None:
    away = {"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_ssh_common_args": "-o ConnectTimeout=2"}
    shop = inventory(tmp_path / "shop.yml", {"web1": away, "web2": away}, **SERVICES)
    outcome = project.play("patch", shop, "-e", "patching_act=true")
    assert outcome.rc == 4, outcome.output
    [taken] = (project.state / "shop" / "lease").glob("????????.json")
    assert taken.with_name("00000001.released.json").exists()
