# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which Python the Makefile takes: the newest that really runs, whatever its name promises."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FIND = Path(__file__).parents[3] / "tools" / "find_python.sh"
# As version managers leave them behind: on PATH, executable, leading nowhere.
DEAD = "#!/bin/sh\necho 'pyenv: python3.13: command not found' >&2\nexit 127\n"
REAL = f'#!/bin/sh\nexec "{Path(sys.executable).resolve()}" "$@"\n'


def pretending(statement: str) -> str:
    """A real Python that runs a statement first."""
    return f'#!/bin/sh\n[ "$1" = -c ] || exit 9\nexec "{sys.executable}" -c "{statement}\n$2"\n'


OLD = pretending("import sys; sys.version_info = (3, 9, 2)")
WITHOUT_VENV = pretending("import sys; sys.modules['ensurepip'] = None")


@pytest.fixture
def find(tmp_path: Path):
    """Run the search with only these programs on PATH; the fixed places in /usr/bin come last."""
    folder = tmp_path / "some programs"
    folder.mkdir()

    def run(programs: dict[str, str], **environment: str) -> subprocess.CompletedProcess[str]:
        for name, text in programs.items():
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)
        for name in ("sed", "sh"):
            if not (folder / name).exists():
                (folder / name).symlink_to(f"/bin/{name}")
        return subprocess.run(
            [str(FIND)], env={"PATH": str(folder), **environment}, capture_output=True, text=True, check=False
        )

    return run


def test_the_newest_that_runs_is_taken(find) -> None:
    done = find({"python3.13": REAL, "python3.11": DEAD, "python3": DEAD})
    assert done.returncode == 0
    assert Path(done.stdout.strip()).resolve() == Path(sys.executable).resolve()
    assert done.stderr.startswith("Taking Python 3.")


def test_a_dead_shim_is_passed_over_and_named(find) -> None:
    done = find({"python3.13": DEAD, "python3.12": REAL})
    assert done.returncode == 0
    assert "Passing over python3.13: pyenv: python3.13: command not found" in done.stderr
    assert Path(done.stdout.strip()).exists()


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        (OLD, "is Python 3.9, and 3.11 is needed"),
        (WITHOUT_VENV, "lacks ensurepip (Debian and Ubuntu: package python3-venv)"),
    ],
)
def test_what_cannot_make_the_environment_is_passed_over(find, program: str, reason: str) -> None:
    done = find({"python3.14": program, "python3": REAL})
    assert done.returncode == 0
    assert f"Passing over python3.14: {reason}" in done.stderr


def test_the_one_asked_for_is_taken_or_nothing(find) -> None:
    done = find({"mine": REAL, "python3.13": DEAD}, PYTHON="mine")
    assert done.returncode == 0
    assert "python3.13" not in done.stderr
    done = find({"python3.12": REAL}, PYTHON="not-there")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "PYTHON=not-there cannot be used" in done.stderr


def test_the_environment_is_never_built_on_another_environment(find) -> None:
    """The tests run in one, so its Python must lead to the one below it."""
    done = find({"python3": f'#!/bin/sh\nexec "{sys.executable}" "$@"\n'})
    assert sys.prefix != sys.base_prefix
    assert not done.stdout.startswith(sys.prefix)
