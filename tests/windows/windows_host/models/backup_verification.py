"""Backups of a host: versions of Windows Server Backup, sessions of Veeam Agent, a repository of restic, and canaries.

Files of the host (``host.files``) are what is backed up; a version keeps their content as it was when it was made.
"""

from __future__ import annotations

import base64
import hashlib
import json
import ntpath
import time
import typing as t
from dataclasses import dataclass, field

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import _canary
from windows_host import work
from windows_host.registry import Refusal, Result, operation

if t.TYPE_CHECKING:
    from windows_host.host import WindowsHost

_AGENT = "plugins/module_utils/backup_verification/agent.psm1, verification.psm1 and sandbox.psm1"
SANDBOX = r"C:\ProgramData\Keepwell\sandbox"
_HOUR = 3600.0


@dataclass
class Version:
    """A version of Windows Server Backup (WBBackupSet): VersionId is its beginning in UTC, to the minute."""

    at: float
    target: str = "E:"
    volumes: tuple[str, ...] = ("C:", "D:")
    content: dict[str, bytes] = field(default_factory=dict)
    hr: int = 0
    detailed_hr: int = 0
    bytes: int = 40 << 30

    @property
    def id(self) -> str:
        return time.strftime("%m/%d/%Y-%H:%M", time.gmtime(self.at))


@dataclass
class Session:
    """A session of Veeam Agent, by its log."""

    ended_at: float
    result: str = "success"
    job: str = "Daily"
    lasted_s: float = 1200.0
    text: str = ""


@dataclass
class Snapshot:
    """A snapshot of restic."""

    at: float
    paths: tuple[str, ...] = ("D:\\Data",)
    content: dict[str, bytes] = field(default_factory=dict)


@dataclass
class Backups:
    """What there is of each tool; None: it is not installed."""

    versions: list[Version] | None = None
    policy: Result | None = field(default_factory=lambda: {"volumes": ["C:", "D:"], "files": [], "excludes": []})
    last: tuple[float, int, int] | None = None
    """When the job ran last, and its two HRESULTs, where that is another than the newest version."""
    running: bool = False
    sessions: list[Session] | None = None
    snapshots: list[Snapshot] | None = None
    password: str = "right"
    damaged: str = ""
    """What restic's check says, if anything is wrong."""
    free: int = 400 << 30
    recovery_rc: int = 0
    stuck_sandbox: bool = False
    """What was restored cannot be removed."""
    touched: dict[str, float] = field(default_factory=dict)
    """When files were changed last; others long ago."""
    canaries: dict[str, list[Result]] = field(default_factory=dict)
    sandboxes: dict[str, str] = field(default_factory=dict)
    """Of tests that left theirs behind: id and path."""


def back_up(host: WindowsHost, at: float, **more: t.Any) -> Version:
    """Make a version of all files of the host."""
    backups = host.of(Backups)
    version = Version(at, content={path: host.files.read(path) for path in host.files.below("D:\\")}, **more)
    backups.versions = [*(backups.versions or []), version]
    return version


def snapshot(host: WindowsHost, at: float) -> Snapshot:
    """Make a snapshot of restic of D:\\Data."""
    made = Snapshot(at, content={path: host.files.read(path) for path in host.files.below("D:\\Data")})
    backups = host.of(Backups)
    backups.snapshots = [*(backups.snapshots or []), made]
    return made


# What is told of each tool: server_backup.psm1, veeam.psm1, restic.psm1.


def _fact(host: WindowsHost, dataset: Result, secrets: Result | None) -> Result:
    tellers = {"windows_server_backup": _server_backup, "veeam_agent": _veeam}
    if dataset["tool"] == "restic":
        return _restic(host, dataset, secrets)
    if dataset["tool"] not in tellers:
        return _no("absent", f"{dataset['tool']} is not verified on Windows hosts.", None)
    return tellers[dataset["tool"]](host)


def _no(status: str, detail: str, tool: Result | None) -> Result:
    return {"status": status, "detail": detail, "tool": tool, "facts": None}


def _server_backup(host: WindowsHost) -> Result:
    backups, tool = host.of(Backups), {"name": "Windows Server Backup", "version": None, "path": None}
    if backups.versions is None:
        return _no("absent", "The feature Windows Server Backup is not installed on this host.", tool)
    newest = max(backups.versions, key=lambda version: version.at, default=None)
    last = backups.last or ((newest.at, newest.hr, newest.detailed_hr) if newest else None)
    facts = {
        "summary": {
            "last_at": last[0] if last else None,
            "last_hr": last[1] if last else None,
            "last_detailed_hr": last[2] if last else 0,
            "last_success_at": newest.at if newest else None,
            "next_at": None,
            "versions": len(backups.versions),
        },
        "sets": [
            {
                "id": version.id,
                "at": version.at,
                "target": {"type": "Volume", "path": version.target, "label": "Backup"},
                "volumes": list(version.volumes),
                "applications": ["Registry"],
            }
            for version in backups.versions
        ],
        "jobs": [
            {
                "version_id": version.id,
                "started_at": version.at,
                "ended_at": version.at + 1800.0,
                "hr": version.hr,
                "detailed_hr": version.detailed_hr,
                "bytes": version.bytes,
            }
            for version in backups.versions
        ],
        "policy": backups.policy,
        "running": backups.running,
        "free_bytes": backups.free,
    }
    return {"status": "ok", "detail": "", "tool": tool, "facts": facts}


def _veeam(host: WindowsHost) -> Result:
    backups, tool = host.of(Backups), {"name": "Veeam Agent", "version": "6.3.1.74", "path": r"C:\Program Files\Veeam"}
    if backups.sessions is None:
        return _no("absent", "Veeam Agent for Microsoft Windows is not installed on this host.", tool)
    sessions = [
        {
            "id": f"session-{number}",
            "job": session.job,
            "started_at": session.ended_at - session.lasted_s,
            "ended_at": session.ended_at,
            "result": session.result,
            "text": session.text,
        }
        for number, session in enumerate(backups.sessions)
    ]
    return {"status": "ok", "detail": "", "tool": tool, "facts": {"sessions": sessions, "running": False}}


def _said(rc: int, out: str = "", err: str = "") -> Result:
    return {"status": "ok", "rc": rc, "out": out, "err": err}


def _restic(host: WindowsHost, dataset: Result, secrets: Result | None) -> Result:
    backups, tool = host.of(Backups), {"name": "restic", "version": "0.18.0", "path": r"C:\Tools\restic.exe"}
    if backups.snapshots is None:
        return _no("absent", "restic.exe is not on the path of the system (options: {program: ...}).", tool)
    if (secrets or {}).get("RESTIC_PASSWORD") != backups.password:
        # restic 0.17 and newer: https://restic.readthedocs.io/en/stable/075_scripting.html, exit status codes.
        listed = _said(12, err="Fatal: wrong password or no key found")
    else:
        listed = _said(0, json.dumps([_told(entry) for entry in backups.snapshots]))
    content = None
    if listed["rc"] == 0 and backups.snapshots and dataset["expected_paths"]:
        newest = max(backups.snapshots, key=lambda entry: entry.at)
        names = {_inside(path) for path in newest.content}
        folders = {name.rsplit("/", depth)[0] for name in names for depth in range(1, name.count("/"))}
        content = _said(
            0, "\n".join(json.dumps({"struct_type": "node", "path": name}) for name in sorted(names | folders))
        )
    facts = {"snapshots": listed, "content": content, "free_bytes": backups.free}
    return {"status": "ok", "detail": "", "tool": tool, "facts": facts}


def _told(entry: Snapshot) -> Result:
    return {
        "id": hashlib.sha256(str(entry.at).encode()).hexdigest(),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(entry.at)),
        "hostname": "win01",
        "paths": list(entry.paths),
        "tags": [],
        "summary": {"total_files_processed": len(entry.content), "total_bytes_processed": 1 << 20},
    }


def _inside(path: str) -> str:
    return f"/{path[0]}{path[2:]}".replace("\\", "/")


@operation("backup_verification", "look", source=_AGENT, reads=True)
def look(host: WindowsHost, request: Result) -> Result:
    secrets = request.get("secrets") or {}
    return {"datasets": {told["id"]: _fact(host, told, secrets.get(told["id"])) for told in request["datasets"]}}


@operation("backup_verification", "plan", source=_AGENT, reads=True)
def plan(host: WindowsHost, request: Result) -> Result:
    dataset, backups = request["dataset"], host.of(Backups)
    base = request["sandbox"]["base"] or SANDBOX
    volume = host.volumes[0]
    files = []
    if request["kind"] in ("canary", "sample"):
        canary = (dataset["canary"] or {}).get("path")
        sources = (dataset["sources"] or dataset["expected_paths"]) if request["kind"] == "sample" else []
        found = [path for source in sources for path in host.files.below(source)]
        wanted = [path for path in [canary] if path and host.files.is_file(path)] + [p for p in found if p != canary]
        files = [
            {"path": path, "size": len(host.files.read(path)), "changed_at": backups.touched.get(path.lower(), 1.7e9)}
            for path in wanted
        ]
    return {
        "look": _fact(host, dataset, request.get("secrets")),
        "files": files,
        "files_cut": False,
        "sandbox": {
            "base": base,
            "free_bytes": volume.free,
            "total_bytes": volume.size,
            "code": "",
            "refused": "",
        },
    }


@operation("backup_verification", "start", source=_AGENT)
def start(host: WindowsHost, request: Result) -> Result:
    own = {"dataset": request["dataset"]["id"], "kind": request["kind"], "sandbox": "", "facts": _facts(request)}
    return work.begin(host, "backup_verification", request, own, lambda state: _test(host, request))


def _facts(request: Result) -> Result:
    return {
        "kind": request["kind"],
        "host": request["verifier"],
        "snapshot": request.get("snapshot"),
        "snapshot_time": request.get("snapshot_time"),
        "snapshot_end": None,
        "dataset_bytes": None,
        "part": request.get("part"),
        "parts": request.get("parts"),
        "said": None,
        "codes": [],
        "compared": None,
        "canary": None,
        "seconds": 1.5,
        "total_seconds": 2.0,
        "sandbox": "",
        "left": "",
        "late": False,
        "full": False,
        "key_source": "environment" if request.get("secrets") else "",
    }


def _test(host: WindowsHost, request: Result) -> Result:
    """Invoke-KeepwellVerification."""
    backups, facts = host.of(Backups), _facts(request)
    end: Result = {"facts": facts, "outcome": "done", "code": "", "text": ""}
    if request["kind"] in ("structure", "subset", "data"):
        well = json.dumps({"message_type": "summary", "num_errors": 0})
        facts["said"] = _said(1, err=f"Fatal: {backups.damaged}") if backups.damaged else _said(0, well)
        return end
    facts["sandbox"] = rf"{request['sandbox']['base'] or SANDBOX}\{request['id']}-0badcafe"
    host.change("sandbox", "made")
    restored = _restore(host, request, facts)
    facts["compared"] = _compare(host, request, restored)
    if request["canary_path"]:
        data = next((data for path, data in restored.items() if path.lower() == request["canary_path"].lower()), None)
        told = base64.b64encode(data).decode() if data is not None else ""
        facts["canary"] = {"path": request["canary_path"], "data": told}
    if backups.stuck_sandbox:
        backups.sandboxes[request["id"]] = facts["sandbox"]
        facts["left"] = f"{facts['sandbox']} (IOException)"
    else:
        host.change("sandbox", "removed")
    return end


def _restore(host: WindowsHost, request: Result, facts: Result) -> dict[str, bytes]:
    """What comes back, by the path that it has on the host."""
    backups = host.of(Backups)
    if request["dataset"]["tool"] == "windows_server_backup":
        version = next(entry for entry in backups.versions or [] if entry.id == request["snapshot"])
        content, wanted = version.content, []
        for group in request["wanted"]["groups"]:
            # wbadmin start recovery: items of one call lie in one folder.
            wanted += [ntpath.join(group["folder"], name) for name in group["names"]]
            facts["codes"].append(backups.recovery_rc)
        if backups.recovery_rc:
            return {}
    else:
        content = max(backups.snapshots or [], key=lambda entry: entry.at).content
        wanted = [entry["path"] for entry in request["wanted"]["includes"]]
        facts["said"] = _said(0, json.dumps({"message_type": "summary"}))
    by_name = {path.lower(): data for path, data in content.items()}
    return {path: by_name[path.lower()] for path in wanted if path.lower() in by_name}


def _compare(host: WindowsHost, request: Result, restored: dict[str, bytes]) -> Result:
    told: Result = {"files": 0, "bytes": 0, "identical": 0, "unreferenced": 0, "changed": 0}
    told |= {"mismatches": [], "missing": [], "paths": []}
    touched = host.of(Backups).touched
    for path in request["wanted"]["paths"]:
        if path not in restored:
            told["missing"].append(path)
            continue
        told["files"] += 1
        told["bytes"] += len(restored[path])
        told["paths"].append(path)
        if not host.files.is_file(path):
            told["unreferenced"] += 1
        elif host.files.read(path) == restored[path]:
            told["identical"] += 1
        elif touched.get(path.lower(), 0.0) >= request["snapshot_time"]:
            told["changed"] += 1
        else:
            told["mismatches"].append({"path": path, "why": "its content is not that of the live file"})
    return told


@operation("backup_verification", "canary", source="plugins/module_utils/backup_verification/canary.psm1")
def canary(host: WindowsHost, request: Result) -> Result:
    """Update-KeepwellCanary: the content is that of _canary.py, to the byte."""
    return {
        "canaries": {told["id"]: _renew(host, told, request.get("now") or host.now()) for told in request["canaries"]}
    }


def _renew(host: WindowsHost, told: Result, now: float) -> Result:
    backups, path = host.of(Backups), told["path"]
    if not host.files.is_folder(ntpath.dirname(path)):
        text = f"The canary's folder {ntpath.dirname(path)} does not exist. Make it, or choose another path."
        return {"error": "no_folder", "text": text}
    history = backups.canaries.setdefault(told["id"], [])
    if history and now - history[-1]["written_at"] < told["every_hours"] * _HOUR and host.files.is_file(path):
        return {"path": path, "written": False, **history[-1], "history": list(history)}
    version, at = len(history) + 1, int(now)
    text = _canary.text_of(told["id"], version, at, hashlib.sha256(str(now).encode()).hexdigest()[:32])
    history.append({"version": version, "written_at": float(at), "sha256": hashlib.sha256(text.encode()).hexdigest()})
    host.files.write(path, text.encode())
    backups.touched[path.lower()] = now
    host.change("canary", path)
    return {"path": path, "written": True, **history[-1], "history": list(history)}


@operation("backup_verification", "leftovers", source=_AGENT)
def leftovers(host: WindowsHost, request: Result) -> Result:
    backups, holder = host.of(Backups), work.busy(host)
    if holder:
        raise Refusal("host_locked", f"Keepwell is at work on this host already: {holder}.")
    removed = []
    if not backups.stuck_sandbox:
        removed = [{"id": name, "path": path} for name, path in backups.sandboxes.items()]
        backups.sandboxes = {}
        for entry in removed:
            host.change("sandbox", f"removed {entry['path']}")
    left = [{"id": name, "path": path, "why": "IOException"} for name, path in backups.sandboxes.items()]
    return {"removed": removed, "left": left, "foreign": []}


_SUMMARY = ("id", "run_id", "client", "host", "dataset", "kind", "phase", "outcome", "code", "text", "started_at")


@operation("backup_verification", "status", source=_AGENT, reads=True)
def status(host: WindowsHost, request: Result) -> Result:
    return work.status(host, "backup_verification", request)


@operation("backup_verification", "unfinished", source=_AGENT, reads=True)
def unfinished(host: WindowsHost, request: Result) -> Result:
    return work.unfinished(host, "backup_verification", _SUMMARY)


@operation("backup_verification", "recorded", source=_AGENT)
def recorded(host: WindowsHost, request: Result) -> Result:
    return work.recorded(host, "backup_verification", request)


@operation("backup_verification", "clean", source=_AGENT)
def clean(host: WindowsHost, request: Result) -> Result:
    return work.clean(host, "backup_verification", request)
