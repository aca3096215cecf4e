# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: one test on a verifying host: pass the guards, start it, follow it, keep its proof.

A change record that is ``running`` names the test that goes on; whatever it is afterwards is the worst so far.
Runs on the control node.
"""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleConnectionFailure
from pydantic import ValidationError

from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification import asking, due
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.models import Proof
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.options import Assigned
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.plans import PlannedTest
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.windows_hosts import plans, proofs
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.work import Job, VerifyAction
from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord, Outcome
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores import following, guards
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.guards import Stop
from ansible_collections.keepwell.fleet.plugins.plugin_utils.host_action import HostError
from ansible_collections.keepwell.fleet.plugins.plugin_utils.identifiers import new_run_id
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows.times import clock
from ansible_collections.keepwell.fleet.plugins.plugin_utils.payload import work_program

WINDOW = "backup_verification"
# What is told of a host's change is the worst of what its tests came to.
_WORSE: tuple[Outcome, ...] = ("planned", "nothing", "skipped", "done", "refused", "failed", "lost")
# Somebody else is at work: nothing is wrong, the test comes another time.
_BUSY = ("locked", "writer", "host_locked")


def first(job: Job, planned: PlannedTest) -> Stop | None:
    """Return the first reason against a test, or None."""
    stop = guards.allowed(job) or closed(job, planned)
    if stop is not None or planned.told is None or not planned.told.refused:
        return stop
    outcome: Outcome = "skipped" if planned.told.code in _BUSY else "refused"
    return Stop(outcome, planned.told.code or "refused", planned.told.refused)


def closed(job: Job, planned: PlannedTest | None = None) -> Stop | None:
    """Return why no heavy test may begin now: no window is open, or not for long enough; or a blackout forbids it."""
    if planned is not None and planned.test.kind in due.LIGHT:
        return None
    if job.options.slot == "any":
        return _blackout(job)
    return guards.closed(job, WINDOW, planned.minutes * 60.0 if planned is not None else 0.0)


def _blackout(job: Job) -> Stop | None:
    """Return the blackout that holds now; hosts that need no window keep to it as well."""
    now = job.now()
    closing = job.settings.calendar.closing(WINDOW, now, now + 1.0)
    if closing is None or closing[0].begin > now:
        return None
    until = clock(closing[0].end, job.settings.calendar.zone)
    return Stop("skipped", "window_closed", f"Blackout '{closing[1]}' until {until}.")


def carry_out(action: VerifyAction, job: Job, record: ChangeRecord, entry: Assigned, planned: PlannedTest) -> bool:
    """Do one test and keep what it proves; return whether anything was read or restored."""
    since, name = job.now(), f"{planned.name} {planned.test.kind}"
    stop = first(job, planned) or _no_canary_yet(job, entry, planned)
    if stop is not None:
        note(record, stop)
        job.step(record, name, "skipped", stop.text, since)
        job.save(record)
        return False
    in_window = job.options.slot == "window" and planned.test.kind not in due.LIGHT
    guards.enter(job, record, guards.window(job, WINDOW, 0.0) if in_window else None)
    before = (record.outcome, record.code, record.text)
    record.outcome, record.transaction = "running", new_run_id(job.now())
    # Before the host is asked: what is begun must be known, whatever happens then.
    job.save(record)
    try:
        request = _request(action, job, entry, planned, record.transaction)
        started = action.ask_until(request, job.task_vars, job.options.reconnect_s)
        if started.get("started") or started.get("attached"):
            state = _follow(action, job, record.transaction)
        else:
            code = str(started.get("code") or "not_started")
            outcome: Outcome = "skipped" if code in _BUSY else "refused"
            record.outcome, record.code, record.text = before
            note(record, Stop(outcome, code, str(started.get("text") or "the host did not start it")))
            job.step(record, name, "skipped", str(started.get("text") or code), since)
            job.save(record)
            return False
    except AnsibleConnectionFailure as exc:
        following.lose(job, record, exc, name)
        job.save(record)
        raise
    except HostError as exc:
        following.leave(job, record, exc, name)
        job.save(record)
        raise
    record.outcome, record.code, record.text = before
    absorb(job, record, entry, name, state, since)
    job.save(record)
    tell_host(action, job, record.transaction)
    return True


def _follow(action: VerifyAction, job: Job, identifier: str) -> dict[str, t.Any]:
    return following.follow(action, job, identifier, job.options.limits.runtime_minutes * 60 + asking.LOCK_TIMEOUT_S)


def _request(
    action: VerifyAction, job: Job, entry: Assigned, planned: PlannedTest, identifier: str
) -> dict[str, t.Any]:
    known = job.history(entry.host).restored_digests(entry.dataset.id, asking.KNOWN_PATHS)
    look = job.document(entry).look
    request = asking.start(entry, planned.test, job.options, job.host, known, look)
    versions = job.canary_versions(entry)
    if planned.told is not None and planned.told.snapshot:
        request["snapshot"] = planned.told.snapshot
    if entry.dataset.canary is not None and _too_young(job, planned, versions):
        request["dataset"] = {name: value for name, value in request["dataset"].items() if name != "canary"}
    ids = {"id": identifier, "run_id": job.run_id, "client": job.store.client_id}
    if action.on_windows():
        return {**plans.order(entry.dataset, request, planned.told), **ids}
    return {**request, **ids, "canary_history": versions, "program": work_program(job.chore)}


def _too_young(job: Job, planned: PlannedTest, versions: list[dict[str, t.Any]]) -> bool:
    """True when the canary was first written after the snapshot began: it cannot be in there."""
    if not versions:
        return job.options.canary_upkeep
    begun = planned.told.snapshot_time if planned.told is not None else None
    return begun is not None and min(float(entry["written_at"]) for entry in versions) > begun


def _no_canary_yet(job: Job, entry: Assigned, planned: PlannedTest) -> Stop | None:
    if planned.test.kind != "canary" or not _too_young(job, planned, job.canary_versions(entry)):
        return None
    text = "The canary was first written after the newest snapshot began; it is asked for once a snapshot has it."
    return Stop("skipped", "no_canary_yet", text)


def absorb(
    job: Job, record: ChangeRecord, entry: Assigned, name: str, state: t.Mapping[str, t.Any], since: float
) -> None:
    """Take the end of a test into the dataset's evidence and into the host's change."""
    try:
        if "facts" in state:
            # A Windows host tells what it did; here it is judged.
            state = proofs.ended(entry.dataset, state, job.canary_versions(entry))
        proof = Proof.model_validate(state.get("proof"))
    except (KeyError, TypeError) as exc:
        raise HostError(f"The host's account of the test {name} cannot be read: {exc!r}.") from exc
    except ValidationError as exc:
        raise HostError(f"The host's account of the test {name} cannot be read: {exc.error_count()} errors.") from exc
    document = job.document(entry)
    if all((known.id, known.kind) != (proof.id, proof.kind) for known in document.proofs):
        document.proofs.append(proof)
        job.store.write_verification(document)
    record.bounded = proof.bounded or record.bounded
    text, code = str(state.get("text") or proof.text), str(state.get("code") or "")
    outcome: Outcome = "done"
    if state.get("outcome") == "refused":
        outcome = "skipped" if code in _BUSY else "refused"
    elif state.get("outcome") != "done":
        outcome = "failed"
    if proof.left:
        outcome, code = "failed", "left_behind"
        text = f"Restored data could not be removed: {proof.left}. Remove it by hand. {text}"
    elif outcome == "done":
        # What the backup is worth is told by the checks; the test itself went well.
        code = ""
    note(record, Stop(outcome, code, text))
    ends: dict[Outcome, str] = {"done": "done", "failed": "failed"}
    job.step(record, name, ends.get(outcome, "skipped"), f"{proof.outcome}: {text}", since)


def note(record: ChangeRecord, stop: Stop) -> None:
    """Let a change be as bad as the worst of its tests; the first of the worst is what it tells."""
    if _WORSE.index(stop.outcome) > _WORSE.index(record.outcome):
        record.outcome, record.code, record.text = stop


def note_end(record: ChangeRecord) -> None:
    """A step ended with an error of its own while a test went on: the next run takes up what became of it."""
    record.outcome, record.code = "lost", "no_end"
    record.text = (
        "Nobody knows how the test ended: the step that followed it failed. The next run takes up what became of it."
    )


def tell_host(action: VerifyAction, job: Job, identifier: str) -> None:
    """Let the host know that a test is in evidence; a host that is away is told by the next run."""
    try:
        action.ask({"operation": "recorded", "id": identifier}, job.task_vars)
    except (AnsibleConnectionFailure, HostError):
        return


def adopt(action: VerifyAction, job: Job, record: ChangeRecord, entries: t.Sequence[Assigned]) -> int:
    """Take up what an earlier run of this client began on the host; return how many tests that were."""
    by_name = {(entry.host, entry.dataset.id): entry for entry in entries}
    left = action.ask({"operation": "unfinished"}, job.task_vars)["work"]
    taken = 0
    for found in left:
        if found.get("client") != job.store.client_id or found.get("run_id") == job.run_id:
            continue
        identifier, since = str(found["id"]), job.now()
        entry = by_name.get((str(found.get("host")), str(found.get("dataset"))))
        name = f"{found.get('host')}/{found.get('dataset')} {found.get('kind')}"
        before = (record.outcome, record.code, record.text)
        record.outcome, record.transaction = "running", identifier
        record.begun_by = str(found.get("run_id") or "")
        job.save(record)
        try:
            state = _follow(action, job, identifier)
        except AnsibleConnectionFailure as exc:
            following.lose(job, record, exc, name)
            job.save(record)
            raise
        except HostError as exc:
            following.leave(job, record, exc, name)
            job.save(record)
            raise
        record.outcome, record.code, record.text = before
        if entry is not None:
            absorb(job, record, entry, name, state, since)
        else:
            job.step(record, name, "skipped", "no dataset of this inventory; only its end is noted", since)
        job.save(record)
        tell_host(action, job, identifier)
        taken += 1
    return taken


def sweep(action: VerifyAction, job: Job, record: ChangeRecord) -> None:
    """Remove what earlier crashes left on the host; what cannot be removed is told.

    Where nothing more is begun (a hold, a lost lease) it stays: another run may be at work there.
    """
    if guards.halted(job) is not None:
        return
    since = job.now()
    try:
        found = action.ask({"operation": "leftovers", "base": job.options.sandbox}, job.task_vars)
    except HostError:
        # Something is at work there; whoever comes next sweeps.
        return
    if not found["removed"] and not found["left"]:
        return
    removed = ", ".join(str(entry["path"]) for entry in found["removed"])
    if found["left"]:
        left = "; ".join(f"{entry['path']}: {entry['why']}" for entry in found["left"])
        text = f"Restored data of an earlier run could not be removed: {left}. Remove it by hand."
        note(record, Stop("failed", "left_behind", text))
        job.step(record, "clean_up", "failed", text, since)
    else:
        job.step(record, "clean_up", "done", f"removed what an earlier run left: {removed}", since)
    job.save(record)
