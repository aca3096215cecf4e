# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what the actions of disk cleanup have in common. Runs on the control node."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.keepwell.fleet.plugins.plugin_utils import history, observation
from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import View, count_text, size_text
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores import following
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.work import ChoreAction
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.work import Job as ChoreJob
from ansible_collections.keepwell.fleet.plugins.plugin_utils.disk_cleanup import options, systems
from ansible_collections.keepwell.fleet.plugins.plugin_utils.disk_cleanup.models import (
    Cleanup,
    GapReason,
    RuleAccount,
    RulePart,
    TopPath,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import EvidenceError
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import HostEvidence, iso
from ansible_collections.keepwell.fleet.plugins.plugin_utils.windows_hosts import reading

CHORE: t.Final = options.CHORE


@dataclass
class Job(ChoreJob[options.Options]):
    """One host in one run of disk cleanup."""

    def seen(self) -> HostEvidence:
        """What this run saw of the host. Raises EvidenceError when it saw nothing."""
        evidence = self.evidence()
        if evidence is None:
            raise EvidenceError(f"{self.host} was not observed in this run, so there is nothing to clean up by.")
        return evidence

    def windows(self) -> bool:
        """True when the host runs Windows, by what this run saw of it."""
        return reading.is_windows(self.seen().observation or {})

    def disturbs(self) -> bool:
        """True when a window is needed whatever ``window`` says."""
        return systems.disturbs(self.options.rules, self.windows())

    def view(self, evidence: HostEvidence) -> View:
        """What the checks look at."""
        return observation.view(
            evidence.observation or {},
            self.host,
            self.now(),
            history.History(self.store).of(self.host, self.now()),
            exposure=self.settings.exposure,
        )

    def change(self) -> ChangeRecord:
        """The host's change so far, with its own part."""
        record = super().change()
        record.approver = record.approver or self.options.approver
        record.ticket = record.ticket or self.options.ticket
        record.cleanup = record.cleanup or Cleanup()
        return record

    def earlier(self) -> list[ChangeRecord]:
        """Changes of this host by disk cleanup in earlier runs, oldest first."""
        return [record for record in history.History(self.store).changes(CHORE) if record.host == self.host]


class CleanupAction(ChoreAction[Job]):
    """A step of cleaning up one host. Subclasses implement ``work``."""

    CHORE = CHORE
    JOB = Job
    OPTIONS = options.Options
    REGISTERED = options.REGISTERED


def part_of(record: ChangeRecord) -> Cleanup:
    """The record's own part."""
    if record.cleanup is None:
        record.cleanup = Cleanup()
    return record.cleanup


def account(told: Mapping[str, t.Any]) -> RuleAccount:
    """Return what a host told of a rule."""
    return RuleAccount(
        files=told["files"],
        folders=told["folders"],
        bytes=told["bytes"],
        rest_files=told["rest_files"],
        rest_bytes=told["rest_bytes"],
        oldest=None if told["oldest"] is None else iso(told["oldest"]),
        newest=None if told["newest"] is None else iso(told["newest"]),
        skipped=dict(sorted(told["skipped"].items())),
        stopped=told["stopped"],
        notes=[str(note) for note in told["notes"]],
        top=[
            TopPath(path=entry["path"], bytes=entry["bytes"], changed_at=iso(entry["changed_at"]), uid=entry.get("uid"))
            for entry in told["top"]
        ],
        list_sha256=told["list_sha256"],
    )


def rule_part(part: Cleanup, name: str) -> RulePart:
    """Return the part of a rule, made when there is none."""
    found = next((rule for rule in part.rules if rule.id == name), None)
    if found is None:
        found = RulePart(id=name)
        part.rules.append(found)
    return found


def follow(action: CleanupAction, job: Job, identifier: str) -> dict[str, t.Any]:
    """Wait for the end of work on the host. Raises as ``following.follow``."""
    return following.follow(action, job, identifier, job.options.limits.runtime_minutes * 60.0)


def absorb(job: Job, record: ChangeRecord, state: Mapping[str, t.Any], step: str) -> None:
    """Take the end of work into the record. A good one leaves the record running: it is not verified yet."""
    part = part_of(record)
    since = float(state.get("started_at") or job.now()) if job.simulated_now is None else job.now()
    for told in state.get("rules") or []:
        rule_part(part, str(told["id"])).done = account(told)
    for told in state.get("filesystems") or []:
        for entry in part.filesystems:
            if entry.mount == told["mount"]:
                entry.avail_before_bytes = told["avail_before_bytes"]
                entry.avail_after_bytes = told["avail_after_bytes"]
                entry.deleted_bytes = told["predicted_bytes"]
                entry.actual_bytes, entry.gap_bytes = told["actual_bytes"], told["gap_bytes"]
                entry.explained = told["explained"]
                entry.reasons = [GapReason(**reason) for reason in told["reasons"]]
    for told in state.get("steps") or []:
        for growth in part.growth:
            if growth.mount == told["mount"]:
                growth.outcome = "done" if told["grown_bytes"] else "failed"
                growth.from_bytes, growth.to_bytes, growth.text = told["from_bytes"], told["to_bytes"], told["text"]
    record.bounded = str(state.get("bounded") or "")
    record.log = str(state.get("log_tail") or "")[-4000:]
    text = str(state.get("text") or "")
    if state.get("outcome") == "done":
        job.step(record, step, "done", text, since)
        return
    refused = state.get("outcome") == "refused"
    touched = any(rule.done and rule.done.files for rule in part.rules)
    touched = touched or any(growth.outcome == "done" for growth in part.growth)
    job.step(record, step, "skipped" if refused else "failed", text, since)
    record.outcome = "refused" if refused and not touched else "failed"
    record.code, record.text = str(state.get("code") or "failed"), text


def freed_text(part: Cleanup) -> str:
    """Return in one line what became free, or would."""
    acted = any(rule.done is not None for rule in part.rules)
    words = []
    for entry in part.filesystems:
        if entry.actual_bytes is None:
            words.append(f"{entry.mount}: {size_text(entry.predicted_bytes)} would become free")
        else:
            words.append(
                f"{entry.mount}: {size_text(entry.actual_bytes)} freed, {size_text(entry.predicted_bytes)} predicted"
            )
    by_rule = []
    for rule in part.rules:
        told = rule.done if acted else rule.predicted
        if told is not None and told.files:
            by_rule.append(f"{rule.id} {count_text(told.files, 'file')} {size_text(told.bytes)}")
    return "; ".join(words) + (f" ({', '.join(by_rule)})" if by_rule else "")
