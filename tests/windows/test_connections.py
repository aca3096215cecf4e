"""The four ways to a host, and what goes wrong on the way: real Ansible, real connections."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from playing import play
from windows_host.host import WindowsHost
from windows_host.world import TRANSPORTS

VERSIONS = ("2016", "2025", "10-22H2", "11-25H2")
PING = {"ansible.windows.win_ping": {}, "ignore_unreachable": True}


def test_every_connection_reaches_its_host_and_tells_its_facts(windows: t.Any, tmp_path: Path) -> None:
    world = windows(*(WindowsHost(transport, version) for transport, version in zip(TRANSPORTS, VERSIONS, strict=True)))
    hosts = {name: world.variables(name, name) for name in world.hosts}
    for name, setting in (("psrp", "ansible_psrp_auth"), ("winrm", "ansible_winrm_transport")):
        world.add(WindowsHost(f"{name}-basic"))
        hosts[f"{name}-basic"] = world.variables(f"{name}-basic", f"{name}-https", **{setting: "basic"})
    played = play(tmp_path, hosts, [PING, {"ansible.builtin.setup": {}}, {"ansible.builtin.raw": "hostname"}])
    assert played.rc == 0, played.output
    for name in hosts:
        assert played.of("task 0", name)["ping"] == "pong"
        assert played.of("task 2", name)["stdout"].strip() == name
    facts = {name: played.of("task 1", name)["ansible_facts"]["ansible_distribution"] for name in hosts}
    assert facts["psrp"] == "Microsoft Windows Server 2016 Standard"
    assert facts["winrm-https"] == "Microsoft Windows 11 Pro"


def test_what_is_wrong_with_the_way_to_a_host_costs_that_host_alone(windows: t.Any, tmp_path: Path) -> None:
    slow = ("slow-psrp", "slow-winrm")
    names = ("password", "changed", "gone", "port", "busy", "broken", "other-ca", "fine", *slow)
    world = windows(*map(WindowsHost, names))
    world["changed"].faults.wrong_password = True
    world["gone"].faults.unreachable = True
    world["busy"].faults.busy = True
    world["broken"].faults.server_error = True
    for name in slow:
        world[name].faults.slow_s = 2.5
    hosts = {name: world.variables(name, "winrm") for name in names}
    hosts |= {name: world.variables(name, "psrp") for name in ("changed", "gone", "broken")}
    hosts["password"]["ansible_password"] = "what it was last year"
    hosts["port"]["ansible_port"] = world.refusing_port
    other = str(world.certificates.other_ca)
    hosts["other-ca"] = world.variables("other-ca", "winrm-https", ansible_winrm_ca_trust_path=other)
    # A time limit of the operation below what the host takes: clients ask again without a word.
    hosts["slow-winrm"] |= {"ansible_winrm_operation_timeout_sec": 1, "ansible_winrm_read_timeout_sec": 5}
    hosts["slow-psrp"] = world.variables("slow-psrp", "psrp", ansible_psrp_operation_timeout=1)
    played = play(tmp_path, hosts, [PING])
    results = {name: played.of("task 0", name) for name in names}
    assert {name for name in names if results[name].get("unreachable")} == set(names) - {"fine", *slow}
    said = {name: results[name].get("msg", "") for name in names}
    assert "credentials were rejected by the server" in said["password"]
    assert "Failed to authenticate the user keepwell with negotiate" in said["changed"]
    assert "Connection refused" in said["port"]
    assert "503" in said["busy"]
    assert "500" in said["broken"]
    assert "CERTIFICATE_VERIFY_FAILED" in said["other-ca"]
    assert {results[name]["ping"] for name in ("fine", *slow)} == {"pong"}
    assert not world["password"].calls


def test_psrp_refuses_a_certificate_of_another_authority_as_well(windows: t.Any, tmp_path: Path) -> None:
    world = windows(1)
    other = {"ansible_psrp_ca_cert": str(world.certificates.other_ca)}
    played = play(tmp_path, world.inventory("psrp-https", **other), [PING])
    assert "CERTIFICATE_VERIFY_FAILED" in played.of("task 0")["msg"]


@pytest.mark.parametrize("transport", ["psrp", "winrm"])
def test_a_lost_answer_is_unreachable_although_the_work_was_done(
    windows: t.Any, tmp_path: Path, transport: str
) -> None:
    world = windows(1)
    world["win01"].faults.loses["ansible.windows.win_file"] = 1
    touch = {
        "ansible.windows.win_file": {"path": r"C:\ProgramData\there", "state": "touch"},
        "ignore_unreachable": True,
    }
    played = play(tmp_path, world.inventory(transport), [{**touch, "ignore_errors": True}, PING])
    lost = played.of("task 0")
    assert lost.get("unreachable") or lost.get("failed"), lost
    assert "RemoteDisconnected" in str(lost) or "Connection aborted" in str(lost)
    assert world["win01"].files.is_file(r"C:\ProgramData\there")
    assert played.of("task 1")["ping"] == "pong"


def test_twenty_hosts_at_once(windows: t.Any, tmp_path: Path) -> None:
    world = windows(20)
    world["win07"].faults.unreachable = True
    played = play(tmp_path, world.inventory(), [PING, PING])
    reached = [name for name in world.hosts if played.of("task 0", name).get("ping") == "pong"]
    assert len(reached) == 19
    assert "win07" not in reached
    assert all(len(world[name].called("ansible.windows.win_ping")) == 2 for name in reached)
