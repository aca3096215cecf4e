"""Reaching a host, its facts, its jobs, and commands that somebody has modelled."""

from __future__ import annotations

import json
import re
import time
import typing as t

from windows_host import execution
from windows_host.manifest import Request
from windows_host.registry import ModuleFailure, Result, command, module
from windows_host.shells import Reply

if t.TYPE_CHECKING:
    from windows_host.host import WindowsHost

_WINDOWS = "ansible.windows 3.3.0, plugins/modules/"


@module("ansible.windows.win_ping", source=_WINDOWS + "win_ping.ps1")
def win_ping(host: WindowsHost, request: Request) -> Result:
    return {"ping": request.arguments["data"]}


@module("ansible.windows.setup", source=_WINDOWS + "setup.ps1")
def setup(host: WindowsHost, request: Request) -> Result:
    """The facts that playbooks look at; the module has more."""
    version = host.version
    return {
        "ansible_facts": {
            "ansible_architecture": "64-bit",
            "ansible_distribution": version.caption,
            "ansible_distribution_major_version": version.version.partition(".")[0],
            "ansible_distribution_version": f"{version.version}.0",
            "ansible_fqdn": host.name,
            "ansible_hostname": host.name,
            "ansible_kernel": f"{version.version}.0",
            "ansible_lastboot": time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(host.booted_at)),
            "ansible_nodename": host.name,
            "ansible_os_family": "Windows",
            "ansible_os_installation_type": "Server" if version.server else "Client",
            "ansible_os_name": version.caption,
            "ansible_os_product_type": "server" if version.server else "workstation",
            "ansible_powershell_version": 5,
            "ansible_reboot_pending": host.windows_update.reboot_required,
            "ansible_system": "Win32NT",
            "ansible_uptime_seconds": round(host.now() - host.booted_at),
        }
    }


@module("ansible.windows.async_status", source=_WINDOWS + "async_status.ps1")
def async_status(host: WindowsHost, request: Request) -> Result:
    job_id, folder = request.arguments["jid"], request.arguments["_async_dir"]
    path = f"{folder}\\{job_id}"
    if not host.files.is_file(path):
        raise ModuleFailure(f"could not find job at '{folder}'", ansible_job_id=job_id, started=1, finished=1)
    if request.arguments.get("mode") == "cleanup":
        host.files.remove(path)
        return {"ansible_job_id": job_id, "erased": path}
    return t.cast(Result, json.loads(host.files.read(path)))


@module("ansible.windows.win_shell", source=_WINDOWS + "win_shell.ps1")
@module("ansible.windows.win_command", source=_WINDOWS + "win_command.ps1")
def win_command(host: WindowsHost, request: Request) -> Result:
    """Only commands that have a model of their own: nothing here understands a shell."""
    told = request.arguments
    text = told.get("cmd") or told.get("_raw_params") or " ".join(told.get("argv") or [])
    reply = execution.command(host, text.strip())
    output = "".join(line + "\r\n" for line in reply.output)
    result: Result = {"changed": True, "cmd": text.strip(), "rc": reply.rc, "stdout": output, "stderr": reply.errors}
    if reply.rc:
        raise ModuleFailure("non-zero return code", **result)
    return result


@command(r"(?:echo|Write-Output) ['\"]?(?P<text>[\w .-]+)['\"]?", source="what Write-Output does with one word")
def echo(host: WindowsHost, matched: re.Match[str]) -> Reply:
    return Reply([matched["text"]])


@command(r"hostname(?:\.exe)?", source="hostname.exe")
def hostname(host: WindowsHost, matched: re.Match[str]) -> Reply:
    return Reply([host.name])
