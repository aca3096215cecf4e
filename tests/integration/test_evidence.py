"""From a run to what an auditor does with it: signed, stamped, verified, packed, tampered with, and one day deleted."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from harness import Outcome, Project, inventory, need

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from sealed_client import IDENTITY, Authority, allow, authority, make_key

QUICK = ("-e", "keepwell_subset=system")


@pytest.fixture
def tsa(tmp_path: Path) -> t.Iterator[Authority]:
    need(shutil.which("openssl"), "openssl")
    with authority(tmp_path / "tsa") as there:
        yield there


def client(folder: Path, **variables: t.Any) -> Path:
    """A client of this one machine, whose key and list of keys lie beside its inventory."""
    path = folder / "acme" / "hosts.yml"
    told = {"keepwell_client": {"id": "acme", "name": "Acme"}, "keepwell_signing_key": "key", **variables}
    inventory(path, {"box": {"ansible_connection": "local"}}, **told)
    allow(path.parent / "allowed_signers", make_key(path.parent / "key"))
    return path


def newest(outcome: Outcome) -> Path:
    return sorted((outcome.state / "acme" / "runs").iterdir())[-1]


def test_a_run_is_signed_stamped_verified_and_packed(project: Project, tmp_path: Path, tsa: Authority) -> None:
    hosts = client(tmp_path, keepwell_timestamp_url=tsa.url, keepwell_timestamp_ca=str(tsa.certificate))
    outcome = project.play("assess", hosts, *QUICK)
    assert outcome.rc == 0, outcome.output
    folder = newest(outcome)
    assert {path.name for path in folder.glob("manifest.*")} == {
        "manifest.json", "manifest.json.sig", "manifest.json.tsq", "manifest.json.tsr",
    }  # fmt: skip
    status = json.loads((outcome.state / "acme" / "status-partial.json").read_text())
    assert status["signed_by"] == IDENTITY

    head = status["head"]
    seen = project.play("verify", hosts, "-e", f"keepwell_head={head}")
    assert seen.rc == 0, seen.output
    assert f"Runs signed by {IDENTITY}" in seen.output
    assert "Time stamps that hold: 1" in seen.output
    assert "✓ Everything that was checked holds" in seen.output

    packed = project.play("evidence_pack", hosts)
    assert packed.rc == 0, packed.output
    [pack] = (project.state / "acme" / "packs").iterdir()
    before = pack.read_bytes()
    again = project.play("evidence_pack", hosts)
    assert again.rc == 0
    assert "changed=0" in again.output
    assert pack.read_bytes() == before
    subprocess.run([sys.executable, "-m", "zipfile", "-e", str(pack), str(tmp_path / "auditor")], check=True)
    program = ["/usr/bin/env", "-i", "PATH=/usr/bin:/bin", "python3", "-I", "-S", "verify.py", "--head", head]
    done = subprocess.run(program, cwd=tmp_path / "auditor" / "acme-evidence", capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr

    # Somebody edits what was seen.
    host = folder / "hosts" / "box.json"
    host.write_bytes(host.read_bytes().replace(b'"ok"', b'"Ok"', 1))
    seen = project.play("verify", hosts)
    assert seen.rc == 2
    assert f"✖ {host} was changed after the run was sealed." in seen.output
    assert "1 thing does not hold: do not rely on this evidence." in seen.output
    assert "Traceback" not in seen.output
    assert project.play("verify", hosts, "-e", f"keepwell_verify_from={pack}").rc == 0
    assert project.play("evidence_pack", hosts).rc == 2


def test_a_key_that_is_not_there_and_an_authority_that_is_down_stop_no_run(project: Project, tmp_path: Path) -> None:
    certificate = tmp_path / "ca.pem"
    certificate.write_text("none")
    hosts = client(
        tmp_path,
        keepwell_timestamp_url="http://127.0.0.1:9/tsa",
        keepwell_timestamp_ca=str(certificate),
    )
    (hosts.parent / "key").unlink()
    found = project.play("validate", hosts)
    assert found.rc == 0
    assert f"▲ Runs would not be signed: The signing key {hosts.parent}/key does not exist." in found.output
    outcome = project.play("assess", hosts, *QUICK)
    assert outcome.rc == 0, outcome.output
    for sentence in (
        f"▲ The run is recorded, but not signed. The signing key {hosts.parent}/key does not exist.",
        "▲ The time stamp authority http://127.0.0.1:9/tsa does not answer",
        "▲ 1 run waits for a time stamp; the next run asks again.",
    ):
        assert sentence in outcome.output
    seen = project.play("verify", hosts)
    assert seen.rc == 2
    assert "are not signed, and nothing later vouches for them" in seen.output


def test_mistakes_in_the_clients_files_stop_before_the_first_connection(project: Project, tmp_path: Path) -> None:
    hosts = client(tmp_path, keepwell_retention_months="long", keepwell_timestamp_url="ftp://stamps.example")
    outcome = project.play("assess", hosts, *QUICK)
    assert outcome.rc == 2
    words = " ".join(outcome.output.split())
    assert "keepwell_timestamp_url must be an address that begins with https:// or http://" in words
    assert "keepwell_retention_months must be a whole number of months, 1 to 600" in words
    assert not (project.state / "acme" / "runs").exists()


def test_old_evidence_is_shown_and_then_deleted(project: Project, tmp_path: Path) -> None:
    past = {"keepwell_lab": True, "keepwell_now": "2020-01-01T10:00:00Z"}
    hosts = client(tmp_path, **past)
    old = newest(project.play("assess", hosts, *QUICK))
    assert (old / "hosts" / "box.json").exists()
    inventory(hosts, {"box": {"ansible_connection": "local"}}, keepwell_client="acme", keepwell_signing_key="key")
    shown = project.play("retention", hosts)
    assert shown.rc == 0, shown.output
    assert "To be deleted: runs that ended before" in shown.output
    assert (old / "hosts" / "box.json").exists()
    held = project.play("retention", hosts, "-e", "keepwell_retention_act=true", "-e", "keepwell_legal_hold=dispute")
    assert "stays: legal hold, dispute" in held.output
    assert (old / "hosts" / "box.json").exists()
    done = project.play("retention", hosts, "-e", "keepwell_retention_act=true")
    assert done.rc == 0, done.output
    assert sorted(path.name for path in old.iterdir()) == ["manifest.json", "manifest.json.sig"]
    seen = project.play("verify", hosts)
    assert seen.rc == 0, seen.output
    assert "whose time was over were deleted" in seen.output
    report = project.play("report", hosts, "-e", f"keepwell_run_id={old.name}")
    assert report.rc == 2
    assert "its evidence was deleted because its time was over" in " ".join(report.output.split())
    assert project.play("history_rebuild", hosts).rc == 0
    assert project.play("assess", hosts, *QUICK).rc == 0
