"""What was done and what would be, as a reader meets it: in every output the same, and never without a reason."""

from __future__ import annotations

import csv
import dataclasses
import io
import typing as t
from pathlib import Path

import fleet_maker
import pytest
import work_maker
from fleet_runs import NOW, change, plan

from ansible_collections.keepwell.fleet.plugins.plugin_utils import acted, run_document, status
from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord, Outcome, Reboot, Version
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.models import Item, Move, RebootPlan
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.bundle import make_bundle
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.catalogues import translations
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.desk import desk_for
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.work import (
    LOOK,
    change_view,
    reboot_lines,
    work_view,
)

TEMPLATES = [str(Path(__file__).parents[5] / "roles" / "health_report" / "templates")]


def run_with(*changes: ChangeRecord, acting: bool = True) -> run_document.Run:
    run = fleet_maker.make_run(3)
    header = run.header.model_copy(update={"acting": ["patching"] if acting else []})
    return run.model_copy(update={"header": header, "changes": list(changes)})


def files(run: run_document.Run) -> dict[str, str]:
    return {name: content.decode() for name, content in make_bundle(run, TEMPLATES).files.items()}


def test_a_run_that_only_looked_says_nothing_of_work() -> None:
    run = fleet_maker.make_run(3)
    assert work_view(desk_for(run)) is None
    made = files(run)
    assert "changes.csv" not in made
    assert 'id="done"' not in made["engineer.html"]
    assert "## Done" not in made["summary.md"]
    assert status.headline(run, "x")["work"] is None


def test_a_run_that_was_to_act_and_did_nothing_says_so() -> None:
    run = run_with()
    made = files(run)
    assert "No host was changed." in made["engineer.html"]
    assert "No host was changed." in made["summary.md"]
    view = work_view(desk_for(run))
    assert view is not None
    assert [link.name for link in view.unplanned.items] == run.header.population


def test_every_outcome_has_a_colour_and_a_shape_and_a_word_of_its_own() -> None:
    assert set(LOOK) == set(t.get_args(Outcome))
    assert len({glyph for _state, glyph in LOOK.values()}) == len(LOOK)
    host = fleet_maker.make_run(3).header.population[0]
    words = set()
    for outcome in LOOK:
        view = change_view(desk_for(run_with()), change(host, outcome))
        words.add(view.badge.word)
    assert len(words) == len(LOOK)


def test_the_outputs_tell_the_same_numbers() -> None:
    run = work_maker.with_work(fleet_maker.make_run(14))
    made = files(run)
    view = work_view(desk_for(run))
    assert view is not None
    counted = status.of(run)["changes"]
    assert sum(number for _badge, number in view.tally) == sum(counted.values()) == len(run.changes)
    rows = list(csv.DictReader(io.StringIO(made["changes.csv"])))
    assert {outcome: sum(row["outcome"] == outcome for row in rows) for outcome in counted} == counted
    assert view.touched == sum(counted[name] for name in ("done", "failed", "lost", "rolled_back", "running"))
    for badge, number in view.tally:
        assert f"{number} {badge.word}" in made["engineer.html"]
    for change_ in view.changes.items:
        assert made["summary.md"].count(change_.host.name) >= 1
    grouped = sum(group.hosts.total for group in view.others.items)
    assert grouped + view.touched == len(run.changes)


def test_what_asks_for_a_person_comes_first_and_lies_open() -> None:
    view = work_view(desk_for(work_maker.with_work(fleet_maker.make_run(14))))
    assert view is not None
    assert [entry.badge.word for entry in view.changes.items] == [
        "failed", "failed", "lost", "cut off", "rolled back", "done", "done", "done", "done",
    ]  # fmt: skip
    assert [entry.open for entry in view.changes.items] == [True] * 5 + [False] * 4


def test_a_failed_change_is_a_thing_to_do_today() -> None:
    host = fleet_maker.make_run(3).header.population[0]
    healthy = [entry for entry in fleet_maker.make_run(3).hosts if entry.state == "ok"]
    for outcome, said in (("failed", True), ("refused", True), ("done", False), ("skipped", False)):
        run = run_with(change(host, outcome)).model_copy(update={"hosts": healthy, "counts": None})
        made = files(run)
        assert ("1 change needs a person" in made["engineer.html"]) is said
        assert ("1 change needs a person" in made["summary.md"]) is said
        assert ("No one has to do anything here today" in made["engineer.html"]) is not said
        assert ("Nothing critical and nothing overdue" in made["summary.md"]) is not said


def test_a_host_whose_plan_was_carried_out_is_not_told_as_planned() -> None:
    run = work_maker.with_work(fleet_maker.make_run(14))
    view = work_view(desk_for(run))
    assert view is not None
    touched = {entry.host.name for entry in view.changes.items}
    assert not touched & {row.host.name for row in view.plans.items}
    planned = work_view(desk_for(work_maker.with_work(fleet_maker.make_run(14), changes=False)))
    assert planned is not None
    assert not planned.tells_done
    assert planned.plans.total + planned.idle + planned.unplanned.total == 14
    assert planned.plans.items[0].badge.word != "ready"


def test_an_update_of_windows_is_no_bare_number() -> None:
    fields = {"title": "2026-11 Cumulative Update (KB5031364)", "update_id": "bbbb"}
    called = "KB5031364 2026-11 Cumulative Update (KB5031364), revision 200"
    host = fleet_maker.make_run(3).header.population[0]
    versions = [Version(name="KB5031364", after="200", **fields), Version(name="Windows", before="1.1", after="1.2")]
    run = run_with(change(host, "done", versions=versions))
    assert change_view(desk_for(run), run.changes[0]).packages.items == [called, "Windows 1.1 → 1.2"]
    made = files(run)
    [row] = csv.DictReader(io.StringIO(made["changes.csv"]))
    assert f"{called}; Windows 1.1 -> 1.2" in row.values()
    assert "<td>revision 200</td>" in made["engineer.html"]
    item = Item(name="KB5031364", kind="update", version="200", update_class="security", **fields)
    moves = [Move(name="KB5031364", action="install", after="200", update_id="bbbb")]
    # One that Windows gives no title is one as well.
    bare = Item(name="KB5", kind="update", version="3", update_class="security", update_id="cccc")
    moves.append(Move(name="KB5", action="install", after="3", update_id="cccc"))
    whole = plan(host, items=[item, bare], transaction=moves)
    planned = fleet_maker.make_run(3).model_copy(update={"plans": acted.plans([whole])})
    view = work_view(desk_for(planned))
    assert view is not None
    assert view.plans.items[0].steps.items == [called, "KB5, revision 3"]
    dutch = work_view(dataclasses.replace(desk_for(planned), texts=translations("nl")))
    assert dutch is not None
    assert dutch.plans.items[0].steps.items[1] == "KB5, revisie 3"


def test_a_reboot_that_is_all_there_is_to_do_is_told() -> None:
    host = fleet_maker.make_run(3).header.population[0]
    left = RebootPlan(expected="yes", reasons=["Windows Update waits for a restart"], left="RUN")
    run = fleet_maker.make_run(3).model_copy(update={"plans": acted.plans([plan(host, reboot=left)])})
    view = work_view(desk_for(run))
    assert view is not None
    [row] = view.plans.items
    assert (row.summary, row.reboot) == ("a reboot that an earlier change had to leave", "yes")


def test_a_plan_tells_what_it_leaves_out() -> None:
    run = work_maker.with_work(fleet_maker.make_run(14), changes=False)
    view = work_view(desk_for(run))
    assert view is not None
    long = next(row for row in view.plans.items if row.summary.startswith("360 packages"))
    assert long.steps.total == 360
    assert long.steps.items[0] == "openssl 3.0.15-1~deb12u1 → 3.0.17-1~deb12u3"
    blocked = view.plans.items[0]
    assert blocked.notes == ["space:/boot: 41 MiB free (100 MiB)"]
    assert {row.withheld for row in view.plans.items} == {"", "exclusion: 1", "exclusion: 2"}


@pytest.mark.parametrize(
    ("reboot", "lines"),
    [
        (None, []),
        (Reboot(required="no"), ["not needed"]),
        (Reboot(required="unknown", text="no probe could tell"), ["unknown", "no probe could tell"]),
        (
            Reboot(required="yes", reasons=["new kernel"], text="patching_reboot is never"),
            ["needed and not done", "new kernel", "patching_reboot is never"],
        ),
        (
            Reboot(required="yes", done=True, boot_before="a" * 36, boot_after="b" * 36, kernel_before="1", kernel_after="2"),
            ["done: boot aaaaaaaaaaaa → bbbbbbbbbbbb", "1 → 2"],
        ),
    ],
)  # fmt: skip
def test_a_reboot_is_told_with_its_proof(reboot: Reboot | None, lines: list[str]) -> None:
    assert reboot_lines(desk_for(run_with()).texts, reboot) == lines


def test_the_package_managers_words_keep_their_lines() -> None:
    host = fleet_maker.make_run(3).header.population[0]
    run = run_with(change(host, "failed", log="one\ntwo \u202e\n" + "x\n" * 30))
    view = work_view(desk_for(run))
    assert view is not None
    assert view.changes.items[0].log == ["x"] * 20
    short = run_with(change(host, "failed", log="one\ntwo \u202e\n"))
    page = files(short)["engineer.html"]
    assert "<code>one\ntwo ⟨U+202E⟩</code>" in page


def test_where_every_host_has_a_page_its_change_is_on_it() -> None:
    run = work_maker.with_work(fleet_maker.make_run(301))
    made = files(run)
    failed = next(entry for entry in run.changes if entry.outcome == "failed")
    page = made[f"hosts/{failed.host}.html"]
    assert "nginx.service does not run any more" in page
    assert "1.22.1-9+deb12u3" in page


def test_a_change_that_a_killed_run_left_open_has_no_end() -> None:
    host = fleet_maker.make_run(3).header.population[0]
    view = work_view(desk_for(run_with(change(host, "running", at=NOW))))
    assert view is not None
    assert view.changes.items[0].badge.word == "cut off"
    assert view.changes.items[0].when.endswith(" - no end")
