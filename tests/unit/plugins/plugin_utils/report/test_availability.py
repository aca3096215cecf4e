"""Availability and missed runs, as a reader meets them: figures with their doubt, and nothing without a watch."""

from __future__ import annotations

from pathlib import Path

import fleet_maker

from ansible_collections.keepwell.fleet.plugins.plugin_utils import run_document, status
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import iso
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.availability import availability_view
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.bundle import make_bundle
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.desk import desk_for
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import (
    Availability,
    AvailabilityRow,
    MissedRun,
    OutageRecord,
)

TEMPLATES = [str(Path(__file__).parents[5] / "roles" / "health_report" / "templates")]
DAY = 86400.0
END = fleet_maker.NOW


def row(host: str, state: str = "ok", observed: float | None = 99.95, **more: object) -> AvailabilityRow:
    known = {"period_s": 30 * DAY, "excluded_s": 7200.0, "up_s": 29 * DAY, "down_s": 1296.0, "gap_s": 0.0}
    shares = {"coverage_percent": 100.0, "pessimistic_percent": observed, "optimistic_percent": observed}
    return AvailabilityRow.model_validate(
        {"host": host, "state": state, "observed_percent": observed, **known, **shares, **more}
    )


def run_with(*rows: AvailabilityRow, missed: tuple[MissedRun, ...] = ()) -> run_document.Run:
    run = fleet_maker.make_run(3)
    name = run.header.population[0]
    outage = OutageRecord(
        host=name, begin=iso(END - DAY), end=None, seconds=1296.0, uncertainty_s=600.0, counted_s=1296.0
    )
    found = Availability(begin=iso(END - 30 * DAY), end=iso(END), beats=8640, rows=list(rows), outages=[outage])
    return run.model_copy(update={"availability": found if rows else None, "missed_runs": list(missed)})


def files(run: run_document.Run) -> dict[str, str]:
    return {name: content.decode() for name, content in make_bundle(run, TEMPLATES).files.items()}


def test_without_a_watch_there_is_no_section() -> None:
    made = files(run_with())
    assert 'id="availability"' not in made["engineer.html"]
    assert 'id="missed"' not in made["engineer.html"]
    assert "## Availability" not in made["summary.md"]


def test_figures_stand_with_what_was_agreed_and_what_is_not_known() -> None:
    host = fleet_maker.make_run(3).header.population[0]
    made = files(
        run_with(
            row("", "unknown", 99.5, note="too little was seen to call it measured"),
            row(host, "act", 99.95, target_percent=99.99, budget_left_s=-1037.0),
            row("gone<script>", "unknown", None, note="never seen up in this time"),
        )
    )
    page = made["engineer.html"]
    assert "99.95 %" in page
    assert "17 minutes over" in page
    assert "never seen up in this time" in page
    assert "8640 beats of the watch" in page
    assert "gone<script>" not in page
    assert "and not over" in page
    assert "agreed 99.99 %" in made["summary.md"]


def test_the_worst_hosts_come_first() -> None:
    view = availability_view(desk_for(run_with(row(""), row("a"), row("b", "act"), row("c", "unknown", None))))
    assert view is not None
    assert [line.host.name for line in view.rows.items if line.host] == ["b", "c", "a"]


def test_runs_that_did_not_take_place_are_told_everywhere() -> None:
    text = "nightly (patch), planned for Mon 2026-11-23 22:00 UTC, did not run within 2 hours."
    missed = MissedRun(
        key="0" * 16, entry="nightly", playbook="patch", planned_at=iso(END - DAY), last_planned_at=iso(END), text=text
    )
    run = run_with(missed=(missed,))
    made = files(run)
    assert text in made["engineer.html"]
    assert text in made["summary.md"]
    assert status.headline(run, "x")["missed_runs"] == [text]
    assert status.of(run)["missed_runs"] == 1
