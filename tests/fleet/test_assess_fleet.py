"""playbooks/assess.yml over real hosts: real apt, dnf, zypper, systemd, sudo and sshd, and what goes wrong with them."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from fleet import AGE_DAYS, AGED, HOSTS, LISTS, MANAGED_BY_APT, UNTOUCHED, Fleet, Seen, seen
from harness import Outcome, Project, inventory
from lab import faults
from lab.hosts import Host
from traces import differences, fingerprints

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab")]

DAY = 86400.0
# Twice: a kept connection has to be given up first (5 s x 2), then a new one (10 s).
LOST_AFTER_S = 25
PLAIN = tuple(f"{name}-plain" for name in UNTOUCHED)
CLIENT = "fleet"
# All hosts share the processors of this machine: more of them at once than that, and probes meet their time limits.
FORKS = "2"


@dataclass
class Assessed:
    """One run over everything, and what was true of the hosts around it."""

    outcome: Outcome
    hosts: dict[str, Seen]
    apt_pid: int
    before: dict[str, str]
    after: dict[str, str]


@pytest.fixture(scope="session")
def assessed(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Assessed:
    """All hosts, the untouched ones also as a user without sudo, in one run."""
    folder = tmp_path_factory.mktemp("assessed")
    names = (*(host.name for host in HOSTS), *AGED, *PLAIN)
    quiet = [fleet[name] for name in (*UNTOUCHED, *AGED, "upgraded", "full", "el9-malformed", "suse-absent")]
    faults.fill(fleet["full"], "/tmp")
    faults.fill(fleet["full"], "/var/tmp")
    with faults.repository_unreachable(fleet["cut-off"]), faults.apt_at_work(fleet["locked"]) as pid:
        # It succeeds, says the manual page; the lists stay as they were.
        fleet["cut-off"].run("apt-get update")
        before = fingerprints(quiet)
        file = inventory(folder / f"{CLIENT}.yml", fleet.variables(*names), keepwell_lab=True)
        outcome = Project(folder / "state").play("assess", file, "--forks", FORKS)
        after = fingerprints(quiet)
        fleet["locked"].run(f"kill -0 {pid}")
    return Assessed(outcome, seen(outcome, CLIENT), pid, before, after)


def test_every_host_is_looked_at_in_one_run(assessed: Assessed) -> None:
    assert "Traceback" not in assessed.outcome.output
    assert set(assessed.hosts) == {*(host.name for host in HOSTS), *AGED, *PLAIN}
    for name, host in assessed.hosts.items():
        if name == "no-python":
            continue
        assert host.observation is not None, f"{name}: {host.result['contact']}"
        assert host.result["contact"]["transport"] == "stream"
        assert host.observation["privileged"] is not name.endswith("-plain"), name
        # Not "timeout": with other tests beside it, a small machine may be late.
        broken = {probe: record for probe, record in host.observation["probes"].items() if record["status"] == "error"}
        assert not broken, f"{name}: {broken}"


def test_every_python_of_debian_answers(assessed: Assessed) -> None:
    versions = [assessed.hosts[name].observation["python"] for name in MANAGED_BY_APT]  # type: ignore[index]
    assert [version.rsplit(".", 1)[0] for version in versions] == ["3.9", "3.11", "3.13"]


def test_without_sudo_what_needs_root_is_unknown(assessed: Assessed) -> None:
    for name in UNTOUCHED:
        root, plain = assessed.hosts[name], assessed.hosts[f"{name}-plain"]
        assert root.state("patching.services_restart") == "ok", name
        assert plain.state("patching.services_restart") == "unknown", name


def hidden_security(host: Host) -> dict[str, str]:
    """What apt and dpkg know of security updates, read without Keepwell: newest such version by package."""
    installed = dict(
        line.split() for line in host.run("dpkg-query -W -f '${Package} ${Version}\\n'").stdout.splitlines()
    )
    found: dict[str, str] = {}
    for line in host.run(
        f"apt-cache madison {' '.join(name for name in installed if name.startswith('kw-'))}"
    ).stdout.splitlines():
        name, version, source = (word.strip() for word in line.split("|"))
        if "-security/main" not in source or "Packages" not in source:
            continue
        newest = found.get(name, installed[name])
        if host.run(f"dpkg --compare-versions '{version}' gt '{newest}'", check=False).returncode == 0:
            found[name] = version
    return found


@pytest.mark.parametrize("name", MANAGED_BY_APT)
def test_security_fixes_behind_newer_versions_are_found(fleet: Fleet, assessed: Assessed, name: str) -> None:
    expected = hidden_security(fleet[name])
    assert expected["kw-tool"] == "1.0-1+deb12u1"
    # The trap: what would be installed comes from no security archive.
    would = fleet[name].run("apt-get -s dist-upgrade | grep '^Inst kw-tool'").stdout
    assert "1.1-1" in would
    assert "ecurity" not in would
    for user in (name, f"{name}-plain"):
        pending = assessed.hosts[user].pending()
        assert {
            key: entry["security_version"] for key, entry in pending.items() if entry["class"] == "security"
        } == expected
        assert pending["kw-tool"]["candidate"] == "1.1-1"
        assert pending["kw-plain"]["class"] == "bugfix"
        assert assessed.hosts[user].state("patching.security_pending") == "watch"


@pytest.mark.parametrize("name", MANAGED_BY_APT)
def test_a_held_fix_is_named_as_withheld(assessed: Assessed, name: str) -> None:
    finding = assessed.hosts[name].findings("patching.withheld")["hold"]
    assert finding["state"] == "watch"
    assert "kw-held" in finding["summary"]
    assert assessed.hosts[name].pending()["kw-held"]["held_by"] == "hold"


def test_an_upgrade_that_failed_half_way_is_seen(fleet: Fleet, assessed: Assessed) -> None:
    assert "kw-broken" in fleet["upgraded"].run("dpkg --audit").stdout
    findings = assessed.hosts["upgraded"].findings("patching.package_state")
    assert {name: finding["state"] for name, finding in findings.items()} == {"kw-broken": "act"}


def test_the_wish_for_a_reboot_comes_with_its_reason(assessed: Assessed) -> None:
    reboot = assessed.hosts["upgraded"].data()["reboot"]
    assert reboot["required"] == "yes"
    assert "asked for by kw-linux-image" in [reason["detail"] for reason in reboot["reasons"]]
    assert "kw-linux-image" in json.dumps(assessed.hosts["upgraded"].findings("patching.reboot_required"))
    assert assessed.hosts["debian-12"].data()["reboot"]["required"] == "unknown"


def test_a_service_on_its_old_program_is_named(fleet: Fleet, assessed: Assessed) -> None:
    assert "(deleted)" in fleet["upgraded"].run("readlink /proc/$(systemctl show -p MainPID --value kw-svc)/exe").stdout
    findings = assessed.hosts["upgraded"].findings("patching.services_restart")
    assert findings["kw-svc.service"]["state"] == "watch"
    assert not assessed.hosts["debian-12"].findings("patching.services_restart")


def test_a_failed_unit_is_named(assessed: Assessed) -> None:
    finding = assessed.hosts["upgraded"].findings("services.failed_units")["kw-failing.service"]
    assert finding["state"] in ("watch", "act", "crit")
    assert assessed.hosts["debian-12"].state("services.failed_units") == "ok"


def test_a_living_apt_is_named_and_left_alone(assessed: Assessed) -> None:
    held = assessed.hosts["locked"].data()["locks"]
    assert {(lock["path"], lock["pid"], lock["program"]) for lock in held} >= {
        ("/var/lib/dpkg/lock-frontend", assessed.apt_pid, "apt-get")
    }
    assert assessed.hosts["locked"].state("patching.locks") == "watch"


@pytest.mark.parametrize("name", AGED)
def test_old_lists_are_unknown_and_never_ok(fleet: Fleet, assessed: Assessed, name: str) -> None:
    """``cut-off`` ran `apt-get update` with return code 0 meanwhile; its repository did not answer."""
    newest = max(float(line) for line in fleet[name].run(f"stat -c %Z {LISTS}/*InRelease").stdout.split())
    age = time.time() - newest
    assert age > (AGE_DAYS - 0.5) * DAY
    metadata = assessed.hosts[name].data()["metadata"]
    assert metadata["checked_at"] <= newest + 1
    for check in ("patching.metadata_fresh", "patching.security_pending"):
        assert assessed.hosts[name].state(check) == "unknown", check
    assert assessed.hosts["debian-12"].state("patching.metadata_fresh") == "ok"


def test_a_host_with_full_temporary_folders_is_looked_at(fleet: Fleet, assessed: Assessed) -> None:
    assert fleet["full"].run("echo x >/tmp/one-more", check=False).returncode != 0
    assert assessed.hosts["full"].pending().keys() == assessed.hosts["debian-12"].pending().keys()


def test_advisories_class_the_updates_of_the_el9_emulation(assessed: Assessed) -> None:
    host = assessed.hosts["el9-emulation"]
    pending = host.pending()
    assert {name: entry["class"] for name, entry in pending.items()} == {
        "kernel-core": "security",
        "kw-broken": "unknown",
        "kw-crit": "security",
        "kw-plain": "bugfix",
        "kw-tool": "security",
    }
    assert (pending["kw-tool"]["candidate"], pending["kw-tool"]["security_version"]) == ("1.1-1.el9", "1.0-2.el9")
    assert pending["kw-crit"]["cves"] == ["CVE-2026-90004"]
    assert host.state("patching.unclassified") == "unknown"


def test_patches_class_the_updates_of_the_suse_emulation(assessed: Assessed) -> None:
    host = assessed.hosts["suse-emulation"]
    patches = {name: entry["class"] for name, entry in host.pending().items() if entry["kind"] == "patch"}
    assert patches == {
        "KWSA-2026:0001": "security",
        "KWBA-2026:0002": "bugfix",
        "KWBA-2026:0003": "bugfix",
        "KWSA-2026:0004": "security",
        "KWSA-2026:0005": "security",
    }


@pytest.mark.parametrize("kind", ["el9", "suse"])
@pytest.mark.parametrize("variant", ["malformed", "absent"])
def test_without_readable_advisories_nobody_says_zero_security_updates(
    assessed: Assessed, kind: str, variant: str
) -> None:
    host = assessed.hosts[f"{kind}-{variant}"]
    assert host.state("patching.unclassified") == "unknown"
    assert host.state("patching.security_pending") == "unknown"
    if (kind, variant) == ("suse", "malformed"):
        # zypper leaves the whole repository out, and says so.
        assert host.state("patching.metadata_fresh") == "unknown"
    else:
        assert {"kw-tool", "kw-crit", "kw-plain"} <= set(host.pending())
        assert {entry["class"] for entry in host.pending().values()} == {"unknown"}


def test_a_host_without_python_is_said_in_one_clear_sentence(assessed: Assessed) -> None:
    contact = assessed.hosts["no-python"].result["contact"]
    assert contact["reached"] is False
    assert "python" in contact["reason"].lower()
    assert contact["reason"] in " ".join(assessed.outcome.output.split())
    assert assessed.hosts["no-python"].result["state"] == "unknown"


def test_assess_leaves_no_trace_on_any_host(assessed: Assessed) -> None:
    assert all(len(text.splitlines()) > 300 for text in assessed.before.values())
    assert differences(assessed.before, assessed.after) == {}


@pytest.mark.parametrize("warm", [False, True])
def test_lost_hosts_are_named_in_time_and_cost_the_others_nothing(
    fleet: Fleet, project: Project, tmp_path: Path, warm: bool
) -> None:
    """Cold: lost before the first connection. Warm: Ansible still has a connection to them."""
    lost = ("debian-11", "debian-12", "debian-13")
    file = inventory(tmp_path / f"{CLIENT}.yml", fleet.variables(*UNTOUCHED, "upgraded"), keepwell_lab=True)
    fleet.lab.forget_connections()
    if warm:
        assert project.play("assess", file, "-e", '{"keepwell_subset": ["system"]}').rc == 0
    with (
        faults.paused(fleet["debian-13"]),
        faults.sshd_stopped(fleet["debian-11"]),
        faults.port_dropped(fleet["debian-12"]),
    ):
        outcome = project.play("assess", file)
        fleet.lab.forget_connections()
    assert outcome.rc == 4, outcome.output
    assert sorted(outcome.status(CLIENT)["unreached"]) == sorted(lost)
    hosts = seen(outcome, CLIENT)
    for name in lost:
        contact = hosts[name].result["contact"]
        assert contact["reached"] is False
        assert contact["reason"].startswith("not reachable"), contact
        assert contact["seconds"] < LOST_AFTER_S, contact
        assert hosts[name].result["state"] == "unknown"
    for name in ("el9-emulation", "suse-emulation", "upgraded"):
        assert hosts[name].result["contact"]["reached"] is True
        assert hosts[name].pending()


def test_two_runs_at_once_leave_two_whole_records(fleet: Fleet, project: Project, tmp_path: Path) -> None:
    file = inventory(tmp_path / f"{CLIENT}.yml", fleet.variables(*UNTOUCHED), keepwell_lab=True)
    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(lambda _number: project.play("assess", file), range(2)))
    assert [outcome.rc for outcome in outcomes] == [0, 0], outcomes[0].output + outcomes[1].output
    runs = sorted((project.state / CLIENT / "runs").iterdir())
    assert len(runs) == 2
    for run in runs:
        record = json.loads((run / "run.json").read_text())
        assert {host["host"] for host in record["hosts"]} == set(UNTOUCHED)
        assert all(host["contact"]["reached"] for host in record["hosts"])
        assert {path.stem for path in (run / "hosts").glob("*.json")} == set(UNTOUCHED)
        for path in (run / "hosts").glob("*.json"):
            assert json.loads(path.read_text())["run_id"] == run.name
