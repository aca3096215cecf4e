"""From measured runs to figures: medians, ratios, targets and tables. Pure."""

from __future__ import annotations

import statistics
import typing as t
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Kind = t.Literal["cold", "warm"]
FLOOR = "plain"
SWEEP = "sweep"
OBSERVING = (FLOOR, SWEEP, "whole")


@dataclass(frozen=True)
class Sample:
    """One measured run of a contender over all hosts."""

    contender: str
    kind: Kind
    round: int
    hosts: int
    wall_s: float
    # CPU time of the control node's processes, of the hosts, and of everything else on the machine meanwhile.
    controller_cpu_s: float
    hosts_cpu_s: float | None
    foreign_cpu_s: float
    # Most memory that the main process ever had.
    peak_bytes: int
    # Probes that ran out of time, of all hosts.
    late: int = 0


@dataclass(frozen=True)
class Target:
    """What was aimed for: a ratio and its limit."""

    text: str
    limit: float
    seen: float | None
    at_least: bool

    @property
    def verdict(self) -> str:
        """Met, missed, or not measured."""
        if self.seen is None:
            return "not measured"
        return "met" if (self.seen >= self.limit if self.at_least else self.seen <= self.limit) else "missed"


def chosen(samples: Iterable[Sample], contender: str, kind: Kind) -> list[Sample]:
    """Return the runs of one contender."""
    return [sample for sample in samples if sample.contender == contender and sample.kind == kind]


def median(values: Iterable[float]) -> float | None:
    """Return the median; None of nothing."""
    known = list(values)
    return statistics.median(known) if known else None


def wall(samples: Iterable[Sample], contender: str, kind: Kind) -> float | None:
    """Return the median time of a contender's runs."""
    return median(sample.wall_s for sample in chosen(samples, contender, kind))


def ratio(samples: Sequence[Sample], contender: str, base: str, kind: Kind) -> float | None:
    """Return how many times as long as ``base`` a contender takes: the median over the rounds that have both.

    Each run is divided by the one of its own round, minutes at most away: a machine that is busier for a while makes
    both slower.
    """
    bases = {sample.round: sample.wall_s for sample in chosen(samples, base, kind)}
    return median(
        sample.wall_s / bases[sample.round] for sample in chosen(samples, contender, kind) if sample.round in bases
    )


def work_ratio(samples: Sequence[Sample], contender: str, base: str) -> float | None:
    """Return how many times as much CPU time as ``base`` a contender needs, cold, here and on hosts together.

    Unlike time, this hardly depends on what else the machine does.
    """
    work, least = (
        median(
            sample.controller_cpu_s + sample.hosts_cpu_s
            for sample in chosen(samples, name, "cold")
            if sample.hosts_cpu_s is not None
        )
        for name in (contender, base)
    )
    return work / least if work is not None and least else None


def targets(samples: Sequence[Sample], growth: float | None) -> list[Target]:
    """Return the targets; ``growth`` is how many times as much memory many hosts cost as few."""
    return [
        Target("the sweep, cold, beside plain ssh", 1.3, ratio(samples, SWEEP, FLOOR, "cold"), at_least=False),
        Target("stock modules beside the sweep, cold", 12.0, ratio(samples, "stock", SWEEP, "cold"), at_least=True),
        Target(
            "stock modules under Mitogen beside the sweep, cold",
            5.0,
            ratio(samples, "mitogen", SWEEP, "cold"),
            at_least=True,
        ),
        Target("pyinfra beside the sweep, cold", 1.0, ratio(samples, "pyinfra", SWEEP, "cold"), at_least=True),
        Target("memory of the main process, many hosts beside few", 1.25, growth, at_least=False),
    ]


def table(samples: Sequence[Sample], titles: dict[str, str]) -> str:
    """Return the contenders as a Markdown table, in the order of ``titles``."""
    header = (
        "| contender | cold, s | lowest to highest | runs | beside plain ssh | warm, s | beside plain ssh "
        "| controller CPU, s a host | hosts' CPU, s a host | all CPU beside plain ssh | peak memory, MiB |"
    )
    lines = [header, "| --- " + "| ---: " * 10 + "|"]
    for name, title in titles.items():
        cold = chosen(samples, name, "cold")
        if not cold:
            continue
        walls = [sample.wall_s for sample in cold]
        cells = (
            number(median(walls)),
            f"{min(walls):.1f} to {max(walls):.1f}",
            str(len(walls)),
            number(ratio(samples, name, FLOOR, "cold"), 2),
            number(wall(samples, name, "warm")),
            number(ratio(samples, name, FLOOR, "warm"), 2),
            number(median(sample.controller_cpu_s / sample.hosts for sample in cold), 2),
            number(
                median(sample.hosts_cpu_s / sample.hosts for sample in cold if sample.hosts_cpu_s is not None),
                2,
            ),
            number(work_ratio(samples, name, FLOOR), 2),
            number(median(peaks(cold)), 0),
        )
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def target_table(wanted: Sequence[Target]) -> str:
    """Return the targets as a Markdown table."""
    lines = ["| target | aimed for | measured | |", "| --- | ---: | ---: | --- |"]
    for target in wanted:
        sign = "at least" if target.at_least else "at most"
        lines.append(f"| {target.text} | {sign} {target.limit:g} | {number(target.seen, 2)} | {target.verdict} |")
    return "\n".join(lines)


def memory_table(few: Sequence[Sample], many: Sequence[Sample], titles: dict[str, str]) -> str:
    """Return the peak memory of the main process at two numbers of hosts as a Markdown table."""
    lines = ["| contender | hosts | wall, s | peak memory, MiB |", "| --- | ---: | ---: | ---: |"]
    for name, title in titles.items():
        for samples in (few, many):
            runs = chosen(samples, name, "cold")
            if runs and chosen(many, name, "cold"):
                cells = (number(median(run.wall_s for run in runs)), number(median(peaks(runs)), 0))
                lines.append(f"| {title} | {runs[0].hosts} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def peaks(samples: Iterable[Sample]) -> list[float]:
    """Return the peak memory of runs, in MiB."""
    return [sample.peak_bytes / 2**20 for sample in samples]


def growth(few: Sequence[Sample], many: Sequence[Sample], contender: str) -> float | None:
    """Return how many times as much memory a contender's main process needs for many hosts as for few."""
    before, after = median(peaks(chosen(few, contender, "cold"))), median(peaks(chosen(many, contender, "cold")))
    return None if before is None or after is None else after / before


def foreign_share(samples: Sequence[Sample], processors: int) -> float:
    """Return which share of the machine something else took while the runs were measured, 0 to 1."""
    there = sum(sample.wall_s for sample in samples) * processors
    return sum(sample.foreign_cpu_s for sample in samples) / there if there else 0.0


def late_per_host(samples: Iterable[Sample]) -> float | None:
    """Return how many probes of a host ran out of time in one run, in the median of those that send probes."""
    return median(sample.late / sample.hosts for sample in samples if sample.contender in OBSERVING)


def number(value: float | None, digits: int = 1) -> str:
    """Return a figure as a table shows it."""
    return "-" if value is None else f"{value:.{digits}f}"
