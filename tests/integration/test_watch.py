"""playbooks/watch.yml as a timer starts it: beats, what they tell, what they leave alone, and what comes of them."""

from __future__ import annotations

import http.server
import json
import threading
import time
import typing as t
from pathlib import Path

import pytest
from harness import PROJECT, Outcome, Project, free_port, inventory

LOCAL = {"ansible_connection": "local"}
ZONE = {"id": "acme", "name": "Acme", "timezone": "Europe/Amsterdam"}


def lines(project: Project) -> list[dict[str, t.Any]]:
    folder = project.state / "acme" / "watch"
    return [json.loads(line) for path in sorted(folder.glob("*.jsonl")) for line in path.read_text().splitlines()]


def beat(project: Project, hosts: Path, *arguments: str) -> Outcome:
    time.sleep(1.1)  # beats are told apart by seconds
    outcome = project.play("watch", hosts, *arguments)
    assert "Traceback" not in outcome.output, outcome.output
    return outcome


def silent(port: int) -> dict[str, t.Any]:
    return {"ansible_host": "127.0.0.1", "ansible_port": port}


def test_this_machine(project: Project) -> None:
    outcome = project.play("watch")
    assert outcome.rc == 0, outcome.output
    assert "1 of 1 host answers" in outcome.output
    state = project.state / "local"
    assert json.loads((state / "watch.json").read_text())["hosts"]["total"] == 1
    [path] = (state / "watch").glob("*.jsonl")
    [line] = path.read_text().splitlines()
    sample = json.loads(line)["hosts"]["localhost"]
    assert sample["answer"] == "ok"
    assert sample["boot"]
    assert sample["room"]["/"][2] > 0
    assert not (state / "runs").exists()
    assert not (state / "reports").exists()


def test_a_host_is_lost_at_the_second_miss_fails_once_and_comes_back(project: Project, tmp_path: Path) -> None:
    path = tmp_path / "hosts.yml"
    well = inventory(path, {"a": LOCAL, "b": LOCAL}, keepwell_client=ZONE)
    assert beat(project, well).rc == 0
    gone = inventory(path, {"a": LOCAL, "b": silent(free_port())}, keepwell_client=ZONE)
    fail_on = ("-e", "keepwell_fail_on=crit")
    assert beat(project, gone, *fail_on).rc == 0, "one miss is no outage"
    second = beat(project, gone, *fail_on)
    assert second.rc == 2, second.output
    assert "b did not answer 2 times in a row" in second.output
    third = beat(project, gone, *fail_on)
    assert third.rc == 0, "what was so before fails no more"
    assert "1 of 2 hosts answers. Nothing changed" in third.output
    inventory(path, {"a": LOCAL, "b": LOCAL}, keepwell_client=ZONE)
    assert "b answers again after" in beat(project, well).output
    assert [sorted(line.get("hosts", {})) for line in lines(project)] == [["a", "b"], ["b"], ["b"], [], ["b"]]


def test_beats_disturb_no_run_and_a_run_tells_of_them(project: Project, tmp_path: Path) -> None:
    plan = {"name": "managed", "services": ["monitoring"], "sla": {"availability_percent": 99.9}}
    hosts = inventory(
        tmp_path / "hosts.yml",
        {"a": LOCAL},
        keepwell_client=ZONE,
        keepwell_plan=plan,
        keepwell_subset="system",
        keepwell_probes={"services": {"watched": ["no-such-unit"]}},
    )
    first = project.play("assess", hosts, "-e", "keepwell_subset=all")
    assert first.rc == 0, first.output
    latest = (project.state / "acme" / "latest").readlink()
    before = first.run("acme")
    for _number in range(2):
        beat(project, hosts)
    assert (project.state / "acme" / "latest").readlink() == latest
    assert len(list((project.state / "acme" / "runs").iterdir())) == 1
    after = project.play("assess", hosts, "-e", "keepwell_subset=all")
    run = after.run("acme")
    assert run["delta"]["previous_run_id"] == before["header"]["run_id"]
    assert run["availability"]["beats"] == 2
    rows = {(row.get("host", ""), row.get("service", "")): row for row in run["availability"]["rows"]}
    assert rows["a", ""]["target_percent"] == 99.9
    assert ("a", "no-such-unit.service") in rows
    page = next((project.state / "acme" / "reports").glob(f"*{run['header']['run_id']}/engineer.html")).read_text()
    assert 'id="availability"' in page
    rebuilt = project.play("history_rebuild", hosts)
    assert rebuilt.rc == 0
    assert "Evidence changed since: 0" in rebuilt.output
    month = project.play("availability", hosts, "-e", f"keepwell_month={time.strftime('%Y-%m', time.gmtime())}")
    assert month.rc == 0, month.output
    assert "2 beats" in month.output
    assert list((project.state / "acme" / "availability").glob("*.json"))


def test_check_mode_leaves_nothing(project: Project, tmp_path: Path) -> None:
    hosts = inventory(tmp_path / "hosts.yml", {"a": LOCAL}, keepwell_client=ZONE)
    outcome = beat(project, hosts, "--check")
    assert outcome.rc == 0, outcome.output
    assert not (project.state / "acme").exists()


def test_mistakes_stop_a_beat_before_any_connection(project: Project, tmp_path: Path) -> None:
    hosts = inventory(
        tmp_path / "hosts.yml",
        {"a": silent(free_port())},
        keepwell_client=ZONE,
        keepwell_metrics_file="relative.prom",
        keepwell_ping_url="ftp://secret-token.example.net",
        keepwell_probes={"services": {"watch": ["nginx"]}},
    )
    outcome = beat(project, hosts)
    assert outcome.rc == 2
    told = " ".join(outcome.output.split())
    assert "keepwell_metrics_file: 'relative.prom' should be an absolute path that ends in .prom." in told
    assert "keepwell_ping_url should be an http or https address" in told
    assert "did you mean 'watched'" in told.lower() or "watched" in told
    assert "secret-token" not in told
    assert not lines(project)


class Waiting(http.server.BaseHTTPRequestHandler):
    """Somebody who waits for calls."""

    calls: t.ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.calls.append(self.path)
        self.send_response(500 if "broken" in self.path else 200)
        self.end_headers()

    def log_message(self, *arguments: t.Any) -> None:
        """Say nothing."""


@pytest.fixture
def waiting() -> t.Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Waiting)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Waiting.calls.clear()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_the_outside_is_told_and_what_goes_wrong_there_is_a_warning(
    project: Project, tmp_path: Path, waiting: str
) -> None:
    metrics = tmp_path / "keepwell-acme.prom"
    hosts = inventory(
        tmp_path / "hosts.yml",
        {"a": LOCAL},
        keepwell_client=ZONE,
        keepwell_schedule={"watch": {"playbook": "watch", "every": "5m"}},
        keepwell_metrics_file=str(metrics),
        keepwell_ping_url={"watch": f"{waiting}/secret-good"},
    )
    assert beat(project, hosts).rc == 0
    assert Waiting.calls == [], "nobody said that this run is for the entry"
    outcome = beat(project, hosts, "-e", "keepwell_entry=watch")
    assert outcome.rc == 0
    assert Waiting.calls == ["/secret-good"]
    assert lines(project)[-1]["entry"] == "watch"
    text = metrics.read_text()
    assert 'keepwell_schedule_expected_by_timestamp_seconds{client="acme",entry="watch"} ' in text
    assert metrics.stat().st_mode & 0o777 == 0o644
    broken = beat(project, hosts, "-e", f"keepwell_ping_url={waiting}/secret-broken")
    assert broken.rc == 0
    told = " ".join(broken.output.split())
    assert "keepwell_ping_url: 127.0.0.1 did not take the call (status 500)" in told
    assert "secret" not in told


def test_a_scheduled_run_that_did_not_take_place_is_told(project: Project, tmp_path: Path) -> None:
    schedule = {
        "nightly": {"playbook": "patch", "at": "22:00", "act": ["patching"]},
        "morning": {"playbook": "assess", "at": "05:10"},
    }
    hosts = inventory(
        tmp_path / "hosts.yml",
        {"a": LOCAL},
        keepwell_client=ZONE,
        keepwell_lab=True,
        keepwell_schedule=schedule,
        keepwell_plan={"name": "managed", "services": ["patching"]},
    )
    run = ("-e", "keepwell_subset=system")
    # The first run is the one that sees the schedule; nothing before it was missed.
    first = project.play("assess", hosts, *run, "-e", "keepwell_now=2026-11-23T12:00:00Z")
    assert "Did not run" not in first.output
    second = project.play("assess", hosts, *run, "-e", "keepwell_now=2026-11-24T12:00:00Z")
    told = " ".join(second.output.split())
    assert "2 scheduled runs did not take place." in told
    assert "nightly (patch, to act: patching), planned for Mon 2026-11-23 22:00 Europe/Amsterdam" in told
    missed = second.run("acme")["missed_runs"]
    assert [(entry["entry"], entry["planned_at"]) for entry in missed] == [
        ("nightly", "2026-11-23T21:00:00Z"),
        ("morning", "2026-11-24T04:10:00Z"),
    ]
    page = next(iter((project.state / "acme" / "reports").rglob("engineer.partial.html")))
    assert page.exists()


def test_a_beat_looks_with_less_rights_than_it_may_have(project: Project, tmp_path: Path) -> None:
    hosts = inventory(
        tmp_path / "hosts.yml",
        {"a": {**LOCAL, "ansible_become": True, "ansible_become_method": "ansible.builtin.sudo"}},
        keepwell_client=ZONE,
        ansible_become_exe=str(PROJECT / "no" / "such" / "sudo"),
    )
    outcome = beat(project, hosts)
    assert outcome.rc == 0
    assert "1 of 1 host answers" in outcome.output
