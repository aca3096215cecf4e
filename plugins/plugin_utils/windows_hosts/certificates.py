# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the certificates document from the raw facts of a Windows host. Pure."""

from __future__ import annotations

import base64
import binascii
import typing as t

from ansible_collections.keepwell.fleet.plugins.module_utils.probes._der import parse_certificate
from ansible_collections.keepwell.fleet.plugins.plugin_utils.windows_hosts._records import (
    Row,
    listed,
    number,
    rows,
)

_SERVER_AUTHENTICATION = "1.3.6.1.5.5.7.3.1"
# Whose bindings in HTTP.SYS these are.
_IIS = "4dc3e181-e14b-4a21-b022-59fc669b0914"
_WINRM_PORTS = (":5986",)
_RENEWERS = {
    "wacs.exe": "win-acme",
    "letsencrypt.exe": "win-acme",
    "certify.exe": "Certify The Web",
    "posh-acme": "Posh-ACME",
    "submit-renewal": "Posh-ACME",
}
# Windows makes this certificate for Remote Desktop by itself, and a new one when it ends.
_OWN_STORE = "remote desktop"
_DISABLED = 1
_RUNNING = 0x41301
_NEVER_RAN = 0x41303


def read(data: Row, _at: float) -> dict[str, t.Any]:
    """Return the document of ``certificates`` (see probes/certificates.py) from what certificates.psm1 found.

    A file is a certificate of a store, ``Cert:\\LocalMachine\\My\\<thumbprint>``; who is told to use it is
    ``used_by`` (iis, http, rdp, winrm, mssql). A certificate that nobody uses is known, and ``used`` is False.
    """
    known: dict[str, dict[str, t.Any]] = {}
    files, places = _stored(data, known)
    _bind(data, files, places)
    served = [_shown(answer, known) for answer in listed(data, "served")]
    listening = rows(data, "listening")
    used = {entry["fingerprint"] for entry in served if entry["fingerprint"]}
    used |= {fingerprint for entry in files if entry["used_by"] for fingerprint in entry["chain"]}
    for fingerprint, facts in known.items():
        facts["used"] = fingerprint in used
    return {
        "certificates": known,
        "files": files,
        "served": served,
        "listening": None
        if listening is None
        else sorted({port for row in listening if (port := number(row.get("LocalPort")))}),
        "renewal": _renewal(data),
        "left_out": {"files": 0, "questions": 0},
    }


def _stored(
    data: Row, known: dict[str, dict[str, t.Any]]
) -> tuple[list[dict[str, t.Any]], dict[str, list[dict[str, t.Any]]]]:
    """(files, thumbprint -> its files). Certificates of the machine, those of authorities left out."""
    files: list[dict[str, t.Any]] = []
    places: dict[str, list[dict[str, t.Any]]] = {}
    for row in listed(data, "stored"):
        store, thumbprint = str(row.get("store")), str(row.get("thumbprint")).upper()
        if store.lower() == _OWN_STORE:
            continue
        path = f"Cert:\\LocalMachine\\{store}\\{thumbprint}"
        entry: dict[str, t.Any] = {"path": path, "used_by": [], "chain": [], "modified": None, "error": None}
        try:
            facts = parse_certificate(base64.b64decode(str(row.get("der"))))
        except (ValueError, binascii.Error) as exc:
            entry["error"] = str(exc)
        else:
            usage = row.get("usage") or []
            known.setdefault(
                facts["fingerprint"],
                {
                    **facts,
                    "thumbprint": thumbprint,
                    "store": store,
                    "has_key": bool(row.get("has_key")),
                    "server_auth": not usage or _SERVER_AUTHENTICATION in usage,
                },
            )
            entry["chain"] = [facts["fingerprint"]]
        files.append(entry)
        places.setdefault(thumbprint, []).append(entry)
    return files, places


def _bind(data: Row, files: list[dict[str, t.Any]], places: dict[str, list[dict[str, t.Any]]]) -> None:
    """Write down who uses which; a binding whose certificate is gone becomes a file that is absent."""
    own = {
        str(row.get("thumbprint")).upper()
        for row in listed(data, "stored")
        if str(row.get("store")).lower() == _OWN_STORE
    }
    for binding in listed(data, "bindings"):
        thumbprint = str(binding.get("thumbprint")).upper()
        user = _user(binding)
        if thumbprint in own or data.get("stored") is None:
            continue
        if thumbprint not in places:
            store = binding.get("store") or "My"
            entry: dict[str, t.Any] = {
                "path": f"Cert:\\LocalMachine\\{store}\\{thumbprint}",
                "used_by": [],
                "chain": [],
                "modified": None,
                "error": f"absent: {user} on {binding.get('name')} names it, and it is in no store",
            }
            files.append(entry)
            places[thumbprint] = [entry]
        for entry in places[thumbprint]:
            entry["used_by"] = sorted({*entry["used_by"], user})


def _user(binding: Row) -> str:
    by = str(binding.get("by"))
    if by != "http":
        return by
    if str(binding.get("app")).lower() == _IIS:
        return "iis"
    return "winrm" if str(binding.get("name")).endswith(_WINRM_PORTS) else "http"


def _shown(answer: Row, known: dict[str, dict[str, t.Any]]) -> dict[str, t.Any]:
    entry = {
        "address": answer.get("address"),
        "port": number(answer.get("port")),
        "name": answer.get("name") or None,
        "starttls": None,
        "status": answer.get("status"),
        "detail": str(answer.get("detail") or ""),
        "protocol": answer.get("protocol"),
        "fingerprint": None,
    }
    if answer.get("der"):
        try:
            facts = parse_certificate(base64.b64decode(str(answer["der"])))
        except (ValueError, binascii.Error) as exc:
            entry["status"], entry["detail"] = "error", str(exc)
            return entry
        known.setdefault(facts["fingerprint"], facts)
        entry["fingerprint"] = facts["fingerprint"]
    return entry


def _renewal(data: Row) -> list[dict[str, t.Any]]:
    """Tools that renew certificates, by the scheduled tasks that start them."""
    found: dict[str, list[dict[str, t.Any]]] = {}
    for task in listed(data, "renewal_tasks"):
        tools = {_RENEWERS[word] for word in task.get("Words") or () if word in _RENEWERS}
        code = number(task.get("LastTaskResult"))
        timer = {
            "name": f"{task.get('TaskPath') or ''}{task.get('TaskName')}",
            "active": number(task.get("State")) != _DISABLED,
            "enabled": number(task.get("State")) != _DISABLED,
            "last": task.get("LastRunTime"),
            "next": task.get("NextRunTime"),
            "service_result": None
            if code in (None, _RUNNING, _NEVER_RAN)
            else "success"
            if code == 0
            else f"{(code or 0) & 0xFFFFFFFF:#010x}",
        }
        for tool in sorted(tools):
            found.setdefault(tool, []).append(timer)
    # How many certificates it keeps is known to the tool alone; a task of it says that there are some.
    return [
        {"tool": tool, "lineages": len(timers), "timers": timers, "cron": []} for tool, timers in sorted(found.items())
    ]
