"""playbooks/maintain.yml on this machine: everything in one run, looking only; and who waits for a turn."""

from __future__ import annotations

import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest
from harness import PROJECT, Outcome, Project, free_port, inventory

from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord

CLIENT = "maintained"
EVERYTHING = ["monitoring", "patching", "antivirus", "backup_verification", "disk_cleanup"]
PLAN = {"name": "Care", "services": EVERYTHING}
ALL = ("-e", '{"maintain_act": true}')


def client(path: Path, plan: t.Any = PLAN, away: bool = False, **variables: t.Any) -> Path:
    """This machine, and with ``away`` a host that nobody answers for and that has patching alone."""
    hosts: dict[str, dict[str, t.Any]] = {"here": {"ansible_connection": "local", "keepwell_plan": plan}}
    if away:
        care = {"name": "Care", "services": ["patching"]}
        hosts["away"] = {"ansible_host": "127.0.0.1", "ansible_port": free_port(), "keepwell_plan": care}
    return inventory(path / f"{CLIENT}.yml", hosts, **variables)


def newest(outcome: Outcome) -> Path:
    return sorted((outcome.state / CLIENT / "runs").iterdir())[-1]


def changes(outcome: Outcome) -> dict[tuple[str, str], ChangeRecord]:
    records = [ChangeRecord.model_validate_json(path.read_text()) for path in newest(outcome).glob("changes/*.json")]
    return {(record.host, record.chore): record for record in records}


def said(output: str) -> str:
    """Return an output without the line ends and doubled quotes that make a long message fit a terminal."""
    return " ".join(output.split()).replace("''", "'")


@pytest.mark.parametrize("arguments", [(), ("--check", *ALL)], ids=["look", "check"])
def test_everything_that_was_bought_is_looked_at_in_one_run_and_nothing_is_done(
    project: Project, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    outcome = project.play("maintain", client(tmp_path), *arguments)
    assert outcome.rc == 0, outcome.output
    (run,) = (outcome.state / CLIENT / "runs").iterdir()
    header = outcome.run(CLIENT)["header"]
    assert header.get("acting", []) == []
    assert set(header["bought"]) == {"antivirus", "backup_verification", "disk_cleanup", "patching"}
    assert {record.outcome for record in changes(outcome).values()} <= {"planned", "nothing"}
    text = (run / "announcement.txt").read_text()
    assert (
        text.index("Tests of backups")
        < text.index("Disk cleanup")
        < text.index("Updates for ")
        < text.index("Antivirus")
    )
    assert "nothing has been changed" in text
    # One look serves them all: nobody wrote the host's evidence anew after the first plan was made from it.
    assert not (run / "before").exists()
    seen = (run / "hosts" / "here.json").stat().st_mtime_ns
    assert seen < min(path.stat().st_mtime_ns for path in (run / "plans").glob("here.[ap]*.json"))
    assert arguments or (outcome.state / CLIENT / "latest" / "engineer.html").exists()


def test_without_anything_bought_the_host_is_assessed(project: Project, tmp_path: Path) -> None:
    outcome = project.play("maintain", client(tmp_path, {"name": "Look", "services": ["monitoring"]}), *ALL)
    assert outcome.rc == 0, outcome.output
    assert outcome.run(CLIENT)["hosts"][0]["contact"]["reached"] is True
    assert not (newest(outcome) / "changes").exists()


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"maintain_act": ["antivirus"]}, "maintain_act names antivirus, and no service plan here has it"),
        ({"maintain_act": ["patchin"]}, "maintain_act: 'patchin' is no chore. Did you mean 'patching'?"),
        ({"maintain_akt": True}, "maintain_akt: unknown variable. Did you mean 'maintain_act'?"),
        ({"keepwell_brake": {"hosts": 0}}, "keepwell_brake.hosts: Input should be greater than or equal to 1"),
    ],
)
def test_a_mistake_stops_it_before_any_connection(
    project: Project, tmp_path: Path, variables: dict[str, t.Any], sentence: str
) -> None:
    file = client(tmp_path, {"name": "Care", "services": ["patching"]}, **variables)
    outcome = project.play("maintain", file)
    assert outcome.rc == 2
    assert sentence in said(outcome.output)
    assert not project.state.exists()


def test_a_host_that_was_away_waits_and_the_report_says_since_when(project: Project, tmp_path: Path) -> None:
    file = client(tmp_path, {"name": "Look", "services": ["monitoring"]}, away=True)
    outcome = project.play("maintain", file, *ALL)
    assert outcome.rc == 4, outcome.output
    record = changes(outcome)["away", "patching"]
    assert (record.outcome, record.code) == ("skipped", "unreached")
    (waiting,) = outcome.run(CLIENT)["waiting"]
    assert (waiting["host"], waiting["chore"], waiting["code"]) == ("away", "patching", "unreached")
    assert waiting["since"] == record.started_at
    assert f"Waiting   host away, patching, since {record.started_at[:10]}" in outcome.output
    again = project.play("maintain", file, *ALL)
    assert again.run(CLIENT)["waiting"] == [waiting]
    # A look without acting changes nothing about it.
    looked = project.play("maintain", file)
    assert looked.run(CLIENT)["waiting"] == [waiting]
    report = next((outcome.state / CLIENT / "latest").glob("engineer*.html")).read_text()
    assert "Waiting for their turn" in report
    # What is no longer bought is waited for by nobody.
    gone = project.play("assess", client(tmp_path, {"name": "Look", "services": ["monitoring"]}))
    assert gone.run(CLIENT).get("waiting", []) == []


def test_when_a_chore_breaks_as_a_whole_no_other_is_begun_and_what_was_done_is_told(
    project: Project, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    left_out = shutil.ignore_patterns(".*", "tests", "state", "build", "__pycache__")
    shutil.copytree(PROJECT, copy, symlinks=True, ignore=left_out)
    plan = {"name": "Care", "services": ["disk_cleanup", "patching"]}
    broken = copy / "plugins/action/disk_cleanup_announce.py"
    words = broken.read_text()
    begin = "    def announce(self, run: Run) -> tuple[str, str]:\n"
    assert begin in words
    broken.write_text(words.replace(begin, f"{begin}        raise KeyError('no such thing')\n"))
    done = subprocess.run(
        project.command("maintain", client(tmp_path, plan)), cwd=copy, stdin=subprocess.DEVNULL, text=True, check=False,
        env={**project.environment(), "ANSIBLE_CONFIG": str(copy / "ansible.cfg")}, capture_output=True, timeout=400,
    )  # fmt: skip
    outcome = Outcome(done.returncode, done.stdout + done.stderr, project.state)
    assert outcome.rc == 2, outcome.output
    assert "A chore ended with an error, and no other was begun after it" in said(outcome.output)
    assert "no such thing" in outcome.output
    assert outcome.run(CLIENT)["status"] == "complete"
    assert (outcome.state / CLIENT / "latest" / "engineer.html").exists()
    assert {chore for _host, chore in changes(outcome)} == {"disk_cleanup"}


def test_a_value_that_ansible_cut_stops_it_before_any_connection(project: Project, tmp_path: Path) -> None:
    outcome = project.play("maintain", client(tmp_path), "-e", "keepwell_reason=two words")
    assert outcome.rc == 2
    assert "-e: 'words' belongs to no variable." in said(outcome.output)
    assert not project.state.exists()
