"""``python -m windows_host up``: hosts for trying things, and an inventory that goes with them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

from playing import play


def test_hosts_are_up_until_they_are_interrupted(tmp_path: Path) -> None:
    inventory = tmp_path / "hosts.yml"
    command = [
        sys.executable,
        "-m",
        "windows_host",
        "up",
        "2",
        "--transport",
        "psrp-https",
        "--inventory",
        str(inventory),
    ]
    process = subprocess.Popen(command, cwd=Path(__file__).parent, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("2 hosts on port ")
        hosts = json.loads(inventory.read_text())["all"]["hosts"]
        played = play(tmp_path, hosts, [{"ansible.builtin.setup": {}}, {"ansible.windows.win_hosts": {}}])
        versions = [played.of("task 0", name)["ansible_facts"]["ansible_distribution"] for name in hosts]
        assert versions == ["Microsoft Windows Server 2016 Standard", "Microsoft Windows Server 2019 Standard"]
    finally:
        process.send_signal(signal.SIGINT)
        said, _nothing = process.communicate(timeout=20)
    assert "win01: nobody has modelled the module ansible.windows.win_hosts" in said
    assert not inventory.exists()
