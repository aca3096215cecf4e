"""playbooks/assess.yml over a client with Linux and 20 simulated Windows hosts, all four connections, and a lost host."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

from harness import Project
from windows_host.mixed import client
from windows_host.state import VERSIONS
from windows_host.world import several

from ansible_collections.keepwell.fleet.plugins.module_utils.probes._registry import PROBES

WELL = ("capacity.space", "antivirus.definitions", "patching.security_pending", "availability.contact")


def test_linux_and_windows_hosts_are_in_one_run_and_one_report(
    project: Project, windows: t.Any, tmp_path: Path
) -> None:
    world = windows(*several(20, versions=tuple(VERSIONS)))
    world["win20"].faults.unreachable = True
    folder = client(tmp_path / "bakery", world, {"here": {"ansible_connection": "local"}})
    outcome = project.play("assess", folder)
    assert outcome.rc == 4, outcome.output
    (run,) = (outcome.state / "bakery" / "runs").iterdir()
    evidence = {path.stem: json.loads(path.read_text()) for path in (run / "hosts").glob("*.json")}
    assert set(evidence) == {"here", *world.hosts}
    contacts = {name: document["result"]["contact"] for name, document in evidence.items()}
    assert {name for name, contact in contacts.items() if not contact["reached"]} == {"win20"}
    assert contacts["win20"]["reason"].startswith("not reachable")
    for name, contact in contacts.items():
        if name in world.hosts and name != "win20":
            assert (contact["transport"], contact["privileged"]) == ("module", True)
            probes = evidence[name]["observation"]["probes"]
            assert {probe: record["status"] for probe, record in probes.items()} == dict.fromkeys(PROBES, "ok")
            host = world[name]
            assert probes["system"]["data"]["os"]["build"] == f"{host.version.build}.{host.ubr}"
            states = {result["check"]: result["state"] for result in evidence[name]["result"]["results"]}
            assert {states[check] for check in WELL} == {"ok"}
    page = next((outcome.state / "bakery" / "reports").rglob("engineer*.html")).read_text()
    for name in evidence:
        assert name in page
    for host in world.hosts.values():
        assert [call.check_mode for call in host.called("keepwell.fleet.assess")] == [False] * (host.name != "win20")
