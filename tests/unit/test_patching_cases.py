# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every case below cases/patching: what the pure part of patching makes of recorded or made observations.

The folder names the part. ``expect`` may leave keys out; lists must match one by one.
"""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import replay

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks import _patching_policy
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import CheckResult
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching import (
    fingerprint,
    options,
    planning,
    preflight,
    residual,
    selection,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.models import Move, Plan, RebootPlan, Rollback

LOOK: dict[str, t.Any] = {
    "manager": "apt",
    "refused": "",
    "simulation": {"moves": [], "download_bytes": 0, "installed_bytes": 0, "errors": []},
    "state": {"clean": True, "problems": []},
    "locks": [],
    "space": [],
    "newest_boot_bytes": None,
    "users": [],
    "fsck_pending": False,
    "luks_at_boot": [],
    "pacemaker": False,
    "offline_update": False,
    "keepwell_lock": {"held": False, "holder": ""},
}


def document(case: dict[str, t.Any]) -> dict[str, t.Any]:
    """The observation of a case as the host gives it: probe -> record."""
    return {
        "probes": {
            name: {"status": record.status, "data": record.data, "detail": record.detail}
            for name, record in replay.view(case).probes.items()
        }
    }


def do_selection(case: dict[str, t.Any]) -> t.Any:
    suspects = {(entry["name"], entry["version"]): entry["why"] for entry in case.get("suspects") or []}
    items, withheld = selection.select(
        replay.view(case),
        _patching_policy.Policy(),
        options.read(case.get("options") or {}),
        suspects,
        frozenset(case.get("exploited") or []),
    )
    only = set(case.get("only") or [])
    return {
        "items": [item.model_dump() for item in items if not only or item.name in only],
        "withheld": [entry.model_dump() for entry in withheld if not only or entry.name in only],
    }


def results(case: dict[str, t.Any]) -> list[CheckResult]:
    """What the checks said of the host before: check -> state."""
    return [
        CheckResult(check=check, state=state, observed="seen") for check, state in (case.get("results") or {}).items()
    ]


def do_preflight(case: dict[str, t.Any]) -> t.Any:
    look = {**LOOK, **(case.get("look") or {})}
    chosen = options.read(case.get("options") or {})
    facts = (
        preflight.judge_reboot(look, chosen)
        if case.get("reboot")
        else preflight.judge(look, replay.view(case), _patching_policy.Policy(), chosen, results(case))
    )
    return {"failed": [fact.model_dump() for fact in facts if not fact.passed]}


def do_planning(case: dict[str, t.Any]) -> t.Any:
    view = replay.view(case)
    chosen = options.read(case.get("options") or {})
    items, withheld = selection.select(view, _patching_policy.Policy(), chosen, {})
    plan = planning.build(
        view=view,
        client="acme",
        run_id="01K00000000000000000000000",
        items=items,
        withheld=withheld,
        look={**LOOK, **(case.get("look") or {})},
        preflight=[],
        doubts=[],
        options=chosen,
        ring=1,
        ring_reason="",
    )
    return plan.model_dump()


def do_fingerprint(case: dict[str, t.Any]) -> t.Any:
    probes = case.get("user_probes") or {}
    return [
        entry.model_dump()
        for entry in fingerprint.compare(
            fingerprint.of(document(case["before"])),
            fingerprint.of(document(case["after"])),
            probes.get("before") or {},
            probes.get("after") or {},
        )
    ]


def do_residual(case: dict[str, t.Any]) -> t.Any:
    wanted = case["plan"]
    plan = Plan(
        run_id="01K00000000000000000000000",
        client="acme",
        host="web1",
        made_at="2026-11-23T06:00:00Z",
        manager="apt",
        policy="security",
        items=wanted.get("items") or [],
        withheld=wanted.get("withheld") or [],
        transaction=[Move(name="any", action="upgrade", before="1", after="2")],
        plan_hash="0",
        reboot=RebootPlan(expected="no"),
        rollback=Rollback(possible="no", text=""),
    )
    return residual.explain(plan, document(case))


DO = {
    "selection": do_selection,
    "preflight": do_preflight,
    "planning": do_planning,
    "fingerprint": do_fingerprint,
    "residual": do_residual,
}


@pytest.mark.parametrize("path", replay.cases("patching"), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_patching_case(path: Path) -> None:
    case = replay.load(path)
    found = DO[path.parent.name](case)
    assert not replay.differences(case["expect"], found), found
