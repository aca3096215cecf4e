# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Root runs only what nobody but root can change."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _machine

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be made to run programs of others")


@pytest.fixture
def program(tmp_path: Path) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir(mode=0o755)
    path = folder / "restic"
    path.write_text("#!/bin/sh\necho ran\n")
    path.chmod(0o755)
    return path


def test_a_program_of_root_runs(program: Path) -> None:
    assert _machine.Machine().run([str(program)]).out == "ran\n"


@pytest.mark.parametrize("what", ["owner", "world", "group", "folder", "link"])
def test_a_program_that_others_can_change_does_not_run(program: Path, what: str) -> None:
    if what == "owner":
        os.chown(program, 65534, 65534)
    elif what == "world":
        program.chmod(0o757)
    elif what == "group":
        os.chown(program, 0, 65534)
        program.chmod(0o775)
    elif what == "folder":
        os.chown(program.parent, 65534, 65534)
    else:
        target = program.with_name("theirs")
        program.rename(target)
        os.chown(target, 65534, 65534)
        program.symlink_to(target)
    machine = _machine.Machine()
    output = machine.run([str(program)])
    assert (output.status, output.out) == ("error", "")
    assert machine.sources["restic"]["detail"] == f"not run as root: others than root can change {program}"
