"""The small programs of the role scheduler: what cron and systemd start besides ansible-playbook."""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from pathlib import Path

import pytest

FILES = Path(__file__).parents[2] / "roles" / "scheduler" / "files"


@pytest.fixture
def tools(tmp_path: Path) -> dict[str, str]:
    """An environment in which what is sent to syslog, the journal and by mail is kept in files."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, script in {
        "logger": f'echo "$*" >>{tmp_path}/logged; cat >>{tmp_path}/logged </dev/stdin',
        "sendmail": f"cat >{tmp_path}/mail",
        "journalctl": "echo what the run said",
    }.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}", "TMPDIR": str(tmp_path), "LANG": "C.UTF-8"}


def start(script: str, tools: dict[str, str], *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(FILES / script), *arguments], env={**tools, **more}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("code", [0, 75])
def test_cron_says_nothing_of_what_went_well_or_goes_on_elsewhere(
    tools: dict[str, str], tmp_path: Path, code: int
) -> None:
    done = start("cron_run.sh", tools, "keepwell-acme-x", "60", "sh", "-c", f"echo 'a b'; exit {code}")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "logged").read_text() == "--tag keepwell-acme-x\na b\n"
    assert not list(tmp_path.glob("tmp.*"))


def test_cron_tells_what_failed_and_how_it_ended(tools: dict[str, str], tmp_path: Path) -> None:
    done = start("cron_run.sh", tools, "keepwell-acme-x", "60", "sh", "-c", "seq 100; echo oops >&2; exit 4")
    assert done.returncode == 4
    assert done.stdout.splitlines()[0] == "keepwell-acme-x failed: exit code 4"
    assert done.stdout.splitlines()[-1] == "oops"
    assert len(done.stdout.splitlines()) == 61
    assert "--priority user.err keepwell-acme-x failed: exit code 4" in (tmp_path / "logged").read_text()


def test_cron_ends_a_run_in_time(tools: dict[str, str]) -> None:
    began = time.monotonic()
    done = start("cron_run.sh", tools, "keepwell-acme-x", "1", "sleep", "50")
    assert time.monotonic() - began < 30
    assert done.returncode == 124
    assert "failed: ended after 1 seconds" in done.stdout


def test_two_runs_at_once_are_one(tools: dict[str, str], tmp_path: Path) -> None:
    line = ["flock", "--nonblock", "--conflict-exit-code=75", str(tmp_path / "lock"), "sh", "-c"]
    first = subprocess.Popen([*line, f"touch {tmp_path}/begun; sleep 20"])
    try:
        while not (tmp_path / "begun").exists():
            time.sleep(0.05)
        done = start("cron_run.sh", tools, "x", "60", *line, f"touch {tmp_path}/twice")
        assert done.returncode == 0
        assert not (tmp_path / "twice").exists()
    finally:
        first.kill()
        first.wait()


def test_the_vault_password_comes_from_the_credential_or_with_cron_from_a_file(
    tools: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "vault").write_text("by systemd\n")
    (tmp_path / "file").write_text("by cron\n")
    assert start("vault.sh", tools, CREDENTIALS_DIRECTORY=str(tmp_path)).stdout == "by systemd\n"
    assert start("vault.sh", tools, KEEPWELL_VAULT_FILE=str(tmp_path / "file")).stdout == "by cron\n"
    done = start("vault.sh", tools)
    assert done.returncode != 0
    assert "CREDENTIALS_DIRECTORY: is not set" in done.stderr


def test_an_alert_is_an_error_in_the_journal_and_a_mail(tools: dict[str, str], tmp_path: Path) -> None:
    told = {
        "KEEPWELL_CLIENT": "acme",
        "KEEPWELL_UNIT": "keepwell-acme-x.service",
        "MONITOR_SERVICE_RESULT": "exit-code",
        "MONITOR_EXIT_STATUS": "2",
    }
    done = start("alert.sh", tools, **told)
    assert done.stdout.startswith("<3>acme: keepwell-acme-x.service failed (exit-code, 2). Look: journalctl")
    assert not (tmp_path / "mail").exists()
    start("alert.sh", tools, **told, KEEPWELL_ALERT_MAIL="ops@example.com")
    mail = (tmp_path / "mail").read_text()
    assert mail.startswith(
        "To: ops@example.com\nSubject: Keepwell: acme: keepwell-acme-x.service failed (exit-code, 2)\n"
    )
    assert mail.endswith("\n\nwhat the run said\n")


@pytest.mark.parametrize("path", sorted(FILES.glob("*.sh")), ids=lambda path: path.name)
def test_they_may_be_run_and_any_shell_reads_them(path: Path) -> None:
    assert os.access(path, os.X_OK), f"chmod +x {shlex.quote(str(path))}"
    assert subprocess.run(["sh", "-n", str(path)], check=False).returncode == 0
