# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host says of its backups, and of what a test would do: it writes nothing."""

from __future__ import annotations

import os
import time
import typing as t
from pathlib import Path

import made_backup
import pytest
from made_backup import how, request, snapshot, tree
from verification_host import FILES, verified

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import (
    _agent,
    _look,
    _memory,
    _sandbox,
)
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import Machine
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.models import Look


def test_a_look_writes_nothing_and_one_dataset_never_costs_another(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_look, "_LEAST_S", 0.3)
    other = host / "other"
    other.mkdir()
    snapshot(other, FILES, 1000.0)
    how(other, say={"list": "exec sleep 30"})
    before = tree(host / "repository"), tree(host / "keepwell")
    began = time.monotonic()
    found = _agent.OPERATIONS["look"](
        Machine(),
        {
            "datasets": [
                made_backup.dataset(other, id="slow"),
                made_backup.dataset(host, id="shop"),
                made_backup.dataset(host, id="odd", tool="unheard"),
            ],
            "budget_s": 3,
        },
    )["datasets"]
    assert time.monotonic() - began < 10
    for entry in found.values():
        Look.model_validate(entry)
    assert {name: entry["status"] for name, entry in found.items()} == {"slow": "ok", "shop": "ok", "odd": "error"}
    assert found["odd"]["detail"] == "unheard cannot be verified from this host."
    assert (tree(host / "repository"), tree(host / "keepwell")) == before
    assert os.listdir(host / "memory") == []


def test_a_cache_that_outgrows_its_share_of_memory_is_ended_and_gone_before_the_next_look(
    host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_memory, "room", lambda _machine: 2**20)
    other = host / "other"
    other.mkdir()
    how(other, say={"list": 'head -c 4000000 /dev/zero >"$HOME/cache"; exec sleep 60'})
    how(host, say={"list": f"du -s {host}/memory >{host}/taken"})
    began = time.monotonic()
    asked = [made_backup.dataset(other, id="large"), made_backup.dataset(host)]
    found = _agent.OPERATIONS["look"](Machine(), {"datasets": asked, "budget_s": 120})["datasets"]
    assert time.monotonic() - began < 30
    assert (found["large"]["status"], found["shop"]["status"]) == ("error", "ok")
    assert "outgrew the 1 MiB of memory" in found["large"]["detail"]
    assert int((host / "taken").read_text().split()[0]) < 1024
    assert os.listdir(host / "memory") == []


def test_a_look_lets_the_work_of_the_host_go_first(host: Path) -> None:
    how(host, say={"list": f"nice > {host}/niceness"})
    _agent.OPERATIONS["look"](Machine(), {"datasets": [made_backup.dataset(host)]})
    assert int((host / "niceness").read_text()) == min(19, os.nice(0) + 10)


def test_a_driver_that_hangs_is_ended(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_look, "_GRACE_S", 0.5)
    monkeypatch.setattr(_look, "_LEAST_S", 0.3)
    monkeypatch.setattr(made_backup.Made, "list", lambda self: time.sleep(60))
    found = _agent.OPERATIONS["look"](Machine(), {"datasets": [made_backup.dataset(host)], "budget_s": 0.1})
    assert found["datasets"]["shop"]["status"] == "timeout"
    assert "did not answer within 0 s" in found["datasets"]["shop"]["detail"]


def test_a_plan_says_what_the_work_does_and_touches_nothing(host: Path) -> None:
    asked = request(host, seed="s", sample={"files": 2, "bytes": 100000})
    before = tree(host)
    plan = _agent.OPERATIONS["plan"](Machine(), asked)
    after = tree(host)
    assert {name: value[0] for name, value in before.items()} == {name: value[0] for name, value in after.items()}
    assert (plan["refused"], plan["files_count"], plan["total_files"]) == ("", 2, 6)
    assert plan["target"] == _sandbox.BASE
    assert plan["steps"][0].startswith("Restore 2 files (")
    proof = verified(asked)["proof"]
    assert sorted(proof["paths"]) == sorted(plan["files"])
    assert proof["bytes"] == plan["bytes"]


@pytest.mark.parametrize(
    ("said", "code"),
    [({"writer": "a backup"}, "writer"), ({"status": "bad_password"}, "bad_password"), ({"pick": "no"}, "no_listing")],
)
def test_a_plan_says_why_nothing_would_be_done(host: Path, said: dict[str, t.Any], code: str) -> None:
    how(host, **said)
    plan = _agent.OPERATIONS["plan"](Machine(), request(host))
    assert plan["code"] == code
    assert plan["refused"]
