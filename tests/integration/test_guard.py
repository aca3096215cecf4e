"""What is refused before the first connection: mixed clients, empty runs, acting without right, acting twice."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from harness import PROJECT, Outcome, Project, inventory

from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord
from ansible_collections.keepwell.fleet.plugins.plugin_utils.evidence import Store
from ansible_collections.keepwell.fleet.plugins.plugin_utils.identifiers import new_run_id
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import Client, epoch
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import RunHeader, Trigger
from ansible_collections.keepwell.fleet.plugins.plugin_utils.runs import conclude

HERE = {"web1": {"ansible_connection": "local"}}
PLAN = {"keepwell_plan": {"name": "Care", "services": ["patching"]}}


def said(output: str) -> str:
    """Return an output without the line ends and doubled quotes that make a long message fit a terminal."""
    return " ".join(output.split()).replace("''", "'")


def tree(folder: Path) -> Path:
    """Make a folder with the folders of two clients, as inventories/ is one."""
    for name, host in (("acme", "web1"), ("beta", "db1")):
        inventory(folder / name / "hosts.yml", {host: HERE["web1"]})
        variables = folder / name / "group_vars" / "all" / "client.yml"
        variables.parent.mkdir(parents=True)
        variables.write_text(json.dumps({"keepwell_client": {"id": name, "name": name}}))
    return folder


SEVERAL = "these inventories belong to several: {}/acme{} is 'acme', {}/beta{} is 'beta'"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-i", "{}"], "{} is no inventory: it holds others (acme, beta)"),
        (["-i", "{}", "--limit", "web1"], "Give one of them: -i {}/acme."),
        (["-i", "{}/acme", "-i", "{}/beta"], SEVERAL.format("{}", "", "{}", "")),
        (["-i", "{}/beta", "-i", "{}/acme", "--limit", "db1"], "{}/beta is 'beta', {}/acme is 'acme'"),
        (["-i", "{}/acme", "-i", "{}/beta", "--limit", "web1:db1"], SEVERAL.format("{}", "", "{}", "")),
        (["-i", "{}/acme/hosts.yml", "-i", "{}/beta/hosts.yml"], SEVERAL.format("{}", "/hosts.yml", "{}", "/hosts.yml")),
        (["-i", "{}/acme", "-i", "{}/beta/hosts.yml", "--limit", "all:!db1"], SEVERAL.format("{}", "", "{}", "/hosts.yml")),
        (["-i", "{}/acme,{}/beta"], "with a comma these are names of hosts, and {}/acme is an inventory."),
        (["-i", "{}/acme", "-i", "db1,"], "{}/acme is 'acme', db1, is 'db1'"),
        (["-i", "{}/acme", "-i", "{}/beta", "-e", "keepwell_client=acme"], SEVERAL.format("{}", "", "{}", "")),
        (["-i", "{}/acme", "-e", "keepwell_client=beta"], "-e keepwell_client says 'beta', but {}/acme is 'acme'."),
        (["-i", "{}/acme", "--limit", "db1"], "leaves us with no hosts to target"),
    ],
)  # fmt: skip
def test_two_clients_of_a_tree_are_never_in_one_run(
    project: Project, tmp_path: Path, arguments: list[str], words: str
) -> None:
    place = tree(tmp_path / "clients")
    outcome = project.play("assess", None, *(word.replace("{}", str(place)) for word in arguments))
    assert outcome.rc != 0
    assert words.replace("{}", str(place)) in said(outcome.output), outcome.output
    assert "Traceback" not in outcome.output
    assert "unreachable=1" not in outcome.output
    assert not project.state.exists()


@pytest.mark.parametrize("playbook", ["watch", "deliver", "report", "windows", "validate", "verify", "retention"])
def test_no_playbook_takes_two_clients_for_one(project: Project, tmp_path: Path, playbook: str) -> None:
    place = tree(tmp_path / "clients")
    for arguments in (("-i", str(place)), ("-i", f"{place}/acme", "-i", f"{place}/beta")):
        outcome = project.play(playbook, None, *arguments)
        assert outcome.rc == 2, outcome.output
        assert "Give one of them" in said(outcome.output)
        assert not project.state.exists()


def test_a_folder_of_one_client_may_have_folders(project: Project, tmp_path: Path) -> None:
    place = inventory(tmp_path / "acme" / "hosts.yml", HERE).parent
    inventory(place / "databases" / "more.yml", {"db1": HERE["web1"]})
    (place / "group_vars").mkdir()
    (place / "group_vars" / "all.yml").write_text(json.dumps({"keepwell_client": {"id": "acme", "name": "Acme"}}))
    outcome = project.play("validate", place)
    assert outcome.rc == 0, outcome.output
    assert "Acme: 2 hosts, no mistake." in said(outcome.output)


def test_files_of_two_clients_in_one_folder_are_not_merged(project: Project, tmp_path: Path) -> None:
    for name, host in (("acme", "web1"), ("beta", "db1")):
        inventory(tmp_path / "both" / f"{name}.yml", {host: HERE["web1"]}, keepwell_client={"id": name, "name": name})
    outcome = project.play("assess", tmp_path / "both", "--limit", "web1")
    assert outcome.rc == 2
    assert f"files of {tmp_path}/both belong to several: acme, beta." in said(outcome.output)
    assert not project.state.exists()


def test_inventories_that_name_no_client_are_whose_the_command_says(project: Project, tmp_path: Path) -> None:
    one, other = (inventory(tmp_path / f"{name}.yml", {name: HERE["web1"]}) for name in ("web1", "db1"))
    outcome = project.play("validate", one, "-i", str(other))
    assert outcome.rc == 2
    assert "set the same keepwell_client in each" in said(outcome.output)
    outcome = project.play("validate", one, "-i", str(other), "-e", "keepwell_client=joint")
    assert outcome.rc == 0, outcome.output
    assert "joint: 2 hosts, no mistake." in said(outcome.output)


CLOCKED = "assess watch retention hold release deliver windows period_report validate availability fleet_overview"


@pytest.mark.parametrize("playbook", CLOCKED.split())
def test_a_made_up_time_is_for_hosts_whose_inventory_says_so(project: Project, tmp_path: Path, playbook: str) -> None:
    shop = inventory(tmp_path / "shop.yml", HERE)
    clock = {"keepwell_lab": True, "keepwell_now": "2099-01-01T00:00:00Z", "keepwell_reason": "test"}
    outcome = project.play(playbook, shop, "-e", json.dumps(clock), "-e", "keepwell_retention_act=true")
    assert outcome.rc == 2
    assert "keepwell_lab: whether hosts are a test fleet says their inventory" in said(outcome.output)
    assert not project.state.exists()


def test_several_inventories_of_one_client_are_one_run(project: Project, tmp_path: Path) -> None:
    acme = tree(tmp_path) / "acme"
    more = inventory(tmp_path / "more.yml", {"db1": HERE["web1"]}, keepwell_client={"id": "acme", "name": "acme"})
    outcome = project.play("assess", acme, "-i", str(more))
    assert outcome.rc == 0, outcome.output
    assert len(outcome.run("acme")["hosts"]) == 2


@pytest.mark.parametrize("pattern", ["typo", "db1"])
def test_no_matching_host_within_a_limit_is_an_error(project: Project, tmp_path: Path, pattern: str) -> None:
    shop = inventory(tmp_path / "shop.yml", {**HERE, "db1": HERE["web1"]})
    outcome = project.play("assess", shop, "-e", f"keepwell_hosts={pattern}", "--limit", "web1")
    assert outcome.rc == 2
    assert f"no host matched '{pattern}' within --limit 'web1'" in said(outcome.output)


def test_a_wrong_window_stops_the_run_before_any_connection(project: Project, tmp_path: Path) -> None:
    # Without quotes YAML reads 22:00 as a number.
    windows = {"night": {"rule": {"weekly": "sun"}, "start": 1320, "duration": "4h", "allow": ["patch"]}}
    outcome = project.play("assess", inventory(tmp_path / "shop.yml", HERE, keepwell_windows=windows))
    assert outcome.rc == 2
    assert 'keepwell_windows.night.start: should be a time of day in quotes, like "22:00". [web1]' in said(
        outcome.output
    )


def acting(project: Project, tmp_path: Path, shop: Path, *arguments: str, wait_s: int = 0) -> list[str]:
    """Return the command of a playbook whose run may act, and which then waits."""
    playbook = tmp_path / "acting.yml"
    begin = {"keepwell.fleet.run_begin": {"acting": ["patching"]}, "run_once": True}
    wait = {"ansible.builtin.pause": {"seconds": wait_s}}
    playbook.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": [begin, wait]}]))
    command = project.command("assess", shop, *arguments)
    return [str(playbook) if part == "playbooks/assess.yml" else part for part in command]


def play(project: Project, command: list[str]) -> Outcome:
    done = subprocess.run(
        command, cwd=PROJECT, env=project.environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=100, check=False,
    )  # fmt: skip
    return Outcome(done.returncode, done.stdout + done.stderr, project.state)


@pytest.mark.parametrize("variables", [{}, {"keepwell_plan": {"name": "Eyes", "services": ["monitoring"]}}])
def test_what_nobody_bought_is_not_done(project: Project, tmp_path: Path, variables: dict) -> None:
    shop = inventory(tmp_path / "shop.yml", HERE, **variables)
    outcome = play(project, acting(project, tmp_path, shop))
    assert outcome.rc == 2
    assert "patching was asked to change hosts, but no service plan here has it." in said(outcome.output)
    assert not project.state.exists()
    # To look is always allowed.
    assert play(project, acting(project, tmp_path, shop, "--check")).rc == 0
    assert "acting" not in project_run(project)["header"]


def test_a_contract_that_has_ended_lets_nobody_act(project: Project, tmp_path: Path) -> None:
    bought = {"keepwell_plan": {"name": "Care", "services": ["patching"]}, "keepwell_contract": {"to": "2020-12-31"}}
    shop = inventory(tmp_path / "shop.yml", HERE, **bought)
    outcome = play(project, acting(project, tmp_path, shop))
    assert outcome.rc == 2
    assert (
        "patching was asked to change hosts. The contract ended on 2020-12-31 (keepwell_contract.to): since then hosts "
        "are only looked at. Renew it, or only look: leave out patching_act."
    ) in said(outcome.output)
    assert not project.state.exists()
    assert play(project, acting(project, tmp_path, shop, "--check")).rc == 0


def project_run(project: Project) -> dict:
    return Outcome(0, "", project.state).run("shop")


def test_a_second_acting_run_is_refused_and_a_killed_one_is_no_obstacle(project: Project, tmp_path: Path) -> None:
    shop = inventory(tmp_path / "shop.yml", HERE, **PLAN)
    first = subprocess.Popen(
        acting(project, tmp_path, shop, wait_s=90), cwd=PROJECT, env=project.environment(), start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        while not (project.state / "shop" / "runs").exists() or not list((project.state / "shop" / "runs").glob("0*")):
            assert first.poll() is None
            time.sleep(0.1)
        run_id = project_run(project)["header"]["run_id"]
        outcome = play(project, acting(project, tmp_path, shop))
        assert outcome.rc == 2
        assert f"Hosts of shop are being changed (patching) by run {run_id}, since 2" in said(outcome.output)
        assert f"Wait for its end, or stop process {first.pid} there." in said(outcome.output)
    finally:
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
    outcome = play(project, acting(project, tmp_path, shop))
    assert outcome.rc == 0, outcome.output
    assert project_run(project)["header"]["run_id"] != run_id


def test_coming_windows_are_shown_and_kept_as_a_calendar(project: Project, tmp_path: Path) -> None:
    example = tmp_path / "example"
    shutil.copytree(PROJECT / "inventories" / "example", example)
    lab = {"keepwell_lab": True, "keepwell_now": "2026-11-27T12:00:00Z"}
    (example / "group_vars" / "all" / "lab.yml").write_text(json.dumps(lab))
    first = project.play("windows", example, "-e", "keepwell_next=3", "--check")
    assert first.rc == 0, first.output
    assert "'sunday-night' for patch, reboot" in said(first.output)
    assert not project.state.exists()
    assert project.play("windows", example).rc == 0
    [kept] = project.state.glob("*/windows.ics")
    content = kept.read_bytes()
    assert project.play("windows", example).rc == 0
    assert kept.read_bytes() == content


def test_a_window_whose_last_use_took_nearly_all_of_it_is_told(project: Project, tmp_path: Path) -> None:
    windows = {"night": {"rule": {"weekly": "sun"}, "start": "22:00", "duration": "4h", "allow": "patch,reboot"}}
    lab = {"keepwell_lab": True, "keepwell_now": "2026-11-27T12:00:00Z"}
    shop = inventory(tmp_path / "shop.yml", HERE, keepwell_windows=windows, **lab)
    store = Store(project.state, "shop")
    begun = "2026-11-22T22:05:00Z"
    header = RunHeader(
        run_id=new_run_id(epoch(begun)), client=Client(id="shop", name="shop"), started_at=begun, population=["web1"],
        trigger=Trigger(user="ops", controller="control", origin="timer"),
    )  # fmt: skip
    store.begin(header)
    store.write_change(
        ChangeRecord(
            run_id=header.run_id, client="shop", host="web1", chore="patching", outcome="done", window="night",
            started_at=begun, entered_at=begun, ended_at="2026-11-23T01:45:00Z",
        )
    )  # fmt: skip
    conclude(store, header.run_id, epoch("2026-11-23T01:50:00Z"))
    outcome = project.play("windows", shop)
    assert outcome.rc == 0, outcome.output
    assert "'night' is nearly too short: the last run took 92% of it. [web1]" in said(outcome.output)
    # A look writes nothing: what it would have to make anew first, it does not tell.
    store.history.unlink()
    (store.root / ".sealing").unlink()
    before = sorted(store.root.rglob("*"))
    looked = project.play("windows", shop, "--check")
    assert looked.rc == 0, looked.output
    assert "nearly too short: the last run" not in said(looked.output)
    assert "Not told: whether a window is nearly too short." in said(looked.output)
    assert sorted(store.root.rglob("*")) == before


def test_a_run_acts_when_any_of_its_hosts_is_to_be_changed(project: Project, tmp_path: Path) -> None:
    """The lease is for the hosts that are changed, not for the first of them."""
    windows = {"keepwell_windows": {}, "keepwell_subset": ["backups"], "backup_verification_slot": "window"}
    plan = {"keepwell_plan": {"name": "Care", "services": ["backup_verification"]}}
    hosts = {"web1": HERE["web1"], "web2": {**HERE["web1"], "backup_verification_act": True}}
    shop = inventory(tmp_path / "shop.yml", hosts, **plan, **windows)
    assert project.play("backup_verify", shop, "--limit", "web1").rc in (0, 2)
    assert "acting" not in project_run(project)["header"]
    assert not (project.state / "shop" / "lease").exists()
    outcome = project.play("backup_verify", shop)
    assert project_run(project)["header"]["acting"] == ["backup_verification"], outcome.output
    # The end of a run is the end of its lease.
    assert (project.state / "shop" / "lease" / "00000001.released.json").exists()
    assert project.play("backup_verify", shop, "--check").rc == 0
    assert "acting" not in project_run(project)["header"]
