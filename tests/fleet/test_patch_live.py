"""Real updates of today: a host with Debian's own archives. Asks for sets that are equal, never for numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import patch_runs
import pytest
from fleet import Fleet, Seen
from harness import Outcome, Project
from lab import podman
from lab.hosts import Host, Wanted
from patch_runs import ACT

pytestmark = [pytest.mark.lab, pytest.mark.live, pytest.mark.xdist_group("lab")]

CLIENT = "live"
RELEASE = "bookworm"
NAME = "live"
# As apt prints it: Inst, name, [installed], (offered, archives it comes from, [architecture]).
INST = re.compile(r"^Inst (?P<name>\S+) \[[^]]+\] \((?P<version>\S+) (?P<origins>[^[]*) \[[^]]+\]\)")


def sources() -> str:
    """The archives that this machine's own apt uses; skips where it has no such release."""
    shown = podman.run("apt-get", "indextargets", "--format", "$(RELEASE) $(REPO_URI)", "Created-By: Packages").stdout
    found = dict(line.split() for line in shown.splitlines())
    wanted = (RELEASE, f"{RELEASE}-updates", f"{RELEASE}-security")
    if f"{RELEASE}-security" not in found:
        pytest.skip(f"apt of this machine names no archive of {RELEASE}-security")
    return "".join(f"deb {found[name]} {name} main\n" for name in wanted if name in found)


def simulated(host: Host) -> dict[str, tuple[str, bool]]:
    """What apt itself would install now: name -> (version, whether it is a security update)."""
    lines = host.run("apt-get -s dist-upgrade").stdout.splitlines()
    found = [INST.match(line) for line in lines if line.startswith("Inst ")]
    return {
        match["name"].partition(":")[0]: (match["version"], "Debian-Security:" in match["origins"])
        for match in found
        if match is not None
    }


@dataclass
class Live:
    """What apt and dpkg said before and after, and the runs between."""

    host: Host
    assessed: Outcome
    done: Outcome
    again: Outcome
    runs: list[Path]
    apt: tuple[dict[str, tuple[str, bool]], dict[str, tuple[str, bool]]]
    versions: tuple[dict[str, str], dict[str, str], dict[str, str]]


@pytest.fixture(scope="module")
def live(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Live:
    text = sources()
    fleet.lab.start([Wanted(NAME, "debian-12", refresh=False)])
    host = fleet[NAME]
    # A host of the lab has only the lab's packages to be patched; this one has only Debian's.
    host.run(f"rm /etc/apt/sources.list.d/lab.sources; printf '%s' '{text}' >/etc/apt/sources.list")
    fetched = host.run("apt-get -q update -o APT::Update::Error-Mode=any", check=False, timeout=300)
    if fetched.returncode:
        pytest.skip("the archives that this machine's apt names are not reached from a host of the lab")
    folder = tmp_path_factory.mktemp("live")
    file = patch_runs.client(folder / f"{CLIENT}.yml", {NAME: host.variables()})
    project = Project(folder / "state")
    before, offered = patch_runs.versions(host), simulated(host)
    assessed = project.play("assess", file, timeout=400)
    done = patch_runs.patch(project, file, *ACT, timeout=900)
    after, left = patch_runs.versions(host), simulated(host)
    again = patch_runs.patch(project, file, *ACT)
    return Live(
        *(host, assessed, done, again, patch_runs.runs(again, CLIENT)),
        *((offered, left), (before, after, patch_runs.versions(host))),
    )


def test_the_same_packages_in_the_same_classes_as_apt(live: Live) -> None:
    assert live.assessed.rc == 0, live.assessed.output
    pending = Seen(live.runs[0] / "hosts" / f"{NAME}.json").pending()
    offered = {name: version for name, (version, _security) in live.apt[0].items()}
    assert {name: entry["candidate"] for name, entry in pending.items()} == offered
    security = {name for name, (_version, is_security) in live.apt[0].items() if is_security}
    # A fix that a newer version hides is one as well, and apt's line does not say so.
    assert {name for name, entry in pending.items() if entry["class"] == "security"} >= security
    hidden = {name for name, entry in pending.items() if entry["class"] == "security"} - security
    for name in hidden:
        assert pending[name]["security_version"] != pending[name]["candidate"], pending[name]


def test_no_security_update_is_left(live: Live) -> None:
    assert live.done.rc == 0, live.done.output
    assert not [name for name, (_version, is_security) in live.apt[1].items() if is_security]
    assert Seen(live.runs[2] / "hosts" / f"{NAME}.json").state("patching.security_pending") == "ok"
    assert live.host.run("dpkg --audit").stdout == ""


def test_what_is_recorded_is_what_dpkg_says(live: Live) -> None:
    before, after, _again = live.versions
    (change,) = patch_runs.changes(live.runs[1]).values()
    assert change["outcome"] in ("done", "nothing"), change
    assert patch_runs.recorded(change) == patch_runs.moved(before, after)


def test_a_second_run_changes_nothing(live: Live) -> None:
    assert live.again.rc == 0, live.again.output
    _before, after, again = live.versions
    assert again == after
    (change,) = patch_runs.changes(live.runs[2]).values()
    assert change["outcome"] == "nothing"
