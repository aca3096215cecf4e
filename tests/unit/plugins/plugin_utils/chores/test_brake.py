# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When so many hosts show the same that a chore stops itself."""

from __future__ import annotations

import pytest
from fleet_runs import change

from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord, Difference
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores import brake

LIMITS = brake.Limits()


def failed(host: str, code: str = "apply_failed", outcome: str = "failed", chore: str = "patching") -> ChangeRecord:
    return change(host, outcome, code=code, chore=chore)


def lost(host: str, unit: str) -> ChangeRecord:
    return change(
        host, "failed", code="post_check", differences=[Difference(kind="unit", name=unit, before="active", after="")]
    )


@pytest.mark.parametrize(
    ("number", "total", "reached"),
    [(1, 1, False), (1, 3, False), (2, 3, True), (2, 19, True), (2, 20, False), (3, 20, True), (3, 1000, True)],
)
def test_more_than_ten_percent_and_at_least_two_or_three_at_all(number: int, total: int, reached: bool) -> None:
    assert LIMITS.reached(number, total) is reached


def test_the_limits_are_the_clients() -> None:
    strict, problems = brake.build({"percent": 1, "least": 1, "hosts": 1})
    assert problems == []
    assert strict.reached(1, 1000)
    loose, problems = brake.build({"percent": 50, "hosts": 100})
    assert problems == []
    assert not loose.reached(10, 20)
    assert loose.reached(11, 20)


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ({"percnt": 5}, "keepwell_brake.percnt: unknown key. Did you mean 'percent'? Allowed: hosts, least, percent."),
        ({"hosts": 0}, "keepwell_brake.hosts: Input should be greater than or equal to 1 (given: 0)."),
        (3, "keepwell_brake must be a mapping with percent, least and hosts, not int."),
    ],
)
def test_a_mistake_in_the_limits_is_one_sentence(value: object, sentence: str) -> None:
    assert brake.build(value)[1] == [sentence]


def test_twelve_of_a_hundred_hosts_lose_the_same_service() -> None:
    records = [lost(f"web{number:02}", "nginx.service") for number in range(12)]
    records += [change(f"db{number}", "done") for number in range(20)]
    why = brake.pulled("patching", records, 100, LIMITS)
    assert "12 of 100 hosts, show unit nginx.service worse than before" in why
    assert "web00, web01, web02, web03, web04 and 7 more" in why
    assert "Find out what they have in common" in why


def test_a_finding_that_is_new_on_many_hosts_counts_although_their_changes_are_done() -> None:
    records = [change(f"web{number}", "done", findings_new=["services.failed: app.service"]) for number in range(3)]
    assert "the new finding 'services.failed: app.service'" in brake.pulled("patching", records, 100, LIMITS)
    assert brake.pulled("patching", records[:2], 100, LIMITS) == ""


def test_different_failures_together_are_too_many_as_well() -> None:
    records = [failed("web1", "apply_failed"), lost("web2", "nginx.service"), failed("web3", "no_return", "lost")]
    assert "web1, web2, web3, 3 of 100 hosts, show a change that went wrong" in brake.pulled(
        "patching", records, 100, LIMITS
    )


def test_what_kept_a_host_back_or_refused_it_is_no_failure() -> None:
    records = [change(f"web{n}", outcome, code="stale") for n, outcome in enumerate(["refused", "skipped", "nothing"])]
    assert brake.pulled("patching", records, 3, LIMITS) == ""


def test_each_chore_has_its_own_brake() -> None:
    records = [failed(f"web{number}", chore="antivirus") for number in range(5)]
    assert brake.pulled("patching", records, 10, LIMITS) == ""
    assert brake.pulled("antivirus", records, 10, LIMITS).startswith(
        "The brake holds antivirus for the rest of this run"
    )
