"""The packages probe: what the Windows Update Agent of the host offers, what it did, and what waits for a restart."""

from __future__ import annotations

import time
import typing as t

from windows_host.registry import Result, probe

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
# Of CBS: installed, and to be installed with the next start.
_INSTALLED, _PENDING = 112, 96
_ROLLUP = "Package_for_RollupFix~31bf3856ad364e35~amd64~~"


@probe("packages", source="plugins/module_utils/probes/packages.psm1")
def packages(host: WindowsHost, base: Result) -> Result:
    agent = host.windows_update
    synced = agent.wsus is None or agent.wsus_synced
    base["search"] |= {
        "result": _SUCCEEDED if agent.search_fails is None else _FAILED,
        "seconds": 2.0,
        "updates": [_offer(update) for update in agent.offered()],
    }
    # A server that was never synchronised answers no search of Automatic Updates.
    base["searched"] |= {"automatic_at": host.now() - (3600 if synced else 40 * 86400), "found_at": None}
    base["history"] = [*(_entry(line) for line in reversed(agent.history)), *base["history"]]
    base["build"] |= {"build": str(host.version.build), "ubr": host.ubr}
    waiting = [update.ubr for update in agent.updates if update.ubr is not None and update.pending_reboot]
    base["rollups"] = _rollups(host, base["rollups"], max(waiting, default=None))
    if agent.wsus:
        base["policy"]["windows_update"]["WUServer"] = agent.wsus
        base["policy"]["automatic"]["UseWUServer"] = 1
    if agent.paused:
        base["policy"]["settings"]["PauseQualityUpdatesEndTime"] = _iso(host.now() + 20 * 86400)
    base["reboot"] |= {
        "cbs_pending": agent.reboot_required,
        "windows_update": agent.reboot_required,
        "wua": agent.reboot_required,
        "computer_name": {"active": host.name.upper(), "next": host.name.upper()},
    }
    return base


def _rollups(host: WindowsHost, golden: list[Result], waiting: int | None) -> list[Result]:
    """The monthly update that runs, with the day of the golden one unless an update brought it; and one that waits."""
    brought = host.ubr != host.version.ubr
    found = [
        {
            "name": f"{_ROLLUP}{host.version.build}.{host.ubr}.1.10",
            "state": _INSTALLED,
            "installed_at": host.booted_at if brought else golden[0]["installed_at"],
        }
    ]
    if waiting is not None:
        found.append({"name": f"{_ROLLUP}{host.version.build}.{waiting}.1.10", "state": _PENDING, "installed_at": None})
    return found


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
