# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the backups document from the raw facts of a Windows host. Pure."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Sequence

from ansible_collections.keepwell.fleet.plugins.plugin_utils.windows_hosts._backup_products import (
    AGENTS,
    DATABASES,
    DUMPS,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.windows_hosts._records import (
    Row,
    listed,
    number,
    rows,
)

# wbadmin by any of its names.
_SERVER_BACKUP = ("wbadmin", "start-wbbackup")
# They ask the database to hold still (VSS); what they save of it is whole.
_QUIESCING = ("wsb", "veeam")
_SQL_AGENT = re.compile(r"^(sqlserveragent|sqlagent\$.*)$", re.IGNORECASE)
_DISABLED, _RUNNING_STATE = 1, 4
_RUNNING = 0x41301
_NEVER_RAN = 0x41303
_ALREADY_RUNNING = 0x8004131F
# Microsoft-Windows-Backup: 4 ended well, 5 failed, 8 was cancelled; any other that is an error tells of a failure, too.
_ENDED_WELL = 4
_FAILED = (5, 8, 9, 17, 18, 19, 20, 21, 22, 49, 50, 52, 100, 517, 518, 521, 527, 528, 544, 545, 546, 561, 564, 612)
_ERROR = 2
_VSS_DAYS = 7
_LOG_STAYS_S = 30 * 86400.0
_VEEAM = {"success": "success", "warning": "warning", "failed": "failed"}
_IDLE = ("nooperationinprogress", "unknown", "none", "", "0")


def read(data: Row, _at: float) -> dict[str, t.Any]:
    """Return the document of ``backups`` (see probes/backups.py) from what backups.psm1 found.

    Jobs are scheduled tasks (``task``), the schedule of Windows Server Backup (``wsb``) and jobs of Veeam Agent
    (``veeam``). ``result`` is success, warning, failed or an error code such as 0x80780049; None: not told. Windows'
    own keys: ``wsb``, ``vss`` (what shadow copies complained about in 7 days), ``dump_hidden`` (database systems
    with a schedule of their own that nobody outside can see).
    """
    jobs = [*_server_backup(data), *_veeam(data), *_tasks(data)]
    processes = rows(data, "processes")
    agents = _agents(data)
    databases = None if processes is None else _databases(processes)
    services = {str(row.get("Name")).lower(): row for row in listed(data, "services")}
    hidden = any(_SQL_AGENT.match(name) and row.get("State") == "Running" for name, row in services.items())
    return {
        "tools": [
            {"name": row.get("name"), "path": row.get("path"), "version": row.get("version") or None}
            for row in listed(data, "programs")
        ],
        "agents": agents,
        "configurations": [],
        "jobs": jobs,
        "jobs_complete": bool(data["wsb_asked"])
        and all(data[key] is not None for key in ("tasks", "services", "veeam")),
        "databases": databases,
        "dump_jobs": _dump_jobs(jobs),
        "dump_hidden": ["mssql"] if hidden and "mssql" in (databases or {}) else [],
        "wsb": _feature(data),
        "vss": _vss(data),
    }


def _job(kind: str, name: str, tools: Sequence[str], **facts: t.Any) -> dict[str, t.Any]:
    defaults: dict[str, t.Any] = {
        "kind": kind,
        "name": name,
        "tools": list(tools),
        "schedule": None,
        "active": True,
        "enabled": True,
        "last": None,
        "next": None,
        "service": None,
        "running": None,
        "result": None,
        "exit": None,
        "last_start": None,
        "last_end": None,
    }
    return {**defaults, **facts}


def _code(value: int | None) -> str | None:
    return None if value is None else f"0x{value & 0xFFFFFFFF:08x}"


def _server_backup(data: Row) -> list[dict[str, t.Any]]:
    """The job of Windows Server Backup: by its own summary, else by the events that it leaves."""
    summary = data.get("wsb")
    ended = _events(data)
    if not isinstance(summary, dict):
        return [_job_by_events(ended)] if ended else []
    policy = summary.get("Policy")
    if policy is None and not summary.get("LastBackupTime"):
        return []
    code, detail = number(summary.get("LastBackupResultHR")), number(summary.get("LastBackupResultDetailedHR"))
    result = None if code is None else _code(code) if code else "warning" if detail else "success"
    if not summary.get("LastBackupTime"):
        result = None
    good = result in ("success", "warning")
    return [
        _job(
            "wsb",
            "Windows Server Backup",
            ["wsb"],
            active=policy is not None,
            enabled=policy is not None,
            next=summary.get("NextBackupTime"),
            running=str(summary.get("CurrentOperationStatus") or "").lower() not in _IDLE,
            result=result,
            exit=code,
            last_end=summary.get("LastSuccessfulBackupTime") if good else summary.get("LastBackupTime"),
            last_success=summary.get("LastSuccessfulBackupTime"),
            detail=_code(detail) if detail else None,
            versions=number(summary.get("NumberOfVersions")),
            target=summary.get("LastSuccessfulBackupTargetPath"),
        )
    ]


def _events(data: Row) -> list[dict[str, t.Any]]:
    """Ends of backups, newest first: {"at", "id", "good", "code"}."""
    found = []
    for event in listed(data, "wsb_events"):
        code = number(event.get("id")) or 0
        if code == _ENDED_WELL or code in _FAILED or (number(event.get("level")) or 4) <= _ERROR:
            values = event.get("data") or {}
            named = next((str(values[key]) for key in ("HRESULT", "ErrorCode", "HResult") if values.get(key)), None)
            found.append({"at": event.get("at"), "id": code, "good": code == _ENDED_WELL, "code": named})
    return sorted(found, key=lambda entry: -float(entry["at"] or 0.0))


def _job_by_events(ended: Sequence[Row]) -> dict[str, t.Any]:
    newest = ended[0]
    last_good = next((entry["at"] for entry in ended if entry["good"]), None)
    return _job(
        "wsb",
        "Windows Server Backup",
        ["wsb"],
        result="success" if newest["good"] else newest["code"] or "failed",
        last_end=newest["at"],
        last_success=last_good,
    )


def _feature(data: Row) -> dict[str, t.Any]:
    summary = data.get("wsb")
    policy = summary.get("Policy") if isinstance(summary, dict) else None
    return {
        "feature": isinstance(summary, dict),
        "policy": isinstance(policy, dict),
        "system_state": policy.get("SystemState") if isinstance(policy, dict) else None,
        "bare_metal": policy.get("BareMetal") if isinstance(policy, dict) else None,
        "volumes": list(policy.get("Volumes") or ()) if isinstance(policy, dict) else [],
        "events": _events(data)[:10],
    }


def _veeam(data: Row) -> list[dict[str, t.Any]]:
    found = []
    seen = set()
    newest = max((float(entry.get("written") or 0.0) for entry in listed(data, "veeam")), default=0.0)
    for entry in listed(data, "veeam"):
        name = str(entry.get("job"))
        # The log of a job stays when the job is deleted.
        if name in seen or newest - float(entry.get("written") or 0.0) > _LOG_STAYS_S:
            continue
        seen.add(name)
        status = str(entry.get("status") or "").lower()
        found.append(
            _job(
                "veeam",
                f"Veeam Agent: {name}",
                ["veeam"],
                result=_VEEAM.get(status, status or None),
                last_end=entry.get("at"),
                last_success=entry.get("at") if status in ("success", "warning") else None,
            )
        )
    return found


def _tasks(data: Row) -> list[dict[str, t.Any]]:
    found = []
    for task in listed(data, "tasks"):
        path = str(task.get("TaskPath") or "\\")
        words = [str(word) for word in task.get("Words") or ()]
        # What Windows itself keeps there: the schedule of Windows Server Backup, and its own upkeep.
        if path.startswith("\\Microsoft\\Windows\\"):
            continue
        state, code = number(task.get("State")), number(task.get("LastTaskResult"))
        code = None if code is None else code & 0xFFFFFFFF
        told = code not in (None, _RUNNING, _NEVER_RAN, _ALREADY_RUNNING)
        ran = code != _NEVER_RAN
        found.append(
            _job(
                "task",
                f"{path}{task.get('TaskName')}",
                sorted({"wsb" if word in _SERVER_BACKUP else word for word in words}),
                active=state != _DISABLED,
                enabled=state != _DISABLED,
                last=task.get("LastRunTime") if ran else None,
                next=task.get("NextRunTime"),
                running=state == _RUNNING_STATE,
                result=None if not told else "success" if code == 0 else _code(code),
                exit=code if told else None,
                last_start=task.get("LastRunTime") if ran else None,
                missed=number(task.get("NumberOfMissedRuns")),
            )
        )
    return found


def _agents(data: Row) -> list[dict[str, t.Any]]:
    return [
        {
            "name": AGENTS[str(row.get("Name")).lower()],
            "unit": row.get("Name"),
            "active": row.get("State") == "Running",
            "enabled": row.get("StartMode") in ("Auto", "Boot", "System"),
        }
        for row in listed(data, "services")
        if str(row.get("Name")).lower() in AGENTS
    ]


def _databases(processes: Sequence[Row]) -> dict[str, int]:
    found: dict[str, int] = {}
    for row in processes:
        name = str(row.get("Name")).lower()
        name = name[: -len(".exe")] if name.endswith(".exe") else name
        if name in DATABASES:
            found[DATABASES[name]] = found.get(DATABASES[name], 0) + 1
    return found


def _dump_jobs(jobs: Sequence[Row]) -> dict[str, list[str]]:
    found: dict[str, set[str]] = {}
    for job in jobs:
        for tool in job["tools"]:
            if tool in DUMPS:
                found.setdefault(DUMPS[tool], set()).add(job["name"])
            if tool in _QUIESCING:
                found.setdefault("mssql", set()).add(job["name"])
    return {system: sorted(names) for system, names in sorted(found.items())}


def _vss(data: Row) -> dict[str, t.Any] | None:
    events = rows(data, "vss_events")
    if events is None:
        return None
    found: dict[int, dict[str, t.Any]] = {}
    for event in events:
        code = number(event.get("id")) or 0
        entry = found.setdefault(code, {"provider": "VSS", "id": code, "count": 0, "last_at": event.get("at")})
        entry["count"] += 1
        entry["last_at"] = max(float(entry["last_at"] or 0.0), float(event.get("at") or 0.0))
    return {"errors": [found[code] for code in sorted(found)], "days": _VSS_DAYS}
