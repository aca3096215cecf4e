# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Updates of Windows: what is chosen, in which turns, what came of them, and whether they are really in place."""

from __future__ import annotations

import re
import typing as t

import pytest
import replay
from fleet_runs import change, plan

from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord, Reboot, Step, Version
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks import _patching_policy
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching import (
    announcement,
    options,
    planning,
    preflight,
    residual,
    selection,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.models import Item, Move
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.wua import (
    outcome,
    rebooting,
    standing,
    turns,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.wua import planning as wua_planning

NOW = 1_764_000_000.0
DISK_FULL = -2147024784


def update(name: str, **more: t.Any) -> dict[str, t.Any]:
    """A pending update as the packages probe of a Windows host tells it."""
    return {
        "name": name,
        "kind": "update",
        "arch": None,
        "installed": None,
        "candidate": "200",
        "origins": ["Windows Update"],
        "class": "security",
        "severity": "critical",
        "advisories": [name],
        "cves": [],
        "published_at": NOW - 86400,
        "held_by": None,
        "security_version": None,
        "needs_reboot": None,
        "size": 1000,
        "update_id": f"id-{name}",
        "revision": 200,
        "title": f"2025-11 Update for Windows ({name})",
        "impact": 0,
        "user_input": False,
        "eula_accepted": True,
        "optional": False,
        "cumulative": False,
        **more,
    }


def packages(*pending: dict[str, t.Any], **more: t.Any) -> dict[str, t.Any]:
    return {
        "manager": "wua",
        "pending": list(pending),
        "reboot": {"required": "no", "strength": None, "reasons": []},
        "kernel": {"running": "10.0.20348.4405", "newest": "10.0.20348.4405"},
        "history": [],
        "services_restart": None,
        **more,
    }


def choose(*pending: dict[str, t.Any], **variables: t.Any) -> tuple[list[str], dict[str, str]]:
    case = {
        "now": NOW,
        "host": "win01",
        "probes": {"packages": {"status": "ok", "data": packages(*pending)}},
    }
    given = options.read({f"patching_{name}": value for name, value in variables.items()})
    items, withheld = selection.select(replay.view(case), _patching_policy.Policy(), given, {})
    return [item.name for item in items], {entry.name: entry.code for entry in withheld}


@pytest.mark.parametrize(
    ("entry", "variables", "code"),
    [
        ({"eula_accepted": False}, {}, "licence"),
        ({"eula_accepted": False}, {"accept_licences": True}, None),
        ({"eula_accepted": None}, {}, "licence"),
        ({"eula_accepted": None}, {"accept_licences": True}, None),
        ({"user_input": True}, {}, "interactive"),
        ({"held_by": "hidden"}, {}, "hidden"),
        ({"class": "driver"}, {"policy": "all"}, "policy"),
        ({"class": "feature"}, {"policy": "all"}, "policy"),
        ({"class": "definition"}, {"policy": "all"}, "policy"),
        ({"class": "bugfix", "optional": True}, {"policy": "all"}, "policy"),
        ({"class": "bugfix"}, {"policy": "all"}, None),
        ({"class": "bugfix"}, {}, "policy"),
        # An emergency takes what it names, but accepts no licence and asks nobody.
        (
            {"class": "driver"},
            {"emergency": {"packages": ["KB1"], "reason": "it is on fire", "approver": "J. Smit"}},
            None,
        ),
        (
            {"eula_accepted": False},
            {"emergency": {"packages": ["KB1"], "reason": "it is on fire", "approver": "J. Smit"}},
            "licence",
        ),
        # By its title, too.
        (
            {},
            {
                "exclusions": [
                    {"package": "*for Windows*", "reason": "later", "approver": "J. Smit", "expires": "2026-01-01"}
                ]
            },
            "exclusion",
        ),
    ],
)
def test_what_is_left_out(entry: dict[str, t.Any], variables: dict[str, t.Any], code: str | None) -> None:
    chosen, withheld = choose(update("KB1", **entry), **variables)
    assert (chosen, withheld) == ((["KB1"], {}) if code is None else ([], {"KB1": code}))


def test_what_is_left_out_is_named_as_what_is_offered() -> None:
    pending = packages(update("KB1", eula_accepted=None), update("KB2"))
    case = {"now": NOW, "host": "win01", "probes": {"packages": {"status": "ok", "data": pending}}}
    chosen = selection.select(replay.view(case), _patching_policy.Policy(), options.Options(), {})
    [entry] = chosen[1]
    assert (entry.title, entry.update_id) == ("2025-11 Update for Windows (KB1)", "id-KB1")
    assert entry.reason == (
        "The host does not say whether anybody has accepted the licence terms of KB1: patching_accept_licences lets "
        "Keepwell do it."
    )
    made = plan("win01", items=chosen[0], withheld=chosen[1])
    later = packages(*t.cast("list[dict[str, t.Any]]", pending["pending"]), update("KB3"))
    lines = residual.explain(made, {"probes": {"packages": {"status": "ok", "data": later}}})
    assert lines == [
        "KB2 is still offered",
        f"KB1 2025-11 Update for Windows (KB1), revision 200: {entry.reason}",
        "KB3 2025-11 Update for Windows (KB3), revision 200: offered only since the plan was made",
    ]


def item(name: str, **more: t.Any) -> Item:
    fields: dict[str, t.Any] = {
        "name": name, "kind": "update", "version": "200", "update_class": "security", "update_id": f"id-{name}",
        "title": f"2025-11 Update for Windows ({name})", **more,
    }  # fmt: skip
    return Item(**fields)


def test_what_must_be_alone_goes_first_and_alone() -> None:
    found = turns.turns([item("KB3"), item("KB2", alone=True), item("KB4"), item("KB1", alone=True)])
    assert [[entry.name for entry in turn] for turn in found] == [["KB1"], ["KB2"], ["KB3", "KB4"]]


def test_exactly_the_chosen_ones_are_accepted() -> None:
    arguments = turns.arguments([item("KB5", title="Security Update (KB5) [x64] + more?")])
    [pattern] = arguments["accept_list"]
    # The module matches title and KB numbers as one text.
    assert re.search(pattern, "Security Update (KB5) [x64] + more?KB5")
    assert re.search(pattern, "Security Update (KB5) [x64] + more?KB5 KB6")
    assert not re.search(pattern, "Preview of Security Update (KB5) [x64] + more?KB5")
    assert not re.search(pattern, "Security Update (KB5) [x64] + more? for othersKB5")
    assert arguments["reboot"] is False and arguments["category_names"] == ["*"]


def answer(**updates: dict[str, t.Any]) -> dict[str, t.Any]:
    """What ansible.windows.win_updates returns."""
    return {
        "updates": {f"id-{name}": {"id": f"id-{name}", "title": name, "installed": False, **told}
                    for name, told in updates.items()}
    }  # fmt: skip


def test_what_failed_is_named_in_plain_words() -> None:
    items = [item("KB1"), item("KB2"), item("KB3")]
    result = answer(
        KB1={"installed": True},
        KB2={"failure_hresult_code": DISK_FULL},
        KB3={"failure_hresult_code": 0x800F0922},
    )
    found = outcome.read(
        items, {**result, "failed": True, "msg": "Failed to install all updates", "reboot_required": True}
    )
    state = outcome.state(items, found, NOW)
    assert state["outcome"] == "done", "the others are finished, compared and recorded"
    assert [move["name"] for move in state["moves_done"]] == ["KB1"]
    assert state["failures"]["KB2"].startswith("0x80070070 (ERROR_DISK_FULL): the disk is full.")
    assert state["failures"]["KB3"].startswith("0x800f0922 (CBS_E_INSTALLERS_FAILED)")
    assert found.reboot


def test_nothing_installed_is_a_failure_at_once() -> None:
    items = [item("KB1")]
    found = outcome.read(items, {**answer(KB1={"failure_hresult_code": DISK_FULL}), "failed": True, "msg": "no"})
    state = outcome.state(items, found, NOW)
    assert (state["outcome"], state["code"]) == ("failed", "apply_failed")
    assert "the disk is full" in state["text"]


@pytest.mark.parametrize("code", [0x80240016, 0x8024201D, 0x80070BC9, 0x80240019])
def test_what_asks_for_a_boot_first_has_not_failed(code: int) -> None:
    found = outcome.read([item("KB1")], answer(KB1={"failure_hresult_code": code}))
    assert (found.waiting, found.failures, found.reboot) == ({"id-KB1"}, {}, True)
    assert outcome.state([item("KB1")], found, NOW)["outcome"] == "done"


def test_a_reboot_that_the_module_wants_first() -> None:
    result = {**answer(KB1={}), "failed": True, "msg": "A reboot is required before more updates can be installed"}
    found = outcome.read([item("KB1")], result)
    assert found.reboot and not found.error and found.waiting == {"id-KB1"}


def test_a_search_that_failed() -> None:
    message = "Searching for updates: Exception - The proxy (WU_E_PT_WINHTTP_NAME_NOT_RESOLVED 0x8024402C)"
    found = outcome.read([item("KB1")], {**answer(), "failed": True, "msg": message})
    state = outcome.state([item("KB1")], found, NOW)
    assert state["outcome"] == "failed"
    assert "0x8024402c (WU_E_PT_WINHTTP_NAME_NOT_RESOLVED)" in state["text"]


@pytest.mark.parametrize(
    ("result", "broke"),
    [
        ({"unreachable": True, "msg": "no"}, True),
        ({"failed": True, "msg": "('Connection aborted.', RemoteDisconnected('Remote end closed connection'))"}, True),
        ({"failed": True, "msg": "HTTPConnectionPool: Read timed out. (read timeout=30)"}, True),
        ({"failed": True, "msg": "Searching: it timed out (WU_E_PT_HTTP_STATUS_REQUEST_TIMEOUT 0x8024401C)"}, False),
        ({"failed": True, "msg": "Failed to install all updates - see updates for more information"}, False),
        ({"failed": True, "msg": "A reboot is required before more updates can be installed"}, False),
        ({"failed": False, "msg": ""}, False),
    ],
)
def test_a_module_that_was_not_heard_to_its_end(result: dict[str, t.Any], broke: bool) -> None:
    assert outcome.broke_off(result) is broke


def test_chosen_and_gone_is_a_changed_plan() -> None:
    state = outcome.state([item("KB1")], outcome.read([item("KB1")], answer()), NOW)
    assert (state["outcome"], state["code"]) == ("refused", "plan_changed")


def test_what_succeeds_at_last_has_not_failed() -> None:
    found = outcome.Attempt(failures={"id-KB1": 0x80070020})
    found.take(outcome.Attempt(installed={"id-KB1"}))
    assert (found.installed, found.failures) == ({"id-KB1"}, {})


def test_more_than_was_wanted_is_always_told() -> None:
    found = outcome.read([item("KB1")], answer(KB1={"installed": True}, KB9={"installed": True}))
    assert "more than was wanted: KB9" in outcome.state([item("KB1")], found, NOW)["text"]


def test_an_update_is_known_however_its_id_is_spelled() -> None:
    """GUIDs are the same in capitals and in small letters; the probe writes small ones."""
    guid = "e6cf1350-c01b-414d-a61f-263d14d133b4"
    found = outcome.read([item("KB1", update_id=guid)], {"updates": {guid.upper(): {"installed": True}}})
    assert (found.installed, found.others) == ({guid}, {})


def line(name: str, result: str = "succeeded", at: float = NOW + 60, **more: t.Any) -> dict[str, t.Any]:
    return {"at": at, "operation": "install", "result": result, "hresult": None, "title": name,
            "update_id": f"ID-{name}", "revision": 200, "kbs": [name], **more}  # fmt: skip


def version(name: str, *, cumulative: bool = False) -> Version:
    return Version(name=name, after="200", update_id=f"id-{name}", cumulative=cumulative)


OLD = "10.0.20348.4300"


@pytest.mark.parametrize(
    ("data", "missing"),
    [
        (packages(history=[line("KB1")]), ""),
        (packages(history=[]), "the host's history does not have it"),
        (packages(history=None), "could not be read"),
        # Of an earlier month.
        (packages(history=[line("KB1", at=NOW - 3600)]), "the host's history does not have it"),
        (packages(update("KB1"), history=[line("KB1")]), "Windows offers it still"),
        # Offered in another revision: that is another update.
        (packages(update("KB1", candidate="201"), history=[line("KB1")]), ""),
        (
            packages(history=[line("KB1"), line("KB1", "failed", at=NOW + 600, hresult="800F0922")]),
            "Windows took it back or could not finish it: 0x800f0922 (CBS_E_INSTALLERS_FAILED)",
        ),
        ({**packages(history=[line("KB1")]), "pending": None}, "gave no list of updates"),
    ],
)
def test_the_host_itself_has_the_word(data: dict[str, t.Any], missing: str) -> None:
    found = standing.of([version("KB1")], data, NOW, OLD)
    assert (missing in found.missing["KB1"]) if missing else not found.missing


def test_the_build_tells_of_the_monthly_update() -> None:
    grown = standing.of([version("KB1", cumulative=True)], packages(history=[]), NOW, OLD)
    assert not grown.missing and grown.build == "10.0.20348.4405"
    same = standing.of([version("KB1", cumulative=True)], packages(history=[line("KB1")]), NOW, "10.0.20348.4405")
    assert "the build is still 10.0.20348.4405" in same.missing["KB1"]


REBOOT = {
    "required": "yes", "strength": "strong",
    "reasons": [{"kind": "windows_update", "strength": "strong", "detail": "Windows Update asks for it", "since": None}],
}  # fmt: skip


def test_before_the_reboot_nothing_is_said_of_the_build() -> None:
    data = packages(history=[line("KB1")], reboot=REBOOT)
    found = standing.of([version("KB1", cumulative=True)], data, NOW, "10.0.20348.4405")
    assert (found.missing, found.waiting) == ({}, ["KB1"])


def test_the_end_of_a_round_that_nobody_saw() -> None:
    moves = [{"name": name, "update_id": f"id-{name}", "revision": 200} for name in ("KB1", "KB2", "KB3")]
    noted = {"started_at": NOW, "moves": moves}
    history = [line("KB1"), line("KB2", "failed", hresult="80070643")]
    state = standing.state(noted, packages(history=history))
    assert state["outcome"] == "done"
    assert [move["name"] for move in state["moves_done"]] == ["KB1"]
    assert "0x80070643" in state["failures"]["KB2"] and "nothing is known of KB3" in state["text"]
    assert standing.state(noted, packages())["code"] == "interrupted"
    assert not standing.accounted(noted, packages(history=history))
    assert not standing.accounted(noted, packages(history=[*history, line("KB3", "in_progress")]))
    assert standing.accounted(noted, packages(history=[*history, line("KB3", "aborted")]))
    failed = standing.state(noted, packages(history=[line("KB1", "aborted", hresult="8024000B")]))
    assert (failed["outcome"], failed["code"]) == ("failed", "apply_failed")


WAITED = Step(
    name="reboot",
    outcome="skipped",
    text="On hold.",
    started_at="2026-11-23T06:00:00Z",
    ended_at="2026-11-23T06:00:00Z",
)


@pytest.mark.parametrize(
    ("more", "left"),
    [
        ({}, True),
        # It failed: a person looks first.
        ({"outcome": "failed"}, False),
        ({"reboot": None, "steps": []}, False),
        ({"reboot": Reboot(required="no")}, False),
        ({"steps": [WAITED, WAITED.model_copy(update={"outcome": "done"})]}, False),
        ({"steps": [WAITED.model_copy(update={"outcome": "done"}), WAITED]}, True),
    ],
)
def test_a_reboot_that_a_change_had_to_leave_is_known_by_its_record(more: dict[str, t.Any], left: bool) -> None:
    fields = {"outcome": "done", "reboot": Reboot(required="yes"), "steps": [WAITED], **more}
    record = change("win01", fields.pop("outcome"), "01K0000000000000000000000A", **fields)
    assert wua_planning.reboot_left(record) == ("01K0000000000000000000000A" if left else "")


@pytest.mark.parametrize(
    ("data", "items", "variables", "left"),
    [
        (packages(reboot=REBOOT), [], {"reboot": "when_required"}, "RUN"),
        # It comes first anyway, is not due any more, or is left to a person.
        (packages(reboot=REBOOT), ["KB1"], {"reboot": "when_required"}, ""),
        (packages(), [], {"reboot": "when_required"}, ""),
        (packages(reboot=REBOOT), [], {}, ""),
    ],
)
def test_with_nothing_to_install_a_reboot_that_was_left_is_a_plan_of_its_own(
    data: dict[str, t.Any], items: list[str], variables: dict[str, t.Any], left: str
) -> None:
    told = wua_planning.reboot(data, [item(name) for name in items], options.Options(**variables), "RUN")
    assert told.left == left
    made = plan("win01", reboot=told)
    assert made.empty is not bool(left)
    if left:
        assert told.text == "the change of run RUN had to leave it: it is done inside the window"
        text = announcement.host(made)
        assert "win01: a reboot\n" in text and "Reboot: yes: " in text


def test_nobody_knows_of_a_reboot_that_an_earlier_change_did_not_leave() -> None:
    assert wua_planning.reboot_left(None) == ""
    assert wua_planning.reboot(packages(reboot=REBOOT), [], options.Options(reboot="when_required")).left == ""


def test_the_plan_of_a_windows_host() -> None:
    pending = [update("KB1", cumulative=True), update("KB2", size=None)]
    made = wua_planning.simulation([item("KB1"), item("KB2")], pending)
    assert made["download_bytes"] is None and len(made["moves"]) == 2
    moves = [Move(**move) for move in made["moves"]]
    first = planning.plan_hash("acme", "win01", "wua", moves)
    other = [moves[0].model_copy(update={"update_id": "another"}), moves[1]]
    assert planning.plan_hash("acme", "win01", "wua", other) != first, "the ids are part of what is approved"
    told = wua_planning.reboot(packages(*pending), [item("KB1"), item("KB2")], options.Options())
    assert told.expected == "yes" and told.reasons == ["KB1 takes effect at boot"]
    assert "left to a person" in told.text
    maybe = wua_planning.reboot(packages(*pending), [item("KB2")], options.Options(reboot="when_required"))
    assert maybe.expected == "unknown" and maybe.reasons == ["KB2 may ask for it"]
    never = wua_planning.reboot(packages(update("KB2", needs_reboot=False)), [item("KB2")], options.Options())
    assert never.expected == "no"
    assert wua_planning.rollback(moves).possible == "no"


def look(**more: t.Any) -> dict[str, t.Any]:
    return {
        "manager": "wua", "refused": "", "state": {"clean": True, "problems": []}, "locks": [], "users": [],
        "space": [{"mount": "C:\\", "roles": ["system"], "free_bytes": 60 << 30, "free_inodes_percent": None}],
        "keepwell_lock": {"held": False, "holder": ""}, "roles": [], "cluster": None,
        "simulation": wua_planning.simulation([item("KB1")], [update("KB1")]), **more,
    }  # fmt: skip


def refused(data: dict[str, t.Any], seen: dict[str, t.Any], **variables: t.Any) -> set[str]:
    metadata = {"configured": 1, "checked_at": NOW - 60, "errors": [], "sources": []}
    case = {
        "now": NOW, "host": "win01",
        "probes": {"packages": {"status": "ok", "data": {**data, "metadata": metadata}}},
    }  # fmt: skip
    given = options.read({f"patching_{name}": value for name, value in variables.items()})
    facts = preflight.judge(seen, replay.view(case), _patching_policy.Policy(), given, [])
    return {fact.code for fact in facts if not fact.passed}


def test_what_stands_against_patching_a_windows_host() -> None:
    data = packages(update("KB1"))
    assert refused(data, look()) == set()
    small = [{"mount": "C:\\", "roles": ["system"], "free_bytes": 9 << 30, "free_inodes_percent": None}]
    assert refused(data, look(space=small)) == {"disk_full"}
    assert refused(data, look(state={"clean": False, "problems": ["damaged"]})) == {"broken_state"}
    assert refused(data, look(refused="wuauserv is disabled")) == {"not_supported"}
    assert refused(data, look(roles=["failover_cluster"])) == {"no_pair"}
    assert refused(data, look(roles=["failover_cluster"]), pair="sql") == set()
    assert refused(data, look(roles=["domain_controller"])) == set()
    due = packages(update("KB1"), reboot=REBOOT)
    assert refused(due, look()) == {"reboot_first"}
    assert refused(due, look(), reboot="when_required") == set()
    weak = {**REBOOT, "strength": "weak"}
    assert refused(packages(update("KB1"), reboot=weak), look()) == set(), "a rename alone is no reason"


def test_a_node_that_carries_something_is_not_rebooted() -> None:
    facts = preflight.judge_reboot(look(cluster={"state": "up"}), options.Options())
    assert [fact.code for fact in facts if not fact.passed] == ["cluster"]
    facts = preflight.judge_reboot(look(cluster={"state": "paused"}), options.Options())
    assert all(fact.passed for fact in facts)


def test_the_same_reason_after_two_reboots_is_a_loop() -> None:
    assert not rebooting.loops(Reboot(required="yes", times=1, still=[]), ["cbs"])
    assert rebooting.loops(Reboot(required="yes", times=2, still=["cbs"]), ["cbs", "other"])
    assert not rebooting.loops(Reboot(required="yes", times=2, still=["cbs"]), ["other"])
    assert not rebooting.loops(Reboot(required="yes", times=2, still=["cbs"]), [])


def record(**more: t.Any) -> ChangeRecord:
    return ChangeRecord(
        run_id="R", client="acme", host="win01", chore="patching", outcome="done", started_at="2025-11-24T16:00:00Z",
        **more,
    )  # fmt: skip


def test_the_last_words_of_a_change() -> None:
    good = record(versions=[version("KB1"), Version(name="Windows", before=OLD, after="10.0.20348.4405")])
    outcome.close(good, "nothing of the plan is left")
    assert (good.outcome, good.text) == (
        "done", "1 update in place, build 10.0.20348.4405; nothing of the plan is left.",
    )  # fmt: skip
    bad = record(versions=[version("KB1")], failures={"KB2": "0x80070070: full."})
    outcome.close(bad, "1 left")
    assert (bad.outcome, bad.code) == ("failed", "apply_failed")
    assert bad.text == "1 update failed, 1 update in place. KB2: 0x80070070: full."
    gone = record(versions=[version("KB1")], failures={"KB1": "it was taken back."})
    outcome.close(gone, "1 left")
    assert (gone.code, gone.text) == ("not_in_place", "1 update failed, 0 updates in place. KB1: it was taken back.")
