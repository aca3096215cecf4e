"""What Windows hosts tell, read and judged: golden documents of seven releases, and cases that differ from them.

A case below cases/windows_verdicts names the golden documents that it starts from (``windows``), what differs (``change``:
probe -> path with dots -> value; a value of null takes nothing away, it is what the host could not read), sources that
could not be read (``sources``), and what has to come of it: parts of documents (``expect``), verdicts of checks
(``verdicts``).
"""

from __future__ import annotations

import copy
import json
import typing as t
from dataclasses import asdict
from pathlib import Path

import pytest
import replay

from ansible_collections.keepwell.fleet.plugins.plugin_utils import judge, observation, policy
from ansible_collections.keepwell.fleet.plugins.plugin_utils.windows_hosts import reading

GOLDEN = Path(__file__).parents[1] / "windows" / "windows_host" / "golden"
RELEASES = sorted(path.name for path in GOLDEN.iterdir() if path.is_dir() and not path.name.startswith("_"))
PROBES = tuple(sorted(reading.READERS))
# Checks that read nothing else than these probes.
CHECKS = tuple(
    check.id
    for check in judge.CHECKS
    if check.needs and set(check.needs) <= set(PROBES) - {"system"} and not check.from_datasets
)
# What a host that is well does not get for being well: what only its owner can declare.
NOT_WELL = {"backup.undeclared"}
# What Windows 10 and 11 do unless somebody decides otherwise: restart by themselves, and ask one time server.
CLIENTS = ("10-", "11-")
CLIENT_DEFAULTS = {"patching.automatic_updates", "time.sources"}


def documents(release: str, changes: t.Mapping[str, t.Any], sources: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The observation document of a host of this release, with what a case changes in it."""
    probes = {}
    at = 0.0
    for name in PROBES:
        golden = json.loads((GOLDEN / release / f"{name}.json").read_text())
        at = golden["at"]
        data = copy.deepcopy(golden["data"])
        for path, value in (changes.get(name) or {}).items():
            put(data, path.split("/"), value)
        probes[name] = {"status": "ok", "collected_at": at, "data": data, "sources": sources.get(name) or {}}
    return {
        "schema_version": "1.0",
        "collected_at": at,
        "duration_s": 1.0,
        "privileged": True,
        "powershell": "5.1.17763.5830",
        "probes": probes,
    }


def put(data: t.Any, path: t.Sequence[str], value: t.Any) -> None:
    """Set what the path leads to; a number is a place in a list, and the place behind its end makes it longer."""
    for step in path[:-1]:
        data = data[int(step)] if isinstance(data, list) else data[step]
    if isinstance(data, list) and int(path[-1]) == len(data):
        data.append(value)
    elif isinstance(data, list):
        data[int(path[-1])] = value
    else:
        data[path[-1]] = value


def view_of(document: dict[str, t.Any], case: t.Mapping[str, t.Any]) -> t.Any:
    return observation.view(
        reading.read(document),
        "srv01",
        document["collected_at"],
        replay.RecordedHistory(case.get("history") or {}),
        exposure=case.get("exposure", "internet"),
    )


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("name", PROBES)
def test_golden_documents_say_what_they_are(release: str, name: str) -> None:
    golden = json.loads((GOLDEN / release / f"{name}.json").read_text())
    assert golden["recorded"] is False or "recorded" in golden["source"]
    assert golden["source"]


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("check", CHECKS)
def test_a_host_that_is_well_has_no_finding(release: str, check: str) -> None:
    result = judge.run_check(check, view_of(documents(release, {}, {}), {}), policy.build([]))
    wrong = [asdict(verdict) for verdict in result.verdicts if verdict.state != "ok"]
    if release.startswith(CLIENTS) and check in CLIENT_DEFAULTS:
        assert len(wrong) == 1
    else:
        assert not wrong or check in NOT_WELL, wrong


@pytest.mark.parametrize("path", replay.cases("windows_verdicts"), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_windows_verdict_case(path: Path) -> None:
    case = replay.load(path)
    document = documents(str(case["windows"]), case.get("change") or {}, case.get("sources") or {})
    seen = view_of(document, case)
    for name, wanted in (case.get("expect") or {}).items():
        assert seen.probes[name].status == "ok", seen.probes[name].detail
        assert not replay.differences(wanted, dict(seen.probes[name].data))
    chosen = policy.build([("case", case.get("policy") or {})])
    for check, wanted in case["verdicts"].items():
        verdicts = [asdict(verdict) for verdict in judge.run_check(check, seen, chosen).verdicts]
        assert not replay.differences(wanted, verdicts), verdicts
