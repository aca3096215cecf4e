"""Figures of the bench: medians, ratios within a round, targets, tables."""

from __future__ import annotations

import pytest
from bench import figures
from bench.figures import Kind, Sample, Target

MIB = 2**20


def run(contender: str, number: int, wall: float, kind: Kind = "cold", **more: float) -> Sample:
    given = {"hosts": 20, "controller_cpu_s": 4.0, "hosts_cpu_s": 16.0, "foreign_cpu_s": 1.0, "peak_bytes": 90 * MIB}
    return Sample(contender, kind, number, wall_s=wall, **{**given, **more})


def test_the_median_of_nothing_is_not_zero() -> None:
    assert figures.median([]) is None
    assert figures.median([3.0, 1.0, 2.0]) == 2.0
    assert figures.number(None) == "-"


def test_a_ratio_is_taken_within_each_round() -> None:
    """In the third round the machine was twice as slow for everybody; the ratio is the same."""
    walls = [(10.0, 12.0), (10.0, 13.0), (20.0, 24.0)]
    samples = [
        sample
        for number, (plain, sweep) in enumerate(walls)
        for sample in (run("plain", number, plain), run("sweep", number, sweep))
    ]
    assert figures.ratio(samples, "sweep", "plain", "cold") == pytest.approx(1.2)


def test_a_ratio_uses_only_rounds_that_have_both() -> None:
    samples = [run("sweep", 0, 10.0), run("sweep", 1, 40.0), run("stock", 0, 60.0)]
    assert figures.ratio(samples, "stock", "sweep", "cold") == 6.0
    assert figures.ratio(samples, "mitogen", "sweep", "cold") is None


def test_cold_and_warm_runs_are_not_mixed() -> None:
    samples = [run("plain", 0, 10.0), run("plain", 0, 6.0, "warm"), run("sweep", 0, 9.0, "warm")]
    assert figures.ratio(samples, "sweep", "plain", "cold") is None
    assert figures.ratio(samples, "sweep", "plain", "warm") == 1.5


@pytest.mark.parametrize(
    ("seen", "at_least", "verdict"),
    [
        (1.3, False, "met"),
        (1.31, False, "missed"),
        (1.3, True, "met"),
        (1.29, True, "missed"),
        (None, True, "not measured"),
    ],
)
def test_a_target_is_met_missed_or_not_measured(seen: float | None, at_least: bool, verdict: str) -> None:
    assert Target("a ratio", 1.3, seen, at_least).verdict == verdict


def test_targets_are_about_cold_runs_and_memory() -> None:
    samples = [run(name, 0, wall) for name, wall in (("plain", 10.0), ("sweep", 12.0), ("stock", 60.0))]
    verdicts = {target.text: target.verdict for target in figures.targets(samples, 1.1)}
    assert verdicts == {
        "the sweep, cold, beside plain ssh": "met",
        "stock modules beside the sweep, cold": "missed",
        "stock modules under Mitogen beside the sweep, cold": "not measured",
        "pyinfra beside the sweep, cold": "not measured",
        "memory of the main process, many hosts beside few": "met",
    }


def test_memory_is_compared_at_two_numbers_of_hosts() -> None:
    few = [run("whole", 0, 12.0), run("whole", 1, 12.0)]
    many = [run("whole", 0, 60.0, hosts=100, peak_bytes=99 * MIB)]
    assert figures.growth(few, many, "whole") == pytest.approx(1.1)
    assert figures.growth(few, many, "sweep") is None
    assert figures.memory_table(few, many, {"whole": "Keepwell", "sweep": "Sweep"}).splitlines()[2:] == [
        "| Keepwell | 20 | 12.0 | 90 |",
        "| Keepwell | 100 | 60.0 | 99 |",
    ]


def test_the_table_shows_what_was_measured_and_says_what_was_not() -> None:
    samples = [run("plain", 0, 10.0), run("sweep", 0, 12.0, hosts_cpu_s=None), run("sweep", 0, 6.0, "warm")]
    lines = figures.table(samples, {"plain": "plain ssh", "sweep": "Keepwell", "stock": "stock"}).splitlines()
    assert len(lines) == 4
    assert lines[2] == "| plain ssh | 10.0 | 10.0 to 10.0 | 1 | 1.00 | - | - | 0.20 | 0.80 | 1.00 | 90 |"
    assert lines[3] == "| Keepwell | 12.0 | 12.0 to 12.0 | 1 | 1.20 | 6.0 | - | 0.20 | - | - | 90 |"
    assert len({line.count("|") for line in lines}) == 1


def test_work_is_compared_where_the_hosts_work_is_known() -> None:
    samples = [run("plain", 0, 9.0, controller_cpu_s=2.0, hosts_cpu_s=8.0), run("stock", 0, 60.0, hosts_cpu_s=96.0)]
    assert figures.work_ratio(samples, "stock", "plain") == 10.0
    assert figures.work_ratio([*samples, run("sweep", 0, 9.0, hosts_cpu_s=None)], "sweep", "plain") is None


def test_what_else_ran_on_the_machine_is_a_share_of_all_processors() -> None:
    assert figures.foreign_share([run("plain", 0, 10.0, foreign_cpu_s=4.0)], 2) == pytest.approx(0.2)
    assert figures.foreign_share([], 2) == 0.0


def test_late_probes_are_counted_where_probes_are_sent() -> None:
    samples = [run("plain", 0, 9.0, late=10), run("sweep", 0, 9.0, late=0), run("stock", 0, 60.0, late=99)]
    assert figures.late_per_host(samples) == 0.25
    assert figures.late_per_host([run("stock", 0, 60.0)]) is None
