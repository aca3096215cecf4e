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
    literal,
)

Facts = Mapping[str, t.Any]
# Databases whose files, copied while they run, are no backup.
NEEDS_DUMP = {
    "postgresql": "PostgreSQL",
    "mysql": "MySQL or MariaDB",
    "mongodb": "MongoDB",
    "mssql": "Microsoft SQL Server",
}
# Where schedules of backups and their results are kept, on Linux and on Windows.
JOBS = (
    "cron tables",
    "backup scripts",
    "timers",
    "timer services",
    "scheduled tasks",
    "results of tasks",
    "windows server backup",
    "backup policy",
    "backup events",
    "veeam logs",
)
# What starts backups, and where a person finds it.
_SCHEDULE = ("a timer or cron job", "a scheduled task, or a schedule of the product")
_LIST = ("systemctl list-timers --all", "Get-ScheduledTask | Where-Object State -ne Disabled")


def tools_of(data: Facts) -> list[str]:
    """Names of the tools (with versions) and agents that were found."""
    names = [f"{tool['name']} {tool['version'] or ''}".strip() for tool in data["tools"]]
    return names + [agent["name"] for agent in data["agents"]]


def known_of(view: View, policy: Policy) -> bool:
    """True where a backup is wanted and anything of one is known; where nothing is, ``backup.present`` says it."""
    data = view.data("backups")
    return not waived(policy) and bool(
        view.backups or data["jobs"] or data["tools"] or data["agents"] or data["configurations"]
    )


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
            summary=f"No backup tool was found, but not all {_tables(view)} could be read.",
            advice=view.command("Let Keepwell become root for this probe.", "Let Keepwell be an administrator here."),
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
    advice="Switch the schedule of the backup on, or declare who starts it.",
    needs=("backups",),
    controls=("CIS 11.2", "NIS2 4.2.2", "SOC 2 A1.2"),
)
def scheduled(view: View, policy: Policy) -> Iterator[Verdict]:
    """A tool that nothing starts is no backup; an agent's schedule lives on its server."""
    data = view.data("backups")
    nothing = not (data["tools"] or data["agents"] or data["jobs"])
    if waived(policy) or (nothing and not view.record("backups").unread(*JOBS)):
        return
    active = [job for job in data["jobs"] if job["active"]]
    stopped = [agent for agent in data["agents"] if not agent["active"]]
    if active:
        names = ", ".join(sorted({job["name"] for job in active})[:6])
        yield Verdict("ok", observed=f"{count_text(len(active), 'job')}: {names}", expected=view.command(*_SCHEDULE))
    elif stopped:
        for agent in stopped:
            summary = (
                f"The agent of {agent['name']} is installed but does not run, so its server cannot reach this host."
            )
            command = view.command(f"systemctl status {agent['unit']}", f"Get-Service -Name {literal(agent['unit'])}")
            yield Verdict("act", agent["unit"], "not running", "running", summary, command=command)
    elif data["agents"]:
        names = ", ".join(agent["name"] for agent in data["agents"])
        summary = f"The agent of {names} runs; when it is called and how that ended is known only to its server."
        yield Verdict(
            "unknown", observed=f"schedule of {names} lives on its server", expected="a schedule", summary=summary
        )
    elif nothing or not data["jobs_complete"]:
        summary = f"No schedule was found, but not all {_tables(view)} could be read."
        observed = view.command("cron tables not readable", "scheduled tasks not readable")
        yield Verdict("unknown", observed=observed, expected=view.command(*_SCHEDULE), summary=summary)
    else:
        off = [job["name"] for job in data["jobs"]]
        observed = f"switched off: {', '.join(off[:4])}" if off else "nothing starts it"
        starter = view.command("no timer and no cron job starts it", "nothing starts it")
        summary = f"{', '.join(tools_of(data)[:4] or off[:1])} is installed, but {starter}."
        yield Verdict("act", "", observed, view.command(*_SCHEDULE), summary, command=view.command(*_LIST))


@check(
    "backup.last_run",
    title="Last backup job",
    advice="Read the job's log, remove the cause, run the job by hand in the next quiet hour.",
    needs=("backups",),
    sources=JOBS,
    applies=known_of,
    thresholds=("rpo_hours", "crit_factor"),
    controls=("CIS 11.2", "NIS2 4.2.2", "SOC 2 A1.2"),
)
def last_run(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge when jobs last ended and how. That a job ended well says nothing about what it wrote."""
    fine: list[tuple[float, str]] = []
    bad: list[Verdict] = []
    for job in view.data("backups")["jobs"]:
        if not job["active"]:
            continue
        verdict = _judge_job(view, job, policy)
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


def _tables(view: View) -> str:
    """What holds schedules on this host."""
    return view.command("cron tables and scripts", "scheduled tasks")


def _ended(job: Facts) -> float:
    """When a job last ended; where only that is known (systemd after a reboot, tasks of Windows), when it began."""
    return float(job["last_end"] or job["last"] or 0.0)


def _look(job: Facts) -> str:
    """Line that shows what a job last did."""
    if job["kind"] == "wsb":
        return "Get-WBSummary; Get-WBJob -Previous 3 | Format-List"
    if job["kind"] == "veeam":
        return "Get-ChildItem -Recurse -Filter *.Backup.log -Path C:\\ProgramData\\Veeam\\Endpoint"
    if job["kind"] == "task":
        folder, _slash, task = job["name"].rpartition("\\")
        return f"Get-ScheduledTaskInfo -TaskPath {literal(folder + chr(92))} -TaskName {literal(task)}"
    return f"sudo journalctl -u {job['service']} -n 50 --no-pager"


def _trouble(view: View, job: Facts, expected: str) -> Verdict | None:
    """The verdict over a job of Windows that ended with warnings or not at all well; None otherwise."""
    name, result = job["name"], job["result"]
    if job["kind"] not in ("task", "wsb", "veeam") or result in (None, "success"):
        return None
    errors = (view.data("backups").get("vss") or {}).get("errors") or ()
    codes = ", ".join(f"VSS {entry['id']} ({entry['count']}x)" for entry in errors[:4])
    more = f" Shadow copies complained in these days: {codes}." if codes else ""
    last = job.get("last_success")
    since = f" It last ended well {duration_text(view.now - last)} ago." if last and result != "warning" else ""
    if result == "warning":
        text = f"{name} ended with warnings: something was left out or could not be read whole."
    else:
        text = f"The last run of {name} failed" + ("." if result == "failed" else f" with {result}.")
    return Verdict(
        "watch" if result == "warning" else "act",
        object=name,
        observed="ended with warnings" if result == "warning" else f"failed: {result}",
        expected=expected,
        summary=text + since + more,
        command=_look(job),
        since=_ended(job) or None,
        data={"result": result, "last_success": last},
    )


def _judge_job(view: View, job: Facts, policy: Policy) -> Verdict | None:
    now = view.now
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
    trouble = _trouble(view, job, expected)
    if trouble and (trouble.state != "watch" or now - _ended(job) <= policy.rpo_hours * HOUR):
        return trouble
    if job["result"] not in (None, "success", "warning"):
        return Verdict(
            "act",
            object=name,
            observed=f"{job['result']}, exit status {job['exit']}",
            expected=expected,
            summary=f"The last run of {job['service']} failed.",
            command=_look(job),
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
            command=view.command(f"systemctl list-timers {name}", _look(job)),
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
        command=_look(job),
        since=ended,
        age_basis="end of the job"
        if job["last_end"]
        else f"last start by the {view.command('timer', 'task scheduler')}",
        deadline=ended + policy.rpo_hours * HOUR,
    )


@check(
    "backup.databases",
    title="Database dumps",
    advice="Add a dump or the database's own backup tool: files copied while it runs often do not start.",
    needs=("backups",),
    sources=("processes",),
    applies=lambda view, policy: not waived(policy) and policy.databases_required,
    thresholds=("databases_required",),
)
def databases(view: View, policy: Policy) -> Iterator[Verdict]:
    """Every running database system must have a job that dumps it."""
    data = view.data("backups")
    if data["databases"] is None:
        summary = "Which databases run could not be seen."
        yield Verdict("unknown", observed="processes are hidden", expected="a list of databases", summary=summary)
        return
    running = [system for system in sorted(data["databases"]) if system in NEEDS_DUMP]
    missing = [system for system in running if system not in data["dump_jobs"]]
    for system in missing:
        if system in (data.get("dump_hidden") or ()):
            summary = (
                f"{NEEDS_DUMP[system]} has a scheduler of its own; whether it makes backups cannot be seen from here."
            )
            advice = "Look at its jobs, or let a product back it up that asks the database to hold still (VSS)."
            observed = "its own scheduler runs; nothing else backs it up"
            yield Verdict("unknown", system, observed, "a backup of the database", summary, advice)
            continue
        state: State = "act" if data["jobs_complete"] else "unknown"
        more = "" if data["jobs_complete"] else " (not all schedules could be read)"
        yield Verdict(
            state,
            object=system,
            observed=f"runs; no job with one of its dump tools{more}",
            expected="a dump job",
            summary=f"{NEEDS_DUMP[system]} runs here and no scheduled job dumps it{more}.",
            command=view.command("systemctl list-timers --all; ls /etc/cron.d", _LIST[1]),
        )
    if running and not missing:
        jobs = sorted({name for system in running for name in data["dump_jobs"][system]})
        yield Verdict("ok", observed=f"{', '.join(running)}: {', '.join(jobs[:4])}", expected="a dump job")
