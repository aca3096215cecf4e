"""Which files are restored for a test: the same ones in the plan and in the work, and over time all of them."""

from __future__ import annotations

import random
import typing as t

import pytest

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import _sample
from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification._sample import Sample, digest

FILES = [(f"/srv/{number}", 1000 + number, 1e9 + number) for number in range(1000)]


def sample(entries: list[tuple[str, t.Any, t.Any]], files: int = 10, size: int = 1 << 20, **more: t.Any) -> Sample:
    made = Sample(files, size, more.pop("seed", "s"), **more)
    for entry in entries:
        made.take(*entry)
    return made


def test_the_same_seed_chooses_the_same_files_in_any_order() -> None:
    mixed = FILES[:]
    random.Random(1).shuffle(mixed)
    chosen = sample(FILES).chosen()
    assert sample(mixed).chosen() == chosen
    assert sample(FILES, seed="t").chosen() != chosen
    assert len({entry[0] for entry in chosen}) == 10


def test_the_largest_that_matters_and_the_oldest_are_among_them() -> None:
    entries = [*FILES, ("/srv/db/big", 90_000, 1e9), ("/other/bigger", 100_000, 1e9), ("/srv/ancient", 5, 3.0)]
    paths = [entry[0] for entry in sample(entries, critical=["/srv/db"]).chosen()]
    assert paths[:2] == ["/srv/db/big", "/srv/ancient"]
    assert sample(entries).chosen()[0][0] == "/other/bigger"


def test_it_keeps_within_its_bytes() -> None:
    chosen = sample(FILES, files=100, size=20_000).chosen()
    assert 10 <= len(chosen) < 20
    assert sum(entry[1] for entry in chosen) <= 20_000


def test_what_is_too_large_is_left_out_but_something_is_chosen() -> None:
    assert [entry[1] for entry in sample([("/a", 900, 1.0), ("/b", 5000, 2.0)], size=1000).chosen()] == [900]
    assert sample([("/b", 5000, 2.0)], size=1000).chosen() == []


def test_all_files_are_counted() -> None:
    made = sample([*FILES, ("/none", None, None)])
    assert (made.total_files, made.total_bytes) == (1001, sum(entry[1] for entry in FILES))


def test_what_never_came_back_is_drawn_ten_times_as_often() -> None:
    known = [digest(path) for path, _size, _mtime in FILES[:500]]
    drawn = [
        int(entry[0][5:]) < 500
        for seed in range(40)
        for entry in sample(FILES, seed=str(seed), known=known).chosen()[2:]
    ]
    assert 0.03 < sum(drawn) / len(drawn) < 0.2


def test_runs_with_other_seeds_reach_every_file() -> None:
    known: set[str] = set()
    for seed in range(400):
        known.update(digest(entry[0]) for entry in sample(FILES[:300], seed=str(seed), known=known).chosen())
    assert len(known) == 300


def test_the_canary_is_always_among_them_and_costs_no_place() -> None:
    made = sample([*FILES, ("var/canary", 200, 1.0)], files=3, is_canary=lambda path: path == "var/canary")
    assert made.chosen()[0][0] == "var/canary"
    assert len(made.chosen()) == 4
    only = sample([*FILES, ("var/canary", 200, 1.0)], files=0, is_canary=lambda path: path == "var/canary")
    assert [entry[0] for entry in only.chosen()] == ["var/canary"]
    assert sample(FILES, files=0).chosen() == []


@pytest.mark.parametrize("count", [1000, 20_000])
def test_memory_depends_on_the_sample_alone(count: int) -> None:
    made = sample([(f"/{number}", 10, 1.0) for number in range(count)], files=5)
    assert len(made._drawn) == 5 * _sample._SPARE


def test_hostile_names_are_drawn_like_others() -> None:
    entries = [("/new\nline", 1, 1.0), ("/\udcff", 1, 1.0), ("/-rf", 1, 1.0)]
    assert sorted(entry[0] for entry in sample(entries, size=100).chosen()) == sorted(entry[0] for entry in entries)
    assert len(digest("/\udcff")) == 8
