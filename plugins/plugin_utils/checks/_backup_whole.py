# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: checks of a host's backups as a whole: is every one declared, may one rely on them?"""

from __future__ import annotations

import typing as t
from collections.abc import Collection, Iterable, Iterator, Mapping

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._backup_host import JOBS, NEEDS_DUMP, known_of
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._backup_policy import Policy, gate, waived
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import State, Verdict, View, check, count_text

Facts = Mapping[str, t.Any]
# Programs that make (or dump) what a dataset of a tool is about.
_PROGRAMS: Mapping[str, Collection[str]] = {
    "restic": ("restic", "autorestic", "resticprofile"),
    "borg": ("borg", "borgmatic"),
    "kopia": ("kopia",),
    "rsnapshot": ("rsnapshot",),
    "pg_dump": ("pg_dump", "pg_dumpall", "autopostgresqlbackup"),
    "mysql_dump": ("mysqldump", "mariadb-dump", "mydumper", "automysqlbackup"),
    "pgbackrest": ("pgbackrest",),
    "windows_server_backup": ("wsb", "wbadmin"),
    "veeam_agent": ("veeam",),
}
# Jobs of Windows that tell by themselves whose they are; the others are named after what starts them.
_OWN_JOBS: Mapping[str, str] = {"wsb": "job of Windows Server Backup", "veeam": "job of Veeam Agent"}
_DATABASE_TOOLS: Mapping[str, Collection[str]] = {
    "postgresql": ("pg_dump", "pgbackrest"),
    "mysql": ("mysql_dump",),
}


@check(
    "backup.undeclared",
    title="Backups that nobody declared",
    advice="Declare it in backup_verification_datasets, or say in backup_verification_unverified why not.",
    needs=("backups",),
    sources=JOBS,
    applies=known_of,
    thresholds=("required", "databases_required"),
    controls=("CIS 11.1",),
)
def undeclared(view: View, policy: Policy) -> Iterator[Verdict]:
    """A job, a configuration or an agent that no dataset names is verified by nobody; so is a database without one."""
    data = view.data("backups")
    excused = {entry.job for entry in view.unverified}
    found = list(_undeclared(view, data, policy))
    missing = [verdict for verdict in found if verdict.object not in excused]
    yield from missing
    if not missing and (found or view.backups):
        left = f", {count_text(len(found), 'other')} left out with a reason" if found else ""
        yield Verdict("ok", observed=f"{count_text(len(view.backups), 'dataset')}{left}", expected="all are declared")


def _undeclared(view: View, data: Facts, policy: Policy) -> Iterator[Verdict]:
    named = {job for known in view.backups for job in known.dataset.jobs}
    # A dataset that names no job stands for every job of its tool: the repository of a job is not known.
    open_tools = {known.dataset.tool for known in view.backups if not known.dataset.jobs}
    free = {program for tool in open_tools for program in _PROGRAMS.get(tool, ())}
    with_jobs: set[str] = set()
    silent: set[str] = set()
    for job in data["jobs"]:
        with_jobs.update(job["tools"])
        if job["name"] not in named and not free & set(job["tools"]):
            silent.add(job["name"])
            own = _OWN_JOBS.get(job["kind"])
            what = f" with {', '.join(job['tools'])}" if job["tools"] and not own else ""
            starter = "scheduled task" if job["kind"] == "task" else f"{job['kind']} job"
            yield _verdict(job["name"], own or f"{starter}{what}", f"{job['name']} makes a backup{what}")
    declared = {program for known in view.backups for program in _PROGRAMS.get(known.dataset.tool, ())}
    for tool, path in _without_job(data, with_jobs | declared):
        if path not in named:
            # Packages bring a configuration along: without a job it may be nobody's.
            yield _verdict(path, f"configuration of {tool}", f"{path} configures {tool}", "watch")
    for agent in data["agents"]:
        # An agent whose jobs can be seen is told by them.
        seen = any(job["name"].startswith(f"{agent['name']}: ") for job in data["jobs"])
        if agent["unit"] not in named and not seen:
            yield _verdict(agent["unit"], f"agent of {agent['name']}", f"An agent of {agent['name']} is installed")
    if policy.databases_required:
        yield from _databases(view, data, named, silent)


def _without_job(data: Facts, known: Collection[str]) -> Iterator[tuple[str, str]]:
    """The first configuration of every tool that neither a job nor a dataset has."""
    seen = set(known)
    # borgmatic calls borg, resticprofile restic: who has the one is told once.
    for programs in _PROGRAMS.values():
        if seen & set(programs):
            seen.update(programs)
    for entry in data["configurations"]:
        if entry["tool"] not in seen:
            seen.add(entry["tool"])
            yield entry["tool"], entry["path"]


def _databases(view: View, data: Facts, named: Collection[str], silent: Collection[str]) -> Iterator[Verdict]:
    """Databases that run and that no dataset is about. Those without any dump are the business of backup.databases."""
    for system in sorted(data["databases"] or ()):
        jobs = data["dump_jobs"].get(system, [])
        tools = _DATABASE_TOOLS.get(system, ())
        covered = any(known.dataset.tool in tools for known in view.backups) or set(jobs) & set(named)
        if system in NEEDS_DUMP and not covered and not set(jobs) & set(silent) and (jobs or view.backups):
            yield _verdict(system, "runs, no dataset", f"{NEEDS_DUMP[system]} runs here")


def _verdict(name: str, observed: str, text: str, state: State = "act") -> Verdict:
    return Verdict(state, name, observed, "a dataset that names it", f"{text}, and no dataset is about it.")


@check(
    "backup.proof",
    title="Proof of restore",
    advice="Restore something and compare it: the backup verification does that and records the proof.",
    needs=("backups",),
    thresholds=("rpo_hours", "restore_max_days"),
    controls=("CIS 11.5", "ISO A.8.13", "NIS2 4.2.6", "E8 Backups", "SOC 2 A1.3"),
    from_datasets=True,
)
def proof(view: View, policy: Policy) -> Iterator[Verdict]:
    """The gate: every dataset is fresh and was restored and compared lately. A job that ended well is no proof."""
    expected = f"fresh, and a restore proven within {policy.restore_max_days:g} days"
    if view.backups:
        decision = gate(view.backups, policy, view.now)
        against = [answer.dataset for answer in decision.datasets if not answer.proven]
        if decision.proven:
            yield Verdict("ok", observed=decision.reason, expected=expected)
        else:
            observed = f"{len(against)} of {count_text(len(view.backups), 'dataset')} not proven: {_names(against)}"
            blind = not any(answer.seen for answer in decision.datasets if not answer.proven)
            yield Verdict("unknown" if blind else "act", "", observed, expected, decision.reason)
        return
    data = view.data("backups")
    if waived(policy) or not (data["tools"] or data["agents"] or data["jobs"]):
        return
    yield Verdict(
        "unknown",
        observed="no restore on record",
        expected=expected,
        summary="Backup jobs may well end without an error; that anything can be restored has not been shown here.",
    )


def _names(names: Iterable[str]) -> str:
    return ", ".join(list(names)[:3])
