"""Which inventory sources are those of one client, and which are refused."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import trust_as_template

from ansible_collections.keepwell.fleet.plugins.plugin_utils.inventory_sources import refuse_two_clients
from ansible_collections.keepwell.fleet.plugins.plugin_utils.settings import SettingsError

ACME = {"id": "acme", "name": "Acme Ltd", "timezone": "Europe/Amsterdam"}


def write(path: Path, text: str, mode: int = 0o644) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def hosts(path: Path, host: str, **variables: t.Any) -> str:
    return write(path, json.dumps({"all": {"hosts": {host: {}}, "vars": variables}}))


def ini(path: Path, host: str, client: str) -> str:
    return write(path, f"{host}\n\n[all:vars]\nkeepwell_client={client}\n")


def refused(*sources: str, **extra: t.Any) -> str:
    """Return why sources are refused, "" when they are not."""
    try:
        refuse_two_clients(DataLoader(), list(sources), extra)
    except SettingsError as exc:
        return str(exc)
    return ""


def test_ini_files_of_two_clients_in_one_folder_are_not_merged(tmp_path: Path) -> None:
    ini(tmp_path / "both" / "acme", "web1", "acme")
    ini(tmp_path / "both" / "beta", "db1", "beta")
    assert f"files of {tmp_path}/both belong to several: acme, beta." in refused(f"{tmp_path}/both")
    assert "acme, beta" in refused(f"{tmp_path}/both", keepwell_client="acme")


def test_a_script_and_a_file_of_two_clients_in_one_folder_are_not_merged(tmp_path: Path) -> None:
    told = {"web": {"hosts": ["web1"], "vars": {"keepwell_client": ACME}}, "_meta": {"hostvars": {}}}
    write(tmp_path / "both" / "acme", f"#!/bin/sh\necho '{json.dumps(told)}'\n", 0o755)
    ini(tmp_path / "both" / "beta", "db1", "beta")
    assert "acme, beta" in refused(f"{tmp_path}/both")


def test_clients_of_single_hosts_and_of_folders_below_are_not_merged(tmp_path: Path) -> None:
    write(tmp_path / "both" / "one" / "a", "web1\nweb2 keepwell_client=acme\n")
    write(tmp_path / "both" / "one" / "b", "db1 keepwell_client=beta\n")
    assert "acme, beta" in refused(f"{tmp_path}/both")


def test_a_client_that_templates_name_is_told_apart(tmp_path: Path) -> None:
    for name, host in (("acme", "web1"), ("beta", "db1")):
        write(tmp_path / "both" / name, f"{host}\n[all:vars]\ncid={name}\nkeepwell_client='{{{{ cid }}}}'\n")
    assert "acme, beta" in refused(f"{tmp_path}/both")


def test_files_that_only_hold_together_are_one_inventory(tmp_path: Path) -> None:
    write(tmp_path / "acme" / "01-hosts", "[web]\nweb1\n")
    write(tmp_path / "acme" / "02-variables", "[web:vars]\nkeepwell_client=acme\n")
    assert refused(f"{tmp_path}/acme") == ""


def test_variables_of_two_clients_beside_two_files_are_not_merged(tmp_path: Path) -> None:
    for name in ("web1", "db1"):
        write(tmp_path / "both" / name, f"{name}\n")
    for name, client in (("web1", "acme"), ("db1", "beta")):
        write(tmp_path / "both" / "host_vars" / f"{name}.yml", f"keepwell_client: {{id: {client}}}\n")
    assert "acme, beta" in refused(f"{tmp_path}/both")


def test_files_without_the_variable_are_not_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every start looks: to compose hundreds of files of variables takes a second."""
    composed: list[str] = []
    compose = yaml.compose
    monkeypatch.setattr(yaml, "compose", lambda text, **more: (composed.append(text), compose(text, **more))[1])
    for name in ("web1", "db1"):
        write(tmp_path / "acme" / name, f"{name}\n")
        write(tmp_path / "acme" / "host_vars" / f"{name}.yml", "patching_order: 1\n")
    write(tmp_path / "acme" / "group_vars" / "all.yml", "keepwell_client: {id: acme}\n")
    assert refused(f"{tmp_path}/acme") == ""
    assert composed == ["keepwell_client: {id: acme}\n"]


def test_the_command_line_does_not_change_a_declared_client(tmp_path: Path) -> None:
    acme = hosts(tmp_path / "acme.yml", "web1", keepwell_client=ACME)
    why = refused(acme, keepwell_client="acme")
    assert f"-e keepwell_client replaces all that {acme} says of its client: name 'Acme Ltd' would become 'acme'" in why
    assert "timezone 'Europe/Amsterdam' would become 'UTC'" in why
    assert """Leave it out, or give the same: -e '{"keepwell_client": {"id": "acme", "name": "Acme Ltd", """ in why
    assert refused(acme, keepwell_client=ACME) == ""
    assert "says 'beta', but" in refused(acme, keepwell_client={**ACME, "id": "beta"})
    plain = hosts(tmp_path / "plain.yml", "web1", keepwell_client="acme")
    assert refused(plain, keepwell_client="acme") == ""


@pytest.mark.parametrize("client", ["acme", ACME])
def test_the_command_that_is_named_for_sources_without_a_client_is_taken(tmp_path: Path, client: t.Any) -> None:
    acme = hosts(tmp_path / "acme.yml", "web1", keepwell_client=client)
    why = refused(acme, "db1,")
    told = "keepwell_client=acme" if client == "acme" else """'{"keepwell_client": {"id": "acme","""
    assert f"set the same keepwell_client in each, or -e {told}" in why
    assert refused(acme, "db1,", keepwell_client=client) == ""
    assert "or -e keepwell_client=NAME." in refused("web1,", "db1,")


@pytest.mark.parametrize("client", ["acme", ACME])
def test_folders_of_one_client_are_one_inventory(tmp_path: Path, client: t.Any) -> None:
    for name in ("linux", "windows"):
        hosts(tmp_path / "acme" / name / "hosts.yml", name, keepwell_client=client)
    assert refused(f"{tmp_path}/acme") == ""
    assert refused(f"{tmp_path}/acme", keepwell_client=client) == ""
    assert refused(f"{tmp_path}/acme", keepwell_client="beta") != ""


def test_folders_that_name_no_client_are_whose_the_command_says(tmp_path: Path) -> None:
    for name in ("linux", "windows"):
        hosts(tmp_path / "acme" / name / "hosts.yml", name)
    why = refused(f"{tmp_path}/acme")
    assert f"{tmp_path}/acme holds the inventories linux, windows" in why
    assert f"Give one of them: -i {tmp_path}/acme/linux." in why
    assert "or -e keepwell_client=NAME." in why
    assert refused(f"{tmp_path}/acme", keepwell_client="acme") == ""


def test_a_folder_that_names_no_client_does_not_become_that_of_its_neighbour(tmp_path: Path) -> None:
    hosts(tmp_path / "clients" / "acme" / "hosts.yml", "web1", keepwell_client="acme")
    hosts(tmp_path / "clients" / "beta" / "hosts.yml", "db1")
    assert "holds the inventories acme, beta" in refused(f"{tmp_path}/clients")


def test_a_folder_without_hosts_is_nobodys(tmp_path: Path) -> None:
    hosts(tmp_path / "acme" / "hosts" / "hosts.yml", "web1")
    write(tmp_path / "acme" / "keys" / "id_ed25519", "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\n")
    write(tmp_path / "acme" / "keys" / "id_ed25519.pub", "ssh-ed25519 AAAAC3NzaC1lZDI1 ops@example.com\n")
    assert refused(f"{tmp_path}/acme") == ""


def test_a_client_may_be_named_by_a_template(tmp_path: Path) -> None:
    one = hosts(tmp_path / "one.yml", "web1", cid="acme", keepwell_client={"id": "{{ cid }}"})
    other = hosts(tmp_path / "other.yml", "db1", keepwell_client={"id": "acme"})
    beta = hosts(tmp_path / "beta.yml", "db2", keepwell_client="beta")
    assert refused(one, other) == ""
    assert refused(one, keepwell_client={"id": trust_as_template("{{ word }}")}, word="acme") == ""
    assert f"{one} is 'acme', {beta} is 'beta'" in refused(one, beta)
    # What is only known in the run declares nothing here.
    late = hosts(tmp_path / "late.yml", "db3", keepwell_client={"id": "{{ known_later }}"})
    assert refused(late, keepwell_client="acme") == ""


def test_a_host_may_be_called_as_a_folder_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "web").mkdir()
    write(tmp_path / "acme" / "hosts.ini", "web1\n")
    write(tmp_path / "beta" / "group_vars" / "all.yml", "keepwell_client: beta\n")
    assert refused("web,") == ""
    assert "acme is an inventory" in refused("acme,web")
    assert "beta is an inventory" in refused("web,beta")
    assert "./web is an inventory" in refused("db1,./web")


def test_a_made_up_time_is_refused_with_whatever_is_refused(tmp_path: Path) -> None:
    acme = hosts(tmp_path / "acme.yml", "web1", keepwell_client="acme")
    assert "keepwell_lab: whether hosts are a test fleet" in refused(acme, keepwell_lab=True)
    assert refused(acme, keepwell_now="2026-11-27T12:00:00Z") == ""


def test_the_command_line_does_not_overrule_a_single_host(tmp_path: Path) -> None:
    write(tmp_path / "acme" / "a", "web1\n")
    write(tmp_path / "acme" / "b", "web2 keepwell_client=acme\n")
    why = refused(f"{tmp_path}/acme", keepwell_client="beta")
    assert f"-e keepwell_client says 'beta', but files of {tmp_path}/acme belong to 'acme'." in why
    assert refused(f"{tmp_path}/acme", keepwell_client="acme") == ""
