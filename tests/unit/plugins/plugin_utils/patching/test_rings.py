# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who goes with whom: declared rings, and rings that are made for every kind of system."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching import kinds, rings
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.rings import Wish

KINDS = ("windows", "debian", "ubuntu", "rhel", "suse", kinds.UNKNOWN)
names = st.text("abcdefgh0123", min_size=1, max_size=4)
pairs = st.none() | st.sampled_from(["p", "q"])
kind = st.sampled_from(KINDS)
here = st.just(True)
asked = st.none() | st.integers(1, 5)
wishes = st.dictionaries(names, st.builds(Wish, asked, pairs, kind, here), min_size=1, max_size=40)
undeclared = st.dictionaries(names, st.builds(Wish, st.none(), pairs, kind, here), min_size=1, max_size=60)


def made(**counts: int) -> rings.Schedule:
    """A client with so many hosts of these kinds, none of which has a ring: windows0, windows1, ..."""
    hosts = {f"{kind}{number}": Wish(kind=kind) for kind, count in counts.items() for number in range(count)}
    return rings.schedule(hosts)


def sizes(schedule: rings.Schedule, kind: str) -> list[int]:
    """How many hosts of a kind are in its rings, from the first."""
    found = Counter(ring for host, ring in schedule.rings.items() if schedule.kinds[host] == kind)
    return [found[ring] for ring in range(1, max(found) + 1)]


@given(wishes)
def test_every_host_is_in_one_batch_and_no_pair_is_together(wanted):
    schedule = rings.schedule(wanted)
    members = [host for batch in schedule.batches for host in batch.hosts]
    assert sorted(members) == sorted(wanted)
    for batch in schedule.batches:
        together = [wanted[host].pair for host in batch.hosts if wanted[host].pair]
        assert len(together) == len(set(together))
        assert {schedule.rings[host] for host in batch.hosts} == {batch.ring}
    numbers = [batch.ring for batch in schedule.batches]
    assert numbers == sorted(numbers)
    assert set(numbers) == set(range(1, max(numbers) + 1))


@given(undeclared)
def test_every_kind_has_exactly_one_canary_and_steps_of_its_own(wanted):
    schedule = rings.schedule(wanted)
    for one, count in Counter(wish.kind for wish in wanted.values()).items():
        steps = sizes(schedule, one)
        assert steps[0] == 1, "one canary"
        assert all(steps), "no night in which nothing of the kind would go"
        assert steps == sorted(steps[:-1]) + steps[-1:]
        assert len(steps) == {1: 1, 2: 2, 3: 3, 4: 3}.get(count, 4)
        members = [host for host, wish in wanted.items() if wish.kind == one]
        (canary,) = (host for host in members if schedule.rings[host] == 1)
        assert not wanted[canary].pair or all(wanted[host].pair for host in members)


@given(undeclared)
def test_a_kind_goes_as_if_it_were_alone(wanted):
    """The batches of a mixed client take as many nights as its largest kind, and not more."""
    schedule = rings.schedule(wanted)
    for one in {wish.kind for wish in wanted.values()}:
        alone = rings.schedule({host: wish for host, wish in wanted.items() if wish.kind == one})
        assert alone.rings == {host: ring for host, ring in schedule.rings.items() if wanted[host].kind == one}


@given(undeclared, st.randoms())
def test_the_order_of_an_inventory_does_not_matter(wanted, random):
    shuffled = list(wanted.items())
    random.shuffle(shuffled)
    assert rings.schedule(dict(shuffled)) == rings.schedule(wanted)


@given(undeclared, names, st.builds(Wish, st.none(), st.none(), kind, here))
def test_a_new_host_moves_no_host_of_another_kind_and_the_others_by_one_ring_at_most(wanted, name, wish):
    before = rings.schedule({host: other for host, other in wanted.items() if host != name}).rings
    after = rings.schedule({**wanted, name: wish}).rings
    for host, ring in before.items():
        moved = abs(after[host] - ring)
        assert moved == 0 if wanted[host].kind != wish.kind else moved <= 1


@given(st.dictionaries(names, kind, min_size=2, max_size=30), st.data())
def test_a_declared_ring_is_the_one_it_says_whatever_the_kinds(hosts, data):
    asked = {host: data.draw(st.none() | st.integers(1, 3)) for host in sorted(hosts)}
    asked[min(hosts)] = 1
    schedule = rings.schedule({host: Wish(asked[host], kind=hosts[host]) for host in hosts})
    blind = rings.schedule({host: Wish(asked[host]) for host in hosts})
    assert schedule.rings == blind.rings
    assert schedule.batches == blind.batches
    assert {host for host in hosts if schedule.rings[host] == 1} == {host for host in hosts if asked[host] == 1}
    without = {schedule.rings[host] for host in hosts if not asked[host]}
    assert not without or without == {max(schedule.rings.values())}


def test_windows_and_linux_have_a_canary_each():
    schedule = made(windows=30, debian=12, rhel=1)
    assert sizes(schedule, "windows") == [1, 3, 15, 11]
    assert sizes(schedule, "debian") == [1, 2, 6, 3]
    assert sizes(schedule, "rhel") == [1]
    first = schedule.batches[0]
    assert {schedule.kinds[host] for host in first.hosts} == {"windows", "debian", "rhel"}
    assert len(first.hosts) == 3


@pytest.mark.parametrize(
    ("counts", "nights"),
    [
        ({"windows": 2, "debian": 1}, 2),
        ({"windows": 1, "debian": 1, "rhel": 1}, 1),
        ({"debian": 3}, 3),
        ({"windows": 3, "debian": 3}, 3),
        ({"windows": 8, "debian": 2}, 4),
    ],
)
def test_a_small_client_takes_as_many_nights_as_its_largest_kind(counts, nights):
    assert {batch.ring for batch in made(**counts).batches} == set(range(1, nights + 1))


def test_a_host_whose_system_is_not_known_is_no_canary_of_another_kind():
    schedule = made(windows=4, unknown=2)
    assert sizes(schedule, "windows") == [1, 1, 2]
    assert sizes(schedule, kinds.UNKNOWN) == [1, 1]
    windows = [host for host in schedule.rings if host.startswith("windows")]
    last = max(windows, key=schedule.ring_of)
    assert all(host.startswith("windows") for ring in (1, 2) for host in schedule.awaited(last, ring))


@given(st.sets(names, min_size=2, max_size=30), st.data())
def test_a_limit_makes_nobody_a_canary_before_all_were_looked_at(hosts, data):
    """Hosts that nobody has looked at keep their places: any of them may be the canary of each kind."""
    limit = data.draw(st.sets(st.sampled_from(sorted(hosts)), min_size=1, max_size=len(hosts) - 1))
    whole = rings.schedule({host: Wish(kind="debian") for host in hosts})
    few = rings.schedule({host: Wish(kind="debian") if host in limit else Wish(here=False) for host in hosts})
    for host in limit:
        ring = few.ring_of(host)
        assert ring == whole.ring_of(host)
        for earlier in range(1, ring):
            assert few.awaited(host, earlier) == whole.awaited(host, earlier)
        assert "that nobody has looked at" in few.reason(host)


def test_who_was_not_reached_in_a_run_over_all_hosts_holds_nobody():
    schedule = rings.schedule({"a": Wish(kind="debian"), "b": Wish(kind="debian"), "c": Wish()})
    assert schedule.unseen == {}
    assert sizes(schedule, "debian") == [1, 1]


def test_nodes_of_a_pair_of_different_kinds_are_canaries_and_yet_not_together():
    schedule = rings.schedule({"lin": Wish(pair="db", kind="debian"), "win": Wish(pair="db", kind="windows")})
    assert schedule.rings == {"lin": 1, "win": 1}
    assert [batch.hosts for batch in schedule.batches] == [["lin"], ["win"]]


def test_a_reader_is_told_why_a_host_is_in_its_ring():
    schedule = made(windows=30, rhel=1)
    told = {schedule.reason(host) for host in schedule.rings}
    assert told == {
        "the canary of 30 Windows hosts",
        "step 2 of 4 for 30 Windows hosts",
        "step 3 of 4 for 30 Windows hosts",
        "step 4 of 4 for 30 Windows hosts",
        "the only RHEL-like host",
    }


def test_a_reader_is_told_where_declared_rings_leave_a_kind_without_a_canary():
    linux = {"lin1": Wish(1, kind="debian"), "lin2": Wish(kind="debian")}
    schedule = rings.schedule({**linux, "win1": Wish(2, kind="windows"), "win2": Wish(kind="windows")})
    assert {host: schedule.reason(host) for host in schedule.rings} == {
        "lin1": "by patching_ring",
        "win1": "by patching_ring; no Windows host goes before it",
        "lin2": "the last one, for it has no patching_ring",
        "win2": "the last one, for it has no patching_ring",
    }
