"""What goes wrong around a patch run: each of it ends in the right state, with words and an exit code that say so."""

from __future__ import annotations

import threading
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import patch_runs
import pytest
from fleet import Fleet
from harness import Outcome, Project
from lab import faults
from lab.hosts import Host, Wanted
from patch_runs import ACT, FIX

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab")]

KIND = "debian-12"
ARCHIVES = "/var/cache/apt/archives"
WANTED = {"kw-conf": FIX, "kw-linux-image": "6.1.11-1", "kw-svc": FIX, "kw-tool": FIX}
# Whatever is changed on a host that apt serves shows in here.
STATUS = "cat /var/lib/dpkg/status /var/lib/dpkg/extended_states /var/lib/apt/extended_states 2>/dev/null | sha256sum"
LIMIT_S = 300
# dpkg goes on when the test says so, at last after five minutes: before it begins, or between unpacking and configuring.
_WAITS = """
printf '#!/bin/sh\\nn=0\\nuntil [ -e /run/go ] || [ $n -gt 1500 ]; do sleep 0.2; n=$((n+1)); done\\n' >/usr/sbin/kw-wait
chmod 755 /usr/sbin/kw-wait
"""
WAIT_BEFORE = _WAITS + "echo 'DPkg::Pre-Invoke { \"/usr/sbin/kw-wait\"; };' >/etc/apt/apt.conf.d/99wait"
WAIT_BETWEEN = _WAITS + "echo 'DPkg::Options { \"--post-invoke=/usr/sbin/kw-wait\"; };' >/etc/apt/apt.conf.d/99wait"


@dataclass
class Ended:
    """One run: how the hosts were before and after, and what it says of them."""

    outcome: Outcome
    run: Path
    before: dict[str, dict[str, str]]
    after: dict[str, dict[str, str]]

    def change(self, host: str) -> dict[str, t.Any]:
        """What is recorded for a host: that is what dpkg says, and what went wrong a person reads in the same words."""
        found = patch_runs.changes(self.run)[host]
        assert patch_runs.recorded(found) == patch_runs.moved(self.before[host], self.after[host]), found
        if found["outcome"] not in ("done", "nothing"):
            # YAML doubles quotes.
            printed = " ".join(self.outcome.output.split()).replace("'", "")
            assert found["text"].replace("'", "") in printed, found["text"]
        return found


def newest(outcome: Outcome) -> Path:
    """The folder of a run that has just ended."""
    (client,) = outcome.state.iterdir()
    return patch_runs.runs(outcome, client.name)[-1]


def versions(hosts: t.Mapping[str, Host]) -> dict[str, dict[str, str]]:
    return {name: patch_runs.versions(host) for name, host in hosts.items()}


# -- what stands against the work before it begins ----------------------------------------------------------------

_BROKEN = "apt-get -qq update; ! apt-get -qq install kw-broken >/dev/null 2>&1; dpkg --audit | grep -q kw-broken"
REFUSED = ("broken", "busy", "no-room", "stale", "moved-on")


@pytest.fixture(scope="module")
def refusing(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> tuple[Ended, dict[str, Host], dict[str, t.Any]]:
    """One announced and approved run over hosts of which all but one cannot be patched."""
    fleet.lab.start(
        (
            Wanted("holding", KIND),
            Wanted("broken", KIND, before=_BROKEN),
            Wanted("busy", KIND),
            Wanted(
                "no-room", KIND, ("--tmpfs", f"{ARCHIVES}:rw,size=1m,mode=755"), before=f"mkdir -p {ARCHIVES}/partial"
            ),
            Wanted("moved-on", KIND),
        )
    )
    hosts = {name: fleet[name] for name in ("holding", *REFUSED)}
    folder = tmp_path_factory.mktemp("refusing")
    file = patch_runs.client(
        folder / "refusing.yml",
        {name: {**host.variables(), "patching_ring": 1} for name, host in hosts.items()},
        patching_exclusions=patch_runs.WITHOUT_BROKEN,
        patching_limits={"lock_timeout_s": 4},
    )
    project = Project(folder / "state")
    announced = patch_runs.patch(project, file, "--check")
    assert announced.rc == 0, announced.output
    approved = newest(announced)
    hosts["moved-on"].run(f"apt-get -qq install kw-tool={FIX} >/dev/null")
    faults.fill(hosts["no-room"], ARCHIVES)
    seen: dict[str, t.Any] = {"status": {name: hosts[name].run(STATUS).stdout for name in REFUSED}}
    before = versions(hosts)
    with faults.apt_at_work(hosts["busy"]) as pid:
        seen["pid"] = pid
        outcome = patch_runs.patch(project, file, *ACT, "-e", f"patching_approved_run={approved.name}")
        seen["lives"] = hosts["busy"].run(f"kill -0 {pid}", check=False).returncode == 0
        seen["status_after"] = {name: hosts[name].run(STATUS).stdout for name in REFUSED}
    return Ended(outcome, newest(outcome), before, versions(hosts)), hosts, seen


def test_what_cannot_be_patched_is_refused_and_left_as_it_is(
    refusing: tuple[Ended, dict[str, Host], dict[str, t.Any]],
) -> None:
    ended, _hosts, seen = refusing
    assert ended.outcome.rc == 2, ended.outcome.output
    assert {name: ended.change(name)["outcome"] for name in REFUSED} == dict.fromkeys(REFUSED, "refused")
    assert seen["status_after"] == seen["status"]


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("broken", "broken_state", ("kw-broken: configuration failed", "dpkg --configure -a")),
        ("busy", "locked", ("apt-get (process {pid}", "did not end within 4 s")),
        ("no-room", "disk_full", (f"space:{ARCHIVES}: 0 B free", f"Make room on {ARCHIVES}")),
        ("stale", "stale", ("freshness", "days", "patching_refresh")),
        ("moved-on", "plan_changed", (f"upgrade kw-tool {FIX} is gone", "have it approved")),
    ],
)
def test_the_reason_is_named_with_what_to_do(
    refusing: tuple[Ended, dict[str, Host], dict[str, t.Any]], name: str, code: str, words: tuple[str, ...]
) -> None:
    ended, _hosts, seen = refusing
    change = ended.change(name)
    assert change["code"] == code, change
    for word in words:
        assert word.format(pid=seen["pid"]) in change["text"]


def test_the_lock_of_a_living_apt_stays_its_own(refusing: tuple[Ended, dict[str, Host], dict[str, t.Any]]) -> None:
    assert refusing[2]["lives"]


def test_a_held_package_is_left_out_and_the_others_come(
    refusing: tuple[Ended, dict[str, Host], dict[str, t.Any]],
) -> None:
    ended, hosts, _seen = refusing
    change = ended.change("holding")
    assert (change["outcome"], change["half_done"]) == ("done", []), change
    assert {name: ended.after["holding"][f"{name}:all"] for name in WANTED} == WANTED
    assert ended.after["holding"]["kw-held:all"] == "3.0-1"
    assert hosts["holding"].run("apt-mark showhold").stdout.split() == ["kw-held"]
    withheld = {entry["name"]: entry["code"] for entry in patch_runs.plans(ended.run)["holding"]["withheld"]}
    assert withheld["kw-held"] == "hold"


# -- what goes wrong while packages are installed, and after -------------------------------------------------------


def until_applying(host: Host) -> None:
    """Wait until the packages of a host are about to be changed."""
    # On the host, so that no moment is missed on a busy machine.
    looked = "until grep -qs '\"applying\"' /var/lib/keepwell/patching/*/state.json; do sleep 0.2; done"
    host.run(looked, timeout=LIMIT_S)


def go(host: Host) -> None:
    """Let dpkg go on."""
    host.run("touch /run/go")


def cut_for_a_while(host: Host) -> int:
    """Cut every connection that is made for some seconds, whatever goes over it."""
    begun = time.monotonic()
    count = 0
    # A few times at least, however slow the machine.
    while time.monotonic() < begun + 6.0 or (count < 4 and time.monotonic() < begun + 60.0):
        count += faults.cut_connections(host)
        time.sleep(0.2)
    return count


# At boot somebody wants a reboot again, as after a boot loader that starts the old kernel.
_WANTS_REBOOTS = """
printf '[Service]\\nType=oneshot\\nExecStart=/bin/sh -c "echo again >/run/reboot-required"\\n[Install]\\nWantedBy=multi-user.target\\n' \
    >/etc/systemd/system/kw-again.service
systemctl --quiet enable kw-again
"""
# Goes on running; what it becomes at its next start is another matter.
_FRAIL = """
mkdir -p /etc/systemd/system/kw-svc.service.d
printf '[Service]\\nExecStart=\\nExecStart=/bin/false\\n' >/etc/systemd/system/kw-svc.service.d/frail.conf
"""


@pytest.fixture(scope="module")
def failing(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> tuple[Ended, dict[str, Host]]:
    """One run over hosts on which the work begins and does not end well, each for a reason of its own."""
    fleet.lab.start(
        (
            Wanted("script", KIND, before=WAIT_BEFORE),
            Wanted("rebooted", KIND, before=WAIT_BETWEEN),
            Wanted("stubborn", KIND, before=_WANTS_REBOOTS + WAIT_BEFORE),
            Wanted("frail", KIND, before=_FRAIL + WAIT_BEFORE),
        )
    )
    hosts = {name: fleet[name] for name in ("script", "rebooted", "stubborn", "frail")}
    folder = tmp_path_factory.mktemp("failing")
    variables = {name: {**host.variables(), "patching_ring": 1} for name, host in hosts.items()}
    for name in ("rebooted", "stubborn", "frail"):
        variables[name]["patching_exclusions"] = patch_runs.WITHOUT_BROKEN
    variables["script"]["patching_rollback"] = "when_failed"
    variables["stubborn"]["patching_reboot"] = "when_required"
    file = patch_runs.client(folder / "failing.yml", variables)
    before = versions(hosts)

    def conduct() -> None:
        # All have begun before the first one fails, or the others would be kept back.
        for host in hosts.values():
            until_applying(host)
        for name in ("script", "stubborn", "frail"):
            go(hosts[name])
        unpacked = "until dpkg-query -W -f '${db:Status-Status}' kw-tool | grep -qx unpacked; do sleep 0.2; done"
        hosts["rebooted"].run(unpacked, timeout=LIMIT_S)
        hosts["rebooted"].run("systemctl reboot", check=False)

    with ThreadPoolExecutor(1) as pool:
        conductor = pool.submit(conduct)
        outcome = patch_runs.patch(Project(folder / "state"), file, *ACT, "--forks", str(len(hosts)))
        conductor.result()
    return Ended(outcome, newest(outcome), before, versions(hosts)), hosts


@pytest.mark.long
def test_every_failure_is_one_by_its_exit_code(failing: tuple[Ended, dict[str, Host]]) -> None:
    ended, hosts = failing
    assert ended.outcome.rc == 2, ended.outcome.output
    assert {name: ended.change(name)["outcome"] for name in hosts} == dict.fromkeys(hosts, "failed")


@pytest.mark.long
def test_a_script_that_fails_is_named_as_half_done(failing: tuple[Ended, dict[str, Host]]) -> None:
    ended, hosts = failing
    change = ended.change("script")
    assert (change["code"], change["half_done"]) == ("half_done", ["kw-broken: configuration failed"]), change
    assert "kw-broken: configuration failed" in change["text"]
    assert "kw-broken: migration failed" in change["log"]
    assert "kw-broken" in hosts["script"].run("dpkg --audit").stdout
    # A second transaction on top of it would be a bet.
    assert change["rollback"].startswith("Not taken back by itself"), change
    assert ("rollback", "skipped") in [(step["name"], step["outcome"]) for step in change["steps"]]


@pytest.mark.long
def test_a_reboot_by_somebody_else_is_told_with_all_that_it_left(failing: tuple[Ended, dict[str, Host]]) -> None:
    ended, hosts = failing
    change = ended.change("rebooted")
    assert change["code"] == "rebooted", change
    assert "The host was rebooted in the middle of the work" in change["text"]
    named = {entry.partition(":")[0] for entry in change["half_done"]}
    states = hosts["rebooted"].run("dpkg-query -W -f '${Package} ${db:Status-Status}\\n'").stdout.splitlines()
    assert named == {line.split()[0] for line in states if line.split()[1] != "installed"}
    assert named >= {"kw-tool"}


@pytest.mark.long
def test_a_reboot_that_did_not_help_is_a_failure(failing: tuple[Ended, dict[str, Host]]) -> None:
    ended, hosts = failing
    change = ended.change("stubborn")
    assert change["code"] == "reboot_did_not_help", change
    assert "still needs a reboot" in change["text"]
    # It was a reboot, and the record has the proof of it.
    assert change["reboot"]["done"] is True
    assert change["reboot"]["boot_before"] != change["reboot"]["boot_after"]
    assert hosts["stubborn"].run("cat /run/reboot-required").stdout.strip() == "again"


@pytest.mark.long
def test_a_service_that_does_not_come_back_is_a_failure(failing: tuple[Ended, dict[str, Host]]) -> None:
    ended, hosts = failing
    change = ended.change("frail")
    assert change["code"] == "post_check", change
    assert "kw-svc.service" in change["text"]
    assert change["half_done"] == []
    assert hosts["frail"].run("systemctl is-active kw-svc", check=False).stdout.strip() == "failed"


# -- what goes wrong between the control node and the host ---------------------------------------------------------


@dataclass
class Parted:
    """A run whose connections suffered, and the next one without that."""

    first: Ended
    second: Ended
    hosts: dict[str, Host]
    cut: int
    lost_packets: int


@pytest.fixture(scope="module")
def parted(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Parted:
    """One host is cut off again and again, one loses packets all the time, one freezes in the middle."""
    names = ("cut", "lossy", "frozen")
    fleet.lab.start(Wanted(name, KIND, before=WAIT_BEFORE) for name in names)
    hosts = {name: fleet[name] for name in names}
    folder = tmp_path_factory.mktemp("parted")
    variables = {name: {**host.variables(), "patching_ring": 1} for name, host in hosts.items()}
    variables["frozen"]["patching_reconnect_s"] = 5
    file = patch_runs.client(folder / "parted.yml", variables, patching_exclusions=patch_runs.WITHOUT_BROKEN)
    project = Project(folder / "state")
    before = versions(hosts)
    over = threading.Event()

    def cut() -> int:
        until_applying(hosts["cut"])
        count = cut_for_a_while(hosts["cut"])
        go(hosts["cut"])
        return count

    def freeze() -> None:
        go(hosts["lossy"])
        until_applying(hosts["frozen"])
        with faults.paused(hosts["frozen"]):
            over.wait(LIMIT_S)
        go(hosts["frozen"])

    with faults.packets_lost(hosts["lossy"], 25) as lost, ThreadPoolExecutor(2) as pool:
        cutting, freezing = pool.submit(cut), pool.submit(freeze)
        try:
            outcome = patch_runs.patch(project, file, *ACT, "--forks", str(len(names)))
        finally:
            over.set()
        count = cutting.result()
        freezing.result()
        lost_packets = lost()
    fleet.lab.forget_connections()
    # What the frozen host did by itself meanwhile is told by the run that takes it up.
    middle = {**versions(hosts), "frozen": before["frozen"]}
    first = Ended(outcome, newest(outcome), before, middle)
    again = patch_runs.patch(project, file, *ACT)
    return Parted(first, Ended(again, newest(again), middle, versions(hosts)), hosts, count, lost_packets)


@pytest.mark.long
def test_connections_that_are_cut_harm_no_work(parted: Parted) -> None:
    # More than once, and each time both processes of a session.
    assert parted.cut >= 4
    change = parted.first.change("cut")
    assert (change["outcome"], change["half_done"]) == ("done", []), change
    assert {name: parted.first.after["cut"][f"{name}:all"] for name in WANTED} == WANTED


@pytest.mark.long
def test_lost_packets_harm_no_work(parted: Parted) -> None:
    assert parted.lost_packets > 20
    change = parted.first.change("lossy")
    assert (change["outcome"], change["half_done"]) == ("done", []), change
    assert {name: parted.first.after["lossy"][f"{name}:all"] for name in WANTED} == WANTED


@pytest.mark.long
def test_a_host_that_freezes_is_lost_and_the_next_run_takes_its_work_up(parted: Parted) -> None:
    assert parted.first.outcome.rc == 4, parted.first.outcome.output
    lost = parted.first.change("frozen")
    assert (lost["outcome"], lost["code"]) == ("lost", "connection_lost"), lost
    assert "the next run takes up" in lost["text"]
    assert parted.second.outcome.rc == 0, parted.second.outcome.output
    change = parted.second.change("frozen")
    assert (change["outcome"], change["begun_by"], change["half_done"]) == ("done", parted.first.run.name, []), change
    assert {name: parted.second.after["frozen"][f"{name}:all"] for name in WANTED} == WANTED
    # The others have nothing left to do.
    assert {parted.second.change(name)["outcome"] for name in ("cut", "lossy")} == {"nothing"}
