"""A client's files, broken in many ways: each mistake is told with its file, and no host is contacted."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.vars.manager import VariableManager
from harness import PROJECT, Outcome, Project

from ansible_collections.keepwell.fleet.plugins.plugin_utils import validation

# Nothing answers there: whoever connects is noticed by how long it takes, and by "unreachable".
HOSTS = {"web1": {"ansible_host": "192.0.2.11"}, "web2": {"ansible_host": "192.0.2.12"}}
SUNDAY = {"rule": {"weekly": ["sun"]}, "start": "22:00", "duration": "4h", "allow": ["patch"]}
WAIVER = {"check": "antivirus.present", "reason": "air gap", "approver": "J. Smit", "expires": "2026-12-31"}
NOON = 1795780800.0
NOW = {"keepwell_lab": True, "keepwell_now": "2026-11-27T12:00:00Z"}


def write(folder: Path, variables: dict[str, t.Any], hosts: t.Any = None, **more: dict[str, t.Any]) -> Path:
    """Make a client: ``more`` are other files, by their path with __ for /."""
    place = folder / "acme"
    for name, content in {
        "hosts": {"all": {"children": {"web": {"hosts": hosts or HOSTS}}}},
        "group_vars__all__all": {**NOW, "keepwell_client": {"id": "acme", "name": "Acme Ltd"}, **variables},
        **more,
    }.items():
        path = place / f"{name.replace('__', '/')}.yml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(content, sort_keys=False))
    return place


def told(outcome: Outcome) -> str:
    return " ".join(outcome.output.split()).replace("''", "'")


BROKEN = [
    ({"keepwell_clint": {}}, "keepwell_clint: unknown variable. Did you mean 'keepwell_client'?"),
    ({"keepwell_client": {"id": "Acme!", "name": "x"}}, "keepwell_client.id: String should match pattern"),
    ({"keepwell_client": {"id": "acme", "nmae": "x"}}, "Did you mean 'name'?"),
    ({"keepwell_client": {"id": "acme", "name": "x", "timezone": "Europe/Amsterdm"}}, "'Europe/Amsterdm' is no time zone. Did you mean 'Europe/Amsterdam'?"),
    ({"keepwell_client": ["acme"]}, "keepwell_client must be a mapping with id and name, not list."),
    ({"keepwell_plan": "gold"}, "keepwell_plan must be a mapping with name and services, not str."),
    ({"keepwell_plan": {"name": "x", "services": ["patchin"]}}, "unknown service 'patchin'. Did you mean 'patching'?"),
    ({"keepwell_plan": {"name": "x", "tier": "gold"}}, "no tier 'gold' in keepwell_tiers. Allowed: none."),
    ({"keepwell_plan": {"name": "x", "coverage": "break_fix", "services": ["patching"]}}, "coverage break_fix has no services"),
    ({"keepwell_plan": {"name": "x", "sla": {"response": {"p5": "1h"}}}}, "keepwell_plan.sla.response.p5"),
    ({"keepwell_plan": {"name": "x", "price": {"model": "flat"}}}, "model flat needs per_device"),
    ({"keepwell_contract": {"max_hosts": 1}}, "the inventory has 2 hosts, and 1 are under contract"),
    ({"keepwell_contract": {"hosts": ["web1", "web1"]}}, "hosts names web1 twice"),
    ({"keepwell_contract": {"contacts": [{"name": "Ann", "role": "owner", "mail": "ann"}]}}, "keepwell_contract.contacts.0.mail"),
    ({"keepwell_policy": {"capacty": {}}}, "keepwell_policy.capacty: unknown section. Did you mean 'capacity'?"),
    ({"keepwell_policy": {"backup": {"rpo_hours": "daily"}}}, "keepwell_policy.backup.rpo_hours"),
    ({"keepwell_policy": {"backup": {"rpo_hours": -1}}}, "should be greater than 0"),
    ({"keepwell_policy": {"backup": {"rpo_huors": 4}}}, "Did you mean 'rpo_hours'?"),
    ({"keepwell_windows": ["sun"]}, "keepwell_windows must be a mapping of named windows, not list."),
    ({"keepwell_windows": {"w": {**SUNDAY, "start": 1320}}}, "should be a time of day in quotes"),
    ({"keepwell_windows": {"w": {**SUNDAY, "start": "25:00"}}}, "should be a time of day in quotes"),
    ({"keepwell_windows": {"w": {**SUNDAY, "duration": "4 hours"}}}, "should be an elapsed time like 4h, 45m or 1h30m"),
    ({"keepwell_windows": {"w": {**SUNDAY, "cutoff": "5h"}}}, "cutoff leaves no time"),
    ({"keepwell_windows": {"w": {**SUNDAY, "rule": {"weakly": ["sun"]}}}}, "Did you mean 'weekly'?"),
    ({"keepwell_windows": {"w": {**SUNDAY, "rule": {"monthly": "5th sun"}}}}, "'5th sun' should be like"),
    ({"keepwell_windows": {"w": {**SUNDAY, "rule": {"rrule": "FREQ=HOURLY"}}}}, "rrule needs FREQ"),
    ({"keepwell_windows": {"w": {**SUNDAY, "allow": ["reboots"]}}}, "Input should be 'patch', 'reboot'"),
    ({"keepwell_windows": {"w": {**SUNDAY, "targets": "wbe"}}}, "the inventory has no group 'wbe'. Did you mean 'web'?"),
    ({"keepwell_windows": {"w": {**SUNDAY, "from": "2026-12-01", "to": "2026-11-01"}}}, "to is before from"),
    ({"keepwell_blackouts": [{"name": "x", "from": "2026-12-01"}]}, "it needs from and to"),
    ({"keepwell_blackouts": [{"holidays": {"country": "XX"}}]}, "country XX is unknown"),
    ({"keepwell_windows": {"night": SUNDAY}, "keepwell_window": "nigth"}, "keepwell_window: no host here has a window 'nigth'. Did you mean 'night'?"),
    ({"keepwell_window": "night"}, "keepwell_window: no host here has a window 'night'."),
    ({"keepwell_awx": {"project": {"url": "https://git.example/x", "branch": "main"}, "environment": {"image": "r.example/ee:1"}}}, "keepwell_awx.project.branch: moves; pin a tag or a commit"),
    ({"keepwell_emergency": {"allow": "patsch"}}, "keepwell_emergency.allow.0"),
    ({"keepwell_emergency_approver": "J. Smit"}, "allows nothing outside of windows"),
    ({"keepwell_emergency": {"allow": "patch"}, "keepwell_emergency_approver": "J. Smit", "keepwell_emergency_reason": "always"}, "an emergency is for one run"),
    ({"keepwell_exceptions": [{**WAIVER, "check": "antivirus.presnt"}]}, "unknown check 'antivirus.presnt'. Did you mean 'antivirus.present'?"),
    ({"keepwell_exceptions": [{**WAIVER, "expires": "2099-01-01"}]}, "is more than"),
    ({"keepwell_exceptions": [{key: value for key, value in WAIVER.items() if key != "expires"}]}, "keepwell_exceptions[0].expires: Field required"),
    ({"keepwell_schedule": {"night": {"playbook": "asess", "at": "22:00"}}}, "keepwell_schedule.night.playbook: 'asess' is unknown. Did you mean 'assess'?"),
    ({"keepwell_schedule": {"night": {"playbook": "assess", "every": "7m"}}}, "keepwell_schedule.night.every: should be one of 5m"),
    ({"keepwell_schedule": {"night": {"playbook": "patch", "at": "22:00", "act": "patching"}}}, "keepwell_schedule.night.act: no plan of this client has patching."),
    ({"keepwell_schedule": {"night": {"playbook": "assess", "at": "22:00", "limit": "wbe"}}}, "keepwell_schedule.night.limit: 'wbe' is no host or group of the inventory. Did you mean 'web'?"),
    ({"keepwell_exposure": "internl"}, "Did you mean 'internal'?"),
    ({"keepwell_now": "2026-11-27 12:00"}, "is no time like 2026-11-23T02:27:00Z"),
    ({"keepwell_probes": {"disk": {}}}, "unknown probe. Did you mean 'disks'?"),
    ({"keepwell_notify": {"desk": {"channel": "mial"}}}, "keepwell_notify.desk: unknown channel 'mial'. Did you mean 'mail'?"),
    ({"keepwell_notify": {"desk": {"channel": "mail", "to": "ann@bakery.example"}}}, "keepwell_notify.desk: mail needs keepwell_smtp"),
    ({"keepwell_smtp": {"host": "mail.msp.example"}}, "keepwell_smtp.from: Field required"),
    ({"keepwell_deliver": "wating"}, "keepwell_deliver: 'wating' is unknown. Did you mean 'waiting'?"),
    ({"patching_polcy": "all"}, "patching_polcy: unknown variable. Did you mean 'patching_policy'?"),
    ({"patching_soak_days": "many"}, "patching_soak_days: Input should be a valid number"),
    ({"patching_exclusions": [{"package": "x", "reason": "why", "approver": "me"}]}, "patching_exclusions.0.expires: Field required"),
]  # fmt: skip


def read(place: Path) -> dict[str, t.Any]:
    """The variables of an inventory as Ansible hands them to an action."""
    loader = DataLoader()
    found = InventoryManager(loader=loader, sources=[str(place)])
    manager = VariableManager(loader=loader, inventory=found)
    hostvars = {host.name: manager.get_vars(host=host, include_hostvars=False) for host in found.get_hosts()}
    return {"groups": found.get_groups_dict(), "hostvars": hostvars}


@pytest.mark.parametrize(("variables", "words"), BROKEN)
def test_a_broken_file_is_told_in_one_sentence(tmp_path: Path, variables: dict[str, t.Any], words: str) -> None:
    place = write(tmp_path, variables)
    found = validation.look(read(place), [str(place)], ["web1", "web2"], NOON)
    assert any(words in mistake for mistake in found.mistakes), found.mistakes
    assert len(found.mistakes) == 1
    assert len(found.mistakes[0].splitlines()) == 1


def test_receivers_of_one_host_are_a_mistake(tmp_path: Path) -> None:
    room = {"keepwell_notify": {"room": {"channel": "slack", "url": "https://hooks.example/x"}}}
    place = write(tmp_path, {}, host_vars__web2=room)
    found = validation.look(read(place), [str(place)], ["web1", "web2"], NOON)
    assert found.mistakes == [
        "keepwell_notify and keepwell_smtp are those of the client, but web2 has others than web1: set them once, in "
        "group_vars/all."
    ]


def test_a_secret_in_clear_is_a_warning_with_its_line_and_without_itself(tmp_path: Path) -> None:
    smtp = {"host": "mail.msp.example", "from": "k@msp.example", "user": "k", "password": "hunter2"}
    hooks = {
        "far": {"channel": "slack", "url": "http://hooks.example/hunter2"},
        "near": {"channel": "slack", "url": "{{ vault_url }}"},
    }
    place = write(tmp_path, {"keepwell_smtp": smtp, "keepwell_notify": hooks, "vault_url": "https://hooks.example/x"})
    text = (place / "group_vars/all/all.yml").read_text()
    lines = [number for number, line in enumerate(text.splitlines(), 1) if "hunter2" in line]
    found = validation.look(read(place), [str(place)], ["web1"], NOON)
    # The variables of this helper are not templated, so the second address is none.
    assert [mistake.split(" [")[0] for mistake in found.mistakes if "near.url" not in mistake] == []
    assert not any("hunter2" in sentence for sentence in [*found.mistakes, *found.warnings])
    clear = validation._in_clear(validation.Places([str(place)]))
    assert [f":{line}:" in sentence for line, sentence in zip(lines, clear, strict=True)] == [True, True]
    assert "keepwell_smtp.password stands there in clear" in clear[0]


def test_a_whole_client_has_no_mistake(tmp_path: Path) -> None:
    place = write(tmp_path, {"keepwell_exceptions": [WAIVER], "keepwell_windows": {"w": SUNDAY}, "patching_ring": 1})
    found = validation.look(read(place), [str(place)], ["web1", "web2"], NOON)
    assert (found.mistakes, found.warnings, list(found.told)) == ([], [], ["web1", "web2"])


def test_all_mistakes_are_told_at_once_each_with_its_line(project: Project, tmp_path: Path) -> None:
    place = write(
        tmp_path,
        {"keepwell_windows": {"sunday": {**SUNDAY, "start": 1320}, "monday": {**SUNDAY, "duration": "x"}}},
        host_vars__web2={"patching_soak_days": "many"},
    )
    outcome = project.play("validate", place)
    assert outcome.rc == 2
    said = told(outcome)
    lines = (place / "group_vars/all/all.yml").read_text().splitlines()
    start = next(number for number, line in enumerate(lines, 1) if "start: 1320" in line)
    assert f"group_vars/all/all.yml:{start}: keepwell_windows.sunday.start" in said
    assert "keepwell_windows.monday.duration: should be an elapsed time" in said
    assert "host_vars/web2.yml:1: patching_soak_days" in said
    assert "[web1, web2]" in said
    assert "3 mistakes; mend them first. No host was contacted." in said
    assert "Traceback" not in outcome.output
    assert "unreachable=0" in outcome.output
    assert not project.state.exists()
    # Every other playbook begins with the same look.
    outcome = project.play("assess", place)
    assert outcome.rc == 2
    assert f"group_vars/all/all.yml:{start}: keepwell_windows.sunday.start" in told(outcome)
    assert "TASK [Assess]" not in outcome.output


def test_a_schedule_is_the_clients_and_not_a_hosts(tmp_path: Path) -> None:
    entries = {"keepwell_schedule": {"morning": {"playbook": "assess", "at": "05:10"}}}
    place = write(tmp_path, {}, host_vars__web2=entries)
    found = validation.look(read(place), [str(place)], ["web1", "web2"], NOON)
    assert len(found.mistakes) == 1
    assert "host_vars/web2.yml:1: keepwell_schedule: hosts disagree, but it is the client's" in found.mistakes[0]


def test_a_chore_of_the_schedule_need_not_be_bought_by_the_hosts_that_a_run_is_for(tmp_path: Path) -> None:
    """Different hosts buy different things: a run over some of them is no reason to refuse the client's schedule."""
    entries = {"nightly": {"playbook": "maintain", "at": "22:00", "act": ["patching"], "limit": "web1"}}
    plans = {"web1": ["patching"], "web2": ["monitoring"]}
    bought = {
        f"host_vars__{host}": {"keepwell_plan": {"name": "Care", "services": services}}
        for host, services in plans.items()
    }
    place = write(tmp_path, {"keepwell_schedule": entries}, **bought)
    for hosts in (["web1"], ["web2"], ["web1", "web2"]):
        found = validation.look(read(place), [str(place)], hosts, NOON)
        assert (found.mistakes, found.services) == ([], {"patching", "monitoring"})
    lost = write(tmp_path / "lost", {"keepwell_schedule": entries}, **{**bought, "host_vars__web1": {}})
    [mistake] = validation.look(read(lost), [str(lost)], ["web2"], NOON).mistakes
    assert "keepwell_schedule.nightly.act: no plan of this client has patching." in mistake


def test_groups_that_disagree_on_a_ring_are_a_mistake(project: Project, tmp_path: Path) -> None:
    hosts = {"all": {"children": {"web": {"hosts": HOSTS}, "canaries": {"hosts": {"web1": None}}}}}
    rings = {"group_vars__web": {"patching_ring": 2}, "group_vars__canaries": {"patching_ring": 1}}
    place = write(tmp_path, {}, **rings)
    (place / "hosts.yml").write_text(yaml.safe_dump(hosts))
    outcome = project.play("validate", place)
    assert outcome.rc == 2
    assert "groups of this host disagree: canaries says 1, web says 2" in told(outcome)
    assert "[web1]" in told(outcome)


def test_two_names_for_one_machine_are_a_mistake(project: Project, tmp_path: Path) -> None:
    outcome = project.play("validate", write(tmp_path, {}, {"web1": HOSTS["web1"], "www": HOSTS["web1"]}))
    assert outcome.rc == 2
    assert "web1 and www are the same machine (192.0.2.11, port 22): give it one name." in told(outcome)


def test_what_is_no_mistake_is_a_warning(project: Project, tmp_path: Path) -> None:
    waivers = [{**WAIVER, "expires": "2026-11-01"}, {**WAIVER, "hosts": ["db*"]}]
    contract = {"hosts": ["web1", "db1"], "to": "2020-12-31"}
    place = write(tmp_path, {"keepwell_exceptions": waivers, "keepwell_contract": contract})
    outcome = project.play("validate", place)
    assert outcome.rc == 0, outcome.output
    for words in (
        "The exception for antivirus.present (air gap) expired on 2026-11-01: its finding counts again.",
        "names 'db*', which is no host or group here",
        "The contract ended on 2020-12-31 (keepwell_contract.to): since then hosts are only looked at.",
        "In the contract and not in the inventory, so unknown: db1.",
        "In the inventory and not in the contract, so not covered: web2.",
        "Acme Ltd: 2 hosts, no mistake.",
    ):
        assert words in told(outcome)


def test_what_vouches_for_evidence_is_no_inventory(project: Project, tmp_path: Path) -> None:
    place = write(tmp_path, {}, {"web1": HOSTS["web1"]})
    (place / "allowed_signers").write_text('keepwell@acme namespaces="keepwell-evidence" ssh-ed25519 AAAAC3Nza\n')
    (place / "tsa-ca.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    outcome = project.play("validate", place)
    assert outcome.rc == 0, outcome.output
    assert "Acme Ltd: 1 host, no mistake." in told(outcome)
    assert "WARNING" not in outcome.output


def test_the_documented_client_has_no_mistake(project: Project) -> None:
    outcome = project.play("validate", PROJECT / "inventories" / "example")
    assert outcome.rc == 0, outcome.output


def test_hosts_that_no_plan_covers_are_shown_and_not_touched(project: Project, tmp_path: Path) -> None:
    # web2 would not answer; it is not even tried.
    hosts = {"web1": {"ansible_connection": "local"}, "web2": HOSTS["web2"]}
    place = write(
        tmp_path,
        {"keepwell_contract": {"hosts": ["web1", "web2", "db1"]}},
        hosts,
        host_vars__web2={"keepwell_plan": {"name": "Repairs", "coverage": "break_fix"}},
    )
    outcome = project.play("assess", place)
    run = outcome.run("acme")
    assert run["header"]["uncovered"] == ["web2"]
    # What the contract names and the inventory lacks is unknown; what no plan covers is in no count.
    assert {host["host"]: host["contact"]["reason"] for host in run["hosts"] if host["host"] != "web1"} == {
        "db1": "it is in the contract and not in the inventory"
    }
    assert outcome.rc == 0, outcome.output
    report = (project.state / "acme" / "latest" / "engineer.html").read_text()
    assert "1 host is covered by no plan" in report
    assert "web2" in report
