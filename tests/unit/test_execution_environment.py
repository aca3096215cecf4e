# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The execution environment has what a control node needs, pinned, and ansible-builder understands how it is made."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PINS = {
    pin.name.lower(): str(next(iter(pin.specifier)))
    for line in (ROOT / "requirements-ee.txt").read_text().splitlines()
    if line and not line.startswith("#")
    for pin in [Requirement(line)]
}
WANTED = [
    Requirement(line)
    for line in (ROOT / "requirements.txt").read_text().splitlines()
    if re.match(r"[a-z]", line, re.IGNORECASE)
]


def builder() -> str:
    """The program, beside this Python or on the path."""
    places = f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"
    found = shutil.which("ansible-builder", path=places)
    if found is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("needs ansible-builder (requirements-dev.txt)")
    return str(found)


def create(context: Path, definition: Path) -> subprocess.CompletedProcess[str]:
    # Root can take the network away.
    alone = ["unshare", "--net"] if os.geteuid() == 0 and shutil.which("unshare") else []
    return subprocess.run(
        [*alone, builder(), "create", "--file", str(definition), "--context", str(context)],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("wanted", WANTED, ids=lambda wanted: wanted.name)
def test_it_has_what_a_control_node_needs(wanted: Requirement) -> None:
    assert PINS[wanted.name.lower()].startswith("==")
    assert wanted.specifier.contains(PINS[wanted.name.lower()].removeprefix("=="))


def test_ansible_is_the_same_in_both_places() -> None:
    dependencies = yaml.safe_load((ROOT / "execution-environment.yml").read_text())["dependencies"]
    for name in ("ansible_core", "ansible_runner"):
        package = Requirement(dependencies[name]["package_pip"])
        assert str(package.specifier) == PINS[package.name]


def test_the_context_needs_no_network_and_has_every_pin(tmp_path: Path) -> None:
    done = create(tmp_path / "context", ROOT / "execution-environment.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    recipe = (tmp_path / "context" / "Containerfile").read_text()
    assert recipe.startswith('ARG EE_BASE_IMAGE="localhost/keepwell-base:12"')
    assert "ansible-galaxy" not in recipe
    for name in ("requirements.txt", "pins/requirements-ee.txt"):
        assert (tmp_path / "context" / "_build" / name).read_text() == (ROOT / "requirements-ee.txt").read_text()


def test_a_mistake_in_its_definition_is_refused(tmp_path: Path) -> None:
    definition = yaml.safe_load((ROOT / "execution-environment.yml").read_text())
    definition["dependencies"]["pyton"] = definition["dependencies"].pop("python")
    broken = tmp_path / "broken.yml"
    broken.write_text(yaml.safe_dump(definition))
    done = create(tmp_path / "context", broken)
    assert done.returncode != 0
    assert "'pyton' was unexpected" in done.stdout + done.stderr
