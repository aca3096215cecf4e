"""playbooks/patch.yml over real hosts: announced without a trace, carried out once, recorded as it was."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import patch_runs
import pytest
from fleet import MANAGED_BY_APT, UNTOUCHED, Fleet
from harness import Outcome, Project
from lab.hosts import Host, Wanted
from patch_runs import ACT, FIX
from traces import differences, fingerprints

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab")]

CLIENT = "acting"
HOSTS = {f"acting-{kind}": kind for kind in UNTOUCHED}


@dataclass
class Acted:
    """Announced, carried out, carried out again; and what was true of the hosts before and after each."""

    hosts: dict[str, Host]
    announced: Outcome
    done: Outcome
    again: Outcome
    runs: list[Path]
    traces: tuple[dict[str, str], dict[str, str]]
    versions: tuple[dict[str, dict[str, str]], dict[str, dict[str, str]], dict[str, dict[str, str]]]


@pytest.fixture(scope="module")
def acted(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Acted:
    """Three runs over a host of every kind."""
    folder = tmp_path_factory.mktemp("acting")
    fleet.lab.start(Wanted(name, kind) for name, kind in HOSTS.items())
    hosts = {name: fleet[name] for name in HOSTS}
    file = patch_runs.client(
        folder / f"{CLIENT}.yml",
        {name: {**host.variables(), "patching_ring": 1} for name, host in hosts.items()},
        patching_exclusions=patch_runs.WITHOUT_BROKEN,
    )
    project = Project(folder / "state")

    def versions() -> dict[str, dict[str, str]]:
        return {name: patch_runs.versions(host) for name, host in hosts.items()}

    before = fingerprints(list(hosts.values()))
    announced = patch_runs.patch(project, file, "--check")
    after = fingerprints(list(hosts.values()))
    first = versions()
    done = patch_runs.patch(project, file, *ACT)
    second = versions()
    again = patch_runs.patch(project, file, *ACT)
    found = patch_runs.runs(again, CLIENT)
    return Acted(hosts, announced, done, again, found, (before, after), (first, second, versions()))


def test_the_announcement_is_made_without_a_trace(acted: Acted) -> None:
    assert acted.announced.rc == 0, acted.announced.output
    assert all(len(text.splitlines()) > 300 for text in acted.traces[0].values())
    assert differences(*acted.traces) == {}


def test_the_announcement_is_printed_and_kept(acted: Acted) -> None:
    text = (acted.runs[0] / "announcement.txt").read_text()
    assert text.strip() in acted.announced.output
    assert "nothing has been changed" in text
    plans = patch_runs.plans(acted.runs[0])
    assert set(plans) == set(HOSTS)
    for name, plan in plans.items():
        assert plan["plan_hash"][:16] in text, name
        assert f"\n{name}, ring 1: " in text
    assert {change["outcome"] for change in patch_runs.changes(acted.runs[0]).values()} == {"planned"}


def test_the_security_fix_is_taken_and_nothing_newer(acted: Acted) -> None:
    _before, after, _again = acted.versions
    assert acted.done.rc == 0, acted.done.output
    assert {after[f"acting-{kind}"]["kw-tool:all"] for kind in MANAGED_BY_APT} == {FIX}
    assert after["acting-el9-emulation"]["kw-tool:noarch"] == "1.0-2.el9"
    for kind in MANAGED_BY_APT:
        assert after[f"acting-{kind}"]["kw-plain:all"] == "2.0-1"
        assert after[f"acting-{kind}"]["kw-broken:all"] == "1.0-1"


def test_what_is_recorded_is_what_the_hosts_say(acted: Acted) -> None:
    before, after, _again = acted.versions
    changes, plans = patch_runs.changes(acted.runs[1]), patch_runs.plans(acted.runs[1])
    for name in HOSTS:
        assert changes[name]["outcome"] == "done", changes[name]
        own = {(package, new) for package, _old, new in patch_runs.moved(before[name], after[name])}
        assert own, name
        assert {(package, new) for package, _old, new in patch_runs.recorded(changes[name])} == own, name
        assert {move["name"] for move in plans[name]["transaction"]} == {package for package, _new in own}, name


def test_a_second_run_changes_nothing(acted: Acted) -> None:
    assert acted.again.rc == 0, acted.again.output
    _before, after, again = acted.versions
    assert again == after
    recap = acted.again.output[acted.again.output.index("PLAY RECAP") :]
    for name in HOSTS:
        (line,) = [line for line in recap.splitlines() if line.startswith(f"{name} ")]
        assert "changed=0 " in line and "failed=0 " in line, line
    assert {change["outcome"] for change in patch_runs.changes(acted.runs[2]).values()} == {"nothing"}
