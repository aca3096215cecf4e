"""playbooks/assess.yml as a user starts it: this machine, SSH hosts, lost hosts, wrong variables, kill -9."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import zlib
from pathlib import Path

import pytest
from harness import PROJECT, Project, Ssh, has_user, inventory

STATES = ("ok", "watch", "act", "crit", "unknown", "accepted")


def adds_up(counts: dict) -> bool:
    return counts["total"] == sum(counts.get(state, 0) for state in STATES)


def no_traceback(output: str) -> bool:
    return "Traceback" not in output


def test_this_machine(project: Project) -> None:
    outcome = project.play("assess")
    assert outcome.rc == 0, outcome.output
    status = outcome.status("local")
    assert status["hosts"]["total"] == 1
    assert adds_up(status["hosts"])
    assert adds_up(status["results"])
    tail = outcome.output.strip().splitlines()[-25:]
    assert any(status["verdict"] in line for line in tail)
    reports = sorted((project.state / "local" / "reports").rglob("*.html"))
    assert reports
    assert str(reports[0].name) in outcome.output
    results = next((project.state / "local" / "reports").rglob("results.csv"))
    with results.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == status["results"]["total"]
    for state in STATES:
        assert sum(1 for row in rows if row["state"] == state) == status["results"][state]


def test_who_answers_for_a_run_and_why_is_in_its_record(project: Project) -> None:
    said = {"keepwell_approver": "Ann Smit", "keepwell_reason": "after the storm", "keepwell_subset": "system"}
    outcome = project.play("assess", None, "-e", json.dumps(said))
    assert outcome.rc == 0, outcome.output
    trigger = outcome.run("local")["header"]["trigger"]
    assert (trigger["approver"], trigger["reason"]) == ("Ann Smit", "after the storm")
    page = next((project.state / "local" / "reports").rglob("engineer*.html")).read_text()
    assert "Ann Smit: after the storm" in page


def test_a_second_run_compares_with_the_first(project: Project) -> None:
    project.play("assess")
    outcome = project.play("assess")
    assert outcome.rc == 0
    delta = outcome.run("local")["delta"]
    assert delta["previous_run_id"]
    assert len(list((project.state / "local" / "runs").iterdir())) == 2


@pytest.mark.ssh
@pytest.mark.xdist_group("ssh")
def test_ssh_hosts_with_and_without_sudo_and_lost_ones(project: Project, ssh: Ssh, tmp_path: Path, me: str) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody_there = closed.getsockname()[1]
        hosts = {
            "self": ssh.host(me),
            "refused": {**ssh.host(me), "ansible_port": nobody_there},
            "wrong-key": {
                **ssh.host(me),
                "ansible_ssh_common_args": "-o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=yes",
            },
        }
        if has_user("kwtest-sudo"):
            hosts["sudo"] = ssh.host("kwtest-sudo", ansible_become=True)
            hosts["plain"] = ssh.host("kwtest-plain")
            hosts["refused-sudo"] = ssh.host("kwtest-plain", ansible_become=True)
        outcome = project.play("assess", inventory(tmp_path / "shop.yml", hosts))
    assert outcome.rc == 4, outcome.output
    assert no_traceback(outcome.output)
    run = outcome.run("shop")
    by_name = {host["host"]: host for host in run["hosts"]}
    assert set(by_name) == set(hosts)
    for name in ("refused", "wrong-key"):
        assert by_name[name]["state"] == "unknown"
        assert by_name[name]["contact"]["reached"] is False
        assert {result["state"] for result in by_name[name]["results"]} == {"unknown"}
        assert name in outcome.output.split("PLAY RECAP")[1].split("Not looked at")[1]
    assert "Host key verification failed" in by_name["wrong-key"]["contact"]["reason"]
    assert by_name["self"]["contact"]["transport"] == "stream"
    status = outcome.status("shop")
    assert sorted(status["unreached"]) == ["refused", "wrong-key"]
    assert status["hosts"]["total"] == len(hosts)
    assert adds_up(status["hosts"])
    if has_user("kwtest-sudo"):
        assert by_name["sudo"]["contact"]["privileged"] is True
        assert by_name["plain"]["contact"].get("privileged", False) is False
        refused = by_name["refused-sudo"]["contact"]
        assert refused["reached"] is True
        assert refused["become_refused"]
        assert refused.get("privileged", False) is False
        # What needs root is denied and then unknown, never ok.
        denied = [
            source
            for probe in by_name["plain"]["probes"].values()
            for source in probe.get("sources", {}).values()
            if source.startswith("denied")
        ]
        assert denied
        as_root = {result["check"]: result["state"] for result in by_name["sudo"]["results"]}
        as_user = {result["check"]: result["state"] for result in by_name["plain"]["results"]}
        assert any(as_user.get(check) == "unknown" and state != "unknown" for check, state in as_root.items())


@pytest.mark.ssh
@pytest.mark.xdist_group("ssh")
def test_module_path_and_stream_give_the_same_document(project: Project, ssh: Ssh, tmp_path: Path, me: str) -> None:
    hosts = {
        "stream": ssh.host(me),
        "module": ssh.host(me, ansible_pipelining=False, ansible_python_interpreter="/usr/bin/python3"),
    }
    outcome = project.play("assess", inventory(tmp_path / "pair.yml", hosts))
    assert outcome.rc == 0, outcome.output
    newest = sorted((project.state / "pair" / "runs").iterdir())[-1]
    one, other = (json.loads((newest / "hosts" / f"{name}.json").read_text()) for name in hosts)
    assert one["result"]["contact"]["transport"] == "stream"
    assert other["result"]["contact"]["transport"] == "module"
    assert shape(one["observation"]) == shape(other["observation"])


# Lists, counters and names that really differ between two looks at a living machine.
LIVING = {"sources", "processes", "top", "listeners", "names"}


def shape(value: object, depth: int = 0) -> object:
    """Names of all fields down to the third level."""
    if isinstance(value, dict) and depth < 4:
        return {key: shape(entry, depth + 1) for key, entry in value.items() if key not in LIVING}
    return type(value).__name__ if depth < 3 else "value"


@pytest.mark.ssh
@pytest.mark.xdist_group("ssh")
def test_a_frozen_host_costs_its_timeout_and_no_more(project: Project, ssh: Ssh, tmp_path: Path, me: str) -> None:
    with socket.socket() as frozen:
        # Accepts connections and never says a word.
        frozen.bind(("127.0.0.1", 0))
        frozen.listen(8)
        hosts = {"good": ssh.host(me), "frozen": {**ssh.host(me), "ansible_port": frozen.getsockname()[1]}}
        start = time.monotonic()
        outcome = project.play("assess", inventory(tmp_path / "cold.yml", hosts))
        seconds = time.monotonic() - start
    assert outcome.rc == 4, outcome.output
    assert outcome.status("cold")["unreached"] == ["frozen"]
    assert seconds < 45


HOSTILE = {
    "bomb": b" " * 200_000_000,
    "deep": b"[" * 100_000,
    "empty": b"{}",
    "list": b"[1]",
    "nested": json.dumps({"probes": {"system": {"data": {"x": None}}}}).replace("null", "[" * 900 + "]" * 900).encode(),
    "odd": json.dumps({"probes": {"system": {"data": {"boot": [1], "os": 3}}, "access": {"data": {"accounts": [1]}}}}).encode(),
}  # fmt: skip


def test_hostile_hosts_cost_nobody_else_anything(project: Project, tmp_path: Path) -> None:
    """Each answers with a well-framed document that no honest host sends; two runs, so that history reads it, too."""
    hosts = {"good": LOCAL["here"]}
    for name, text in HOSTILE.items():
        if text.startswith(b'{"'):
            document = json.loads(text)
            for entry in document["probes"].values():
                entry.update(status="ok", sources={})
            document.update(schema_version="1.0", collected_at=time.time(), duration_s=0.1, python="3.11.2")
            text = json.dumps(document).encode()
        body = base64.b64encode(zlib.compress(text))
        answer = f"KEEPWELL-DOCUMENT {hashlib.sha256(body).hexdigest()} {body.decode()} KEEPWELL-END"
        (tmp_path / f"{name}.txt").write_text(answer)
        shell = tmp_path / f"{name}.sh"
        shell.write_text(f"#!/bin/sh\ncat >/dev/null\nprintf '\\033[2J'\ncat {tmp_path}/{name}.txt\n")
        shell.chmod(0o755)
        hosts[name] = {"ansible_connection": "local", "ansible_shell_executable": str(shell)}
    for _ in range(2):
        outcome = project.play("assess", inventory(tmp_path / "siege.yml", hosts))
        assert no_traceback(outcome.output)
        run = outcome.run("siege")
        assert {host["host"] for host in run["hosts"]} == set(hosts)
        by_name = {host["host"]: host for host in run["hosts"]}
        assert by_name["good"]["contact"]["reached"] is True
        for name in ("bomb", "deep", "empty", "list"):
            assert by_name[name]["contact"]["reached"] is False
            assert "observation" in by_name[name]["contact"]["reason"]
        for name in ("nested", "odd"):
            assert by_name[name]["state"] in ("unknown", "act", "crit"), "what it left out is not fine"
        assert "left no evidence" not in outcome.output
        assert outcome.rc == 2


def test_all_hosts_lost_still_ends_in_a_report(project: Project, tmp_path: Path) -> None:
    outcome = project.play(
        "assess",
        inventory(tmp_path / "dark.yml", {f"h{n}": {"ansible_host": "127.0.0.1", "ansible_port": 1} for n in (1, 2)}),
    )
    assert outcome.rc == 4, outcome.output
    assert outcome.status("dark")["unreached"] == ["h1", "h2"]
    assert outcome.run("dark")["grade"]["letter"] is None
    assert list((project.state / "dark" / "reports").rglob("*.html"))


LOCAL = {"here": {"ansible_connection": "local"}}


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"keepwell_policy": {"capasity": {}}}, "keepwell_policy.capasity: unknown section. Did you mean 'capacity'?"),
        ({"keepwell_polcy": {}}, "keepwell_polcy: unknown variable. Did you mean 'keepwell_policy'?"),
        ({"keepwell_client": {"id": "Big Shop"}}, "keepwell_client.id"),
        ({"keepwell_exceptions": [{"check": "x"}]}, "keepwell_exceptions[0]"),
        ({"keepwell_subset": "disk"}, "Did you mean 'disks'?"),
        ({"keepwell_now": "2026-01-01T00:00:00Z"}, "needs keepwell_lab: true"),
        ({"keepwell_policy": "{{ no_such_thing }}"}, "no_such_thing"),
    ],
)
def test_wrong_variables_stop_the_run_before_any_connection(
    project: Project, tmp_path: Path, variables: dict, sentence: str
) -> None:
    outcome = project.play("assess", inventory(tmp_path / "shop.yml", LOCAL, **variables))
    assert outcome.rc == 2, outcome.output
    assert sentence in " ".join(outcome.output.split())
    assert no_traceback(outcome.output)
    assert "TASK [Assess]" not in outcome.output
    assert not list(project.state.rglob("hosts/*.json"))


def test_two_clients_in_one_run_are_refused(project: Project, tmp_path: Path) -> None:
    hosts = {name: {**LOCAL["here"], "keepwell_client": {"id": name, "name": name}} for name in ("acme", "bolt")}
    outcome = project.play("assess", inventory(tmp_path / "mixed.yml", hosts))
    assert outcome.rc == 2
    assert "these hosts belong to several: acme, bolt" in " ".join(outcome.output.split())


def test_no_matching_host_is_an_error(project: Project, tmp_path: Path) -> None:
    outcome = project.play("assess", inventory(tmp_path / "empty.yml", {}))
    assert outcome.rc == 2, outcome.output
    assert "no host matched" in " ".join(outcome.output.split())
    assert no_traceback(outcome.output)


def test_findings_fail_the_run_only_when_asked(project: Project, tmp_path: Path) -> None:
    hosts = inventory(tmp_path / "strict.yml", LOCAL)
    # A limit that every machine is beyond makes a finding whatever the machine is like.
    finding = json.dumps({"keepwell_policy": {"capacity": {"avail_watch_percent": 100, "avail_crit_percent": 100}}})
    relaxed = project.play("assess", hosts, "-e", finding)
    assert relaxed.rc == 0, relaxed.output
    strict = project.play("assess", hosts, "-e", finding, "-e", "keepwell_fail_on=crit")
    assert strict.rc == 2, strict.output
    assert "keepwell_fail_on is 'crit'" in " ".join(strict.output.split())
    assert list((project.state / "strict" / "reports").rglob("*.html")), "the report comes first"


def test_a_limited_run_is_partial_and_never_the_latest(project: Project, tmp_path: Path) -> None:
    hosts = inventory(tmp_path / "two.yml", {"one": LOCAL["here"], "two": LOCAL["here"]})
    outcome = project.play("assess", hosts, "--limit", "one")
    assert outcome.rc == 0, outcome.output
    assert "PARTIAL: 1 of 2 hosts of the inventory were asked for" in outcome.output
    assert not (project.state / "two" / "status.json").exists()
    assert not (project.state / "two" / "latest").exists()


def test_another_strategy_of_the_configuration_begins_no_second_run(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = project.environment()
    monkeypatch.setattr(Project, "environment", lambda self: {**kept, "ANSIBLE_STRATEGY": "free"})
    outcome = project.play("assess", inventory(tmp_path / "two.yml", {"one": LOCAL["here"], "two": LOCAL["here"]}))
    assert outcome.rc == 0, outcome.output
    assert len(list((project.state / "two" / "runs").iterdir())) == 1


def test_check_mode_looks_and_says_that_it_is_partial(project: Project, tmp_path: Path) -> None:
    outcome = project.play("assess", inventory(tmp_path / "shop.yml", LOCAL), "--check")
    assert outcome.rc == 0, outcome.output
    assert "PARTIAL: check mode" in outcome.output
    # What it says to have written is there.
    (report,) = (project.state / "shop" / "reports").rglob("engineer.partial.html")
    assert str(report) in outcome.output


@pytest.mark.parametrize("moment", ["begun", "observing", "recorded"])
def test_kill_9_leaves_no_torn_file_and_the_next_run_says_so(project: Project, tmp_path: Path, moment: str) -> None:
    hosts = inventory(tmp_path / "shop.yml", {f"h{n}": LOCAL["here"] for n in range(4)})
    play = subprocess.Popen(
        project.command("assess", hosts), cwd=PROJECT, env=project.environment(), start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    wanted = {
        "begun": "*/runs/0*/run.json",
        "observing": "*/runs/0*/hosts/*.json",
        "recorded": "*/runs/0*/manifest.json",
    }[moment]
    watcher = threading.Event()
    end = time.monotonic() + 60
    while time.monotonic() < end and play.poll() is None and not list(project.state.glob(wanted)):
        watcher.wait(0.002)
    os.killpg(play.pid, signal.SIGKILL)
    play.wait()
    for path in project.state.rglob("*.json"):
        json.loads(path.read_text())
    outcome = project.play("assess", hosts)
    assert outcome.rc == 0, outcome.output
    interrupted = outcome.run("shop").get("interrupted_runs", [])
    if moment == "recorded":
        assert interrupted == []
    else:
        assert len(interrupted) == 1
        assert interrupted[0] in outcome.output
    assert not list(project.state.rglob("*.tmp"))


def test_damaged_evidence_is_one_sentence(project: Project, tmp_path: Path) -> None:
    hosts = inventory(tmp_path / "shop.yml", LOCAL)
    project.play("assess", hosts)
    run = sorted((project.state / "shop" / "runs").iterdir())[-1]
    (run / "manifest.json").write_text("{torn")
    outcome = project.play("assess", hosts)
    assert outcome.rc == 2, outcome.output
    flat = " ".join(outcome.output.split())
    assert "manifest.json is not JSON" in flat
    assert no_traceback(outcome.output)
    assert "TASK [Assess]" not in outcome.output


def test_history_is_made_anew_with_identical_content(project: Project, tmp_path: Path) -> None:
    hosts = inventory(tmp_path / "shop.yml", LOCAL)
    assert "changed=0" in project.play("assess", hosts).output
    project.play("assess", hosts)
    (project.state / "shop" / "history.sqlite3").unlink()
    first = project.play("history_rebuild", hosts)
    assert first.rc == 0, first.output
    assert "changed=1" in first.output
    again = project.play("history_rebuild", hosts)
    assert "changed=0" in again.output


def test_a_report_is_remade_from_evidence_alone(project: Project, tmp_path: Path) -> None:
    hosts = inventory(tmp_path / "shop.yml", LOCAL)
    project.play("assess", hosts)
    reports = project.state / "shop" / "reports"
    before = {path.relative_to(reports): path.read_bytes() for path in reports.rglob("*") if path.is_file()}
    assert before
    shutil.rmtree(reports)
    lost = inventory(tmp_path / "shop.yml", {"here": {"ansible_host": "127.0.0.1", "ansible_port": 1}})
    outcome = project.play("report", lost)
    assert outcome.rc == 0, outcome.output
    after = {path.relative_to(reports): path.read_bytes() for path in reports.rglob("*") if path.is_file()}
    assert after == before


def test_no_report_is_made_of_changed_evidence(project: Project, tmp_path: Path) -> None:
    hosts = inventory(tmp_path / "shop.yml", LOCAL)
    project.play("assess", hosts, "-e", "keepwell_subset=disks")
    run = sorted((project.state / "shop" / "runs").iterdir())[-1] / "run.json"
    run.write_bytes(run.read_bytes().replace(b'"ok"', b'"OK"', 1))
    outcome = project.play("report", hosts)
    assert outcome.rc == 2, outcome.output
    assert "No report is made of changed evidence" in " ".join(outcome.output.split())
    rebuilt = project.play("history_rebuild", hosts)
    assert "was changed after the run was sealed" in " ".join(rebuilt.output.split())
    assert "Runs of shop in the index: 1. Evidence changed since: 1." in rebuilt.output


def test_a_second_look_in_the_same_run_keeps_the_first(project: Project, tmp_path: Path) -> None:
    tasks: list[dict] = [
        {"keepwell.fleet.run_begin": {}, "run_once": True},
        {"keepwell.fleet.assess": {}},
        {"keepwell.fleet.assess": {"again": True}},
        {"keepwell.fleet.assess": {"again": True}},
        {"keepwell.fleet.record": {}, "run_once": True},
    ]
    playbook = tmp_path / "twice.yml"
    playbook.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    command = project.command("assess", inventory(tmp_path / "shop.yml", LOCAL))
    command[1] = str(playbook)
    subprocess.run(command, cwd=PROJECT, env=project.environment(), check=True, capture_output=True, timeout=170)
    [run] = (project.state / "shop" / "runs").iterdir()
    first, last = (json.loads((run / folder / "here.json").read_text()) for folder in ("before", "hosts"))
    assert first["observation"]["collected_at"] < last["observation"]["collected_at"]
    assert set(json.loads((run / "manifest.json").read_text())["files"]) == {
        "run.json",
        "before/here.json",
        "hosts/here.json",
    }
