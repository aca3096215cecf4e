"""Beats on disk: small, chained, whole after a crash, and the same when they are read again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import EvidenceError
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import epoch, iso
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_files import RunFiles
from ansible_collections.keepwell.fleet.plugins.plugin_utils.watch.book import Book
from ansible_collections.keepwell.fleet.plugins.plugin_utils.watch.models import Beat, Sample

BEGIN = epoch("2026-11-23T23:50:00Z")
GIB = 2**30


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(RunFiles(tmp_path, "acme"))


def beat(number: int) -> Beat:
    return Beat(at=iso(BEGIN + number * 300), interval_s=300)


def well(used: int = 10 * GIB) -> Sample:
    return Sample(answer="ok", known=True, boot="abc", room={"/": [used, 90 * GIB, 100 * GIB]})


def add(book: Book, number: int, everyone: tuple[str, ...] = ("a", "b"), **samples: Sample) -> None:
    book.add(beat(number), samples, everyone)


def lines(book: Book) -> list[dict]:
    return [json.loads(line) for path in book.days() for line in path.read_text().splitlines()]


def test_what_did_not_change_is_not_written_again(book: Book) -> None:
    add(book, 0, a=well(), b=well())
    add(book, 1, a=well(), b=Sample(answer="fail", known=True, misses=1))
    assert [sorted(line.get("hosts", {})) for line in lines(book)] == [["a", "b"], ["b"]]
    moments = list(book.read(BEGIN, BEGIN + 3600))
    assert [moment.hosts["b"].answer for moment in moments] == ["ok", "fail"]
    assert moments[1].hosts["a"] == well()
    assert book.broken == []


def test_a_filesystem_that_hardly_moved_keeps_its_figures(book: Book) -> None:
    add(book, 0, everyone=("a",), a=well(10 * GIB))
    add(book, 1, everyone=("a",), a=well(10 * GIB + 50 * 2**20))
    add(book, 2, everyone=("a",), a=well(10 * GIB + 150 * 2**20))
    used = [moment.hosts["a"].room["/"][0] for moment in book.read(BEGIN, BEGIN + 3600)]
    assert used == [10 * GIB, 10 * GIB, 10 * GIB + 150 * 2**20]


def test_every_day_can_be_read_without_the_others(book: Book) -> None:
    for number in range(4):
        add(book, number, a=well(), b=well())
    first, second = book.days()
    assert (first.stem, second.stem) == ("2026-11-23", "2026-11-24")
    first.unlink()
    assert len(list(book.read(0, BEGIN + 3600))) == 2


def test_hosts_that_were_not_asked_have_no_sample_of_that_beat(book: Book) -> None:
    add(book, 0, a=well(), b=well())
    add(book, 1, a=well())
    moment = list(book.read(BEGIN, BEGIN + 3600))[1]
    assert list(moment.asked) == ["a"]
    assert set(moment.hosts) == {"a", "b"}


def test_hosts_that_are_no_longer_of_the_client_are_gone(book: Book) -> None:
    add(book, 0, a=well(), b=well())
    add(book, 1, everyone=("a",), a=well())
    assert set(list(book.read(BEGIN, BEGIN + 3600))[1].hosts) == {"a"}


def test_what_a_crash_left_of_a_beat_never_was_one(book: Book) -> None:
    add(book, 0, a=well(), b=well())
    with book.days()[0].open("a") as stream:
        stream.write('{"at":"2026-11-23T23:55')
    add(book, 1, a=well(), b=well())
    assert len(list(book.read(BEGIN, BEGIN + 3600))) == 2
    assert book.broken == []


@pytest.mark.parametrize("change", ["edit", "remove"])
def test_a_beat_that_is_changed_or_taken_away_is_noticed(book: Book, change: str) -> None:
    for number in range(2):
        add(book, number, a=well(), b=well())
    add(book, 2, a=well(), b=well())
    path = book.days()[0]
    kept = path.read_text().splitlines(keepends=True)
    kept[1:] = [kept[1].replace('"interval_s":300', '"interval_s":600')] if change == "edit" else []
    path.write_text("".join(kept))
    [sentence] = book.verify()
    assert "changed or taken away" in sentence


def test_beats_of_a_clock_that_was_ahead_are_told_with_what_to_do(book: Book) -> None:
    add(book, 3000, a=well())
    with pytest.raises(EvidenceError, match=r"The clock was ahead then: move .*\.jsonl away, or no beat counts until"):
        add(book, 0, a=well())


def test_a_beat_that_took_too_long_is_dropped(book: Book) -> None:
    add(book, 1, a=well(), b=well())
    with pytest.raises(EvidenceError, match="too late and dropped"):
        add(book, 0, a=well(), b=well())


def test_a_line_that_is_no_beat_is_named(book: Book) -> None:
    add(book, 0, a=well(), b=well())
    with book.days()[0].open("a") as stream:
        stream.write("{}\n")
    with pytest.raises(EvidenceError, match=r"2026-11-23\.jsonl, line 2 is no beat"):
        list(book.read(0, BEGIN + 3600))


def test_old_days_are_removed_and_what_is_left_still_holds(book: Book) -> None:
    for number in range(4):
        add(book, number, a=well(), b=well())
    assert book.prune(BEGIN + 86400 - 1000, 0) == 1
    assert [path.stem for path in book.days()] == ["2026-11-24"]
    assert len(list(book.read(0, BEGIN + 3600))) == 2
    assert book.broken == []


def test_a_clock_that_is_years_ahead_takes_no_beats_away(book: Book) -> None:
    for number in range(4):
        add(book, number, a=well(), b=well())
    for number in (4 * 365 * 288, 4 * 365 * 288 + 1, 4 * 366 * 288):
        add(book, number, a=well(), b=well())
        assert book.prune(BEGIN + number * 300, 1100) == 0
    assert len(book.days()) == 4
    # What was about to go goes.
    assert book.prune(BEGIN + 4 * 366 * 86400, 34) == 2


def test_a_gap_counts_as_a_month_and_a_file_of_somebody_else_stays(book: Book) -> None:
    for month in range(14):
        add(book, month * 28 * 288, a=well(), b=well())
    (book.folder / "9999-99-99.jsonl").touch()
    # Fewer days than the limit of a gap: aged by the calendar.
    assert book.prune(BEGIN + 13 * 28 * 86400, 365) == 0
    assert book.prune(BEGIN + 13 * 28 * 86400, 363) == 1
    assert (book.folder / "9999-99-99.jsonl").exists()


def test_a_quiet_day_of_200_hosts_is_small(book: Book) -> None:
    hosts = tuple(f"host-{number:03}.example.net" for number in range(200))
    samples = {host: well() for host in hosts}
    start = epoch("2026-11-25T00:00:00Z")
    for number in range(12):
        book.add(Beat(at=iso(start + number * 300), interval_s=300), samples, hosts)
    sizes = [len(line) for line in book.days()[0].read_bytes().splitlines()]
    assert sizes[0] < 200 * 150
    assert max(sizes[1:]) < 250
