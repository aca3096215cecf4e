"""ansible.windows.win_updates: start, poll until the exit, cancel; over an agent that offers what a test has set."""

from __future__ import annotations

import re
import time
import typing as t
import uuid

from windows_host.manifest import Request
from windows_host.registry import Result, module
from windows_host.state import Update

if t.TYPE_CHECKING:
    from windows_host.host import WindowsHost

_SUCCEEDED, _FAILED = 2, 4
_CATEGORIES = {
    "CriticalUpdates": "Critical Updates",
    "DefinitionUpdates": "Definition Updates",
    "DeveloperKits": "Developer Kits",
    "FeaturePacks": "Feature Packs",
    "SecurityUpdates": "Security Updates",
    "ServicePacks": "Service Packs",
    "UpdateRollups": "Update Rollups",
}


class _Runs(dict[str, list[Result]]):
    """Progress items that wait to be polled, by the id of their run."""


@module("ansible.windows.win_updates", source="ansible.windows 3.3.0, plugins/modules/win_updates.ps1")
def win_updates(host: WindowsHost, request: Request) -> Result:
    told = request.arguments
    runs = host.of(_Runs)
    if told["_operation"] == "cancel":
        runs.pop(told["_operation_options"]["cancel_id"].rpartition("WinUpdates-")[2], None)
        return {}
    if told["_operation"] == "poll":
        run_id = told["_operation_options"]["pipe_name"].partition("WinUpdates-")[2]
        output = runs.get(run_id, [])
        runs[run_id] = []
        return {"output": output}
    progress = list(_run(host, told, request.check_mode))
    if (told.get("_operation_options") or {}).get("wait"):
        return _waited(progress)
    run_id = str(uuid.uuid4())
    runs[run_id] = progress
    return {
        "cancel_options": {"cancel_id": f"Global\\Ansible.Windows.WinUpdates-{run_id}", "task_pid": 5000 + len(runs)},
        "poll_options": {"pipe_name": f"Ansible.Windows.WinUpdates-{run_id}"},
    }


def _run(host: WindowsHost, told: Result, check_mode: bool) -> t.Iterator[Result]:
    """What Install-WindowsUpdate does, as progress items."""
    agent = host.windows_update
    if agent.search_fails is not None:
        yield _exit(host, False, f"Exception calling search: 0x{agent.search_fails:08X}", agent.search_fails)
        return
    offered = agent.offered()
    filtered = [{"id": update.id, "reasons": found} for update in offered if (found := _reasons(update, told))]
    skipped = {found["id"] for found in filtered}
    chosen = [update for update in offered if update.id not in skipped]
    for update in chosen:
        # As the module does: it accepts the licence while it looks, whatever the state or mode.
        if not update.eula_accepted:
            update.eula_accepted = True
            host.change("eula", update.id)
    yield _item("search_result", {"updates": [_described(update) for update in offered], "filtered": filtered})
    if check_mode or told["state"] == "searched" or not chosen:
        yield _exit(host, bool(chosen) and told["state"] != "searched")
        return
    if agent.reboot_required:
        yield _exit(host, False, "A reboot is required before more updates can be installed")
        return
    changed = False
    wanting = [update for update in chosen if not update.downloaded]
    if wanting:
        changed = True
        results = [_download(host, update) for update in wanting]
        yield _item("download_result", {"info": results})
        if any(result["result_code"] != _SUCCEEDED for result in results):
            yield _exit(host, changed, "Failed to download all updates - see updates for more information")
            return
    if told["state"] == "downloaded":
        yield _exit(host, changed)
        return
    results = [_install(host, update) for update in chosen]
    yield _item("install_result", {"info": results})
    failed = any(result["result_code"] != _SUCCEEDED for result in results)
    yield _exit(host, True, "Failed to install all updates - see updates for more information" if failed else None)


def _reasons(update: Update, told: Result) -> list[str]:
    # ``$updateInfo.title + $updateInfo.kb``: a text and a list make one text, the list's words with spaces between.
    name = update.title + " ".join(f"KB{number}" for number in update.kb)
    wanted = [_CATEGORIES.get(name, name).lower() for name in told["category_names"] or []]
    reasons = []
    if told["accept_list"] and not _matches(name, told["accept_list"]):
        reasons.append("accept_list")
    if told["reject_list"] and _matches(name, told["reject_list"]):
        reasons.append("reject_list")
    if update.hidden:
        reasons.append("hidden")
    if wanted and "*" not in wanted and not any(category.lower() in wanted for category in update.categories):
        reasons.append("category_names")
    if told["skip_optional"] and update.optional:
        reasons.append("skip_optional")
    return reasons


def _matches(name: str, patterns: list[str]) -> bool:
    return any(re.search(pattern, name, re.IGNORECASE) for pattern in patterns)


def _described(update: Update) -> Result:
    return {
        "id": update.id,
        "title": update.title,
        "kb": [f"KB{number}" for number in update.kb],
        "categories": list(update.categories),
        "is_hidden": update.hidden,
        "browse_only": update.optional,
        "eula_accepted": update.eula_accepted,
        "downloaded": update.downloaded,
        "revision": update.revision,
    }


def _download(host: WindowsHost, update: Update) -> Result:
    if update.download_fails is not None:
        return {"id": update.id, "result_code": _FAILED, "hresult": _signed(update.download_fails)}
    update.downloaded = True
    host.change("download", update.id)
    return {"id": update.id, "result_code": _SUCCEEDED, "hresult": 0}


def _install(host: WindowsHost, update: Update) -> Result:
    failed = update.install_fails
    if failed is None:
        host.install(update)
    history(host, update, failed)
    return {
        "id": update.id,
        "result_code": _SUCCEEDED if failed is None else _FAILED,
        "hresult": 0 if failed is None else _signed(failed),
        "reboot_required": failed is None and update.needs_reboot,
    }


def history(host: WindowsHost, update: Update, failed: int | None) -> None:
    """Write an installation into the history of the Windows Update Agent (IUpdateHistoryEntry)."""
    host.windows_update.history.append(
        {
            "title": update.title,
            "id": update.id,
            "revision": update.revision,
            "kb": list(update.kb),
            "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(host.now())),
            "operation": 1,
            "result_code": _SUCCEEDED if failed is None else _FAILED,
            "hresult": failed or 0,
        }
    )


def _exit(host: WindowsHost, changed: bool, failure: str | None = None, hresult: int | None = None) -> Result:
    result: Result = {
        "changed": changed,
        "reboot_required": host.windows_update.reboot_required,
        "failed": failure is not None,
    }
    if failure is not None:
        result["exception"] = {"message": failure, "exception": failure}
        if hresult is not None:
            result["exception"]["hresult"] = _signed(hresult)
    return _item("exit", result)


def _waited(progress: list[Result]) -> Result:
    """The result as the module itself puts it together when it runs as a background job."""
    found: dict[str, Result] = {}
    result: Result = {"updates": {}, "filtered_updates": {}, "rebooted": False, "reboot_required": False}
    for item in progress:
        told = item["result"]
        if item["task"] == "search_result":
            reasons = {entry["id"]: entry["reasons"] for entry in told["filtered"]}
            for update in told["updates"]:
                entry = {name: update[name] for name in ("id", "title", "categories")}
                entry |= {"kb": [number[2:] for number in update["kb"]], "installed": False, "downloaded": False}
                if update["id"] in reasons:
                    result["filtered_updates"][update["id"]] = {**entry, "filtered_reasons": reasons[update["id"]]}
                else:
                    found[update["id"]] = entry
        elif item["task"] in ("download_result", "install_result"):
            done = "downloaded" if item["task"] == "download_result" else "installed"
            for info in told["info"]:
                if info["result_code"] == _SUCCEEDED:
                    found[info["id"]][done] = True
                else:
                    found[info["id"]]["failure_hresult_code"] = info["hresult"]
        else:
            result |= {name: told[name] for name in ("changed", "reboot_required", "failed")}
            if told["failed"]:
                result["msg"] = told["exception"]["message"]
    failed = sum("failure_hresult_code" in update for update in found.values())
    installed = sum(update["installed"] for update in found.values())
    counts = {"found_update_count": len(found), "failed_update_count": failed, "installed_update_count": installed}
    return {**result, **counts, "updates": found}


def _item(task: str, result: Result) -> Result:
    return {"task": task, "result": result}


def _signed(code: int) -> int:
    """HRESULTs are signed numbers in PowerShell."""
    return code - 2**32 if code >= 2**31 else code
