"""What a person keeps back, and whose lease a run took over, as a reader meets it."""

from __future__ import annotations

from pathlib import Path

import fleet_maker

from ansible_collections.keepwell.fleet.plugins.callback.summary import compose
from ansible_collections.keepwell.fleet.plugins.plugin_utils import run_document, status
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import iso
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.bundle import make_bundle
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.desk import desk_for
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.holds import holds_view

TEMPLATES = [str(Path(__file__).parents[5] / "roles" / "health_report" / "templates")]
NOW = fleet_maker.NOW


def hold(number: int, *hosts: str, reason: str = "audit week", **more: object) -> run_document.HoldSummary:
    document = {
        "hold_id": f"01K00000000000000000000H{number:02d}",
        "hosts": list(hosts),
        "reason": reason,
        "by": "maria on control",
        "placed_at": iso(NOW - 86400),
        "until": iso(NOW + 86400 * 3),
        **more,
    }
    return run_document.HoldSummary.model_validate(document)


def run_with(
    *active: run_document.HoldSummary, ended: tuple[run_document.HoldSummary, ...] = (), taken: bool = False
) -> run_document.Run:
    run = fleet_maker.make_run(3)
    taken_over = run_document.TakenOver(
        run_id="01K0000000000000000000000A", holder="timer on old", since=iso(NOW - 3600), why="Its process 5 is gone."
    )
    header = run.header.model_copy(update={"taken_over": taken_over if taken else None})
    return run.model_copy(update={"header": header, "holds": list(active), "expired_holds": list(ended)})


def files(run: run_document.Run) -> dict[str, str]:
    return {name: content.decode() for name, content in make_bundle(run, TEMPLATES).files.items()}


def said(run: run_document.Run) -> list[str]:
    return [text for text, _state in compose(status.headline(run, "there"), ["report.html"])]


def test_where_nothing_is_held_nothing_is_said() -> None:
    run = fleet_maker.make_run(3)
    assert holds_view(desk_for(run)) is None
    made = files(run)
    assert 'id="holds"' not in made["engineer.html"]
    assert "Kept back" not in made["engineer.html"] + made["summary.md"]
    assert not [line for line in said(run) if line.startswith(("On hold", "Hold over", "Took over"))]


def test_a_hold_is_told_with_its_end_its_reason_and_who_placed_it() -> None:
    run = run_with(hold(1, "web1", "db1"), hold(2, except_hosts=["web2"]))
    made = files(run)
    for name in ("engineer.html", "summary.md"):
        assert "Kept back" in made[name]
        for word in ("web1, db1", "the whole client but web2", "audit week", "maria on control"):
            assert word in made[name], (name, word)
    assert [line for line in said(run) if line.startswith("On hold   web1, db1 until ")]


def test_what_has_ended_and_what_was_taken_over_is_told() -> None:
    run = run_with(ended=(hold(1, "web1"),), taken=True)
    made = files(run)
    for name in ("engineer.html", "summary.md"):
        assert "chores go on there" in made[name]
        assert "This run took over the lease of run 01K0000000000000000000000A, started by timer on old" in made[name]
    lines = said(run)
    assert [line for line in lines if line.startswith("Hold over web1 until ")]
    assert [line for line in lines if line.startswith("Took over the lease of run 01K0000000000000000000000A (timer")]


def test_many_holds_do_not_push_out_the_rest() -> None:
    lines = said(run_with(*(hold(number, f"web{number}") for number in range(60))))
    assert len([line for line in lines if line.startswith("On hold")]) == 3
    assert "          and 57 more holds in the report" in lines
    assert lines[-1] == "Evidence  there"
    view = holds_view(desk_for(run_with(*(hold(number, f"web{number}") for number in range(60)))))
    assert view is not None
    assert (len(view.active.items), view.active.more) == (50, 10)


def test_a_reason_cannot_break_a_page() -> None:
    run = run_with(hold(1, "web1", reason=fleet_maker.HOSTILE_TEXT), taken=True)
    made = files(run)
    assert fleet_maker.HOSTILE_TEXT not in made["engineer.html"]
    assert "<script" not in made["engineer.html"]
