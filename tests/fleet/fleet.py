"""The hosts of the fleet tests: what is wrong with each of them, and what a run of Keepwell says of it."""

from __future__ import annotations

import contextlib
import json
import typing as t
from dataclasses import dataclass
from pathlib import Path

from harness import Outcome
from lab import faults
from lab.hosts import Host, Lab, Wanted

UNTOUCHED = ("debian-11", "debian-12", "debian-13", "el9-emulation", "suse-emulation")
MANAGED_BY_APT = ("debian-11", "debian-12", "debian-13")
_ADVISORIES = "sed -i 's#rpm/updates$#rpm/updates-{}#' /etc/{}/kw-updates.repo"

# Patched and not restarted; one upgrade failed half-way.
_UPGRADE = """
apt-get -qq update
apt-get -qq install kw-linux-image kw-svc >/dev/null
! apt-get -qq install kw-broken >/dev/null 2>&1
! systemd-run --quiet --wait --unit kw-failing /bin/false
"""

HOSTS = (
    *(Wanted(name, name) for name in UNTOUCHED),
    Wanted("upgraded", "debian-12", before=_UPGRADE),
    Wanted("locked", "debian-13"),
    Wanted("no-python", "debian-11", before="rm -f /usr/bin/python3*"),
    Wanted("full", "debian-12", ("--tmpfs", "/tmp:rw,size=1m", "--tmpfs", "/var/tmp:rw,size=1m")),
    *(
        Wanted(f"{kind}-{variant}", f"{kind}-emulation", before=_ADVISORIES.format(variant, folder))
        for kind, folder in (("el9", "yum.repos.d"), ("suse", "zypp/repos.d"))
        for variant in ("malformed", "absent")
        if (kind, variant) != ("suse", "malformed")
    ),
    # zypper, unlike dnf, complains.
    Wanted(
        "suse-malformed",
        "suse-emulation",
        before=_ADVISORIES.format("malformed", "zypp/repos.d") + "; ! zypper --quiet --non-interactive refresh",
        refresh=False,
    ),
)
AGED = ("stale", "cut-off")
AGE_DAYS = 5.0
LISTS = "/var/lib/apt/lists"


@contextlib.contextmanager
def aged_hosts(lab: Lab, folder: Path) -> t.Iterator[None]:
    """Start the hosts whose package lists are days old; they need the lists of a host that has some."""
    with contextlib.ExitStack() as stack:
        for name in AGED:
            lists = stack.enter_context(faults.aged_copy(lab.hosts["debian-12"], LISTS, folder / name, AGE_DAYS))
            lab.start([Wanted(name, "debian-12", ("--volume", f"{lists}:{LISTS}"), refresh=False)])
        try:
            yield
        finally:
            # Before their volumes go.
            lab.remove()


class Seen:
    """What one run wrote down about one host."""

    def __init__(self, evidence: Path) -> None:
        document = json.loads(evidence.read_text())
        self.result: dict[str, t.Any] = document["result"]
        self.observation: dict[str, t.Any] | None = document.get("observation")

    def data(self, probe: str = "packages") -> dict[str, t.Any]:
        """What a probe found."""
        assert self.observation is not None, self.result["contact"]
        record = self.observation["probes"][probe]
        assert record["status"] == "ok", record
        return t.cast("dict[str, t.Any]", record["data"])

    def pending(self) -> dict[str, dict[str, t.Any]]:
        """Pending updates by name."""
        return {update["name"]: update for update in self.data()["pending"]}

    def state(self, check: str) -> str:
        """The state that a check came to; ``not applicable`` when it said nothing."""
        states = [result["state"] for result in self.result["results"] if result["check"] == check]
        return str(states[0]) if states else "not applicable"

    def findings(self, check: str = "") -> dict[str, dict[str, t.Any]]:
        """What a check (or every check) found, by object."""
        results = [result for result in self.result["results"] if check in ("", result["check"])]
        return {finding.get("object", ""): finding for result in results for finding in result.get("findings", ())}


@dataclass
class Fleet:
    """The lab and how tests ask for parts of it."""

    lab: Lab

    def __getitem__(self, name: str) -> Host:
        return self.lab.hosts[name]

    def variables(self, *names: str) -> dict[str, dict[str, t.Any]]:
        """Inventory of these hosts; ``debian-12-plain`` is debian-12 as the user without sudo."""
        return {
            name: self[name.removesuffix("-plain")].variables("plain" if name.endswith("-plain") else "ops")
            for name in names
        }


def seen(outcome: Outcome, client: str) -> dict[str, Seen]:
    """What the newest run of a client wrote down, by host."""
    newest = sorted((outcome.state / client / "runs").iterdir())[-1]
    return {path.stem: Seen(path) for path in (newest / "hosts").glob("*.json")}
