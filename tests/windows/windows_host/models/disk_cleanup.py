"""The agent of disk cleanup: previews, the work that outlives its connection, what grows, volumes that grow."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from windows_host.cleaning import DAY, Account, Disk, Target, Thing, Walk
from windows_host.models.patching import at_work
from windows_host.registry import Refusal, Result, operation
from windows_host.state import Volume

if t.TYPE_CHECKING:
    from windows_host.host import WindowsHost

_AGENT = "plugins/module_utils/disk_cleanup"
_JOBS = "plugins/module_utils/chores/jobs.psm1"
_RULES = (
    "temporary_files",
    "rotated_logs",
    "web_server_logs",
    "crash_data",
    "update_cache",
    "delivery_optimization",
    "recycle_bin",
    "component_store",
)
_SUMMARY = ("id", "kind", "run_id", "client", "host", "phase", "outcome", "code", "text", "started_at")
_MEBI = 1024**2


@dataclass
class Works:
    """Pieces of work by id: state.json of each, and how long one takes."""

    states: dict[str, Result] = field(default_factory=dict)
    requests: dict[str, Result] = field(default_factory=dict)
    takes_s: float = 0.0
    killed: bool = False
    """The program of the work is ended from outside before its end."""
    busy: str = ""
    """Another piece of work of Keepwell on this host, in words."""
    not_started: str = ""
    """What the Task Scheduler says instead of starting the work."""


@dataclass
class Growable:
    """Unallocated bytes right behind a volume, by mount point; or what lies there."""

    free: dict[str, int] = field(default_factory=dict)
    behind: dict[str, str] = field(default_factory=dict)
    fails: str = ""


@operation("disk_cleanup", "preview", source=f"{_AGENT}/sweep.psm1", reads=True)
def preview(host: WindowsHost, request: Result) -> Result:
    return _sweep(host, request, act=False)


def _sweep(host: WindowsHost, request: Result, *, act: bool) -> Result:
    """As Invoke-KeepwellSweep."""
    _check(request)
    terms = {"temp_days": 7, "recycle_days": 30, "log_days": 90, "package_keep_days": 14, "crash_keep": 2}
    terms |= {"gap_percent": 20} | (request.get("terms") or {})
    targets = {entry["mount"]: _target(host, entry) for entry in request["filesystems"]}
    before = {mount: target.available for mount, target in targets.items()}
    budget = dict(request.get("budget") or {})
    accounts = []
    for rule in _RULES:
        if rule in request["rules"]:
            account = Account(rule)
            if (budget.get("files") or 1) > 0:
                _rule(Walk(host, account, targets, budget, act), rule, terms)
            accounts.append(account)
    if act:
        host.volumes[0].free -= host.of(Disk).writes
    reports = [] if act else [_previous(host)]
    found = [_outcome(host, target, before[mount], accounts, terms, act) for mount, target in sorted(targets.items())]
    return {"filesystems": found, "rules": [account.document() for account in accounts], "reports": reports}


def _check(request: Result) -> None:
    """As Get-KeepwellCleanupRequest."""
    for name in request["rules"]:
        if name == "previous_windows":
            raise Refusal("rule_off", f"The rule {name} is never carried out: a person decides.")
        if name not in _RULES:
            raise Refusal("unknown_rule", f"There is no cleanup rule '{name}' for Windows.")


def _target(host: WindowsHost, entry: Result) -> Target:
    volume = _volume(host, entry["mount"])
    if volume is None:
        raise Refusal("no_filesystem", f"{entry['mount']} is no mounted local filesystem of this host.")
    return Target(entry["mount"], entry.get("target_percent"), volume.size, volume.free)


def _volume(host: WindowsHost, mount: str) -> Volume | None:
    return next((volume for volume in host.volumes if f"{volume.letter}:\\" == mount), None)


def _rule(walk: Walk, rule: str, terms: Result) -> None:
    """As Get-KeepwellRuleWalk and Invoke-KeepwellRule."""
    if "C:\\" not in walk.targets and rule != "recycle_bin":
        return
    windows = r"C:\Windows"
    if rule == "temporary_files":
        for base in [rf"{windows}\Temp", *_profiles(walk.disk)]:
            walk.folder(base, terms["temp_days"], folders=True)
    elif rule == "rotated_logs":
        pattern = r"^CbsPersist_\d{14}\.(cab|log)$"
        walk.folder(rf"{windows}\Logs\CBS", terms["log_days"], pattern=pattern, recurse=False)
    elif rule == "web_server_logs":
        walk.folder(r"C:\inetpub\logs\LogFiles", terms["log_days"], pattern=r"^(u_)?ex\d{4,8}(_x)?\.log$")
    elif rule == "crash_data":
        walk.folder(rf"{windows}\Minidump", 7, pattern=r"\.dmp$", newest=terms["crash_keep"])
        walk.folder(r"C:\ProgramData\Microsoft\Windows\WER\ReportArchive", 7, folders=True)
    elif rule == "update_cache":
        _update_cache(walk, terms)
    elif rule == "delivery_optimization":
        _delivery(walk)
    elif rule == "recycle_bin":
        _recycle_bin(walk, terms)
    else:
        _component_store(walk)


def _profiles(disk: Disk) -> list[str]:
    places = (re.match(r"(C:\\Users\\[^\\]+\\AppData\\Local\\Temp)\\", path) for path in disk.files)
    return sorted({place[1] for place in places if place})


def _servicing(walk: Walk) -> str:
    """As Get-KeepwellServicing."""
    if walk.host.windows_update.reboot_required:
        return "Windows waits for a restart (RebootRequired)"
    return f"servicing is at work ({walk.disk.servicing})" if walk.disk.servicing else ""


def _update_cache(walk: Walk, terms: Result) -> None:
    """As Invoke-KeepwellUpdateCache."""
    against = _servicing(walk) or ("transfers are under way in the background (BITS)" if walk.disk.transfers else "")
    if against:
        walk.account.notes.append(f"nothing was done: {against}.")
        return
    base = r"C:\Windows\SoftwareDistribution\Download"
    if not walk.act:
        walk.folder(base, terms["package_keep_days"], folders=True)
        return
    stopped = []
    for name in ("wuauserv", "bits", "dosvc"):
        service = walk.host.services.get(name)
        if service is not None and service.state == "started":
            stopped.append(service)
            if name in walk.disk.unstoppable:
                walk.account.notes.append(f"nothing was done: a service could not be stopped: {name}")
                break
            service.state = "stopped"
            walk.host.change("service", f"{name} stopped")
    else:
        walk.folder(base, terms["package_keep_days"], folders=True)
    for service in stopped:
        service.state = "started"
        walk.host.change("service", f"{service.name.lower()} started")


def _delivery(walk: Walk) -> None:
    """As Invoke-KeepwellDeliveryOptimization."""
    kept = walk.disk.delivery_bytes
    if kept is None:
        walk.account.notes.append("this Windows has no command for it.")
    elif kept:
        _by_windows(walk, 1, kept, kept)
        if walk.act:
            walk.disk.delivery_bytes = 0


def _recycle_bin(walk: Walk, terms: Result) -> None:
    """As Invoke-KeepwellRecycleBin, over bins of single files."""
    told = [path for path in sorted(walk.disk.files) if re.match(r"[A-Z]:\\\$Recycle\.Bin\\S-1-[\d-]+\\\$I", path)]
    for path in told:
        if path[:3] not in walk.targets:
            continue
        thing = walk.disk.files[path]
        word = walk.verdict(path, thing, terms["recycle_days"], "")
        content = path.replace("\\$I", "\\$R")
        inside = walk.disk.files.get(content)
        if word or (inside is not None and (inside.link or inside.cloud)):
            walk.account.skip(word or ("reparse" if inside and inside.link else "cloud"))
        elif inside is None or walk.take(content, inside):
            walk.take(path, thing)


def _component_store(walk: Walk) -> None:
    """As Invoke-KeepwellComponentStore."""
    against = _servicing(walk)
    store = walk.disk.store
    if against:
        walk.account.notes.append(f"nothing was done: {against}.")
        return
    said = "Yes" if store.recommended else "No"
    walk.account.notes.append(
        f"the component store has 7.51 GB and {store.packages} packages that can go; cleanup recommended: {said}."
    )
    if not store.recommended:
        return
    if walk.act and store.fails is not None:
        walk.account.notes.append(f"DISM: StartComponentCleanup: code {store.fails:#x}")
        walk.account.stopped = "command_failed"
        return
    _by_windows(walk, store.packages, store.cache_bytes, store.frees)
    if walk.act:
        store.recommended, store.packages = False, 0
        walk.host.change("dism", "/StartComponentCleanup")


def _by_windows(walk: Walk, count: int, told: int, freed: int) -> None:
    """As Complete-KeepwellByWindows."""
    target = walk.targets["C:\\"]
    if target.reached():
        walk.account.stopped = "target"
        walk.account.rest_files += count
        walk.account.rest_bytes += told
        return
    walk.account.files += count
    walk.freed(target, freed if walk.act else told)


def _previous(host: WindowsHost) -> Result:
    items = host.of(Disk).previous
    return {"id": "previous_windows", "count": len(items), "items": items, "note": ""}


def _outcome(
    host: WindowsHost, target: Target, before: int, accounts: list[Account], terms: Result, act: bool
) -> Result:
    """As Get-KeepwellOutcome and Get-KeepwellGap."""
    predicted = sum(account.by_mount.get(target.mount, 0) for account in accounts)
    document: Result = {
        "mount": target.mount, "size_bytes": target.size, "target_percent": target.percent,
        "avail_before_bytes": before, "inodes_free_before": None, "predicted_bytes": predicted,
        "avail_after_bytes": None, "inodes_free_after": None, "actual_bytes": None, "gap_bytes": None,
        "explained": True, "reasons": [],
    }  # fmt: skip
    volume = _volume(host, target.mount)
    if not act or volume is None:
        return document
    actual = volume.free - before
    gap = predicted - actual
    small = abs(gap) <= max(65536, predicted * terms["gap_percent"] / 100)
    reasons = [{"code": "unknown", "bytes": gap, "text": "nothing was found that explains it"}]
    return document | {
        "avail_after_bytes": volume.free, "actual_bytes": actual, "gap_bytes": gap, "explained": small,
        "reasons": [] if small else reasons,
    }  # fmt: skip


@operation("disk_cleanup", "start", source=f"{_AGENT}/agent.psm1, {_JOBS}")
def start(host: WindowsHost, request: Result) -> Result:
    works = host.of(Works)
    identifier = str(request["id"])
    if request["kind"] == "cleanup":
        _check(request)
    answer: Result = {"id": identifier, "unit": f"keepwell-disk-cleanup-{identifier}", "started": False}
    answer |= {"attached": False, "text": ""}
    if identifier in works.states:
        return answer | {"attached": True, "text": "it was started before"}
    _advance(host)
    other = works.busy or at_work(host)
    if other:
        return answer | {"code": "host_locked", "text": f"Keepwell is at work on this host already: {other}."}
    if works.not_started:
        text = f"The Task Scheduler did not start the work: {works.not_started}"
        return answer | {"code": "not_started", "text": text}
    told = {name: request.get(name) for name in ("id", "run_id", "client", "host", "kind")}
    works.requests[identifier] = request
    works.states[identifier] = told | {
        "phase": "cleaning" if request["kind"] == "cleanup" else "growing", "outcome": None, "code": "", "text": "",
        "bounded": "by its own watchdog: at most PT1H2M; by the Task Scheduler: priority 8", "recorded": False, "process": None,
        "command": None, "ended_at": None, "started_at": host.now(), "boot": host.boot_id, "rules": [],
        "filesystems": [], "steps": [],
    }  # fmt: skip
    host.change("work", identifier)
    return answer | {"started": True}


def _advance(host: WindowsHost) -> None:
    """Do what is due of the work that goes on by itself."""
    works = host.of(Works)
    for identifier, state in works.states.items():
        if state["phase"] == "ended":
            continue
        if works.killed or state["boot"] != host.boot_id:
            rebooted = state["boot"] != host.boot_id
            how = "The host was rebooted" if rebooted else "The program was ended (0x41306)"
            state |= {"code": "rebooted" if rebooted else "interrupted", "outcome": "failed"}
            state["text"] = (
                f"{how} in the middle of the work (phase {state['phase']}). At least 0 files had gone. No file is half "
                "done; DISM, where it was at work, goes on by itself."
            )
        elif host.now() - state["started_at"] >= works.takes_s:
            state |= _done(host, works.requests[identifier])
        else:
            continue
        state |= {"phase": "ended", "ended_at": host.now()}


def _done(host: WindowsHost, request: Result) -> Result:
    """As Invoke-KeepwellCleanupWork and Invoke-KeepwellGrowthWork."""
    if request["kind"] == "grow":
        return _grown(host, request)
    done = _sweep(host, request, act=True)
    end = {"outcome": "done", "code": "", "text": f"{sum(rule['files'] for rule in done['rules'])} files went."}
    end |= {"rules": done["rules"], "filesystems": done["filesystems"]}
    for rule in done["rules"]:
        if rule["stopped"] == "command_failed":
            end |= {"outcome": "failed", "code": "command_failed"}
            end["text"] = f"{rule['id']} ended early (command failed): {rule['notes'][-1]}."
    return end


@operation("disk_cleanup", "status", source=_JOBS, reads=True)
def status(host: WindowsHost, request: Result) -> Result:
    _advance(host)
    state = _state(host, request["id"])
    running = state["phase"] != "ended"
    unit = {"active_state": "running" if running else "ready", "result": "success"}
    return {**state, "alive": running, "unit": unit, "log_tail": ""}


def _state(host: WindowsHost, identifier: str) -> Result:
    state = host.of(Works).states.get(identifier)
    if state is None:
        raise Refusal("unknown_work", f"This host knows no work {identifier}.")
    return state


@operation("disk_cleanup", "unfinished", source=_JOBS, reads=True)
def unfinished(host: WindowsHost, request: Result) -> Result:
    _advance(host)
    states = [state for _id, state in sorted(host.of(Works).states.items()) if not state["recorded"]]
    return {"work": [{**{name: s[name] for name in _SUMMARY}, "alive": s["phase"] != "ended"} for s in states]}


@operation("disk_cleanup", "recorded", source=_JOBS)
def recorded(host: WindowsHost, request: Result) -> Result:
    state = _state(host, request["id"])
    if state["phase"] != "ended":
        raise Refusal("not_ended", f"Work {request['id']} has not ended yet.")
    state["recorded"] = True
    return {"recorded": True}


@operation("disk_cleanup", "clean", source=_JOBS)
def clean(host: WindowsHost, request: Result) -> Result:
    works = host.of(Works)
    oldest = float(request.get("now") or host.now()) - request["keep_days"] * DAY
    gone = [name for name, state in works.states.items() if state["recorded"] and (state["ended_at"] or 0) < oldest]
    for name in gone:
        del works.states[name]
    return {"removed": gone, "kept": sorted(works.states)}


@operation("disk_cleanup", "growers", source=f"{_AGENT}/growers.psm1", reads=True)
def growers(host: WindowsHost, request: Result) -> Result:
    return {"filesystems": [_growers(host, mount) for mount in request["mounts"] if _volume(host, mount)]}


def _growers(host: WindowsHost, mount: str) -> Result:
    sums: dict[str, list[int]] = {}
    things: dict[str, Thing] = host.of(Disk).files
    for path, thing in things.items():
        parts = path.split("\\")[:-1]
        for depth in range(1, min(len(parts), 5) + 1):
            folder = "\\".join(parts[:depth])
            if path.startswith(mount) and not thing.link and not thing.cloud:
                counted = sums.setdefault(folder if depth > 1 else mount, [0, 0])
                counted[0] += thing.size
                counted[1] += 1
    folders = [
        {"path": path, "bytes": size, "files": files, "user": "BUILTIN\\Administrators", "package": "", "unit": ""}
        for path, (size, files) in sorted(sums.items(), key=lambda item: (-item[1][0], item[0]))
    ]
    whole = sums.get(mount, [0, 0])
    return {"mount": mount, "entries": whole[1], "bytes": whole[0], "partial": "", "folders": folders, "seconds": 0.1}


@operation("disk_cleanup", "plan_growth", source=f"{_AGENT}/growth.psm1", reads=True)
def plan_growth(host: WindowsHost, request: Result) -> Result:
    return {"plans": [_plan(host, wanted) for wanted in request["mounts"]]}


def _plan(host: WindowsHost, wanted: Result) -> Result:
    """As Get-KeepwellGrowth, of the second partition of the first disk."""
    mount, growable = wanted["mount"], host.of(Growable)
    volume = _volume(host, mount)
    plan: Result = {"mount": mount, "kind": "", "fstype": "", "device": "", "from_bytes": 0, "to_bytes": 0, "steps": []}
    plan |= {"text": "", "refused": None, "disk": 0, "partition": 2}
    if volume is None:
        return plan | {"refused": {"code": "no_filesystem", "text": f"{mount} is on no partition of this host."}}
    plan |= {"kind": "partition", "fstype": volume.file_system, "device": "disk 0 partition 2"}
    plan["from_bytes"] = volume.size
    if mount in growable.behind:
        text = f"Right behind {mount} lies {growable.behind[mount]}."
        return plan | {"refused": {"code": "not_last", "text": text}}
    free = growable.free.get(mount, 0)
    if free < 16 * _MEBI:
        return plan | {"refused": {"code": "no_room", "text": f"Disk 0 has no free space behind {mount}."}}
    spare = free - int((volume.size + free) * wanted["reserve_percent"] / 100)
    step = int(min(wanted["add_bytes"], volume.size * wanted["step_percent"] / 100, spare)) // _MEBI * _MEBI
    if step <= 0:
        text = f"Behind {mount} are {free // _MEBI} MiB free, and {wanted['reserve_percent']} % of the disk are kept in reserve."
        return plan | {"refused": {"code": "no_room", "text": text}}
    to = volume.size + step
    argv = ["Resize-Partition", "-DiskNumber", "0", "-PartitionNumber", "2", "-Size", str(to)]
    return plan | {
        "to_bytes": to,
        "steps": [argv],
        "text": f"{mount}: {step / _MEBI:.0f} MiB more (disk 0 partition 2)",
    }


def _grown(host: WindowsHost, request: Result) -> Result:
    steps: list[Result] = []
    for wanted in request["mounts"]:
        plan = _plan(host, wanted)
        if plan["refused"]:
            return {"outcome": "refused", **plan["refused"], "steps": steps}
        volume = _volume(host, wanted["mount"])
        assert volume is not None
        growable = host.of(Growable)
        if growable.fails:
            text = f"{wanted['mount']}: Resize-Partition ended with: {growable.fails}. Nothing is made smaller again."
            steps.append({"mount": wanted["mount"], "from_bytes": volume.size, "to_bytes": volume.size})
            steps[-1] |= {"grown_bytes": 0, "text": text}
            return {"outcome": "failed", "code": "grow_failed", "text": text, "steps": steps}
        grown, before = plan["to_bytes"] - volume.size, volume.size
        volume.size, volume.free = volume.size + grown, volume.free + grown
        growable.free[wanted["mount"]] -= grown
        host.change("grow", wanted["mount"])
        text = f"{wanted['mount']} has grown by {grown / _MEBI:.0f} MiB to {volume.size / _MEBI:.0f} MiB"
        steps.append({"mount": wanted["mount"], "from_bytes": before, "to_bytes": volume.size, "grown_bytes": grown})
        steps[-1]["text"] = text
    return {"outcome": "done", "code": "", "text": "; ".join(step["text"] for step in steps), "steps": steps}
