# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Clean up a host by the rules: in check mode by the same walk without its last step."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleConnectionFailure

from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import BAD, ChangeRecord
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores import following
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.guards import enter, reached
from ansible_collections.keepwell.fleet.plugins.plugin_utils.disk_cleanup import guards, systems, wanting
from ansible_collections.keepwell.fleet.plugins.plugin_utils.disk_cleanup.models import (
    Cleanup,
    FilesystemPart,
    Report,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.disk_cleanup.work import (
    CleanupAction,
    Job,
    absorb,
    account,
    follow,
    freed_text,
    part_of,
    rule_part,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.host_action import HostError
from ansible_collections.keepwell.fleet.plugins.plugin_utils.identifiers import new_run_id
from ansible_collections.keepwell.fleet.plugins.plugin_utils.payload import work_program


class ActionModule(CleanupAction):
    """keepwell.fleet.disk_cleanup"""

    ARGUMENTS: t.ClassVar[dict[str, t.Any]] = {
        "rules": {"type": "list", "elements": "str"},
        "target_free_percent": {"type": "float"},
        "budget": {"type": "dict"},
    }

    def work(self, job: Job) -> dict[str, t.Any]:
        """Return what would become free, or what did."""
        # What the task says comes before what the role's variables say, and is checked by the same model.
        given = {name: value for name, value in job.arguments.items() if value is not None}
        if given:
            job.options = type(job.options).model_validate({**job.options.model_dump(), **given})
        record = job.change()
        if self._task.check_mode:
            return self._preview(job, record)
        if record.outcome in BAD or record.outcome == "refused":
            return _result(record, record.text, failed=True)
        if record.outcome == "running":
            return _result(record, "verifying what an earlier run began", touched=True)
        stop = reached(job)
        if stop is None and not part_of(record).filesystems:
            self._preview(job, record)
        stop = stop or guards.first(job, record)
        if stop is not None:
            record.outcome, record.code, record.text = stop
            job.save(record)
            return _result(record, stop.text)
        if job.options.window or job.disturbs():
            enter(job, record, guards.window(job), guards.expected(job))
        else:
            enter(job, record)
        try:
            return self._carry_out(job, record)
        except AnsibleConnectionFailure as exc:
            following.lose(job, record, exc, "clean up")
            job.save(record)
            raise
        except HostError as exc:
            if record.transaction:
                following.leave(job, record, exc, "clean up")
                job.save(record)
            raise

    def _preview(self, job: Job, record: ChangeRecord) -> dict[str, t.Any]:
        """Fill in what would be done, by the host's own walk."""
        evidence = job.seen()
        view = job.view(evidence)
        wanted = wanting.filesystems(view, evidence.result.results, job.options)
        part = Cleanup(elsewhere=systems.split(job.options.rules, job.windows())[1] if wanted else [])
        told: dict[str, t.Any] = {"filesystems": [], "rules": [], "reports": []}
        if wanted:
            told = self.ask({"operation": "preview", **_request(job, wanted)}, job.task_vars)
        by_mount = {entry["mount"]: entry for entry in told["filesystems"]}
        for want in wanted:
            numbers = by_mount[want.mount]
            forecast, buys = wanting.outlook(view, want.entry, numbers["predicted_bytes"])
            growers, partial = wanting.growers(view, want.mount)
            part.filesystems.append(
                FilesystemPart(
                    mount=want.mount,
                    asked_by=want.asked_by,
                    size_bytes=numbers["size_bytes"],
                    target_percent=want.target_percent,
                    avail_before_bytes=numbers["avail_before_bytes"],
                    predicted_bytes=numbers["predicted_bytes"],
                    forecast=forecast,
                    buys_days=None if buys is None else round(buys, 1),
                    growers=growers,
                    growers_partial=partial,
                )
            )
        for entry in told["rules"]:
            rule_part(part, str(entry["id"])).predicted = account(entry)
        part.reports = [Report(**entry) for entry in told["reports"] if entry["count"] or entry["note"]]
        record.cleanup = part
        if record.outcome in ("planned", "nothing"):
            goes = any(entry.predicted and (entry.predicted.files or entry.predicted.folders) for entry in part.rules)
            record.outcome = "planned" if goes else "nothing"
            record.text = freed_text(part) if wanted else "No filesystem asks for room."
        job.save(record)
        predicted = sum(entry.predicted_bytes for entry in part.filesystems)
        return {
            "changed": bool(self._task.check_mode and predicted),
            "filesystems": [entry.mount for entry in part.filesystems],
            "predicted_bytes": predicted,
            "outcome": record.outcome,
            "msg": record.text,
        }

    def _carry_out(self, job: Job, record: ChangeRecord) -> dict[str, t.Any]:
        part = part_of(record)
        record.outcome, record.transaction = "running", new_run_id(job.now())
        # Before the host is asked: what is begun must be known, whatever happens then.
        job.save(record)
        request = {
            "operation": "start",
            "kind": "cleanup",
            "id": record.transaction,
            "run_id": job.run_id,
            "client": job.store.client_id,
            "host": job.host,
            **_request(job, part.filesystems),
            "limits": {"runtime_s": job.options.limits.runtime_minutes * 60, "nice": job.options.limits.nice},
            # Windows hosts take the work along with the module that asks for it.
            **({} if self.on_windows() else {"program": work_program(self.CHORE)}),
        }
        started = self.ask_until(request, job.task_vars, job.options.reconnect_s)
        if not started.get("started") and not started.get("attached"):
            record.outcome, record.code = "refused", str(started.get("code") or "not_started")
            record.text, record.transaction = str(started.get("text") or "the host did not start it"), ""
        else:
            absorb(job, record, follow(self, job, record.transaction), "clean up")
        if record.outcome == "running":
            record.text = freed_text(part)
        job.save(record)
        went = sum(rule.done.files + rule.done.folders for rule in part.rules if rule.done)
        failed = record.outcome != "running"
        return {**_result(record, record.text, touched=bool(record.transaction), failed=failed), "changed": went > 0}


def _request(job: Job, wanted: t.Sequence[wanting.Wanting | FilesystemPart]) -> dict[str, t.Any]:
    """What the walk goes by; the same beforehand and when it is carried out."""
    return {
        "rules": systems.split(job.options.rules, job.windows())[0],
        "filesystems": [{"mount": entry.mount, "target_percent": entry.target_percent} for entry in wanted],
        "terms": job.options.terms,
        "budget": job.options.budget.model_dump(),
    }


def _result(record: ChangeRecord, text: str, touched: bool = False, failed: bool = False) -> dict[str, t.Any]:
    return {
        "changed": False,
        "touched": touched,
        "outcome": record.outcome,
        "msg": text,
        **({"failed": True} if failed else {}),
    }
