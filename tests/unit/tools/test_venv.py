# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""tools/venv.sh makes the environment once, notices when it is no good any more, and never removes anything else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def start(project: Path, wanted: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHON": str(Path(sys.base_prefix) / "bin" / "python3"), "PIP_NO_INDEX": "1"}
    return subprocess.Popen(
        ["tools/venv.sh", wanted],
        cwd=project,
        env=environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def run(project: Path, wanted: str = "requirements.txt") -> tuple[int, str]:
    process = start(project, wanted)
    output, errors = process.communicate()
    return int(process.returncode), output + errors


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a space in its path and nothing to install, so that no index is asked."""
    folder = tmp_path / "a project"
    folder.mkdir()
    shutil.copytree(ROOT / "tools", folder / "tools")
    shutil.copy(ROOT / "Makefile", folder)
    (folder / "requirements.txt").write_text("# nothing\n")
    (folder / "requirements-dev.txt").write_text("-r requirements.txt\n")
    return folder


def test_the_second_time_there_is_nothing_to_do_until_something_changes(project: Path) -> None:
    # Two at once make one environment.
    both = [start(project, "requirements.txt") for _ in range(2)]
    said = [process.communicate()[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sum("Making .venv" in text for text in said) == 1
    assert run(project) == (0, "")

    code, text = run(project, "requirements-dev.txt")
    assert code == 0
    assert "Installing requirements-dev.txt" in text
    assert "Making" not in text
    assert run(project, "requirements-dev.txt") == run(project) == (0, "")

    (project / "requirements.txt").write_text("# something else\n")
    for wanted in ("requirements.txt", "requirements-dev.txt"):
        assert f"Installing {wanted}" in run(project, wanted)[1]

    moved = project.rename(project.with_name("moved"))
    code, text = run(moved)
    assert code == 0
    assert "Making .venv" in text, "programs in an environment name the place where it was made"


def test_a_failed_installation_is_tried_again(project: Path) -> None:
    (project / "requirements.txt").write_text("keepwell-no-such-package\n")
    for _ in range(2):
        code, text = run(project)
        assert code == 1
        assert "pip could not install requirements.txt" in text
    (project / "requirements.txt").write_text("# nothing\n")
    assert run(project)[0] == 0


def test_what_is_no_environment_is_left_alone(project: Path) -> None:
    (project / ".venv").mkdir()
    (project / ".venv" / "thesis.txt").write_text("years of work")
    code, text = run(project)
    assert code == 1
    assert "is no Python environment" in text
    assert (project / ".venv" / "thesis.txt").exists()
