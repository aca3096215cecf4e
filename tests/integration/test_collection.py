# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The collection works for those who install it, without the project around it."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from harness import PROJECT

PROGRAMS = Path(sys.executable).parent
PUBLISHED = {
    "CHANGELOG.md", "CONTRIBUTING.md", "FILES.json", "LICENSE", "MANIFEST.json", "README.md", "changelogs", "docs", "meta",
    "playbooks", "plugins", "roles",
}  # fmt: skip


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build it from what git knows: in the work tree lie caches and inventories."""
    if not (PROJECT / ".git").exists():
        pytest.skip("needs a git checkout")
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("built")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    for name in listed.split("\0"):
        if (PROJECT / name).is_file() and not (PROJECT / name).is_symlink():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((PROJECT / name).read_bytes())
    galaxy("build", "--output-path", str(target), folder=source)
    return next(target.glob("*.tar.gz"))


def galaxy(*arguments: str, folder: Path) -> None:
    # With the project's own ansible.cfg it would find the collection in the work tree and install nothing.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    done = subprocess.run(
        [PROGRAMS / "ansible-galaxy", "collection", *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_contains_what_is_published_and_nothing_else(archive: Path) -> None:
    with tarfile.open(archive) as packed:
        names = packed.getnames()
    assert {name.split("/")[0] for name in names} == PUBLISHED
    for folder in ("plugins", "roles", "playbooks"):
        here = {str(path.relative_to(PROJECT)) for path in (PROJECT / folder).rglob("*") if path.is_file()}
        missing = {name for name in here - set(names) if "__pycache__" not in name}
        assert not missing


def test_an_installed_collection_assesses_this_machine(archive: Path, tmp_path: Path) -> None:
    galaxy("install", "--no-deps", "--offline", "-p", str(tmp_path / "collections"), str(archive), folder=tmp_path)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "KEEPWELL_"))}
    done = subprocess.run(
        [
            PROGRAMS / "ansible-playbook", "keepwell.fleet.assess",
            "-i", "localhost,", "-c", "local", "-e", f"keepwell_state_dir={tmp_path / 'state'}",
            # Without the project's ansible.cfg there is no pipelining, so the probes go as a module, which needs one.
            "-e", f"ansible_python_interpreter={sys.executable}",
        ],
        cwd=tmp_path, env={**environment, "ANSIBLE_COLLECTIONS_PATH": str(tmp_path / "collections")},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert list((tmp_path / "state").glob("*/latest/engineer.html"))
