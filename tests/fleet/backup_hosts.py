"""Hosts of the lab with backups of every kind, healthy and not, and runs of playbooks/backup_verify.yml over them."""

from __future__ import annotations

import json
import time
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from backup_agent import STORE, ask, dataset
from harness import Outcome, Project, inventory
from lab.hosts import Host, Wanted

CLIENT = "shop"
# In every file that a restore brings back.
CONTENT = "kw-content-9182"
LIVE = "/srv/live"
# Whatever a restore or a secret could be left in.
PLACES = ("/var", "/tmp", "/root", "/run", "/dev/shm", "/home", "/opt", "/etc")
ACT = ("-e", '{"backup_verification_act": true}')
VERDICTS = ("freshness", "completeness", "integrity", "restorability", "survivability")
OLD_CANARY_S = 30 * 86400.0
# Another filesystem than that of the data, as it ought to be; two that cannot be restored into.
MOUNTS = (f"{STORE}:rw,size=3g", "/srv/small:rw,size=4m", "/srv/readonly:ro,size=1m")
OPTIONS = tuple(word for mount in MOUNTS for word in ("--tmpfs", mount))
OLDER = Wanted("vault", "debian-12-backup", OPTIONS, refresh=False)
NEWER = Wanted("vault13", "debian-13-backup", OPTIONS, refresh=False)
HOSTS = (OLDER, NEWER)
_MAKE = Path(__file__).with_name("make_backups.sh")
_CANARIES = {"restic": "shop/.restic", "borg": "shop/.borg", "large": "large/.restic", "large-borg": "large/.borg"}
# Names, kinds, modes, owners, link targets and contents of everything below a folder.
_TREE = (
    "cd {} && {{ find . -printf '%p %y %m %U:%G %l\\n'; find . -type f -exec sha256sum {{}} +; }} | sort | sha256sum"
)

_WINDOW = {
    "rule": {"weekly": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]},
    "start": "00:00",
    "duration": "48h",
    "allow": ["backup_verification"],
}


def prepare(host: Host, everything: bool) -> None:
    """Make live data with canaries and backups of it."""
    host.run(f"mkdir -p {LIVE}/shop {LIVE}/large {LIVE}/old")
    now = time.time()
    for name, path in _CANARIES.items():
        write_canary(host, name, path, now - 60.0)
    write_canary(host, "tar-stale", "old/.canary", now - OLD_CANARY_S)
    host.run(f"set -- {'all' if everything else ''}\n{_MAKE.read_text()}", timeout=240)


def write_canary(host: Host, dataset: str, path: str, now: float) -> None:
    """Have Keepwell write a canary at a moment."""
    wanted = [{"id": dataset, "path": f"{LIVE}/{path}", "every_hours": 168}]
    answer = ask(host, "canary", canaries=wanted, now=now)["canaries"][dataset]
    assert answer.get("written"), answer


def of_files(name: str, tool: str, repository: str, folder: str = f"{LIVE}/shop", **more: t.Any) -> dict[str, t.Any]:
    """The declaration of a backup of files."""
    declared = dataset(name, tool, repository, sources=[folder], **more)
    return {**declared, "canary": {"path": f"{LIVE}/{_CANARIES[name]}"}} if name in _CANARIES else declared


class Backup(t.Protocol):
    """A backup and the tests of it."""

    @property
    def declared(self) -> dict[str, t.Any]:
        """The dataset."""

    @property
    def tests(self) -> tuple[str, ...]:
        """Kinds of tests."""


@dataclass
class Seen:
    """What a run wrote down."""

    outcome: Outcome
    folder: Path
    summaries: dict[str, dict[str, t.Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        entries = json.loads((self.folder / "run.json").read_text()).get("backups", [])
        self.summaries = {f"{entry['host']}/{entry['dataset']}": entry for entry in entries}

    @classmethod
    def newest(cls, verifying: Verifying) -> Seen:
        """What the newest run wrote down, whoever started it."""
        return cls(Outcome(0, "", verifying.project.state), verifying.newest())

    def document(self, host: str, name: str) -> dict[str, t.Any]:
        """The evidence of a dataset."""
        found = json.loads((self.folder / "backups" / f"{host}.{name}.json").read_text())
        return t.cast("dict[str, t.Any]", found)

    def proofs(self, host: str, name: str) -> dict[str, dict[str, t.Any]]:
        """What was proven of a dataset, by the kind of test."""
        return {proof["kind"]: proof for proof in self.document(host, name).get("proofs", [])}

    def states(self, host: str, name: str) -> dict[str, str]:
        """The five verdicts of a dataset."""
        return {verdict: self.summaries[f"{host}/{name}"][verdict] for verdict in VERDICTS}

    def words(self, host: str, name: str, verdict: str) -> str:
        """What a verdict says of a dataset that is not well."""
        results = json.loads((self.folder / "hosts" / f"{host}.json").read_text())["result"]["results"]
        found = [
            f"{finding['observed']} {finding['summary']}"
            for result in results
            if result["check"] == f"backup.{verdict}"
            for finding in result.get("findings", ())
            if finding.get("object") == name
        ]
        return " ".join(found)

    def change(self, host: str) -> dict[str, t.Any]:
        """What was done on a host."""
        found = json.loads((self.folder / "changes" / f"{host}.backup_verification.json").read_text())
        return t.cast("dict[str, t.Any]", found)


@dataclass
class Verifying:
    """A client of the lab: one inventory, runs over it."""

    project: Project
    file: Path

    def write(self, *wanted: tuple[Host, t.Sequence[Backup]], **more: t.Any) -> None:
        """Write the inventory: hosts with their backups, of which an acting run does these tests and no others."""
        variables = {}
        for host, backups in wanted:
            tests = [f"{backup.declared['id']}/{kind}" for backup in backups for kind in backup.tests]
            variables[host.name] = host.variables(
                backup_verification_datasets=[backup.declared for backup in backups],
                backup_verification_now=tests,
                backup_verification_budget={"tests": len(tests), "minutes": 6000},
            )
        inventory(
            self.file,
            variables,
            keepwell_client={"id": CLIENT, "name": "Shop"},
            keepwell_plan={"name": "lab", "services": ["monitoring", "backup_verification"]},
            keepwell_windows={"always": _WINDOW},
            keepwell_subset=["backups"],
            **{"backup_verification_sandbox_reserve_percent": 1, **more},
        )

    def run(self, *arguments: str, timeout: int = 600) -> Seen:
        """Run the playbook."""
        outcome = self.project.play("backup_verify", self.file, *arguments, timeout=timeout)
        assert (self.project.state / CLIENT / "runs").exists(), outcome.output
        return Seen(outcome, self.newest())

    def newest(self) -> Path:
        """Folder of the newest run."""
        runs: Path = self.project.state / CLIENT / "runs"
        return sorted(runs.iterdir())[-1]


def tree(host: Host, folder: str = STORE) -> str:
    """One hash of everything below a folder of a host: names, modes, contents."""
    return host.run(_TREE.format(folder)).stdout


def found_on(host: Host, text: str) -> list[str]:
    """Files of a host in which a text is, in places where none of ours belongs."""
    return host.run(f"grep -rla -e '{text}' {' '.join(PLACES)} 2>/dev/null || true").stdout.split()
