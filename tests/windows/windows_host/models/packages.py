"""The packages probe: what the Windows Update Agent of the host offers, what it did, and what waits for a restart."""

from __future__ import annotations

import time
import typing as t

from windows_host.registry import ProbeRecord, Result, probe

if t.TYPE_CHECKING:
    from windows_host.host import WindowsHost
    from windows_host.state import Update

_CATEGORIES = {
    "Security Updates": "0fa1201d-4330-4fa8-8ae9-b877473b6441",
    "Critical Updates": "e6cf1350-c01b-414d-a61f-263d14d133b4",
    "Update Rollups": "28bc880e-0592-4cbf-8f95-c79b17911d5f",
    "Updates": "cd5ffd1e-e932-4e3a-bf74-18bf0b1bbd83",
    "Feature Packs": "b54e7d24-7add-428f-8b75-90a396fa584f",
    "Upgrades": "3689bdc8-b205-4af4-8d4a-a63924c5e9d5",
    "Definition Updates": "e0789628-ce08-4437-be74-2495b842f43b",
    "Drivers": "ebfc1fc5-71a4-4f7b-9aca-3b9a503104a0",
}
_SUCCEEDED, _FAILED = 2, 4


@probe("packages", source="plugins/module_utils/probes/packages.psm1")
def packages(host: WindowsHost, base: Result) -> Result | ProbeRecord:
    agent = host.windows_update
    automatic: Result = {"UseWUServer": 1} if agent.wsus else {}
    settings: Result = {}
    if agent.paused:
        settings["PauseQualityUpdatesEndTime"] = _iso(host.now() + 20 * 86400)
    synced = agent.wsus is None or agent.wsus_synced
    data: Result = {
        **base,
        "search": {
            "result": _SUCCEEDED if agent.search_fails is None else _FAILED,
            "hresult": None if agent.search_fails is None else f"{agent.search_fails:08X}",
            "warnings": [],
            "seconds": 2.0,
            "updates": [_offer(update) for update in agent.offered()],
        },
        "searched": {
            # A server that was never synchronised answers no search of Automatic Updates.
            "automatic_at": host.now() - 3600 if synced else host.now() - 40 * 86400,
            "installed_at": None,
            "found_at": None,
            "failed_at": None,
            "failed": None,
        },
        "history": [_entry(line) for line in reversed(agent.history)],
        "build": {
            "build": str(host.version.build),
            "ubr": host.ubr,
            "display_version": host.version.display,
            "edition_id": host.version.edition,
            "install_type": "Server" if host.version.server else "Client",
        },
        "rollups": [],
        "policy": {
            "windows_update": {"WUServer": agent.wsus} if agent.wsus else {},
            "automatic": automatic,
            "settings": settings,
            "device": {},
            "sources": [],
        },
        "services": {"wuauserv": {"start": 3}},
        "reboot": {
            "cbs_pending": agent.reboot_required,
            "windows_update": agent.reboot_required,
            "services_pending": [],
            "file_renames": 0,
        },
        "office": None,
        "secure_boot": None,
        "busy": [],
    }
    return data


def _iso(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def _offer(update: Update) -> Result:
    deployed = time.mktime(time.strptime(update.deployed, "%Y-%m-%d"))
    return {
        "update_id": update.id,
        "revision": update.revision,
        "title": update.title,
        "kbs": list(update.kb),
        "categories": [_CATEGORIES[category] for category in update.categories],
        "severity": update.severity,
        "type": 2 if update.kind == "driver" else 1,
        "cves": [],
        "bulletins": [],
        "changed_at": deployed,
        "hidden": update.hidden,
        "eula_accepted": update.eula_accepted,
        "downloaded": update.downloaded,
        "browse_only": update.optional,
        "mandatory": False,
        "uninstallable": True,
        "user_input": False,
        "reboot_behavior": 1 if update.needs_reboot else 0,
        # Installed alone: what a servicing stack asks for.
        "impact": 2 if "Servicing Stack" in update.title else 0,
        "size": update.size,
        "deadline": None,
        "deployment_action": 1,
    }


def _entry(line: Result) -> Result:
    at = time.mktime(time.strptime(line["date"], "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
    return {
        "at": at,
        "operation": line["operation"],
        "result": line["result_code"],
        "hresult": f"{line['hresult']:08X}" if line["hresult"] else None,
        "title": line["title"] if not line["kb"] else f"{line['title']} (KB{line['kb'][0]})",
        "update_id": line["id"],
        "revision": line["revision"],
    }
