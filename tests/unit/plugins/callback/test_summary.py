"""The last lines of a run: short, plain, and never steered by a host."""

from __future__ import annotations

import typing as t

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.keepwell.fleet.plugins.callback import summary as callback

STATES = ("ok", "watch", "act", "crit", "unknown", "accepted")


def counts(**states: int) -> dict[str, int]:
    return {"total": sum(states.values()), **dict.fromkeys(STATES, 0), **states}


def summary(**more: t.Any) -> dict[str, t.Any]:
    return {
        "client": "Acme",
        "run_id": "01K0000000000000000000000A",
        "verdict": "Of 3 hosts, 1 is critical, 2 are in good shape.",
        "grade": "C",
        "partial": [],
        "hosts": counts(crit=1, ok=2),
        "results": counts(crit=1, ok=119),
        "problems": [
            {"state": "crit", "title": "Disk space", "observed": "99 % used", "hosts": ["web1"], "more_hosts": 0}
        ],
        "unreached": [],
        "interrupted_runs": [],
        "evidence": "state/acme/runs/01K0000000000000000000000A",
        **more,
    }


def text(**more: t.Any) -> list[str]:
    return [
        line
        for line, _state in callback.compose(
            summary(**more), ["state/acme/reports/engineer.html", "results.csv", "hosts/a.html"]
        )
    ]


def test_a_run_is_told_in_a_few_lines() -> None:
    assert text() == [
        "Acme: Of 3 hosts, 1 is critical, 2 are in good shape. Grade C.",
        "  3 hosts: ✖ 1 crit, ✓ 2 ok",
        "  120 results: ✖ 1 crit, ✓ 119 ok",
        "Do today",
        "  ✖ Disk space: 99 % used [web1]",
        "Report    state/acme/reports/engineer.html",
        "          also there: results.csv",
        "Evidence  state/acme/runs/01K0000000000000000000000A",
    ]


def test_unreached_hosts_are_named_even_when_there_are_many() -> None:
    unreached = [{"host": f"h{n}", "reason": "not reachable: no answer"} for n in range(9)]
    lines = text(unreached=unreached)
    assert all(any(f"h{n}" in line for line in lines) for n in range(9))


@given(
    st.lists(st.text(max_size=300), max_size=40),
    st.lists(st.text(max_size=300), max_size=40),
    st.lists(st.text(max_size=30), max_size=5),
)
def test_never_more_than_25_lines_and_no_control_characters(
    hosts: list[str], files: list[str], partial: list[str]
) -> None:
    problem = {
        "state": "act",
        "title": "T",
        "observed": "\x1b[31mred\x07",
        "hosts": hosts[:3],
        "more_hosts": len(hosts),
    }
    content = summary(
        problems=[problem] * len(hosts),
        unreached=[{"host": host, "reason": host} for host in hosts],
        partial=partial,
        interrupted_runs=hosts,
    )
    lines = [line for line, _state in callback.compose(content, files)]
    assert len(lines) <= 25
    assert not any(ord(character) < 32 or ord(character) == 127 for line in lines for character in line)
    assert any(line.startswith("Evidence") for line in lines)


def test_a_right_to_left_mark_cannot_turn_the_line_around() -> None:
    assert "\u202e" not in "".join(text(unreached=[{"host": "web\u202e1", "reason": "x"}]))


def test_a_partial_run_says_so() -> None:
    assert "PARTIAL: only these probes: disks" in text(partial=["only these probes: disks"])


def test_a_run_without_a_grade_says_so_in_words() -> None:
    assert text(grade="none")[0].endswith("in good shape. No grade.")
    assert text(grade="B?")[0].endswith("in good shape. Grade B?")


def work(**more: t.Any) -> dict[str, t.Any]:
    return {
        "chores": ["patching"],
        "outcomes": {},
        "bad": [],
        "held": [],
        "planned": 0,
        "updates": 0,
        "not_ready": [],
        **more,
    }


def test_what_was_done_is_told_before_what_is_to_do() -> None:
    lines = text(
        work=work(
            outcomes={"done": 3, "failed": 1, "skipped": 5, "nothing": 2},
            bad=[{"host": "web1", "outcome": "failed", "text": "nginx.service does not run any more."}],
            held=[{"text": "Ring 2 waits for ring 1.", "hosts": ["a", "b", "c", "d", "e"]}],
            planned=9,
            updates=40,
        )
    )
    assert lines[3:7] == [
        "Patching  ✖ 1 failed, ✓ 3 done, ◔ 5 kept back, – 2 with nothing to do",  # noqa: RUF001
        "  ✖ web1: nginx.service does not run any more.",
        "  ◔ Ring 2 waits for ring 1. [a, b, c and 2 more]",
        "Do today",
    ]


def test_a_plan_alone_is_told_in_one_line() -> None:
    lines = text(work=work(outcomes={"planned": 2}, planned=2, updates=12, not_ready=["web1"]))
    assert lines[3] == "Patching  ○ 2 planned, 12 updates for 2 hosts in the plan, not ready: web1"


def test_many_failures_leave_room_for_the_rest() -> None:
    bad = [{"host": f"web{n}", "outcome": "failed", "text": "x" * 300} for n in range(50)]
    lines = text(work=work(outcomes={"failed": 50}, bad=bad))
    assert len(lines) <= callback.LINES
    assert "    and 46 more in the report" in lines
    assert lines[-1].startswith("Evidence  ")


def test_tests_of_backups_are_no_patching() -> None:
    lines = text(work=work(chores=["backup_verification"], outcomes={"done": 2, "skipped": 1}))
    assert lines[3] == "Tests     ✓ 2 done, ◔ 1 kept back"
    assert text(work=work(chores=["backup_verification"]))[3] == "Tests     no host was changed"


def test_proven_datasets_are_counted_and_the_others_named() -> None:
    opened = [{"host": f"web{n}", "dataset": "files", "reason": "Nothing has ever come back."} for n in range(5)]
    lines = text(backups={"total": 7, "proven": 2, "tests": {"damaged": 1, "proven": 3}, "open": opened})
    assert lines[3:8] == [
        "Backups   2 of 7 datasets are proven; tests of this run: 1 damaged, 3 proven",
        "  web0 files: Nothing has ever come back.",
        "  web1 files: Nothing has ever come back.",
        "  web2 files: Nothing has ever come back.",
        "    and 2 more in the report",
    ]


def test_a_beat_is_one_line_and_one_for_each_change() -> None:
    notices = [{"state": "crit", "host": f"h{number}", "text": "is gone\x1b[31m"} for number in range(40)]
    told = {"client": "Acme", "verdict": "9 of 49 hosts answer.", "partial": False, "hosts": {"crit": 40}}
    lines = callback.compose_beat({**told, "notices": notices})
    assert len(lines) == callback.LINES
    assert lines[0] == ("Acme: 9 of 49 hosts answer.", "crit")
    assert "\x1b" not in "".join(text for text, _state in lines)
    assert lines[-1][0].strip() == "and 17 more"


def test_runs_that_did_not_take_place_are_told() -> None:
    lines = callback._missed_lines([f"run {number}" for number in range(5)])
    assert [text.strip() for text, _state in lines] == [
        "Did not run",
        "▲ run 2",
        "▲ run 3",
        "▲ run 4",
        "and 2 more in the report",
    ]
