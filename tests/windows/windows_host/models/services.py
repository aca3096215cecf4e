"""Windows services."""

from __future__ import annotations

import typing as t

from windows_host.manifest import Request
from windows_host.registry import ModuleFailure, Result, module
from windows_host.state import Service

if t.TYPE_CHECKING:
    from windows_host.host import WindowsHost


@module("ansible.windows.win_service", source="ansible.windows 3.3.0, plugins/modules/win_service.ps1 and its RETURN")
def win_service(host: WindowsHost, request: Request) -> Result:
    """State, start mode and existence; what else a service has is taken as it is given."""
    told = request.arguments
    service = host.services.get(told["name"].lower())
    if service is None:
        if told["state"] == "absent" or not told["path"]:
            if told["state"] in (None, "absent"):
                return {"exists": False}
            raise ModuleFailure(
                f"Service '{told['name']}' is not installed, need to set 'path' to create a new service"
            )
        service = Service(told["name"], told["display_name"] or told["name"], "stopped", path=told["path"])
        if not request.check_mode:
            host.services[told["name"].lower()] = service
        changed = True
    elif told["state"] == "absent":
        if not request.check_mode:
            del host.services[told["name"].lower()]
            host.change("service", f"{service.name} absent")
        return {"changed": True, "exists": False}
    else:
        changed = False
    changed |= _start_mode(host, service, told["start_mode"], request.check_mode)
    changed |= _state(host, service, told["state"], request.check_mode)
    return {"changed": changed, "exists": True, **_described(service)}


def _start_mode(host: WindowsHost, service: Service, wanted: str | None, check_mode: bool) -> bool:
    if wanted is None or wanted == service.start_mode:
        return False
    if not check_mode:
        service.start_mode = wanted
        host.change("service", f"{service.name} {wanted}")
    return True


def _state(host: WindowsHost, service: Service, wanted: str | None, check_mode: bool) -> bool:
    if wanted is None or (wanted == service.state and wanted != "restarted"):
        return False
    if check_mode:
        return True
    if wanted in ("started", "restarted") and (service.start_fails or service.start_mode == "disabled"):
        raise ModuleFailure(
            f"Failed to start service '{service.name}': "
            + ("the service did not respond in a timely fashion" if service.start_fails else "it is disabled")
        )
    service.state = "stopped" if wanted == "stopped" else "started"
    host.change("service", f"{service.name} {wanted}")
    return True


def _described(service: Service) -> Result:
    return {
        "name": service.name,
        "display_name": service.display_name or service.name,
        "state": "running" if service.state == "started" else service.state,
        "start_mode": service.start_mode,
        "path": service.path or rf"C:\Windows\System32\{service.name}.exe",
        "username": service.username,
        "description": "",
        "desktop_interact": False,
        "dependencies": [],
        "depended_by": [],
        "can_pause_and_continue": False,
    }


@module(
    "ansible.windows.win_service_info",
    source="ansible.windows 3.3.0, plugins/modules/win_service_info.ps1 and its RETURN",
)
def win_service_info(host: WindowsHost, request: Request) -> Result:
    name = request.arguments.get("name")
    found = [service for service in host.services.values() if name is None or service.name.lower() == name.lower()]
    return {"exists": bool(found), "services": [_described(service) for service in found]}
