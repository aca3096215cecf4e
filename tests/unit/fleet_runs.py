"""Make runs and evidence for tests of the store, the history and what is built on them."""

from __future__ import annotations

import typing as t

from ansible_collections.keepwell.fleet.plugins.plugin_utils import evidence, identifiers, processes, runs
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.models import Verification
from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import worst
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import (
    CheckResult,
    Client,
    Contact,
    Finding,
    HostEvidence,
    HostResult,
    iso,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.models import Plan
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import RunHeader, Trigger

NOW = 1_795_399_200.0
_OBSERVATION = {"schema_version": "1.0", "collected_at": NOW, "duration_s": 1.0, "privileged": True, "probes": {}}


def header(run_id: str, population: t.Sequence[str] = ("web1",), at: float = NOW, process: t.Any = None) -> RunHeader:
    """A run's header. Its process is a dead one unless told otherwise."""
    dead = {"pid": 1, "started": 0, "boot_id": "none", "controller": processes.this_process()["controller"]}
    return RunHeader(
        run_id=run_id,
        client=Client(id="acme", name="Acme"),
        started_at=iso(at),
        population=sorted(population),
        trigger=Trigger(user="ops", controller="control", origin="timer"),
        process=dead if process is None else process,
    )


def finding(host: str, check: str, state: t.Any, obj: str = "", at: float = NOW, **more: t.Any) -> Finding:
    """A finding with its real key."""
    key = identifiers.finding_key("acme", host, check, obj)
    return Finding(key=key, object=obj, state=state, observed="seen", first_seen=iso(at), **more)


def host_result(host: str, states: t.Mapping[str, t.Any], at: float = NOW, reached: bool = True) -> HostResult:
    """A host whose checks have these states; a value may be a list of findings instead."""
    results = []
    for check, state in states.items():
        findings = state if isinstance(state, list) else [] if state == "ok" else [finding(host, check, state, at=at)]
        results.append(
            CheckResult(check=check, state=worst(entry.state for entry in findings), observed="seen", findings=findings)
        )
    state = worst(result.state for result in results) if reached else "unknown"
    return HostResult(
        host=host,
        state=state,
        contact=Contact(reached=reached, reason="" if reached else "not reachable: no answer"),
        collected_at=iso(at) if reached else None,
        results=results,
    )


def host_evidence(
    host: str,
    states: t.Mapping[str, t.Any],
    run_id: str = "01K00000000000000000000000",
    at: float = NOW,
    probes: t.Mapping[str, t.Any] | None = None,
    reached: bool = True,
) -> HostEvidence:
    """Evidence of a host; ``probes`` maps probe names to data."""
    records = {
        name: {"status": "ok", "data": data, "sources": {}, "duration_s": 0.1, "collected_at": at, "truncated": False}
        for name, data in (probes or {}).items()
    }
    return HostEvidence(
        run_id=run_id,
        client="acme",
        judged_at=iso(at),
        result=host_result(host, states, at, reached),
        observation={**_OBSERVATION, "collected_at": at, "probes": records} if reached else None,
    )


def change(host: str, outcome: t.Any, run_id: str = "", at: float = NOW, **more: t.Any) -> ChangeRecord:
    """What was done on a host."""
    more.setdefault("chore", "patching")
    ended = None if outcome == "running" else iso(at + 300)
    return ChangeRecord(
        run_id=run_id, client="acme", host=host, outcome=outcome, started_at=iso(at), ended_at=ended, **more
    )


def plan(host: str, run_id: str = "", at: float = NOW, **more: t.Any) -> Plan:
    """What would be done on a host: nothing, unless told."""
    document = {
        "manager": "apt",
        "policy": "security",
        "plan_hash": "0" * 64,
        "reboot": {"expected": "no"},
        "rollback": {"possible": "yes", "text": "old packages are kept"},
        **more,
    }
    return Plan(run_id=run_id, client="acme", host=host, made_at=iso(at), **document)


def verification(host: str, dataset: str = "files", run_id: str = "", at: float = NOW, **more: t.Any) -> Verification:
    """What a run saw and proved of a dataset: a repository that answered, unless told."""
    document = {
        "declared": {"id": dataset, "protects": "the files", "tool": "restic", "repository": "/srv/r"},
        "repository_key": "0123456789abcdef",
        "verifier": host,
        "looked_at": iso(at),
        "look": {"status": "ok"},
        **more,
    }
    return Verification(run_id=run_id, client="acme", host=host, dataset=dataset, **document)


def record(store: evidence.Store, hosts: t.Sequence[HostEvidence], at: float = NOW, **more: t.Any) -> str:
    """Begin, fill and conclude a run; return its id."""
    run_id = identifiers.new_run_id(at)
    population = more.pop("population", None) or [entry.result.host for entry in hosts]
    runs.begin(store, header(run_id, population, at), at)
    for entry in hosts:
        store.write_host(entry.model_copy(update={"run_id": run_id, "judged_at": iso(at)}))
    for entry in more.pop("changes", ()):
        store.write_change(entry.model_copy(update={"run_id": run_id}))
    for entry in more.pop("plans", ()):
        store.write_plan(entry.model_copy(update={"run_id": run_id}))
    for entry in more.pop("verifications", ()):
        store.write_verification(entry.model_copy(update={"run_id": run_id}))
    for name, content in more.pop("documents", {}).items():
        store.write_document(run_id, name, content)
    runs.conclude(store, run_id, at + 10, **more)
    return run_id
