# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compare a host with what it was before its change; let it settle; take the change back where that is asked for."""

from __future__ import annotations

import time
import typing as t

from ansible.errors import AnsibleConnectionFailure

from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord, Difference, Version
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores import following
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.guards import halted
from ansible_collections.keepwell.fleet.plugins.plugin_utils.host_action import HostError
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching import baseline, transaction
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.work import Job, PatchAction
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.wua import standing
from ansible_collections.keepwell.fleet.plugins.plugin_utils.payload import work_program

_PAUSE_S = 10.0


class ActionModule(PatchAction):
    """keepwell.fleet.patch_verify"""

    def work(self, job: Job) -> dict[str, t.Any]:
        """Return how the change stands after the comparison."""
        record = job.change()
        if self._task.check_mode or record.outcome != "running":
            return {"changed": False, "outcome": record.outcome, "msg": "nothing to verify"}
        before = baseline.known(job, record.begun_by)
        if before is None:
            job.step(record, "verify", "failed", "nobody knows how the host was before", job.now())
            record.outcome, record.code = "failed", "no_baseline"
            record.text = (
                "The change went through, but the run that began it left no account of how the host was before: "
                "look at the host's services yourself."
            )
            job.save(record)
            return {"changed": False, "failed": True, "outcome": record.outcome, "msg": record.text}
        try:
            own = record.reboot.boot_after if record.reboot else ""
            record.differences = self._settled(job, before)
            record.differences += baseline.rebooted(before, baseline.boot(self, job), own)
            if self.on_windows() and record.versions:
                self._look_in_place(job, record, before)
            changed = self._judge(job, record, before)
        except AnsibleConnectionFailure as exc:
            following.lose(job, record, exc, "verify")
            job.save(record)
            raise
        job.save(record)
        failed = record.outcome != "running"
        text = record.text if failed else "as before" + _harmless(record.differences)
        return {"changed": changed, "outcome": record.outcome, "msg": text, **({"failed": True} if failed else {})}

    def _settled(self, job: Job, before: dict[str, t.Any]) -> list[Difference]:
        """Return the differences that remain after the host had time to settle."""
        options = job.options
        time.sleep(options.settle_s)
        end = time.monotonic() + max(0.0, options.settle_limit_s - options.settle_s)
        while True:
            try:
                found = baseline.compare(before, baseline.look(self, job))
            except AnsibleConnectionFailure:
                if time.monotonic() > end:
                    raise
                found = [Difference(kind="contact", name=job.host, before="reached", after="not reached")]
            if not any(entry.bad for entry in found) or time.monotonic() + _PAUSE_S > end:
                return found
            time.sleep(_PAUSE_S)

    def _look_in_place(self, job: Job, record: ChangeRecord, before: dict[str, t.Any]) -> None:
        """Ask the host itself whether the updates are in place: its build, its history, and what it is offered."""
        since = job.now()
        document = self.patiently(lambda: self.observe(["packages"], {}, job.task_vars), job.options.reconnect_s)
        built = str(before.get("kernel") or "")
        seen_at = float(before["observation"]["collected_at"])
        found = standing.of(record.versions, transaction.packages(document), seen_at, built)
        record.failures.update(found.missing)
        if found.build and built and found.build != built:
            record.versions.append(Version(name="Windows", before=built, after=found.build))
        told = [f"{name}: {why}" for name, why in found.missing.items()]
        if found.waiting:
            told.append(f"{', '.join(found.waiting)}: in effect after the next reboot")
        text = "; ".join(told) or f"all updates are in place, the build is {found.build or 'not known'}"
        job.step(record, "in_place", "failed" if found.missing else "done", text, since)

    def _judge(self, job: Job, record: ChangeRecord, before: dict[str, t.Any]) -> bool:
        """Give the change its outcome by what is worse than before; return whether the host was changed again."""
        worse = [entry for entry in record.differences if entry.bad]
        since = job.now()
        if not worse:
            job.step(record, "verify", "done", "as before" + _harmless(record.differences), since)
            return False
        words = "; ".join(_words(entry) for entry in worse[:5]) + (f"; {len(worse) - 5} more" if worse[5:] else "")
        job.step(record, "verify", "failed", words, since)
        record.outcome, record.code = "failed", "post_check"
        record.text = f"After the change the host is worse than before: {words}."
        if job.options.rollback != "when_failed":
            return False
        return self._roll_back(job, record, before)

    def _roll_back(self, job: Job, record: ChangeRecord, before: dict[str, t.Any]) -> bool:
        plan = job.plan()
        if plan is None or plan.rollback.possible == "no":
            record.rollback = plan.rollback.text if plan else "No plan is known: nothing can be taken back by itself."
            job.step(record, "rollback", "skipped", record.rollback, job.now())
            return False
        stop = halted(job)
        if stop is not None:
            record.rollback = f"It was not taken back. {stop.text}"
            job.step(record, "rollback", "skipped", record.rollback, job.now())
            return False
        # The change as it is must be known before the host is asked to go back.
        job.save(record)
        request = {
            "operation": "rollback",
            "id": record.transaction,
            "run_id": job.run_id,
            "program": work_program(self.CHORE),
        }
        try:
            started = self.ask_until(request, job.task_vars, job.options.reconnect_s)
            state = transaction.follow(self, job, str(started["id"]))
        except HostError as exc:
            record.rollback = f"Taking it back failed: {exc}"
            job.step(record, "rollback", "failed", record.rollback, job.now())
            return False
        went_back, worse = state.get("outcome") == "done", record.text
        transaction.absorb(job, record, state, "rollback")
        record.rollback = str(state.get("text") or "")
        if went_back:
            left = [entry for entry in self._settled(job, before) if entry.bad]
            record.differences = left or record.differences
            record.outcome = "rolled_back" if not left else "failed"
            record.text = f"{worse} It was taken back" + (
                ", and the host is as before." if not left else f", and still: {_words(left[0])}."
            )
        else:
            record.text = f"{worse} Taking it back failed: {record.rollback}"
        return went_back


def _words(entry: Difference) -> str:
    return f"{entry.kind.replace('_', ' ')} {entry.name}: {entry.before or 'none'} -> {entry.after or 'gone'}"


def _harmless(found: list[Difference]) -> str:
    return f"; also new: {'; '.join(_words(entry) for entry in found[:3])}" if found else ""
