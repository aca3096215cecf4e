"""playbooks/antivirus.yml and the judgement of antivirus over real hosts with a real ClamAV."""

from __future__ import annotations

import json
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

import patch_runs
import pytest
from fleet import Fleet, Seen, seen
from harness import Outcome, Project, inventory
from lab import clamav
from lab.hosts import Host, Wanted
from traces import differences, fingerprints

pytestmark = [pytest.mark.lab, pytest.mark.long, pytest.mark.xdist_group("lab")]

KIND = "debian-12-clamav"
CLIENT = "guarded"
HEALTHY, OLD, OUTDATED, DOWN, BEHIND, TWO, EMPTY = HOSTS = tuple(
    f"av-{word}" for word in ("healthy", "old", "outdated", "down", "behind", "two", "empty")
)
NONE = "debian-12"
VARIABLES: dict[str, t.Any] = {
    "keepwell_lab": True,
    "keepwell_plan": {"name": "lab", "services": ["monitoring", "antivirus"]},
    "keepwell_policy": {"antivirus": {"real_time_required": False}},
    "keepwell_windows": {
        "always": {
            "rule": {"weekly": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]},
            "start": "00:00",
            "duration": "48h",
            "allow": ["antivirus"],
        }
    },
    "antivirus_splay_minutes": 0,
    "antivirus_reserve_minutes": 1,
    "antivirus_scan_paths": ["/home", "/srv", "/tmp", "/usr/local"],
    "antivirus_scan_limits": {"minutes": 5, "cpu_percent": 100},
}
ACT = ("-e", '{"antivirus_act": true}')
ORDINARY, ARCHIVE, FORBIDDEN = "/home/ops/cv.com", "/srv/upload/papers.zip", "/usr/local/bin/tool"
# A second engine in real time: no second one is at hand, so a script answers as the product documents it.
_SECOND = """
mkdir -p /opt/microsoft/mdatp/sbin
cat >/usr/local/sbin/mdatp <<'END'
#!/bin/sh
echo '{"healthy": true, "licensed": true, "orgId": "x", "realTimeProtectionEnabled": true, "passiveModeEnabled": false,
 "definitionsVersion": "1.2.3", "definitionsUpdatedMinutesAgo": "5"}'
END
chmod 755 /usr/local/sbin/mdatp
cp /bin/sleep /opt/microsoft/mdatp/sbin/wdavdaemon
cp /bin/sleep /usr/local/sbin/clamonacc
echo 'OnAccessIncludePath /home' >>/etc/clamav/clamd.conf
"""
_ARCHIVE = f"import zipfile; zipfile.ZipFile('{ARCHIVE}', 'w').write('{ORDINARY}', 'cv.com')"


@pytest.fixture(scope="module")
def hosts(fleet: Fleet) -> dict[str, Host]:
    """Every host in the state that its name says."""
    fleet.lab.start(Wanted(name, KIND) for name in HOSTS)
    made = {name: fleet[name] for name in (*HOSTS, NONE)}
    for name, age in ((HEALTHY, 0.5), (OLD, 6.1), (OUTDATED, 0.5), (DOWN, 0.5), (BEHIND, 0.5), (TWO, 0.5)):
        clamav.install(made[name], age_days=age)
    clamav.offer(made[HEALTHY], 27501)
    made[HEALTHY].run("systemctl unmask --quiet clamav-freshclam && systemctl start clamav-freshclam")
    clamav.wait_for(made[HEALTHY], 27501)
    made[DOWN].run(
        "systemctl kill --signal=KILL clamav-daemon.service; sleep 0.5; systemctl stop clamav-daemon.service"
    )
    newer = clamav.database(27501, time.time() - 3600)
    clamav.put(made[BEHIND], f"{clamav.FOLDER}/daily.cud", newer)
    _make_outdated(made[OUTDATED])
    made[TWO].run(_SECOND)
    for program in ("/opt/microsoft/mdatp/sbin/wdavdaemon", "/usr/local/sbin/clamonacc"):
        made[TWO].start_in_background(f"exec {program} 100000")
    made[EMPTY].run("systemctl enable --quiet clamav-daemon.service; systemctl start clamav-daemon.service")
    return made


def _make_outdated(host: Host) -> None:
    """Let freshclam hear from its name server that there is a newer engine."""
    clamav.offer(host, 27500)
    record = f"1.9.9:62:27500:{int(time.time())}:1:90:49192:339"
    host.start_in_background(
        f"exec dnsmasq --no-daemon --no-resolv --no-hosts --txt-record=current.lab.invalid,{record}"
    )
    host.run(
        "echo nameserver 127.0.0.1 >/etc/resolv.conf; echo DNSDatabaseInfo current.lab.invalid >>/etc/clamav/freshclam.conf;"
        " sleep 0.5; freshclam || true"
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("guarded") / "state")


@pytest.fixture(scope="module")
def file(hosts: dict[str, Host], tmp_path_factory: pytest.TempPathFactory) -> Path:
    variables = {name: host.variables() for name, host in hosts.items()}
    return inventory(tmp_path_factory.mktemp("clients") / f"{CLIENT}.yml", variables, **VARIABLES)


@pytest.fixture(scope="module")
def judged(hosts: dict[str, Host], project: Project, file: Path) -> dict[str, Seen]:
    """What one look says of all of them."""
    outcome = project.play("assess", file, "-e", "keepwell_subset=antivirus", "--forks", "3", timeout=300)
    assert outcome.rc == 0, outcome.output
    return seen(outcome, CLIENT)


def run(project: Project, file: Path, *arguments: str) -> Outcome:
    return project.play("antivirus", file, "--forks", "3", *arguments, timeout=400)


def changes(outcome: Outcome) -> dict[str, dict[str, t.Any]]:
    newest = sorted((outcome.state / CLIENT / "runs").iterdir())[-1]
    return patch_runs.changes(newest, "antivirus")


@pytest.mark.parametrize(
    ("name", "check", "state", "words"),
    [
        (HEALTHY, "antivirus.present", "ok", "ClamAV"),
        (HEALTHY, "antivirus.running", "ok", "ClamAV"),
        (HEALTHY, "antivirus.definitions", "ok", "27501"),
        (HEALTHY, "antivirus.updates", "ok", "freshclam runs"),
        (HEALTHY, "antivirus.conflict", "ok", ""),
        (HEALTHY, "antivirus.detections", "ok", ""),
        (HEALTHY, "antivirus.scans", "unknown", "no scan is on record"),
        (OLD, "antivirus.definitions", "crit", "6 days old"),
        (OUTDATED, "antivirus.engine", "watch", "1.9.9"),
        (DOWN, "antivirus.running", "crit", "not running"),
        (BEHIND, "antivirus.definitions", "act", "loaded 27500, on disk 27501"),
        (TWO, "antivirus.conflict", "act", "both watch files in real time"),
        (EMPTY, "antivirus.running", "crit", "condition of the unit is not met"),
        (EMPTY, "antivirus.definitions", "unknown", "no definitions"),
        (NONE, "antivirus.present", "act", "Nothing on this host looks for malware"),
    ],
)
def test_each_host_is_judged_right(judged: dict[str, Seen], name: str, check: str, state: str, words: str) -> None:
    result = next(entry for entry in judged[name].result["results"] if entry["check"] == check)
    assert result["state"] == state, result
    assert words in json.dumps(result), result


@dataclass
class Cleaned:
    """A host with the test file in three places: announced, cleaned, cleaned again."""

    traces: tuple[dict[str, str], dict[str, str]]
    announced: Outcome
    before: str
    done: Outcome
    record: dict[str, t.Any]
    found: dict[str, dict[str, t.Any]]
    again: Outcome
    record_again: dict[str, t.Any]


_LOOK = f"stat --format '%u %g %a %Y.%y' {ORDINARY}; sha256sum {ORDINARY}; getfattr --dump {ORDINARY}"


@pytest.fixture(scope="module")
def cleaned(hosts: dict[str, Host], judged: dict[str, Seen], project: Project, file: Path) -> Cleaned:
    host = hosts[HEALTHY]
    clamav.put(host, ORDINARY, clamav.eicar(), f"chown ops:users {ORDINARY}; chmod 751 {ORDINARY}")
    host.run(f"setfattr -n user.origin -v web {ORDINARY} || true; touch -d '2026-01-02 03:04:05.678901234' {ORDINARY}")
    host.run(f'mkdir -p {Path(ARCHIVE).parent}; python3 -c "{_ARCHIVE}"')
    clamav.put(host, FORBIDDEN, clamav.eicar())
    only = ("--limit", HEALTHY, "--tags", "clean")
    before = fingerprints([host])
    announced = run(project, file, "--check", *only)
    after = fingerprints([host])
    look = host.run(_LOOK).stdout
    done = run(project, file, *only, *ACT)
    record = changes(done)[HEALTHY]
    found = seen(done, CLIENT)[HEALTHY].findings("antivirus.detections")
    again = run(project, file, *only, *ACT)
    return Cleaned((before, after), announced, look, done, record, found, again, changes(again)[HEALTHY])


def test_the_announcement_leaves_no_trace_and_counts(cleaned: Cleaned) -> None:
    assert cleaned.announced.rc == 0, cleaned.announced.output
    assert differences(*cleaned.traces) == {}
    assert "scan: Scan " in cleaned.announced.output and "This is an announcement" in cleaned.announced.output


def test_what_may_be_moved_is_moved_and_the_rest_is_told(cleaned: Cleaned, hosts: dict[str, Host]) -> None:
    assert cleaned.done.rc == 0, cleaned.done.output
    told = {entry["path"]: (entry["outcome"], entry["code"]) for entry in cleaned.record["antivirus"]["detections"]}
    assert told == {
        ORDINARY: ("quarantined", ""), ARCHIVE: ("left", "archive"), FORBIDDEN: ("left", "not_allowed"),
    }  # fmt: skip
    assert hosts[HEALTHY].run(f"ls {ARCHIVE} {FORBIDDEN}").returncode == 0
    assert cleaned.record["antivirus"]["scan"]["found"] == 3
    assert cleaned.record["antivirus"]["scan"]["scanner"] == "clamd"
    assert cleaned.record["bounded"].startswith("by systemd")
    assert [step["name"] for step in cleaned.record["steps"]] == ["scan", "quarantine", "rescan"]


def test_what_is_open_asks_for_a_person_and_what_is_over_does_not(cleaned: Cleaned) -> None:
    assert len(cleaned.found) == 2
    assert all(clamav.NAME in name for name in cleaned.found)
    assert len(cleaned.record["antivirus"]["cleared"]) == 1
    assert "Malware detections" in cleaned.done.output


def test_a_second_cleaning_changes_nothing(cleaned: Cleaned) -> None:
    assert cleaned.again.rc == 0, cleaned.again.output
    told = {entry["path"]: entry["outcome"] for entry in cleaned.record_again["antivirus"]["detections"]}
    assert told == {ARCHIVE: "left", FORBIDDEN: "left"}
    recap = cleaned.again.output[cleaned.again.output.index("PLAY RECAP") :]
    (line,) = [line for line in recap.splitlines() if line.startswith(f"{HEALTHY} ")]
    assert "changed=0 " in line and "failed=0 " in line, line
    assert cleaned.record_again["antivirus"]["scan"]["found"] == 2


def test_a_restore_brings_back_bytes_owner_mode_and_times(
    cleaned: Cleaned, hosts: dict[str, Host], project: Project, file: Path
) -> None:
    moved = next(entry for entry in cleaned.record["antivirus"]["detections"] if entry["outcome"] == "quarantined")
    host = hosts[HEALTHY]
    assert host.run(f"test -e {ORDINARY}", check=False).returncode == 1
    restore = ("-e", f"antivirus_restore={moved['quarantine_id']}", "-e", 'antivirus_approver="the lab"')
    done = run(project, file, "--limit", HEALTHY, *ACT, *restore)
    assert done.rc == 0, done.output
    assert host.run(_LOOK).stdout == cleaned.before
    assert changes(done)[HEALTHY]["antivirus"]["restored"][0]["path"] == ORDINARY
    twice = run(project, file, "--limit", HEALTHY, *ACT, *restore)
    assert twice.rc == 2 and changes(twice)[HEALTHY]["code"] == "not_in_quarantine"
    host.run(f"rm {ORDINARY}")


def test_an_update_changes_what_is_loaded(hosts: dict[str, Host], project: Project, file: Path) -> None:
    for name, version in ((HEALTHY, 27505), (OLD, 27506)):
        clamav.offer(hosts[name], version)
    done = run(project, file, "--limit", f"{HEALTHY},{OLD}", *ACT, "-e", '{"antivirus_update": true}')
    assert done.rc == 0, done.output
    for name, version, before in ((HEALTHY, "27505", "27501"), (OLD, "27506", "27500")):
        told = changes(done)[name]["antivirus"]["definitions"][0]
        assert (told["result"], told["loaded_before"], told["loaded_after"]) == ("updated", before, version), told
        assert clamav.loaded(hosts[name]) == version
    # Where freshclam's daemon runs it was asked and is still the same; where it does not, none was left behind.
    assert hosts[HEALTHY].run("pgrep -x freshclam").returncode == 0
    assert hosts[OLD].run("pgrep -x freshclam", check=False).returncode == 1
    again = run(project, file, "--limit", f"{HEALTHY},{OLD}", *ACT, "-e", '{"antivirus_update": true}')
    assert {changes(again)[name]["antivirus"]["definitions"][0]["result"] for name in (HEALTHY, OLD)} == {"current"}


def test_an_update_that_brings_nothing_is_no_success(hosts: dict[str, Host], project: Project, file: Path) -> None:
    host = hosts[DOWN]
    clamav.offer(host, 27507)
    clamav.put(
        host, f"{clamav.MIRROR}/daily.cud", b"this is no database", f"touch -d '+99 sec' {clamav.MIRROR}/daily.cud"
    )
    done = run(project, file, "--limit", DOWN, *ACT, "-e", '{"antivirus_update": true}')
    assert done.rc == 2
    record = changes(done)[DOWN]
    assert (record["outcome"], record["code"]) == ("failed", "not_updated"), record


def test_a_service_that_is_down_is_started_with_evidence(hosts: dict[str, Host], project: Project, file: Path) -> None:
    names = f"{DOWN},{EMPTY}"
    done = run(project, file, "--limit", names, *ACT, "-e", '{"antivirus_repair": true}')
    records = changes(done)
    assert records[DOWN]["outcome"] == "done", records[DOWN]
    assert records[DOWN]["antivirus"]["repaired"]["clamav-daemon.service"].startswith("started")
    assert "clamav-daemon" in records[DOWN]["antivirus"]["evidence"]["clamav-daemon.service"]
    assert hosts[DOWN].run("systemctl is-active clamav-daemon.service").stdout.strip() == "active"
    # Debian's unit is passed by in silence without a database: that is the reason, and it is told.
    assert (records[EMPTY]["outcome"], records[EMPTY]["code"]) == ("failed", "repair_failed")
    assert "condition of the unit is not met" in records[EMPTY]["text"]
    # What is masked stays so.
    assert "masked" in records[DOWN]["antivirus"]["repaired"]["clamav-freshclam.service"]
    assert hosts[DOWN].run("systemctl is-enabled clamav-freshclam.service", check=False).stdout.strip() == "masked"


def test_a_killed_scan_says_how_far_it_came(hosts: dict[str, Host], project: Project, file: Path) -> None:
    """A scan that is out of time stops; the next one goes on behind it until all was seen."""
    host = hosts[BEHIND]
    host.run("mkdir -p /srv/many; cd /srv/many; for n in $(seq 1200); do head -c 60000 /dev/urandom >$n; done")
    short = (
        "-e",
        '{"antivirus_scan": true, "antivirus_scan_paths": ["/srv/many"], "antivirus_scan_limits": {"minutes": 0.03}}',
    )
    first = run(project, file, "--limit", BEHIND, *ACT, *short)
    assert first.rc == 0, first.output
    counts = changes(first)[BEHIND]["antivirus"]["scan"]
    if counts["whole"]:
        pytest.skip("this machine scans everything in two seconds")
    assert counts["reached"].startswith("/srv/many/") and 0 < counts["files"] < 1200
    assert any("the time was over at" in line for line in changes(first)[BEHIND]["residual"])
    rest = ("-e", '{"antivirus_scan": true, "antivirus_scan_paths": ["/srv/many"]}')
    second = run(project, file, "--limit", BEHIND, *ACT, *rest)
    more = changes(second)[BEHIND]["antivirus"]["scan"]
    assert more["whole"] and more["resumed"] and counts["files"] + more["files"] == 1200
