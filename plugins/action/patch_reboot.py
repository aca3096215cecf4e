# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reboot a host that has a reason to be rebooted, and prove that it was."""

from __future__ import annotations

import time
import typing as t

from ansible.errors import AnsibleConnectionFailure

from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord, Reboot
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores import following
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.guards import Stop
from ansible_collections.keepwell.fleet.plugins.plugin_utils.host_action import HostError
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching import (
    baseline,
    guards,
    planning,
    preflight,
    transaction,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.work import Job, PatchAction
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.wua import rebooting

_PAUSE_S = 3.0
_TIDY_PAUSE_S = 10.0


class ActionModule(PatchAction):
    """keepwell.fleet.patch_reboot"""

    def work(self, job: Job) -> dict[str, t.Any]:
        """Return how the change stands after the reboot, if there was one."""
        record = job.change()
        if self._task.check_mode or record.outcome != "running":
            return {"changed": False, "outcome": record.outcome, "msg": "nothing to reboot for"}
        try:
            rebooted = self._reboot(job, record)
        except AnsibleConnectionFailure as exc:
            following.lose(job, record, exc, "reboot")
            job.save(record)
            raise
        except HostError as exc:
            # The packages are in place: the comparison decides what the host is worth.
            job.step(record, "reboot", "failed", str(exc), job.now())
            job.save(record)
            return {"changed": False, "outcome": record.outcome, "msg": str(exc)}
        job.save(record)
        failed = record.outcome not in ("running", "skipped")
        text = record.text if failed else record.reboot.text if record.reboot else ""
        return {"changed": rebooted, "outcome": record.outcome, "msg": text, **({"failed": True} if failed else {})}

    def _reboot(self, job: Job, record: ChangeRecord) -> bool:
        """Reboot when that is due and allowed; return whether the host was asked to."""
        patience_s = job.options.reconnect_s
        required, reasons = planning.reboot_due(self._observe(job))
        earlier = record.reboot
        if earlier is not None and required == "no":
            return False
        before = self.ask_until({"operation": "boot"}, job.task_vars, patience_s)
        record.reboot = Reboot(
            done=bool(earlier and earlier.done),
            times=earlier.times if earlier else 0,
            still=earlier.still if earlier else [],
            required=required,
            reasons=reasons,
            boot_before=baseline.identity(before),
            boot_after=baseline.identity(before),
            kernel_before=earlier.kernel_before if earlier else str(before["kernel"]),
            kernel_after=str(before["kernel"]),
        )
        against = self._against(job, record.reboot)
        if against is not None:
            record.reboot.text = against.text
            job.step(record, "reboot", "skipped", against.text, job.now())
            waiting = self.on_windows() and not record.transaction and not record.versions
            if waiting and required != "no":
                # Nothing was installed because this reboot has to come first.
                if transaction.touched(record):
                    record.stopped, record.code = against.text, against.code
                else:
                    record.outcome, record.code, record.text = against
            return False
        since = job.now()
        started = time.monotonic()
        if self.on_windows():
            rebooting.go_down(self, job, record.reboot, reasons)
        else:
            self.patiently(lambda: self._go_down(job, record.reboot, reasons), patience_s)
        after = self._wait(job, record.reboot.boot_before)
        if after is None:
            record.outcome, record.code = "lost", "no_return"
            record.text = (
                f"The host was rebooted ({'; '.join(reasons)}) and did not come back within "
                f"{job.options.reboot_limit_s:.0f} s. Look at its console."
            )
            job.step(record, "reboot", "failed", record.text, since)
            return True
        reboot = record.reboot
        reboot.done, reboot.boot_after, reboot.kernel_after = True, baseline.identity(after), str(after["kernel"])
        reboot.times += 1
        reboot.text = f"rebooted for {'; '.join(reasons)}; up again after {time.monotonic() - started:.0f} s"
        document = self._observe(job)
        still, why = planning.reboot_due(document)
        old = planning.old_kernel(document)
        left = [reason for reason in [old, *why] if reason] if still == "yes" or old else []
        # Windows may need a second one to finish; what asks for a third for the same reason is a loop.
        bearable = self.on_windows() and job.options.rounds > 1 and not rebooting.loops(reboot, left)
        reboot.still = left
        if left and not bearable:
            record.outcome, record.code = "failed", "reboot_did_not_help"
            times = "" if reboot.times == 1 else f" {reboot.times} times"
            record.text = f"The host was rebooted{times} and still needs a reboot: {'; '.join(left)}."
            job.step(record, "reboot", "failed", record.text, since)
        else:
            reboot.text += f"; it asks for another one: {'; '.join(left)}" if left else ""
            job.step(record, "reboot", "done", reboot.text, since)
        return True

    def _observe(self, job: Job) -> dict[str, t.Any]:
        return self.patiently(lambda: self.observe(["packages", "system"], {}, job.task_vars), job.options.reconnect_s)

    def _go_down(self, job: Job, reboot: Reboot | None, reasons: list[str]) -> None:
        """Ask for the reboot, unless one that nobody heard the answer to has happened."""
        now = self.ask({"operation": "boot"}, job.task_vars)
        if reboot is not None and baseline.identity(now) == reboot.boot_before:
            self.ask({"operation": "reboot", "reason": f"patching: {'; '.join(reasons)[:200]}"}, job.task_vars)

    def _against(self, job: Job, reboot: Reboot) -> Stop | None:
        """Return why there is no reboot now; None when there is one."""
        if reboot.required != "yes":
            why = "; ".join(reboot.reasons) or "nobody can say whether a reboot is needed"
            return _first("no reboot is needed" if reboot.required == "no" else f"not certain enough to reboot: {why}")
        if job.options.reboot == "never":
            return _first("a reboot is needed, and patching_reboot is 'never'")
        stop = self._kept_back(job)
        if stop is not None:
            return stop
        look = self._look(job)
        wrong = [fact for fact in preflight.judge_reboot(look, job.options) if not fact.passed]
        if wrong:
            return _first(f"a reboot is needed, and not done: {wrong[0].name}: {wrong[0].observed}")
        # The look may have waited for minutes.
        return self._kept_back(job)

    @staticmethod
    def _kept_back(job: Job) -> Stop | None:
        """Return the hold, the brake or the window that keeps the reboot back."""
        stop = guards.further(job, "reboot")
        if stop is None:
            return None
        why = "it is not the time" if stop.code == "window_closed" else "not done"
        return stop._replace(text=f"a reboot is needed, and {why}: {stop.text}")

    def _look(self, job: Job) -> dict[str, t.Any]:
        """Look at the host; servicing of Windows tidies up after an update, and is given the time for it."""
        request = {"operation": "look", "manager": "", "items": []}
        end = time.monotonic() + (job.options.limits.lock_timeout_s if self.on_windows() else 0)
        while True:
            look = self.ask_until(request, job.task_vars, job.options.reconnect_s)
            if not look.get("locks") or time.monotonic() + _TIDY_PAUSE_S > end:
                return look
            time.sleep(_TIDY_PAUSE_S)

    def _wait(self, job: Job, before: str) -> dict[str, t.Any] | None:
        """Return how the host is once it has booted anew and its services are up; None when it does not come back."""
        end = time.monotonic() + job.options.reboot_limit_s
        while time.monotonic() < end:
            time.sleep(_PAUSE_S)
            try:
                now = self.ask_until({"operation": "boot"}, job.task_vars, max(0.0, end - time.monotonic()))
            except (AnsibleConnectionFailure, HostError):
                continue
            if baseline.identity(now) != before and now["booted"]:
                return now
        return None


def _first(text: str) -> Stop:
    """Return how a change ends that had to begin with the reboot."""
    return Stop("refused", "reboot_first", text)
