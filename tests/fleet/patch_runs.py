"""Whole runs of playbooks/patch.yml over hosts of the lab, and what they wrote down."""

from __future__ import annotations

import typing as t
from pathlib import Path

from harness import Outcome, Project, inventory
from lab.hosts import Host

from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.models import Plan

# Bought, with a window that is always open, and as little waiting as there can be.
VARIABLES: dict[str, t.Any] = {
    "keepwell_lab": True,
    "keepwell_plan": {"name": "lab", "services": ["monitoring", "patching"]},
    "keepwell_windows": {
        "always": {
            "rule": {"weekly": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]},
            "start": "00:00",
            "duration": "48h",
            "allow": ["patch", "reboot"],
        }
    },
    "patching_reserve_minutes": 1,
    "patching_settle_s": 1,
    "patching_settle_limit_s": 2,
}
ACT = ("-e", '{"patching_act": true}')
FIX = "1.0-1+deb12u1"
# Its upgrade fails until somebody mends it.
WITHOUT_BROKEN = [{"package": "kw-broken", "reason": "it fails", "approver": "the lab", "expires": "2099-01-01"}]


def client(path: Path, hosts: t.Mapping[str, t.Mapping[str, t.Any]], **more: t.Any) -> Path:
    """Write the inventory of a client that has bought patching; the file's name is the client's."""
    return inventory(path, {name: dict(variables) for name, variables in hosts.items()}, **{**VARIABLES, **more})


def patch(project: Project, file: Path, *arguments: str, timeout: int = 400) -> Outcome:
    """Run playbooks/patch.yml; nothing is changed unless the arguments say so."""
    # Many hosts of the lab share a processor or two. The last of several --forks counts.
    return project.play("patch", file, "--forks", "3", *arguments, timeout=timeout)


def runs(outcome: Outcome, name: str) -> list[Path]:
    """Folders of all runs of a client, the oldest first."""
    return runs_of(outcome.state, name)


def runs_of(state: Path, name: str) -> list[Path]:
    """The same while no run has ended; empty while none has begun."""
    folder = state / name / "runs"
    return sorted(folder.iterdir()) if folder.exists() else []


def changes(run: Path, chore: str = "patching") -> dict[str, dict[str, t.Any]]:
    """The change records of a run by host, with the defaults that are not written down."""
    texts = [path.read_text() for path in (run / "changes").glob(f"*.{chore}.json")]
    return {record.host: record.model_dump(mode="json") for record in map(ChangeRecord.model_validate_json, texts)}


def plans(run: Path) -> dict[str, dict[str, t.Any]]:
    """The plans of a run by host, with the defaults that are not written down."""
    texts = [path.read_text() for path in (run / "plans").glob("*.json")]
    return {plan.host: plan.model_dump(mode="json") for plan in map(Plan.model_validate_json, texts)}


def versions(host: Host) -> dict[str, str]:
    """Every package that is there, half-done ones too, with its version by the host's own account: name:arch -> version."""
    query = (
        r"dpkg-query -W -f '${Package}:${Architecture} ${Version} ${db:Status-Status}\n' "
        r"| sed -nE 's/ (installed|unpacked|half-configured|half-installed|triggers-[a-z]+)$//p'"
        if host.kind.layer == "debian"
        else r"rpm -qa --queryformat '%{NAME}:%{ARCH} %{VERSION}-%{RELEASE}\n'"
    )
    found: dict[str, list[str]] = {}
    for line in host.run(query).stdout.splitlines():
        name, version = line.split()
        found.setdefault(name, []).append(version)
    return {name: ", ".join(sorted(several)) for name, several in found.items()}


def moved(before: t.Mapping[str, str], after: t.Mapping[str, str]) -> set[tuple[str, str | None, str | None]]:
    """What differs between two accounts, as (name, before, after)."""
    names = before.keys() | after.keys()
    return {
        (name.partition(":")[0], before.get(name), after.get(name))
        for name in names
        if before.get(name) != after.get(name)
    }


def recorded(change: t.Mapping[str, t.Any]) -> set[tuple[str, str | None, str | None]]:
    """What a change record says of versions, as (name, before, after)."""
    return {(entry["name"], entry["before"], entry["after"]) for entry in change["versions"]}
