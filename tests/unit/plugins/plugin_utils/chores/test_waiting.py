# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who missed a chore when it was due, by the change records alone."""

from __future__ import annotations

from pathlib import Path

from fleet_runs import NOW, change, host_evidence, record

from ansible_collections.keepwell.fleet.plugins.plugin_utils import evidence
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.waiting import Ending, ending, turns, waiting
from ansible_collections.keepwell.fleet.plugins.plugin_utils.history import open_history
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import iso

DAY = 86400.0
BOUGHT = {"patching": ["web1", "web2"], "antivirus": ["web1"]}


def missed(day: int, host: str = "web1", code: str = "unreached", chore: str = "patching") -> Ending:
    return Ending(host, chore, "skipped", code, NOW + day * DAY)


def ended(day: int, outcome: str, code: str = "", host: str = "web1") -> Ending:
    return Ending(host, "patching", outcome, code, NOW + day * DAY)


def told(*endings: Ending) -> list[tuple[str, str, str, str]]:
    return [(entry.host, entry.chore, entry.since, entry.code) for entry in waiting(endings, BOUGHT)]


def test_a_host_waits_since_it_first_missed_it() -> None:
    assert told(missed(0), missed(7, code="window_closed")) == [("web1", "patching", iso(NOW), "window_closed")]


def test_whatever_comes_of_it_later_ends_the_waiting() -> None:
    for outcome in ("done", "nothing", "failed", "refused", "lost", "rolled_back"):
        assert told(missed(0), ended(1, outcome)) == []
    assert told(missed(0), ended(1, "skipped", "held")) == []
    assert told(missed(0), ended(1, "done"), missed(2)) == [("web1", "patching", iso(NOW + 2 * DAY), "unreached")]


def test_a_host_that_was_stopped_in_the_middle_by_the_clock_waits_for_the_rest() -> None:
    assert told(ended(0, "done", "window_closed")) == [("web1", "patching", iso(NOW), "window_closed")]
    assert told(ended(0, "done", "window_closed"), ended(7, "done")) == []
    # A person who holds it knows why.
    assert told(missed(0), ended(1, "done", "held")) == []


def test_a_run_that_only_looked_does_not_end_it() -> None:
    assert told(missed(0), ended(1, "planned")) == [("web1", "patching", iso(NOW), "unreached")]


def test_the_order_of_the_records_does_not_matter_and_the_longest_wait_is_first() -> None:
    found = told(missed(3, "web1"), missed(1, "web2"), missed(2, "web1", chore="antivirus"))
    assert [(host, chore) for host, chore, _since, _code in found] == [
        ("web2", "patching"),
        ("web1", "antivirus"),
        ("web1", "patching"),
    ]


def test_nobody_waits_for_what_is_not_bought() -> None:
    assert told(missed(0, "web9"), missed(0, "web2", chore="antivirus"), missed(0, chore="disk_cleanup")) == []


def test_those_who_wait_have_the_first_turn() -> None:
    assert turns(["a", "b", "c"], {"c", "elsewhere"}) == [["c"], ["a", "b"]]
    assert turns(["a", "b"], set()) == [["a", "b"]]
    assert turns(["a"], {"a"}) == [["a"]]
    assert turns([], {"a"}) == []


def test_history_tells_the_same_as_the_records_also_when_it_is_made_anew(tmp_path: Path) -> None:
    store = evidence.Store(tmp_path, "acme")
    away = change("web1", "skipped", code="unreached")
    record(store, [host_evidence("web1", {}, reached=False)], changes=[away])
    history = open_history(store)
    expected = waiting([ending(away)], BOUGHT)
    assert expected
    assert history.waiting(BOUGHT) == expected
    before = history.dump()
    store.history.unlink()
    assert open_history(store).dump() == before
    assert open_history(store).waiting(BOUGHT) == expected
