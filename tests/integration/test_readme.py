# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands that the texts show are run as they stand, in a copy of the project with a space in its path."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from harness import PROJECT, Ssh, need

RUN = re.compile(r"^```console run\n(.*?)^```$", re.M | re.S)
COMMANDS = [
    line.removeprefix("$ ")
    for block in RUN.findall((PROJECT / "README.md").read_text())
    for line in block.splitlines()
    if line.startswith("$ ")
]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """What git would hand on, with this environment, which has everything installed."""
    if not (PROJECT / ".git").exists():
        pytest.skip("needs a git checkout")
    need((Path(sys.prefix) / ".installed-requirements.txt").exists(), "the environment that make makes")
    folder = tmp_path / "my checkout"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT,
        capture_output=True,
        check=True,
    )
    for name in listed.stdout.decode().split("\0"):
        if name and os.path.lexists(PROJECT / name):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, folder / name, follow_symlinks=False)
    (folder / ".venv").symlink_to(sys.prefix)
    return folder


@pytest.mark.ssh
def test_every_command_of_the_readme_works(copy: Path, ssh: Ssh, me: str) -> None:
    assert len(COMMANDS) >= 5
    variables = " ".join(f'{name}="{value}"' for name, value in ssh.host(me).items())
    (copy / "acme.ini").write_text(f"[web]\nweb1.example.com {variables}\n")
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "KEEPWELL_", "MAKE"))
    }
    environment["NO_COLOR"] = "1"
    for command in COMMANDS:
        done = subprocess.run(
            ["bash", "-c", command], cwd=copy, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout}"
        assert "Installing" not in done.stdout, "the environment was complete"
    assert (copy / "state" / "local" / "latest" / "engineer.html").exists()
    assert (copy / "state" / "acme" / "latest" / "engineer.html").exists()


def test_the_inventory_of_the_readme_is_one(tmp_path: Path) -> None:
    text = re.search(r"^```ini\n# (\w+\.ini)\n(.*?)^```$", (PROJECT / "README.md").read_text(), re.M | re.S)
    assert text
    (tmp_path / text[1]).write_text(text[2])
    listed = subprocess.run(
        [str(Path(sys.executable).with_name("ansible-inventory")), "-i", str(tmp_path / text[1]), "--host", "web2.example.com"],
        capture_output=True, text=True, check=True, cwd=PROJECT,
    )  # fmt: skip
    assert '"ansible_user": "keepwell"' in listed.stdout
