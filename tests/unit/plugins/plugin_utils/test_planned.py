# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every chore would do is told in one place, from what each of them left as evidence."""

from __future__ import annotations

import typing as t
from pathlib import Path

import fleet_maker
import pytest
from fleet_runs import change

from ansible_collections.keepwell.fleet.plugins.plugin_utils import planned, run_document
from ansible_collections.keepwell.fleet.plugins.plugin_utils.antivirus.models import Plan, PlannedStep
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.models import DueTest
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.plans import (
    PlannedTest,
    TestPlan,
    Told,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord
from ansible_collections.keepwell.fleet.plugins.plugin_utils.disk_cleanup.models import (
    Cleanup,
    FilesystemPart,
    GrowthPart,
    RuleAccount,
    RulePart,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.bundle import make_bundle
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.desk import desk_for
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.work import work_view

TEMPLATES = [str(Path(__file__).parents[4] / "roles" / "health_report" / "templates")]
RUN = fleet_maker.make_run(3)
HOST, OTHER, LAST = RUN.header.population[:3]
ABOUT: t.Final = {"run_id": RUN.header.run_id, "client": RUN.header.client.id, "made_at": "2026-11-23T06:00:00Z"}


def antivirus(host: str, *steps: PlannedStep) -> Plan:
    return Plan(host=host, steps=list(steps), **ABOUT)


def due_tests(host: str, *, refused: str = "") -> TestPlan:
    due = DueTest(kind="sample", reason="the last one was 40 days ago")
    entry = PlannedTest(
        host=HOST,
        dataset="files",
        protects="/srv",
        tool="restic",
        repository="/backup",
        test=due,
        chosen=True,
        minutes=2.0,
        told=Told(refused=refused),
    )
    return TestPlan(host=host, tests=[entry, entry.model_copy(update={"chosen": False})], **ABOUT)


def cleanup(host: str, outcome: t.Any = "planned", growth: t.Any = "planned") -> ChangeRecord:
    part = Cleanup(
        filesystems=[
            FilesystemPart(
                mount="/var/log",
                size_bytes=2**30,
                avail_before_bytes=2**20,
                predicted_bytes=8 * 2**20,
                forecast="full in 9-14 days",
            )
        ],
        rules=[
            RulePart(id="rotated_logs", predicted=RuleAccount(files=3, bytes=8 * 2**20)),
            RulePart(id="journal", predicted=RuleAccount()),
        ],
        growth=[GrowthPart(mount="/srv", outcome=growth, text="from 4 GiB to 5 GiB")],
    )
    return change(host, outcome).model_copy(update={"chore": "disk_cleanup", "cleanup": part})


def test_each_chore_tells_what_it_would_do_and_what_stands_against_it() -> None:
    scan = PlannedStep(name="scan", text="Scan 7 files")
    update = PlannedStep(name="update", text="No product is installed", ready=False, code="no_engine")
    found = planned.work(
        [antivirus(HOST, scan, update), antivirus(OTHER)],
        [due_tests(OTHER, refused="No room below /var/tmp")],
        [cleanup(LAST), change(HOST, "nothing")],
    )
    assert {(entry.host, entry.chore): (entry.text, entry.steps, entry.ready, entry.notes) for entry in found} == {
        (HOST, "antivirus"): ("scan", ["scan: Scan 7 files"], False, ["update: No product is installed"]),
        (OTHER, "backup_verification"): (
            "1 test",
            [f"{HOST}/files, sample: the last one was 40 days ago"],
            False,
            [f"{HOST}/files: No room below /var/tmp"],
        ),
        (LAST, "disk_cleanup"): (
            "/var/log: 8.0 MiB",
            ["rotated_logs: 3 files, 8.0 MiB", "make /srv larger: from 4 GiB to 5 GiB"],
            True,
            ["/var/log: full in 9-14 days"],
        ),
    }


def test_a_growth_that_is_refused_is_told_beside_what_would_be_freed() -> None:
    (entry,) = planned.work([], [], [cleanup(HOST, growth="refused")])
    assert (entry.ready, entry.steps) == (False, ["rotated_logs: 3 files, 8.0 MiB"])
    assert entry.notes[0] == "/srv stays as large as it is: from 4 GiB to 5 GiB"


def with_cleanup(outcome: t.Any) -> run_document.Run:
    record = cleanup(HOST, outcome)
    work = planned.work([], [due_tests(OTHER)], [record])
    return RUN.model_copy(update={"changes": [record], "planned_work": work})


def test_the_engineer_finds_every_chore_under_planned() -> None:
    run = with_cleanup("planned")
    view = work_view(desk_for(run))
    assert view is not None
    assert {(row.host.name, row.work) for row in view.plans.items} == {
        (HOST, "Disk cleanup"),
        (OTHER, "Tests of backups"),
    }
    # What is told there is not told as something that was done as well.
    assert not view.tells_done
    made = {name: content.decode() for name, content in make_bundle(run, TEMPLATES).files.items()}
    for words in ("rotated_logs: 3 files, 8.0 MiB", "full in 9-14 days", "sample: the last one was 40 days ago"):
        assert words in made["engineer.html"]
        assert words.replace("_", "\\_") in made["summary.md"] or words in made["summary.md"]


@pytest.mark.parametrize(("outcome", "rows"), [("done", {OTHER}), ("failed", {OTHER}), ("skipped", {HOST, OTHER})])
def test_what_was_begun_is_not_planned_any_more(outcome: t.Any, rows: set[str]) -> None:
    view = work_view(desk_for(with_cleanup(outcome)))
    assert view is not None
    assert {row.host.name for row in view.plans.items} == rows
