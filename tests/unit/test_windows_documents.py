"""Documents of Windows hosts have the shape that those of other hosts have: the same keys, however deep."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
import replay

from ansible_collections.keepwell.fleet.plugins.plugin_utils.windows_hosts import reading

GOLDEN = Path(__file__).parents[1] / "windows" / "windows_host" / "golden"
# A recorded host with as much of everything as there is, by probe.
ELSEWHERE = {
    "access": "access/debian_12_as_root.yml",
    "backups": "backups/timers_cron_and_postgres.yml",
    "certificates": "certificates/nginx_serves_what_lies_on_disk.yml",
    "disks": "disks/container_trixie.yml",
    "hardware": "hardware/physical_with_failing_disk.yml",
    "network": "network/debian_12.yml",
    "pressure": "pressure/case_25_name_with_brackets.yml",
}
# What Windows has nothing of: numbers of users, and what its processes are told by.
LACKING = {"access/uid0", "pressure/processes/top_memory/pss_bytes"}
# Keys that are names of things, not of the document.
NAMED = ("admins", "certificates", "databases", "dump_jobs", "damage")


def lacking(expected: t.Any, actual: t.Any, where: str) -> t.Iterator[str]:
    """The paths of keys that a document lacks; what is null or empty in one of them has no shape to compare."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key, value in expected.items():
            path = f"{where}/{key}"
            if key not in actual:
                yield path
            elif key not in NAMED:
                yield from lacking(value, actual[key], path)
    elif isinstance(expected, list) and isinstance(actual, list) and expected and actual:
        yield from lacking(expected[0], actual[0], where)


@pytest.mark.parametrize("name", ELSEWHERE)
@pytest.mark.parametrize("release", ["2016", "2025", "10-22H2", "11-25H2"])
def test_a_document_of_windows_has_the_keys_of_all_others(name: str, release: str) -> None:
    golden = json.loads((GOLDEN / release / f"{name}.json").read_text())
    document = reading.READERS[name](golden["data"], golden["at"])
    other = replay.probe_record(replay.load(replay.CASES / "probes" / ELSEWHERE[name]))["data"]
    assert set(lacking(other, document, name)) <= LACKING


@pytest.mark.parametrize("name", ELSEWHERE)
def test_what_cannot_be_read_is_no_document(name: str) -> None:
    """Data of another shape cost their probe, never the host; an empty answer is not a host without anything."""
    for data in ({}, {"volumes": [7], "adapters": "x", "samples": 3, "stored": {"a": 1}, "accounts": "no"}):
        record = {"status": "ok", "data": data, "sources": {}, "collected_at": 1.0}
        document = {"schema_version": "1.0", "collected_at": 1.0, "duration_s": 1.0, "powershell": "5.1"}
        found = reading.read({**document, "probes": {name: record}})
        assert found["probes"][name]["status"] == "error"
