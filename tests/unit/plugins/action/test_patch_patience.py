# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps after the packages, on a host whose connection breaks now and then or that does not boot as it should."""

from __future__ import annotations

import typing as t
from types import SimpleNamespace

import pytest
from ansible.errors import AnsibleConnectionFailure

from ansible_collections.keepwell.fleet.plugins.action import (
    patch_adopt,
    patch_reboot,
    patch_record,
    patch_restart,
    patch_verify,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils import host_action
from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord, Reboot, Step, Version
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.guards import Stop
from ansible_collections.keepwell.fleet.plugins.plugin_utils.host_action import HostError, UnansweredError
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching import guards, transaction
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.options import Options

KERNEL = {"kind": "kernel", "strength": "strong", "detail": "6.1.0-41 is installed and not running"}
LOOK = {
    "simulation": {"moves": [], "errors": []},
    "users": [],
    "fsck_pending": False,
    "luks_at_boot": [],
    "pacemaker": False,
    "offline_update": False,
    "keepwell_lock": {"held": False, "holder": ""},
    "locks": [],
}


class Host:
    """What a host answers; ``breaks`` are the numbers of the answers that never arrive, what was asked is done."""

    def __init__(self, boots: t.Sequence[tuple[str, str]], breaks: t.Collection[int] = ()) -> None:
        self.boots = list(boots)
        self.breaks = breaks
        self.asked: list[str] = []
        self.reboots = 0
        self.stale = ["web.service"]
        self.left: list[dict[str, t.Any]] = []
        self.ends: dict[str, dict[str, t.Any]] = {}
        self.newest = boots[-1][1] if len(boots) > 1 else boots[0][1]

    def answer(self, name: str, answer: t.Callable[[], t.Any]) -> t.Any:
        self.asked.append(name)
        found = answer()
        if len(self.asked) in self.breaks:
            raise AnsibleConnectionFailure("gone")
        return found

    def ask(self, request: t.Mapping[str, t.Any], _variables: t.Any) -> t.Any:
        return self.answer(request["operation"], lambda: getattr(self, "on_" + request["operation"])(request))

    def observe(self, _subset: t.Any, _parameters: t.Any, _variables: t.Any) -> t.Any:
        return self.answer("observe", self.document)

    def document(self) -> t.Any:
        running = self.boots[self.reboots][1]
        due = running != "6.1.0-41"
        data = {
            "reboot": {
                "required": "yes" if due else "no",
                "strength": "strong" if due else None,
                "reasons": [KERNEL] if due else [],
            },
            "kernel": {"running": running, "newest": "6.1.0-41", "container": None},
            "services_restart": [{"unit": unit, "restartable": True} for unit in self.stale],
        }
        return {"probes": {"packages": {"status": "ok", "data": data}}}

    def on_boot(self, _request: t.Any) -> t.Any:
        boot, kernel = self.boots[self.reboots]
        return {"boot_id": boot, "pid1_started": 1.0, "kernel": kernel, "booted": True}

    def on_reboot(self, _request: t.Any) -> t.Any:
        self.reboots += 1
        return {"asked": True}

    def on_look(self, _request: t.Any) -> t.Any:
        return LOOK

    def on_unfinished(self, _request: t.Any) -> t.Any:
        return {"transactions": self.left}

    def on_rollback(self, request: t.Mapping[str, t.Any]) -> t.Any:
        return {"id": request["id"] + "R", "started": True}

    def on_status(self, request: t.Mapping[str, t.Any]) -> t.Any:
        return self.ends[request["id"]]

    def on_recorded(self, request: t.Mapping[str, t.Any]) -> t.Any:
        return {"recorded": request["id"]}

    def on_clean(self, _request: t.Any) -> t.Any:
        return {"removed": [], "kept": []}

    def on_restart(self, request: t.Mapping[str, t.Any]) -> t.Any:
        self.stale = []
        return {"units": {unit: {"result": "restarted", "text": ""} for unit in request["units"]}}


class Job:
    """A change that goes well so far."""

    def __init__(self) -> None:
        self.options = Options.model_validate({"reboot": "when_required", "reconnect_s": 30})
        self.task_vars: dict[str, t.Any] = {}
        self.settings = SimpleNamespace(probe_parameters={})
        self.record = ChangeRecord(
            run_id="01KARN3T5V7X9Z1B3D5F7H9K2M",
            client="acme",
            host="web1",
            chore="patching",
            outcome="running",
            started_at="2026-11-23T06:00:00Z",
        )
        self.steps: list[tuple[str, str, str]] = []

    simulated_now = 0.0

    def now(self) -> float:
        return 0.0

    def change(self) -> ChangeRecord:
        return self.record

    def save(self, _record: ChangeRecord) -> None:
        """Nothing is kept here."""

    def step(self, record: ChangeRecord, name: str, outcome: str, text: str, _since: float) -> None:
        self.steps.append((name, outcome, text))
        times = {"started_at": record.started_at, "ended_at": record.started_at}
        record.steps.append(Step.model_validate({"name": name, "outcome": outcome, "text": text, **times}))


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_action.time, "sleep", lambda _seconds: None)
    monkeypatch.setattr(guards, "window", lambda *_arguments, **_more: SimpleNamespace(open=True, reason=""))
    monkeypatch.setattr(guards, "further", lambda *_arguments, **_more: None)
    monkeypatch.setattr(patch_restart, "paused", lambda _job: None)


def act(kind: t.Any, host: Host, outcome: t.Any = "running") -> tuple[Job, dict[str, t.Any]]:
    action = kind.ActionModule.__new__(kind.ActionModule)
    action._task = SimpleNamespace(check_mode=False)
    action._connection = SimpleNamespace(reset=lambda: None, module_implementation_preferences=("",))
    action.ask, action.observe = host.ask, host.observe
    job = Job()
    job.record.outcome = outcome
    return job, action.work(job)


def test_a_boot_of_the_old_kernel_is_a_failure_that_is_told() -> None:
    """Simulated: the boot loader starts what ran before."""
    job, result = act(patch_reboot, Host([("one", "6.1.0-40"), ("two", "6.1.0-40")]))
    assert (job.record.outcome, job.record.code, result["failed"]) == ("failed", "reboot_did_not_help", True)
    assert "it runs 6.1.0-40, and 6.1.0-41 is installed" in job.record.text
    assert job.record.reboot is not None
    assert job.record.reboot.done
    assert job.record.reboot.kernel_after == "6.1.0-40"


@pytest.mark.parametrize("lost", range(1, 9))
def test_one_answer_that_is_lost_makes_no_second_reboot(lost: int) -> None:
    host = Host([("one", "6.1.0-40"), ("two", "6.1.0-41"), ("three", "6.1.0-41")], {lost})
    job, result = act(patch_reboot, host)
    assert (job.record.outcome, result["changed"], host.reboots) == ("running", True, 1), host.asked
    assert job.steps[-1][:2] == ("reboot", "done")


@pytest.mark.parametrize(("lost", "words"), [(1, "restarted"), (2, "restarted: nobody heard what came of it")])
def test_one_answer_that_is_lost_restarts_no_service_twice(lost: int, words: str) -> None:
    host = Host([("one", "6.1.0-41")], {lost})
    job, result = act(patch_restart, host)
    assert job.record.services == {"web.service": words}
    assert (host.asked.count("restart"), result["changed"]) == (1, True)


HELD = Stop("skipped", "held", "On hold until Friday: an audit.")


@pytest.mark.parametrize(
    ("step", "place", "name"), [(patch_reboot, guards, "further"), (patch_restart, patch_restart, "paused")]
)
def test_a_hold_placed_after_the_packages_stops_what_comes_next(
    step: t.Any, place: t.Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, name, lambda *_arguments: HELD)
    host = Host([("one", "6.1.0-40"), ("two", "6.1.0-41")])
    job, result = act(step, host)
    assert (host.reboots, "restart" in host.asked, result["changed"]) == (0, False, False)
    # What was begun is compared and recorded as what it is.
    assert job.record.outcome == "running"
    [(_name, outcome, text)] = job.steps
    assert outcome == "skipped"
    assert text.endswith("On hold until Friday: an audit.")


def test_a_hold_placed_while_the_host_is_looked_at_stops_the_reboot(monkeypatch: pytest.MonkeyPatch) -> None:
    """The look waits for servicing of Windows to end, which may take minutes."""
    host = Host([("one", "6.1.0-40"), ("two", "6.1.0-41")])
    monkeypatch.setattr(guards, "further", lambda *_arguments: HELD if "look" in host.asked else None)
    job, _result = act(patch_reboot, host)
    assert host.reboots == 0
    assert job.steps == [("reboot", "skipped", f"a reboot is needed, and not done: {HELD.text}")]


@pytest.mark.parametrize(
    ("times", "ends"),
    [(0, ("skipped", "held", "")), (1, ("running", "held", f"a reboot is needed, and not done: {HELD.text}"))],
)
def test_a_second_reboot_that_is_kept_back_does_not_undo_the_first(
    times: int, ends: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Windows host that installs nothing before it was rebooted, and after that asks for another one."""
    monkeypatch.setattr(guards, "further", lambda *_arguments: HELD)
    action = patch_reboot.ActionModule.__new__(patch_reboot.ActionModule)
    action._task = t.cast(t.Any, SimpleNamespace(check_mode=False))
    action._connection = SimpleNamespace(reset=lambda: None, module_implementation_preferences=(".ps1",))
    host, job = Host([("one", "6.1.0-40")]), Job()
    action.ask, action.observe = host.ask, host.observe  # type: ignore[method-assign]
    job.record.reboot = Reboot(required="yes", done=True, times=1) if times else None
    action.work(t.cast(t.Any, job))
    assert (job.record.outcome, job.record.code, job.record.stopped) == ends
    assert job.record.reboot is not None and job.record.reboot.done == bool(times)


def patience(*outcomes: Exception | str) -> tuple[t.Any, list[int]]:
    """Take a step that ends like this, one after the other; return what came of it and how often it was taken."""
    action = patch_reboot.ActionModule.__new__(patch_reboot.ActionModule)
    action._connection = SimpleNamespace(reset=lambda: None, module_implementation_preferences=("",))
    left, taken = list(outcomes), [0]

    def step() -> str:
        taken[0] += 1
        found = left.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    try:
        return action.patiently(step, 60.0), taken
    except HostError as exc:
        return exc, taken


def test_a_lost_connection_and_a_program_that_was_ended_are_tried_again() -> None:
    assert patience(AnsibleConnectionFailure("gone"), UnansweredError("143"), "answer") == ("answer", [3])


def test_an_answer_that_cannot_be_used_is_not_asked_for_again() -> None:
    found, taken = patience(HostError("no"), "answer")
    assert (str(found), taken) == ("no", [1])


MOVE = {"name": "web", "arch": "all", "before": "1", "after": "2"}
BACK = {"name": "web", "arch": "all", "before": "2", "after": "1"}


def test_a_way_back_that_nobody_saw_the_end_of_is_no_good_change() -> None:
    host = Host([("one", "6.1.0-41")])
    for number, (name, kind, move) in enumerate((("change1", "apply", MOVE), ("change1R", "rollback", BACK))):
        host.left.append({"id": name, "kind": kind, "run_id": "EARLIER", "started_at": float(number)})
        host.ends[name] = {"phase": "ended", "outcome": "done", "text": "1 package changed.", "moves_done": [move]}
    job, _result = act(patch_adopt, host, "planned")
    assert (job.record.outcome, job.record.code, job.record.begun_by) == ("rolled_back", "post_check", "EARLIER")
    assert [(entry.before, entry.after) for entry in job.record.versions] == [("1", "2"), ("2", "1")]


@pytest.mark.parametrize(
    ("asked", "kind", "told"),
    [
        ("when_failed", "apply", "Not taken back by itself: the package manager did not finish"),
        ("when_failed", "rollback", ""),
        ("never", "apply", ""),
    ],
)
def test_what_the_package_manager_did_not_finish_is_left_to_a_person(asked: str, kind: str, told: str) -> None:
    host, job = Host([("one", "6.1.0-41")]), Job()
    job.options = Options.model_validate({"rollback": asked})
    state = {"kind": kind, "outcome": "failed", "code": "half_done", "half_done": ["web: configuration failed"]}
    transaction.absorb(t.cast(t.Any, job), job.record, {**state, "moves_done": [MOVE]}, "apply")
    assert (job.record.outcome, job.record.code) == ("failed", "half_done")
    assert job.record.rollback.startswith(told)
    assert [step[:2] for step in job.steps] == [("apply", "failed")] + [("rollback", "skipped")] * bool(told)
    # The next step asks the host for nothing.
    action = patch_verify.ActionModule.__new__(patch_verify.ActionModule)
    action._task = t.cast(t.Any, SimpleNamespace(check_mode=False))
    action.ask = host.ask  # type: ignore[method-assign]
    action.work(t.cast(t.Any, job))
    assert host.asked == []


@pytest.mark.parametrize(
    ("end", "outcome", "code", "words"),
    [
        ({"outcome": "done", "text": "1 package changed back."}, "rolled_back", "post_check", "It was taken back, and"),
        (
            {"outcome": "failed", "code": "half_done", "text": "web is half-done."},
            "failed",
            "half_done",
            "Taking it back failed: web is half-done.",
        ),
        (
            {"outcome": "refused", "code": "no_way_back", "text": "Nothing went back."},
            "failed",
            "no_way_back",
            "Taking it back failed: Nothing went back.",
        ),
    ],
)
def test_what_was_worse_after_a_change_is_told_however_the_way_back_ends(
    end: dict[str, t.Any], outcome: str, code: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, job = Host([("one", "6.1.0-41")]), Job()
    host.ends["change1R"] = {"phase": "ended", "kind": "rollback", "moves_done": [], **end}
    job.plan = lambda: SimpleNamespace(rollback=SimpleNamespace(possible="yes", text=""))  # type: ignore[attr-defined]
    job.run_id = job.record.run_id  # type: ignore[attr-defined]
    monkeypatch.setattr(patch_verify, "halted", lambda _job: None)
    monkeypatch.setattr(patch_verify, "work_program", lambda _chore: "")
    action = patch_verify.ActionModule.__new__(patch_verify.ActionModule)
    action._connection = SimpleNamespace(reset=lambda: None, module_implementation_preferences=("",))
    action.ask = host.ask  # type: ignore[method-assign]
    action._settled = lambda _job, _before: []  # type: ignore[method-assign]
    record = job.record
    record.transaction, record.versions = "change1", [Version(name="web", before="1", after="2")]
    record.outcome, record.code, record.text = (
        "failed",
        "post_check",
        "After the change the host is worse: web is down.",
    )
    action._roll_back(t.cast(t.Any, job), record, {})
    assert (record.outcome, record.code) == (outcome, code)
    assert record.text.startswith(f"After the change the host is worse: web is down. {words}")


def test_a_change_that_nobody_saw_the_end_of_is_taken_up() -> None:
    host = Host([("one", "6.1.0-41")])
    host.left = [{"id": "change1", "kind": "apply", "run_id": "EARLIER", "started_at": 1.0}]
    host.ends["change1"] = {"phase": "ended", "outcome": "done", "text": "", "moves_done": [MOVE]}
    job, result = act(patch_adopt, host, "planned")
    assert (job.record.outcome, job.record.begun_by, result["adopted"]) == ("running", "EARLIER", "change1")


def test_work_that_a_step_with_an_error_kept_from_beginning_is_never_just_planned() -> None:
    job, _result = act(patch_record, Host([("one", "6.1.0-41")]), "planned")
    assert (job.record.outcome, job.record.code) == ("refused", "not_started")
