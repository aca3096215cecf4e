"""Tasks of the Windows scheduler."""

from __future__ import annotations

import typing as t

from windows_host.manifest import Request
from windows_host.registry import Result, module
from windows_host.state import ScheduledTask

if t.TYPE_CHECKING:
    from windows_host.host import WindowsHost

_SOURCE = "community.windows 3.1.0, plugins/modules/"
_NO_DEFINITION = {"name", "path", "state"}


@module("community.windows.win_scheduled_task", source=_SOURCE + "win_scheduled_task.ps1")
def win_scheduled_task(host: WindowsHost, request: Request) -> Result:
    """A task is what was given last: the same again changes nothing."""
    told = request.arguments
    key = _key(told.get("path") or "\\", told["name"])
    wanted = {name: value for name, value in told.items() if name not in _NO_DEFINITION and value is not None}
    existing = host.tasks.get(key)
    if told.get("state", "present") == "absent":
        if existing is not None and not request.check_mode:
            del host.tasks[key]
            host.change("task", f"{key} absent")
        return {"changed": existing is not None}
    changed = existing is None or existing.definition != wanted
    if changed and not request.check_mode:
        host.tasks[key] = ScheduledTask(
            told["name"], told.get("path") or "\\", wanted, enabled=str(wanted.get("enabled", True)).lower() != "false"
        )
        host.change("task", f"{key} present")
    return {"changed": changed}


@module("community.windows.win_scheduled_task_stat", source=_SOURCE + "win_scheduled_task_stat.ps1 and its RETURN")
def win_scheduled_task_stat(host: WindowsHost, request: Request) -> Result:
    path, name = request.arguments["path"], request.arguments["name"]
    here = [task for task in host.tasks.values() if task.path.strip("\\").lower() == path.strip("\\").lower()]
    result: Result = {
        "folder_exists": bool(here) or path == "\\",
        "folder_task_names": [task.name for task in here],
        "folder_task_count": len(here),
    }
    if name is None:
        return result
    task = host.tasks.get(_key(path, name))
    result["task_exists"] = task is not None
    if task is not None:
        result |= {
            "state": {
                "last_run_time": task.last_run,
                "last_task_result": task.last_result,
                "next_run_time": None,
                "number_of_missed_runs": 0,
                "status": "TASK_STATE_READY" if task.enabled else "TASK_STATE_DISABLED",
            },
            "actions": task.definition.get("actions", []),
            "triggers": task.definition.get("triggers", []),
            "settings": {"enabled": task.enabled},
            "principal": {"id": task.definition.get("username", "SYSTEM")},
        }
    return result


def _key(path: str, name: str) -> str:
    folder = path.strip("\\")
    return f"\\{folder}\\{name}".replace("\\\\", "\\").lower()
