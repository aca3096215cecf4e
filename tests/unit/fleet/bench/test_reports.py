"""How the bench of reports reckons: ratios within a round, memory, and what it calls met."""

from __future__ import annotations

from pathlib import Path

from bench import reports
from bench.reports import Sample


def samples(*rounds: tuple[float, float, float], memory_kib: int = 100 * 1024) -> list[Sample]:
    return [
        Sample(who, number, seconds, memory_kib)
        for number, times in enumerate(rounds)
        for who, seconds in zip(reports.TITLES, times, strict=True)
    ]


def test_a_ratio_is_taken_within_each_round() -> None:
    """In the second round the machine was twice as slow for everybody."""
    made = samples((1.0, 0.1, 3.0), (2.0, 0.2, 8.0), (1.0, 0.1, 5.0))
    assert reports.beside(made, "evidence") == 4.0
    assert reports.beside(made, "document") == 40.0


def test_the_table_says_what_was_met_and_what_was_missed(tmp_path: Path) -> None:
    (tmp_path / "hosts").mkdir()
    (tmp_path / "run.json").write_text("x" * 1_000_000)
    (tmp_path / "hosts" / "web1.json").write_text("x" * 2_000_000)
    text = reports.table(samples((1.0, 0.1, 6.0), memory_kib=500 * 1024), tmp_path)
    assert "| all evidence of the run as JSON | 3.0 | 1.000 |" in text
    assert "| its run.json as JSON | 1.0 | 0.100 |" in text
    assert "| at most 5 | 6.00 | missed |" in text
    assert "| at most 400 | 500 | missed |" in text
    assert text.count("| met |") == 0
    assert reports.table(samples((1.0, 0.1, 4.0)), tmp_path).count("| met |") == 2
