# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a run is news: once, and not again until something is different."""

from __future__ import annotations

import typing as t

import fleet_runs

from ansible_collections.keepwell.fleet.plugins.plugin_utils.delivery import receivers
from ansible_collections.keepwell.fleet.plugins.plugin_utils.delivery.news import Told, news
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import CheckResult, Client, Contact, HostResult, iso
from ansible_collections.keepwell.fleet.plugins.plugin_utils.runs import summarise

DAY = 86400.0


def run(number: int, states: dict[str, t.Any], at: float = fleet_runs.NOW, zone: str = "UTC", partial: bool = False):
    """A run over hosts, each with one result of one check; ``None`` is a host that did not answer."""
    hosts = []
    for host, state in states.items():
        shown = state or "unknown"
        findings = [] if shown == "ok" else [fleet_runs.finding(host, "capacity.filesystems", shown, "/")]
        result = CheckResult(check="capacity.filesystems", state=shown, findings=findings)
        hosts.append(HostResult(host=host, state=shown, contact=Contact(reached=state is not None), results=[result]))
    header = fleet_runs.header(f"01K{number:023d}", list(states), at).model_copy(
        update={"client": Client(id="acme", name="Acme", timezone=zone), "partial": ["--limit"] if partial else []}
    )
    return summarise(header, hosts, None, at + 60)


def receiver(**more: t.Any):
    found, problems = receivers.build({"x": {"channel": "slack", "url": "https://x.example", **more}}, None)
    assert problems == []
    return found.receivers["x"]


def story(who: t.Any, *told_of: t.Any) -> list[bool]:
    """Return for each run whether it is told."""
    known: Told | None = None
    answers = []
    for one in told_of:
        reasons, known = news(who, one, known)
        answers.append(bool(reasons))
    return answers


def test_each_run_is_each_run() -> None:
    assert story(receiver(), run(1, {"a": "ok"}), run(2, {"a": "ok"})) == [True, True]


def test_the_verdict_is_told_first_and_when_it_changes() -> None:
    states = ["ok", "ok", "act", "act", "crit", "ok"]
    runs = [run(number, {"a": state}) for number, state in enumerate(states)]
    assert story(receiver(when="verdict"), *runs) == [True, False, True, False, True, True]


def test_a_finding_is_told_once_until_it_is_gone_and_back() -> None:
    who = receiver(when="findings", at_or_above="act")
    runs = [
        run(1, {"a": "watch", "b": "ok"}),
        run(2, {"a": "act", "b": "ok"}),
        run(3, {"a": "act", "b": "ok"}),
        run(4, {"a": "act", "b": "crit"}),
        run(5, {"a": "ok", "b": "crit"}),
        run(6, {"a": "act", "b": "crit"}),
    ]
    assert story(who, *runs) == [False, True, False, True, False, True]


def test_what_nobody_could_see_for_a_while_is_no_news_when_it_is_seen_again() -> None:
    who = receiver(when="findings", at_or_above="act")
    assert story(who, run(1, {"a": "act"}), run(2, {"a": None}), run(3, {"a": "act"})) == [True, False, False]


def test_a_limit_of_unknown_tells_of_silence() -> None:
    assert story(receiver(when="findings", at_or_above="unknown"), run(1, {"a": "ok"}), run(2, {"a": None})) == [
        False,
        True,
    ]


def test_monthly_is_the_first_whole_run_of_a_month_by_the_clients_calendar() -> None:
    # 2026-11-30 23:30 UTC is December in Amsterdam.
    late = 1796081400.0
    assert iso(late) == "2026-11-30T23:30:00Z"
    runs = [(1, late - DAY), (2, late - 7200), (3, late), (4, late + DAY)]
    for zone, wanted in (("UTC", [True, False, False, True]), ("Europe/Amsterdam", [True, False, True, False])):
        made = [run(number, {"a": "ok"}, at, zone) for number, at in runs]
        assert story(receiver(when="monthly"), *made) == wanted


def test_monthly_counts_its_own_messages_only() -> None:
    who = receiver(when=["verdict", "monthly"])
    reasons, known = news(who, run(1, {"a": "ok"}), None)
    assert reasons == ["the first run", "the first run of 2026-11"]
    reasons, known = news(who, run(2, {"a": "act"}), known)
    assert reasons == ["the verdict changed"]
    assert known.month == "2026-11"


def test_the_same_run_and_an_older_one_change_nothing() -> None:
    who = receiver(when=["verdict", "findings", "monthly"])
    new = run(2, {"a": "act"})
    _reasons, known = news(who, new, None)
    assert news(who, new, known) == ([], known)
    assert news(who, run(1, {"a": "ok"}), known) == ([], known)
    assert news(receiver(), run(1, {"a": "ok"}), known)[0] == ["each run"]


def test_a_part_is_told_only_to_who_wants_parts_and_is_forgotten() -> None:
    part = run(2, {"a": "crit"}, partial=True)
    assert news(receiver(when=["each_run", "verdict", "findings"]), part, None)[0] == []
    reasons, known = news(receiver(partial=True), part, None)
    assert reasons == ["a run that does not cover everything"]
    assert known.run_id == ""
