# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets of a test of a backup: in no file, no text and no command line."""

from __future__ import annotations

import os
import time
from pathlib import Path

import made_backup
import pytest
from made_backup import ID, SECRET, how, request, wait_for
from verification_host import verified, work_folder

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import (
    _control,
)
from ansible_collections.keepwell.fleet.plugins.module_utils.chores import _folder
from ansible_collections.keepwell.fleet.plugins.module_utils.chores._errors import AgentError
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import Machine


def everything_below(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_a_secret_is_in_no_file_no_text_and_no_command_line(host: Path) -> None:
    quoting = "printf 'bad: %s' \"$RESTIC_PASSWORD\" >&2; printf 'out %s' \"$RESTIC_PASSWORD\"; "
    how(host, say={"list": quoting, "restore": quoting + "sleep 1"}, restore={"outcome": "error"})
    asked = request(host, secrets={"RESTIC_PASSWORD": SECRET})
    asked["dataset"]["credentials"] = {"environment": ["RESTIC_PASSWORD"]}
    assert _control.start(Machine(), asked)["started"]
    assert SECRET.encode() not in everything_below(host / "keepwell")
    process = made_backup.start_apart(host)
    command = wait_for(lambda: (_folder.load(str(work_folder()), "state.json") or {}).get("command"))
    assert command
    lines = []
    while process.poll() is None:
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                lines.append(entry.read_bytes().replace(b"\0", b" "))
            except OSError:
                continue
        time.sleep(0.05)
    assert any(b"sleep 1" in line for line in lines)
    assert not [line for line in lines if SECRET.encode() in line]
    state = _control.status(Machine(), ID)
    assert state["proof"]["errors"] == ["bad: [secret]"]
    assert state["proof"]["key_source"] == "environment"
    assert SECRET not in repr(state)
    assert "bad: [secret]" in state["log_tail"]
    assert SECRET.encode() not in everything_below(host / "keepwell")
    assert os.listdir(host / "memory") == []


def test_values_of_secrets_in_the_declaration_are_refused(host: Path) -> None:
    asked = request(host)
    asked["dataset"]["credentials"] = {"environment": {"RESTIC_PASSWORD": SECRET}}
    with pytest.raises(AgentError) as caught:
        _control.start(Machine(), asked)
    assert caught.value.code == "bad_request"
    assert SECRET not in caught.value.text
    assert not work_folder().exists()


def test_a_lacking_secret_is_an_error_that_names_it(host: Path) -> None:
    asked = request(host)
    asked["dataset"]["credentials"] = {"environment": ["RESTIC_PASSWORD"]}
    state = verified(asked)
    assert (state["proof"]["outcome"], state["code"]) == ("error", "bad_credentials")
    assert "RESTIC_PASSWORD" in state["text"]
