"""What the watch asks: parts of what the probes tell, by the same state of the host."""

from __future__ import annotations

import time
import typing as t

from windows_host import golden, registry
from windows_host.registry import Refusal, Result, operation

if t.TYPE_CHECKING:
    from windows_host.host import WindowsHost

# By the names of the probes: what their part is of the whole.
_PARTS = {"disks": ("volumes",), "services": ("services", "watched"), "system": ("boot",)}


@operation("watch", "look", source="plugins/module_utils/watch/agent.psm1", reads=True)
def look(host: WindowsHost, request: Result) -> Result:
    started = time.monotonic()
    if set(request["parts"]) - set(_PARTS):
        raise Refusal("bad_request", "The watch does not understand this request.")
    host.parameters = request.get("parameters") or {}
    records = {name: _record(host, name) for name in request["parts"]}
    return {
        "schema_version": "1.0",
        "collected_at": host.now(),
        "duration_s": round(time.monotonic() - started, 3),
        "privileged": True,
        "powershell": "5.1.17763.5830",
        "probes": records,
    }


def _record(host: WindowsHost, name: str) -> Result:
    whole = registry.probes[name](host, golden.data(host.version_name, name, host.now()))
    data = whole.data if isinstance(whole, registry.ProbeRecord) else whole
    part = {key: data[key] for key in _PARTS[name]}
    if name == "services":
        asked = {word.casefold() for word in part["watched"]}
        part["services"] = {
            known: facts
            for known, facts in part["services"].items()
            if {known.casefold(), str(facts["display"]).casefold()} & asked
        }
    if name == "system":
        part["boot"] = {"starts": part["boot"]["starts"]}
    return {"status": "ok", "collected_at": host.now(), "duration_s": 0.01, "data": part, "sources": {}}
