"""What assessing a host is to the run around it: a sign of life, however long the host takes."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest
from fleet_runs import NOW, header

from ansible_collections.keepwell.fleet.plugins.action import assess
from ansible_collections.keepwell.fleet.plugins.plugin_utils import evidence, processes, runs
from ansible_collections.keepwell.fleet.plugins.plugin_utils.lease import HEARTBEAT_LIMIT_S, Leases
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import Contact

RUN = "01K0000000000000000000000A"


class Templar:
    """Gives back what it gets."""

    def template(self, value: object) -> object:
        return value


@pytest.mark.parametrize("frozen", ["before it is asked", "while it is asked"])
def test_a_run_that_acts_gives_a_sign_of_life_at_every_host(tmp_path: Path, frozen: str) -> None:
    store = evidence.Store(tmp_path, "acme")
    begun = header(RUN, ["web1"], process=processes.this_process()).model_copy(update={"acting": ["patching"]})
    runs.begin(store, begun, NOW)
    [lease] = (store.root / "lease").glob("*1.json")
    leases = Leases(store)

    def grow_old() -> None:
        long_ago = lease.stat().st_mtime - HEARTBEAT_LIMIT_S - 60
        os.utime(lease, (long_ago, long_ago))
        assert not leases.fresh(RUN)

    def observe(_request: t.Any, _task_vars: t.Any) -> tuple[None, Contact]:
        assert leases.fresh(RUN)
        if frozen == "while it is asked":
            grow_old()
        return None, Contact(reached=False, reason="not reachable: no answer")

    action = object.__new__(assess.ActionModule)
    action._templar = Templar()
    action._observe = observe  # type: ignore[method-assign]
    grow_old()
    told = {
        "inventory_hostname": "web1",
        "keepwell_client": "acme",
        "keepwell_state_dir": str(tmp_path),
        "keepwell_lab": True,
        "keepwell_now": "2026-11-23T02:00:00Z",
        "group_names": [],
    }
    arguments = {"subset": ["all"], "parameters": {}, "budget_s": 45.0, "again": False, "once": False}
    assert action._assess(arguments, told)["unreachable"]
    assert leases.fresh(RUN)
