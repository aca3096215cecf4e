# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One test on a verifying host: what stands against it, what becomes of its end, and what a later run takes up."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from ansible.errors import AnsibleConnectionFailure
from fleet_runs import NOW, header

from ansible_collections.keepwell.fleet.plugins.plugin_utils import policy, runs, settings
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification import options, schedule, testing, work
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.models import DueTest, Look
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.plans import PlannedTest, Told
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.guards import Stop
from ansible_collections.keepwell.fleet.plugins.plugin_utils.delivery.receivers import Notify
from ansible_collections.keepwell.fleet.plugins.plugin_utils.evidence import Store
from ansible_collections.keepwell.fleet.plugins.plugin_utils.host_action import HostError
from ansible_collections.keepwell.fleet.plugins.plugin_utils.lease import Leases
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows import calendar
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import Client
from ansible_collections.keepwell.fleet.plugins.plugin_utils.plan import Contract, ServicePlan
from ansible_collections.keepwell.fleet.plugins.plugin_utils.service.agenda import Agenda

RUN = "01K0000000000000000000000A"
SECRET = "hunter2-canary"
DATASET = {
    "id": "files",
    "protects": "x",
    "tool": "restic",
    "repository": "/srv/restic",
    "credentials": {"environment": {"RESTIC_PASSWORD": SECRET}},
}
WINDOW = {
    "keepwell_windows": {
        "always": {
            "rule": {"weekly": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]},
            "start": "00:00",
            "duration": "24h",
            "allow": ["backup_verification"],
        }
    }
}
PROOF: dict[str, t.Any] = {"id": "T1", "kind": "sample", "at": NOW, "outcome": "proven", "text": "20 files came back."}


class Host:
    """A host as the steps ask it: answers by operation, and what it was asked."""

    def __init__(self, **answers: t.Any) -> None:
        self.answers = {
            "start": {"started": True},
            "status": {"phase": "ended", "outcome": "done", "text": "20 files came back.", "proof": PROOF},
            "recorded": {"recorded": True},
            "unfinished": {"work": []},
            **answers,
        }
        self.asked: list[dict[str, t.Any]] = []

    def on_windows(self) -> bool:
        return False

    def ask(self, request: t.Mapping[str, t.Any], task_vars: t.Any) -> t.Any:
        self.asked.append(dict(request))
        answer = self.answers[request["operation"]]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def ask_until(self, request: t.Mapping[str, t.Any], task_vars: t.Any, patience_s: float) -> t.Any:
        return self.ask(request, task_vars)

    def operations(self) -> list[str]:
        return [request["operation"] for request in self.asked]


def job_of(
    tmp_path: Path, *, windows: t.Any = None, services: t.Sequence[str] = ("backup_verification",), **chosen: t.Any
) -> work.Job:
    store = Store(tmp_path, "acme")
    if not store.run_dir(RUN).exists():
        runs.begin(store, header(RUN, ["vault1", "web1"]).model_copy(update={"acting": ["backup_verification"]}), NOW)
    made, problems = calendar.build(WINDOW if windows is None else windows, "UTC")
    assert not problems
    places = [schedule.Place(host="web1", dataset="files")]
    store.write_document(RUN, schedule.FILE, schedule.Schedule(verifiers={"vault1": places}).model_dump_json().encode())
    told = settings.Settings(
        client=Client(id="acme", name="Acme"),
        policy=policy.build([]),
        waivers=(),
        exposure="internet",
        probe_parameters={},
        subset=("all",),
        plan=ServicePlan(name="Care", services=tuple(services)),
        calendar=made,
        contract=Contract(),
        schedule={},
        notify=Notify(),
        agenda=Agenda(),
    )
    dataset = {**DATASET, **chosen.pop("dataset", {})}
    return work.Job(
        chore="backup_verification",
        host="vault1",
        store=store,
        run_id=RUN,
        settings=told,
        options=options.Options(act=True, **chosen),
        simulated_now=NOW,
        task_vars={"hostvars": {"web1": {"backup_verification_datasets": [dataset]}}},
        arguments={},
    )


def planned(kind: t.Any = "sample", **told: t.Any) -> PlannedTest:
    return PlannedTest(
        host="web1",
        dataset="files",
        protects="x",
        tool="restic",
        repository="/srv/restic",
        test=DueTest(kind=kind, reason="never done", snapshot="abc"),
        chosen=True,
        minutes=5,
        told=Told(snapshot="abc", snapshot_time=NOW - 3600, **told),
    )


def carry_out(job: work.Job, host: Host, test: PlannedTest | None = None) -> tuple[bool, t.Any]:
    record = job.change()
    [entry] = job.entries()
    document = job.document(entry)
    document.look = Look(status="ok", repository={"location": "local", "path": "/srv/restic"})
    job.store.write_verification(document)
    done = testing.carry_out(t.cast(t.Any, host), job, record, entry, test or planned())
    return done, job.store.read_change(RUN, "vault1", "backup_verification")


def proofs(job: work.Job) -> list[str]:
    return [proof.outcome for proof in job.document(job.entries()[0]).proofs]


def test_a_test_is_begun_followed_and_kept(tmp_path: Path) -> None:
    job, host = job_of(tmp_path), Host()
    done, record = carry_out(job, host)
    assert done
    assert (record.outcome, record.code, record.window) == ("done", "", "always")
    assert [(step.name, step.outcome, step.text) for step in record.steps] == [
        ("web1/files sample", "done", "proven: 20 files came back.")
    ]
    assert proofs(job) == ["proven"]
    assert host.operations() == ["start", "status", "recorded"]
    start = host.asked[0]
    assert start["secrets"] == {"RESTIC_PASSWORD": SECRET}
    assert (start["host"], start["verifier"], start["local"], start["client"]) == ("web1", "vault1", False, "acme")
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or SECRET.encode() not in path.read_bytes()


def test_what_is_begun_is_known_before_the_host_is_asked(tmp_path: Path) -> None:
    job = job_of(tmp_path)
    seen = []

    class Watched(Host):
        def ask(self, request: t.Mapping[str, t.Any], task_vars: t.Any) -> t.Any:
            record = job.store.read_change(RUN, "vault1", "backup_verification")
            seen.append((request["operation"], record.outcome if record else "", record and record.transaction))
            return super().ask(request, task_vars)

    host = Watched()
    _done, record = carry_out(job, host)
    assert seen[0] == ("start", "running", host.asked[0]["id"])
    assert seen[1][1] == "running"
    # The host forgets it only once its end is in evidence.
    assert seen[2][:2] == ("recorded", "done")
    assert record.transaction == host.asked[0]["id"]


@pytest.mark.parametrize(
    ("job", "test", "outcome", "code"),
    [
        ({"hold": "moving house"}, {}, "skipped", "held"),
        ({"services": ["monitoring"]}, {}, "skipped", "not_bought"),
        ({"windows": {}}, {}, "skipped", "window_closed"),
        ({}, {"code": "no_space", "refused": "The sandbox has too little room."}, "refused", "no_space"),
        ({}, {"code": "writer", "refused": "A backup is being written."}, "skipped", "writer"),
    ],
)
def test_nothing_is_begun_while_something_stands_against_it(
    tmp_path: Path, job: dict[str, t.Any], test: dict[str, t.Any], outcome: str, code: str
) -> None:
    host = Host()
    made = job_of(tmp_path, **job)
    done, record = carry_out(made, host, planned(**test))
    assert (done, record.outcome, record.code) == (False, outcome, code)
    assert record.text
    assert host.asked == []
    assert proofs(made) == []


def test_one_file_may_come_back_at_any_time_and_a_host_of_its_own_needs_no_window(tmp_path: Path) -> None:
    canary = {"canary": {"path": "/srv/canary"}}
    job = job_of(tmp_path, windows={}, dataset=canary, canary_upkeep=False)
    assert carry_out(job, Host(), planned("canary"))[0]
    assert carry_out(job_of(tmp_path, windows={}, slot="any"), Host())[0]
    closed = {"keepwell_blackouts": [{"name": "Payroll", "from": "2020-01-01", "to": "2099-01-01"}]}
    _done, record = carry_out(job_of(tmp_path / "b", windows=closed, slot="any"), Host())
    assert (record.outcome, record.code) == ("skipped", "window_closed")
    assert record.text.startswith("Blackout 'Payroll' until ")


@pytest.mark.parametrize(
    ("state", "outcome", "code"),
    [
        ({"outcome": "done", "proof": {**PROOF, "outcome": "damaged"}, "code": "damaged"}, "done", ""),
        ({"outcome": "refused", "code": "locked", "proof": {**PROOF, "outcome": "locked"}}, "skipped", "locked"),
        ({"outcome": "refused", "code": "no_space", "proof": {**PROOF, "outcome": "refused"}}, "refused", "no_space"),
        ({"outcome": "failed", "code": "timeout", "proof": {**PROOF, "outcome": "timeout"}}, "failed", "timeout"),
        ({"outcome": "done", "proof": {**PROOF, "left": "/sandbox/x: busy"}}, "failed", "left_behind"),
    ],
)
def test_a_finding_is_no_failure_and_a_failure_is_no_finding(
    tmp_path: Path, state: dict[str, t.Any], outcome: str, code: str
) -> None:
    job = job_of(tmp_path)
    _done, record = carry_out(job, Host(status={"phase": "ended", "text": "so it ended", **state}))
    assert (record.outcome, record.code) == (outcome, code)
    assert proofs(job) == [state["proof"]["outcome"]]


def test_a_host_that_does_not_begin_says_why(tmp_path: Path) -> None:
    busy = {"started": False, "code": "host_locked", "text": "Keepwell is at work on this host already."}
    _done, record = carry_out(job_of(tmp_path), Host(start=busy))
    assert (record.outcome, record.code, record.text) == ("skipped", "host_locked", busy["text"])
    broken = {"started": False, "code": "not_started", "text": "systemd did not start the work."}
    _done, record = carry_out(job_of(tmp_path / "b"), Host(start=broken))
    assert (record.outcome, record.code) == ("refused", "not_started")


@pytest.mark.parametrize(
    ("error", "code"), [(AnsibleConnectionFailure("gone"), "connection_lost"), (HostError("no end"), "no_end")]
)
def test_a_lost_host_leaves_a_lost_record_and_no_proof(tmp_path: Path, error: Exception, code: str) -> None:
    job = job_of(tmp_path)
    with pytest.raises(type(error)):
        carry_out(job, Host(status=error))
    record = job.change()
    assert (record.outcome, record.code) == ("lost", code)
    assert record.transaction
    assert proofs(job) == []


def test_a_later_run_takes_up_what_is_left_and_keeps_it_once(tmp_path: Path) -> None:
    job = job_of(tmp_path)
    left = {"id": "T1", "client": "acme", "host": "web1", "dataset": "files", "kind": "sample", "run_id": "EARLIER"}
    other = {**left, "id": "T2", "client": "beta"}
    host = Host(unfinished={"work": [left, other]})
    record = job.change()
    assert testing.adopt(t.cast(t.Any, host), job, record, job.entries()) == 1
    assert (record.outcome, record.begun_by, record.transaction) == ("done", "EARLIER", "T1")
    assert testing.adopt(t.cast(t.Any, host), job, record, job.entries()) == 1
    assert proofs(job) == ["proven"]
    # The other client's test is left alone.
    assert {request.get("id") for request in host.asked} == {None, "T1"}


def test_the_worst_test_is_what_the_change_tells(tmp_path: Path) -> None:
    record = job_of(tmp_path).change()
    for stop, outcome in (
        (Stop("skipped", "writer", "a"), "skipped"),
        (Stop("done", "", "b"), "done"),
        (Stop("skipped", "writer", "c"), "done"),
        (Stop("failed", "timeout", "d"), "failed"),
        (Stop("refused", "no_space", "e"), "failed"),
        (Stop("failed", "error", "f"), "failed"),
    ):
        testing.note(record, stop)
        assert record.outcome == outcome
    assert record.text == "d"


CANARY = {"canary": {"path": "/srv/canary"}}


@pytest.mark.parametrize(
    ("written", "upkeep", "asked"),
    [
        (NOW - 7200, True, True),
        (NOW - 60, True, False),
        (None, True, False),
        (None, False, True),
    ],
)
def test_a_canary_is_asked_for_once_a_snapshot_can_have_it(
    tmp_path: Path, written: float | None, upkeep: bool, asked: bool
) -> None:
    job = job_of(tmp_path, dataset=CANARY, canary_upkeep=upkeep)
    if written is not None:
        history = [{"version": 1, "written_at": written, "sha256": "0a"}]
        content = json.dumps({"files": {"written": True, "history": history}}).encode()
        job.store.write_document(RUN, work.canaries_file("web1"), content)
    host = Host()
    done, record = carry_out(job, host, planned("canary"))
    assert done is asked
    if not asked:
        assert (record.outcome, record.code) == ("skipped", "no_canary_yet")
        carry_out(job, host, planned("sample"))
        assert "canary" not in host.asked[0]["dataset"]
    else:
        assert host.asked[0]["dataset"]["canary"] is not None


def test_leftovers_that_stay_are_a_failure_with_a_name(tmp_path: Path) -> None:
    job = job_of(tmp_path)
    record = job.change()
    testing.sweep(t.cast(t.Any, Host(leftovers={"removed": [], "left": [], "foreign": []})), job, record)
    assert (record.outcome, record.steps) == ("planned", [])
    removed = {"removed": [{"id": "T1", "path": "/sandbox/a"}], "left": [], "foreign": []}
    testing.sweep(t.cast(t.Any, Host(leftovers=removed)), job, record)
    assert record.steps[0].text == "removed what an earlier run left: /sandbox/a"
    stuck = {"removed": [], "left": [{"id": "T1", "path": "/sandbox/a", "why": "busy"}], "foreign": []}
    testing.sweep(t.cast(t.Any, Host(leftovers=stuck)), job, record)
    assert (record.outcome, record.code) == ("failed", "left_behind")
    assert "/sandbox/a: busy" in record.text


@pytest.mark.parametrize("why", ["a hold", "a lost lease"])
def test_nothing_is_swept_where_nothing_more_is_begun(tmp_path: Path, why: str) -> None:
    job = job_of(tmp_path, hold="until the audit" if why == "a hold" else "")
    if why == "a lost lease":
        Leases(job.store).release(RUN, NOW)
    host = Host(leftovers={"removed": [{"path": "/var/tmp/x"}], "left": []})
    testing.sweep(t.cast(t.Any, host), job, job.change())
    assert host.operations() == []
