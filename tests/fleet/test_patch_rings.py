"""Rings over days: a bad package stops at the canary, and a good one goes on from ring to ring."""

from __future__ import annotations

import datetime as dt
import json
import typing as t
from dataclasses import dataclass
from pathlib import Path

import patch_runs
import pytest
from fleet import Fleet
from harness import PROJECT, Outcome, Project
from lab import faults
from lab.apt_repository import Package
from lab.archive import Archive
from lab.hosts import Host, Wanted
from patch_runs import ACT

pytestmark = [pytest.mark.lab, pytest.mark.long, pytest.mark.xdist_group("lab")]

RINGS = {"canary": 1, "app-1": 2, "app-2": 2, "web-1": 3, "web-2": 3, "web-3": 3}
LATER = [name for name, ring in RINGS.items() if ring > 1]
SERVICE = "kw-shop"
# What the story is about; the whole of it is looked at elsewhere, and here are many hosts on few processors.
SUBSET = ["packages", "services", "system"]
_UNIT = """[Unit]
Description=Keepwell lab shop
[Service]
ExecStart=/usr/sbin/kw-shopd infinity
[Install]
WantedBy=multi-user.target
"""
# As in the lab's kw-svc, the program is replaced and goes on running; whether the new one works is seen at a restart.
_INSTALLS = """#!/bin/sh
set -e
[ "$1" = configure ] || exit 0
program={program}
cp "$program" /usr/sbin/kw-shopd.new
mv /usr/sbin/kw-shopd.new /usr/sbin/kw-shopd
systemctl enable --quiet kw-shop
systemctl daemon-reload
systemctl is-active --quiet kw-shop || systemctl restart kw-shop
"""
GOOD = "/bin/sleep"
BAD = "/bin/false"
# Works, but for a host that somebody has set up in another way.
BAD_WHERE_TUNED = "$([ -e /etc/kw-shop.tuned ] && echo /bin/false || echo /bin/sleep)"


def shop(version: str, program: str) -> Package:
    files = {"usr/lib/systemd/system/kw-shop.service": _UNIT, "usr/share/kw-shop/version": version + "\n"}
    return Package("security", SERVICE, version, files, {"postinst": _INSTALLS.format(program=program)})


def installed(host: Host) -> str:
    return patch_runs.versions(host)[f"{SERVICE}:all"]


@dataclass
class Story:
    """A client whose days pass as the test says."""

    hosts: dict[str, Host]
    archive: Archive
    project: Project
    file: Path
    begun: dt.datetime

    def run(self, days: float, *arguments: str) -> tuple[Outcome, dict[str, dict[str, t.Any]]]:
        """Patch, ``days`` after the beginning; return what came of it for each host."""
        now = self.begun + dt.timedelta(days=days)
        simulated = json.dumps({"keepwell_now": now.strftime("%Y-%m-%dT%H:%M:%SZ")})
        outcome = patch_runs.patch(self.project, self.file, *ACT, "-e", simulated, *arguments)
        return outcome, patch_runs.changes(self.newest(outcome))

    def newest(self, outcome: Outcome) -> Path:
        return patch_runs.runs(outcome, self.file.stem)[-1]

    def installed(self) -> dict[str, str]:
        return {name: installed(host) for name, host in self.hosts.items()}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    made = Archive(tmp_path_factory.mktemp("archive"), PROJECT / ".lab" / "gnupg")
    made.publish(shop("1.0", GOOD))
    return made


@pytest.fixture(scope="module")
def hosts(fleet: Fleet, archive: Archive) -> dict[str, Host]:
    """One canary, a pair, and three more; all of them have the first version."""
    before = f"{archive.script()}; apt-get -qq install {SERVICE} >/dev/null"
    fleet.lab.start(Wanted(name, "debian-12", archive.options(), before, refresh=False) for name in RINGS)
    return {name: fleet[name] for name in RINGS}


def story(name: str, hosts: dict[str, Host], archive: Archive, folder: Path, **variables: t.Any) -> Story:
    entries = {}
    for host in hosts:
        pair = {"patching_pair": "app"} if host.startswith("app-") else {}
        entries[host] = {**hosts[host].variables(), "patching_ring": RINGS[host], **pair}
    # Days go by in keepwell_now only: the lists of packages are as old as the test.
    fresh = {"patching": {"metadata_max_age_h": 1000}}
    file = patch_runs.client(
        folder / f"{name}.yml",
        entries,
        patching_refresh=True,
        keepwell_subset=SUBSET,
        keepwell_policy=fresh,
        **variables,
    )
    begun = dt.datetime.now(dt.UTC).replace(microsecond=0)
    return Story(hosts, archive, Project(folder / "state"), file, begun)


def test_a_bad_package_stops_at_the_canary_and_the_mended_one_goes_on(
    hosts: dict[str, Host], archive: Archive, tmp_path: Path
) -> None:
    days = story("rings", hosts, archive, tmp_path)
    archive.publish(shop("1.1", BAD))

    # Day 1: the canary gets it, its service does not come back, and nobody else gets it.
    outcome, changes = days.run(0)
    assert outcome.rc == 2, outcome.output
    canary = changes["canary"]
    assert (canary["outcome"], canary["code"]) == ("failed", "post_check"), canary
    assert patch_runs.recorded(canary) == {(SERVICE, "1.0", "1.1")}
    assert [entry["name"] for entry in canary["differences"] if entry["bad"]].count("kw-shop.service")
    assert days.installed() == {"canary": "1.1", **dict.fromkeys(LATER, "1.0")}
    for name in LATER:
        assert (changes[name]["outcome"], changes[name]["code"]) == ("skipped", "ring_failed"), changes[name]
        assert "canary" in changes[name]["text"]
        assert not changes[name]["transaction"]
    # A person reads the same everywhere.
    assert "kw-shop.service" in canary["text"]
    assert canary["text"] in " ".join(outcome.output.split())
    (report,) = (outcome.state / "rings" / "reports").glob(f"*-{days.newest(outcome).name}/engineer.html")
    assert "failed unit kw-shop.service" in report.read_text()

    # Day 2: the mended version comes. The canary has it, the next ring waits until it has proved itself.
    archive.publish(shop("1.2", GOOD))
    outcome, changes = days.run(1)
    assert outcome.rc == 0, outcome.output
    assert (changes["canary"]["outcome"], changes["canary"]["residual"]) == ("done", []), changes["canary"]
    assert hosts["canary"].run("systemctl is-active kw-shop").stdout.strip() == "active"
    assert {(changes[name]["outcome"], changes[name]["code"]) for name in LATER} == {("skipped", "ring_soak")}
    assert days.installed() == {"canary": "1.2", **dict.fromkeys(LATER, "1.0")}

    # Day 3: the second ring goes, one node of the pair after the other; the third waits for it.
    outcome, changes = days.run(2.05)
    assert outcome.rc == 0, outcome.output
    assert {name: change["outcome"] for name, change in changes.items()} == {
        "canary": "nothing",
        **dict.fromkeys(("app-1", "app-2"), "done"),
        **dict.fromkeys(("web-1", "web-2", "web-3"), "skipped"),
    }
    assert {changes[name]["code"] for name in ("web-1", "web-2", "web-3")} == {"ring_soak"}
    assert days.installed()["web-1"] == "1.0"
    # By the hosts' own clocks: the record's stand still in simulated time.
    first, second = (_worked(hosts[name]) for name in ("app-1", "app-2"))
    assert first[1] < second[0] or second[1] < first[0], (first, second)

    # A canary that nobody reaches stops everybody after it.
    with faults.paused(hosts["canary"]):
        outcome, changes = days.run(3.1)
        hosts["canary"].lab.forget_connections()
    assert outcome.rc == 4, outcome.output
    assert {(changes[name]["outcome"], changes[name]["code"]) for name in ("web-1", "web-2", "web-3")} == {
        ("skipped", "ring")
    }
    assert "canary was not reached" in changes["web-1"]["text"]
    assert days.installed()["web-1"] == "1.0"

    # Day 4: all are well, the last ring goes.
    outcome, changes = days.run(3.2)
    assert outcome.rc == 0, outcome.output
    assert {changes[name]["outcome"] for name in ("web-1", "web-2", "web-3")} == {"done"}, changes["web-1"]["text"]
    assert days.installed() == dict.fromkeys(RINGS, "1.2")


def _worked(host: Host) -> tuple[float, float]:
    """When the newest transaction on a host began and ended, by the host's clock."""
    states = [
        json.loads(line)
        for line in host.run(
            "for file in /var/lib/keepwell/patching/*/state.json; do tr -d '\\n' <$file; echo; done"
        ).stdout.splitlines()
    ]
    newest = max(states, key=lambda state: state["started_at"])
    return newest["started_at"], newest["ended_at"]


def test_a_person_lets_the_client_go_on(hosts: dict[str, Host], archive: Archive, tmp_path: Path) -> None:
    """The new version fails on the canary alone, for a reason of its own: that is for a person to say."""
    few = {name: hosts[name] for name in ("canary", "web-1")}
    # Whatever the story before has left.
    few["canary"].run(f"touch /etc/kw-shop.tuned; cp -f {GOOD} /usr/sbin/kw-shopd; systemctl restart kw-shop")
    days = story("release", few, archive, tmp_path)
    archive.publish(shop("1.3", BAD_WHERE_TUNED))
    outcome, changes = days.run(0)
    assert (outcome.rc, changes["canary"]["code"], changes["web-1"]["code"]) == (2, "post_check", "ring_failed")
    # A day later it is the same: there is nothing more to do on the canary, and that is no repair.
    outcome, changes = days.run(1.1)
    assert (outcome.rc, changes["canary"]["outcome"]) == (0, "nothing"), outcome.output
    assert days.installed()["web-1"] != "1.3"
    withheld = patch_runs.plans(days.newest(outcome))["web-1"]["withheld"]
    assert "it came with the change of canary" in json.dumps(withheld)

    why = "-e", json.dumps({"patching_release": "The canary is tuned by hand", "patching_approver": "J. Smit"})
    outcome, changes = days.run(1.2, *why)
    assert changes["web-1"]["outcome"] == "done", outcome.output
    assert days.installed() == dict.fromkeys(few, "1.3")
    released = patch_runs.changes(days.newest(outcome), "release")
    assert {(record["host"], record["text"], record["approver"]) for record in released.values()} == {
        ("canary", "The canary is tuned by hand", "J. Smit")
    }
    assert "Released: canary (The canary is tuned by hand; J. Smit)" in " ".join(outcome.output.split())
