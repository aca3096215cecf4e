"""A real Windows host, where there is one: it is assessed, and what it answered is kept as a case without its names.

``KEEPWELL_WINDOWS_INVENTORY`` names its inventory (docs of ansible.windows say how to reach a host); what is recorded
goes to ``tests/fixtures/windows``, or to the folder that ``KEEPWELL_WINDOWS_RECORD`` names.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from harness import PROJECT, Project
from scrub import Scrubber

INVENTORY = os.environ.get("KEEPWELL_WINDOWS_INVENTORY")
RECORD = Path(os.environ.get("KEEPWELL_WINDOWS_RECORD") or PROJECT / "tests" / "fixtures" / "windows")


@pytest.mark.windows_host
@pytest.mark.skipif(not INVENTORY, reason="no Windows host: KEEPWELL_WINDOWS_INVENTORY is not set")
def test_a_real_host_is_assessed_and_recorded(project: Project) -> None:
    outcome = project.play("assess", Path(str(INVENTORY)).resolve(), timeout=900)
    assert outcome.rc == 0, outcome.output
    evidence = sorted(project.state.glob("*/runs/*/hosts/*.json"))
    assert evidence, outcome.output
    for path in evidence:
        observation = json.loads(path.read_text())["observation"]
        assert observation is not None, f"{path.stem} did not answer: {outcome.output}"
        failed = {
            name: probe for name, probe in observation["probes"].items() if probe["status"] in ("error", "timeout")
        }
        system = observation["probes"]["system"]["data"]
        names = [path.stem, *(str(system.get(key) or "") for key in ("hostname", "fqdn"))]
        RECORD.mkdir(parents=True, exist_ok=True)
        # After what runs there, not after whose it is.
        target = RECORD / f"{system['os']['id']}-{system['kernel']['release']}.json"
        target.write_text(json.dumps(Scrubber(names).scrub(observation), indent=1, sort_keys=True) + "\n")
        assert not failed, f"{path.stem}: {failed}"


def test_what_is_recorded_has_no_names() -> None:
    said = {
        "hostname": "ACME-DC1",
        "fqdn": "acme-dc1.corp.acme.example",
        "sentence": "ACME-DC1 asked ACME\\joe.smith (joe@acme.example) at 10.4.4.9, then \\\\acme-dc1\\share",
        "owner": "ACME\\Joe.Smith",
        "service": "NT AUTHORITY\\SYSTEM",
        "path": "C:\\Users\\joe.smith\\AppData and C:\\Users\\Public\\x and C:\\Windows\\Temp",
        "version": "10.0.17763.316",
        "address": ["10.4.4.9", "127.0.0.1", "fe80::1c2d:3e4f%4"],
        "mac": "00-15-5D-01-02-03",
        "sid": "S-1-5-21-1004336348-1177238915-682003330-512",
        "everyone": "S-1-1-0",
        "serial": "4C4C4544",
        "time": "12:30:05",
        "count": 3,
        "gone": None,
    }
    scrubbed = Scrubber(["ACME-DC1", "acme-dc1.corp.acme.example"]).scrub(said)
    assert scrubbed == {
        "hostname": "WIN01",
        "fqdn": "WIN01",
        "sentence": "WIN01 asked CLIENT\\person1 (person1@example.com) at 192.0.2.1, then \\\\WIN01\\share",
        "owner": "CLIENT\\person1",
        "service": "NT AUTHORITY\\SYSTEM",
        "path": "C:\\Users\\person1\\AppData and C:\\Users\\Public\\x and C:\\Windows\\Temp",
        "version": "10.0.17763.316",
        "address": ["192.0.2.1", "127.0.0.1", "2001:db8::1"],
        "mac": "00-00-5E-00-53-01",
        "sid": "S-1-5-21-1-1-1-512",
        "everyone": "S-1-1-0",
        "serial": "scrubbed-1",
        "time": "12:30:05",
        "count": 3,
        "gone": None,
    }
