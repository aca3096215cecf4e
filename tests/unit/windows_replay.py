"""Replay what Windows hosts tell: golden documents of seven releases, and cases that differ from them."""

from __future__ import annotations

import copy
import functools
import json
import typing as t
from pathlib import Path

import replay

from ansible_collections.keepwell.fleet.plugins.plugin_utils import observation
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import View
from ansible_collections.keepwell.fleet.plugins.plugin_utils.windows_hosts import reading

GOLDEN = Path(__file__).parents[1] / "windows" / "windows_host" / "golden"
RELEASES = sorted(path.name for path in GOLDEN.iterdir() if path.is_dir() and not path.name.startswith("_"))
PROBES = tuple(sorted(reading.READERS))


@functools.cache
def golden(release: str, probe: str) -> dict[str, t.Any]:
    """{recorded, source, at, data} of a probe; not to be changed."""
    return t.cast("dict[str, t.Any]", json.loads((GOLDEN / release / f"{probe}.json").read_text()))


def documents(release: str, changes: t.Mapping[str, t.Any], sources: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The observation document of a host of this release, with what a case changes in it."""
    probes = {}
    at = 0.0
    for name in PROBES:
        at = golden(release, name)["at"]
        data = golden(release, name)["data"]
        if changes.get(name):
            data = copy.deepcopy(data)
            for path, value in changes[name].items():
                _put(data, path.split("/"), value)
        probes[name] = {"status": "ok", "collected_at": at, "data": data, "sources": sources.get(name) or {}}
    return {
        "schema_version": "1.0",
        "collected_at": at,
        "duration_s": 1.0,
        "privileged": True,
        "powershell": "5.1.17763.5830",
        "probes": probes,
    }


def _put(data: t.Any, path: t.Sequence[str], value: t.Any) -> None:
    """Set what the path leads to; a number is a place in a list, and the place behind its end makes it longer."""
    for step in path[:-1]:
        data = data[int(step)] if isinstance(data, list) else data[step]
    if isinstance(data, list) and int(path[-1]) == len(data):
        data.append(value)
    elif isinstance(data, list):
        data[int(path[-1])] = value
    else:
        data[path[-1]] = value


def view(case: t.Mapping[str, t.Any]) -> View:
    """What checks look at: ``windows`` is the release, ``change``, ``sources``, ``history``, ``exposure`` as cases have them."""
    document = documents(str(case["windows"]), case.get("change") or {}, case.get("sources") or {})
    return observation.view(
        reading.read(document),
        "srv01",
        document["collected_at"],
        replay.RecordedHistory(case.get("history") or {}),
        exposure=case.get("exposure", "internet"),
    )


@functools.cache
def well(release: str) -> View:
    """A host of this release that is well."""
    return view({"windows": release})
