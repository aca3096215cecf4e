# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has to be true of a host before any chore changes it: no hold, a contract in force, a plan that has it."""

from __future__ import annotations

import typing as t
from pathlib import Path
from types import SimpleNamespace

import pytest
from fleet_runs import header

from ansible_collections.keepwell.fleet.plugins.plugin_utils import evidence, processes, runs, settings
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores import guards
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import epoch

CARE: t.Final = {"keepwell_plan": {"name": "Care", "services": ["patching"]}}
SIGNED: t.Final = {"keepwell_contract": {"from": "2026-01-01", "to": "2026-12-31"}}


RUN: t.Final = "01K0000000000000000000000A"


@pytest.fixture
def store(tmp_path: Path) -> evidence.Store:
    """A client of whom a run that may change hosts has begun."""
    made = evidence.Store(tmp_path, "acme")
    begun = header(RUN, process=processes.this_process()).model_copy(update={"acting": ["patching"]})
    runs.begin(made, begun, epoch(begun.started_at))
    return made


def stop(
    store: evidence.Store, variables: dict[str, t.Any], now: str, hold: str = "", chore: str = "patching"
) -> guards.Stop | None:
    at = epoch(now)
    job: t.Any = SimpleNamespace(
        chore=chore,
        host="web1",
        store=store,
        run_id=RUN,
        options=SimpleNamespace(hold=hold),
        settings=settings.read(variables, ["inventories/acme"], at),
        now=lambda: at,
    )
    return guards.bought(job)


@pytest.mark.parametrize(
    ("zone", "now", "refused"),
    [
        ("UTC", "2026-06-01T00:00:00Z", False),
        ("UTC", "2025-12-31T23:59:59Z", True),
        ("UTC", "2026-12-31T23:59:59Z", False),
        ("UTC", "2027-01-01T00:00:00Z", True),
        # The day is the client's: there it is tomorrow already, or still yesterday.
        ("Europe/Amsterdam", "2026-12-31T23:30:00Z", True),
        ("America/New_York", "2027-01-01T03:00:00Z", False),
    ],
)
def test_a_contract_lets_a_chore_act_on_its_days_alone(
    store: evidence.Store, zone: str, now: str, refused: bool
) -> None:
    found = stop(store, {**CARE, **SIGNED, "keepwell_client": {"id": "acme", "timezone": zone}}, now)
    assert (found is not None) is refused
    if found is not None:
        assert (found.outcome, found.code) == ("skipped", "not_bought")
        assert "only looked at" in found.text


def test_a_hold_and_a_plan_without_the_chore_are_told_as_such(store: evidence.Store) -> None:
    now = "2026-06-01T00:00:00Z"
    held = stop(store, {**CARE, **SIGNED}, now, hold="until the audit")
    assert held is not None and held.code == "held"
    missing = stop(store, {**CARE, **SIGNED}, now, chore="antivirus")
    assert missing is not None and "does not have antivirus" in missing.text
