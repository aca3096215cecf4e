# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: checks of what the host itself tells: is there a backup, who starts it, how did it end?

None of this proves that anything can be restored.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._backup_policy import Policy, waived
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import (
    HOUR,
    State,
    Verdict,
    View,
    check,
    count_text,
    duration_text,
)

Facts = Mapping[str, t.Any]
# Databases whose files, copied while they run, are no backup.
NEEDS_DUMP = {"postgresql": "PostgreSQL", "mysql": "MySQL or MariaDB", "mongodb": "MongoDB"}


def tools_of(data: Facts) -> list[str]:
    """Names of the tools (with versions) and agents that were found."""
    names = [f"{tool['name']} {tool['version'] or ''}".strip() for tool in data["tools"]]
    return names + [agent["name"] for agent in data["agents"]]


@check(
    "backup.present",
    title="Backup",
    advice="Set up a backup, or write down in the policy why this host needs none.",
    needs=("backups",),
    thresholds=("required", "not_required_reason"),
    controls=("CIS 11.2", "ISO A.8.13", "NIS2 4.2.2", "E8 Backups", "SOC 2 A1.2"),
)
def present(view: View, policy: Policy) -> Iterator[Verdict]:
    """A host without any tool, agent or job is the finding that matters most."""
    data = view.data("backups")
    found = tools_of(data) + [job["name"] for job in data["jobs"] if not data["tools"]]
    if found:
        yield Verdict("ok", observed=", ".join(found[:6]), expected="a backup tool, agent or job")
    elif waived(policy):
        yield Verdict("ok", observed=f"none, on purpose: {policy.not_required_reason}", expected="none")
    elif not policy.required:
        yield Verdict(
            "watch",
            observed="none, and no reason written down",
            expected="a reason in not_required_reason",
            summary="The policy says that this host needs no backup but does not say why.",
        )
    elif not data["jobs_complete"]:
        yield Verdict(
            "unknown",
            observed="no tool found; some schedules and scripts could not be read",
            expected="a backup tool, agent or job",
            summary="No backup tool was found, but not all cron tables and scripts could be read.",
            advice="Let Keepwell become root for this probe.",
        )
    else:
        yield Verdict(
            "act",
            observed="no tool, no agent, no job",
            expected="a backup tool, agent or job",
            summary="Nothing on this host makes backups. A backup from outside (hypervisor) would have to be declared.",
        )


@check(
    "backup.scheduled",
    title="Backup schedule",
    advice="Enable the timer of the backup, or declare who starts it.",
    needs=("backups",),
    controls=("CIS 11.2", "NIS2 4.2.2", "SOC 2 A1.2"),
)
def scheduled(view: View, policy: Policy) -> Iterator[Verdict]:
    """A tool that nothing starts is no backup; an agent's schedule lives on its server."""
    data = view.data("backups")
    if waived(policy) or not (data["tools"] or data["agents"] or data["jobs"]):
        return
    active = [job for job in data["jobs"] if job["active"]]
    stopped = [agent for agent in data["agents"] if not agent["active"]]
    if active:
        names = ", ".join(sorted({job["name"] for job in active})[:6])
        yield Verdict("ok", observed=f"{count_text(len(active), 'job')}: {names}", expected="a timer or cron job")
    elif stopped:
        for agent in stopped:
            summary = (
                f"The agent of {agent['name']} is installed but does not run, so its server cannot reach this host."
            )
            command = f"systemctl status {agent['unit']}"
            yield Verdict("act", agent["unit"], "not running", "running", summary, command=command)
    elif data["agents"]:
        names = ", ".join(agent["name"] for agent in data["agents"])
        summary = f"The agent of {names} runs; when it is called and how that ended is known only to its server."
        yield Verdict(
            "unknown", observed=f"schedule of {names} lives on its server", expected="a schedule", summary=summary
        )
    elif not data["jobs_complete"]:
        summary = "No schedule was found, but not all cron tables could be read."
        yield Verdict("unknown", observed="cron tables not readable", expected="a timer or cron job", summary=summary)
    else:
        off = [job["name"] for job in data["jobs"]]
        observed = f"switched off: {', '.join(off[:4])}" if off else "nothing starts it"
        summary = f"{', '.join(tools_of(data)[:4])} is installed, but no timer and no cron job starts it."
        yield Verdict("act", "", observed, "a timer or cron job", summary, command="systemctl list-timers --all")


@check(
    "backup.last_run",
    title="Last backup job",
    advice="Read the job's log, remove the cause, run the job by hand in the next quiet hour.",
    needs=("backups",),
    thresholds=("rpo_hours", "crit_factor"),
    controls=("CIS 11.2", "NIS2 4.2.2", "SOC 2 A1.2"),
)
def last_run(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge when jobs last ended and how. That a job ended well says nothing about what it wrote."""
    if waived(policy):
        return
    fine: list[tuple[float, str]] = []
    bad: list[Verdict] = []
    for job in view.data("backups")["jobs"]:
        if not job["active"]:
            continue
        verdict = _judge_job(job, view.now, policy)
        if verdict is None:
            fine.append((view.now - _ended(job), job["name"]))
        else:
            bad.append(verdict)
    yield from bad
    if fine and not bad:
        age, name = max(fine)
        yield Verdict(
            "ok",
            observed=f"{count_text(len(fine), 'job')} ended well, the oldest ({name}) {duration_text(age)} ago",
            expected=f"within {policy.rpo_hours:g} hours",
        )


def _ended(job: Facts) -> float:
    """When a job last ended; after a reboot systemd remembers only when the timer last fired."""
    return float(job["last_end"] or job["last"] or 0.0)


def _judge_job(job: Facts, now: float, policy: Policy) -> Verdict | None:
    name, expected = job["name"], f"ended well within {policy.rpo_hours:g} hours"
    if job["kind"] == "cron":
        return Verdict(
            "unknown",
            object=name,
            observed="cron keeps no result",
            expected=expected,
            summary=f"{name} is started by cron, which records neither whether it ran nor how it ended.",
            advice="Move it to a systemd timer, or let it write a heartbeat that can be checked.",
        )
    look = f"journalctl -u {job['service']} -n 50 --no-pager"
    if job["result"] not in (None, "success"):
        return Verdict(
            "act",
            object=name,
            observed=f"{job['result']}, exit status {job['exit']}",
            expected=expected,
            summary=f"The last run of {job['service']} failed.",
            command=f"sudo {look}",
            since=job["last_end"],
        )
    ended = _ended(job)
    if not ended:
        return Verdict(
            "watch",
            object=name,
            observed="has not run yet" + (f", next in {duration_text(job['next'] - now)}" if job["next"] else ""),
            expected=expected,
            summary=f"{name} is switched on but no run of it is on record.",
            command=f"systemctl list-timers {name}",
        )
    age = now - ended
    if ended > now + HOUR:
        summary = f"The last run of {name} lies in the future: the clock of this host has been changed."
        return Verdict("unknown", name, "ended in the future", expected, summary)
    if age <= policy.rpo_hours * HOUR:
        return None
    state: State = "crit" if age > policy.rpo_hours * policy.crit_factor * HOUR else "watch"
    return Verdict(
        state,
        object=name,
        observed=f"last ended {duration_text(age)} ago" + (" (running now)" if job["running"] else ""),
        expected=expected,
        summary=f"{name} last ended {duration_text(age)} ago; agreed are {policy.rpo_hours:g} hours.",
        command=f"sudo {look}",
        since=ended,
        age_basis="end of the job" if job["last_end"] else "last start by the timer",
        deadline=ended + policy.rpo_hours * HOUR,
    )


@check(
    "backup.databases",
    title="Database dumps",
    advice="Add a dump or the database's own backup tool: files copied while it runs often do not start.",
    needs=("backups",),
    thresholds=("databases_required",),
)
def databases(view: View, policy: Policy) -> Iterator[Verdict]:
    """Every running database system must have a job that dumps it."""
    data = view.data("backups")
    if waived(policy) or not policy.databases_required:
        return
    if data["databases"] is None:
        summary = "Which databases run could not be seen."
        yield Verdict("unknown", observed="processes are hidden", expected="a list of databases", summary=summary)
        return
    running = [system for system in sorted(data["databases"]) if system in NEEDS_DUMP]
    missing = [system for system in running if system not in data["dump_jobs"]]
    for system in missing:
        state: State = "act" if data["jobs_complete"] else "unknown"
        more = "" if data["jobs_complete"] else " (not all schedules could be read)"
        yield Verdict(
            state,
            object=system,
            observed=f"runs; no job with one of its dump tools{more}",
            expected="a dump job",
            summary=f"{NEEDS_DUMP[system]} runs here and no scheduled job dumps it{more}.",
            command="systemctl list-timers --all; ls /etc/cron.d",
        )
    if running and not missing:
        jobs = sorted({name for system in running for name in data["dump_jobs"][system]})
        yield Verdict("ok", observed=f"{', '.join(running)}: {', '.join(jobs[:4])}", expected="a dump job")
