"""What a host sends is not trusted: odd data costs the host a result or its evidence, never a run or another host."""

from __future__ import annotations

import copy
import typing as t
from pathlib import Path

import pytest
from fleet_runs import NOW, host_evidence, record
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _registry as probe_registry
from ansible_collections.keepwell.fleet.plugins.plugin_utils import (
    assessment,
    document_keys,
    documents,
    evidence,
    history,
    observation,
    policy,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks import _registry
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import Contact

DEFAULTS = policy.build([])
ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.just(10**400) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
# Names of fields that checks and history read, so that odd values land where they hurt.
FIELDS = ("accounts", "boot", "certificates", "engines", "filesystems", "keys", "kernel", "os", "smart", "uid0", "jobs")


def document(probes: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    records = {name: {"status": "ok", "data": data, "sources": {}} for name, data in probes.items()}
    return {"schema_version": "1.0", "collected_at": NOW, "duration_s": 1.0, "python": "3.11.2", "probes": records}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("probes", "system", "status"), ["ok"]),
        (("probes", "system", "detail"), {"a": 1}),
        (("probes", "system", "duration_s"), "long"),
        (("probes", "system", "duration_s"), 10**400),
        (("probes", "system", "sources"), {"who": 1}),
        (("probes", "system", "sources"), {"who": {"status": 1}}),
        (("collected_at",), 10**400),
        (("collected_at",), None),
        (("duration_s",), "long"),
        (("python",), [3]),
    ],
)
def test_a_frame_of_the_wrong_kind_is_refused(path: tuple[str, ...], value: object) -> None:
    odd = document({"system": {}})
    assert observation.check_shape(odd) is None
    place = odd
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    assert observation.check_shape(odd)


@given(st.dictionaries(st.sampled_from(sorted(probe_registry.PROBES)), st.dictionaries(st.sampled_from(FIELDS), ODD)))
def test_no_data_of_a_probe_costs_more_than_results(probes: dict[str, dict[str, t.Any]]) -> None:
    judging = assessment.Judging("01K0000000000000000000000A", "acme", "web1", (), NOW, DEFAULTS)
    found = assessment.judge_observation(judging, document(probes), Contact(reached=True))
    documents.dump(found)
    assert found.observation is not None
    view = observation.view(found.observation, "web1", NOW)
    for _metric, name, value in _registry.series(view):
        assert isinstance(name, str)
        assert abs(value) < float("inf")
    for kind, name in _registry.sightings(view):
        assert isinstance(kind, str)
        assert isinstance(name, str)
    observation.boot_id(view)


@pytest.mark.parametrize("accounts", [None, [1], "x", [{"can_log_in": True}]])
def test_odd_data_of_one_host_does_not_cost_the_run_its_history(tmp_path: Path, accounts: object) -> None:
    store = evidence.Store(tmp_path, "acme")
    odd = {"access": {"accounts": accounts, "keys": []}, "system": {"boot": [1]}}
    record(store, [host_evidence("evil", {}, probes=odd), host_evidence("web1", {"capacity.space": "act"})])
    record(store, [host_evidence("web1", {"capacity.space": "act"})], at=NOW + 60)
    index = history.History(store)
    assert not index.behind()
    assert index.rebuild() == 2


def test_a_probe_whose_answer_lacks_a_part_has_failed() -> None:
    data = {**dict.fromkeys(document_keys.KEYS["disks"][1]), "btrfs": [], "filesystems": None}
    record = observation.complete(document({"disks": data}), ["disks"])["probes"]["disks"]
    assert record["status"] == "error"
    assert record["detail"] == "the host's answer leaves out filesystems, skipped_network"
    assert record["data"] == {}


def test_a_probe_that_the_answer_leaves_out_has_failed() -> None:
    held, nullable = document_keys.KEYS["system"]
    system = {**{key: {} for key in held}, **dict.fromkeys(nullable)}
    whole = observation.complete(document({"system": system}), ["system", "disks"])
    assert whole["probes"]["system"]["status"] == "ok"
    assert whole["probes"]["disks"]["status"] == "error"
    judging = assessment.Judging("01K0000000000000000000000A", "acme", "web1", (), NOW, DEFAULTS)
    states = {
        result.check: result.state
        for result in assessment.judge_observation(judging, copy.deepcopy(whole), Contact(reached=True)).result.results
    }
    assert states["capacity.space"] == "unknown"
