"""keepwell.fleet.assess: the document of runner.psm1. What a probe says is in the file of its subject."""

from __future__ import annotations

import time
import typing as t

from windows_host import golden, registry, spec
from windows_host.manifest import Request
from windows_host.registry import ModuleFailure, ProbeRecord, Result, module

if t.TYPE_CHECKING:
    from windows_host.host import WindowsHost


@module("keepwell.fleet.assess", source="plugins/modules/assess.ps1, plugins/module_utils/probes/runner.psm1")
def assess(host: WindowsHost, request: Request) -> Result:
    """Which probes there are is read out of the assess.ps1 that arrived."""
    started = time.monotonic()
    known = spec.probes(request.text)
    collected_at = host.now()
    host.parameters = request.arguments["parameters"]
    records = {}
    for name in sorted(_select(frozenset(known), request.arguments["subset"])):
        record = records[name] = _record(host, name)
        if record["status"] == "ok":
            _compare(host, name, record["data"], _shape(request, known[name]))
    return {
        "observation": {
            "schema_version": "1.0",
            "collected_at": collected_at,
            "duration_s": round(time.monotonic() - started, 3),
            "privileged": True,
            "powershell": "5.1.17763.5830",
            "probes": records,
        }
    }


def _select(known: frozenset[str], subset: list[str]) -> set[str]:
    """As Select-KeepwellProbe: all, a name to add, !name to leave out."""
    chosen: set[str] = set()
    removed: set[str] = set()
    for word in subset or ["all"]:
        name = word.lstrip("!")
        if name != "all" and name not in known:
            raise ModuleFailure(f"subset: unknown probe '{name}'. Known: {', '.join(sorted(known))}.")
        (removed if word.startswith("!") else chosen).update(known if name == "all" else {name})
    if removed and not chosen:
        chosen = set(known)
    return chosen - removed


def _record(host: WindowsHost, name: str) -> Result:
    """A probe's record: what a test gave, else its model over golden data, else golden data alone."""
    base = golden.data(host.version_name, name, host.now())
    model = registry.probes.get(name)
    if name in host.probes:
        said = host.probes[name]
    elif model is not None:
        said = model(host, base)
    elif base:
        said = base
    else:
        host.problem(f"nobody has modelled the probe {name}, and there is no golden data of it for {host.version_name}")
        said = ProbeRecord({}, status="error", detail="The simulated host has no model of this probe.")
    record = said if isinstance(said, ProbeRecord) else ProbeRecord(said)
    return {
        "status": record.status,
        "detail": record.detail,
        "collected_at": host.now(),
        "duration_s": 0.01,
        "data": record.data,
        "sources": dict(record.sources),
        "truncated": False,
    }


def _shape(request: Request, function: str) -> spec.Shape | None:
    """What the function that collects says it returns, in whichever file it came along."""
    found = (spec.shape(text, function) for text in request.utilities.values() if f"function {function} " in text)
    return next(found, None)


def _compare(host: WindowsHost, name: str, data: Result, shape: spec.Shape | None) -> None:
    """A model whose document has other keys than the PowerShell it stands for is a problem."""
    if shape is None:
        host.problem(f"the function of the probe {name} returns no table that can be read, or did not come along")
        return
    parts = {"": (data, shape.keys)} | {key: (data.get(key), keys) for key, keys in shape.parts.items()}
    for part, (said, keys) in parts.items():
        if isinstance(said, dict) and set(said) != keys:
            lacks, has = sorted(keys - set(said)), sorted(set(said) - keys)
            where = f"{name}.{part}" if part else name
            host.problem(f"the model of the probe {where} lacks {lacks} and has {has} that its PowerShell has not")
