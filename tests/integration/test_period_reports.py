"""From runs of this machine to the reports of their month, and to the page of all clients."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from harness import Project, inventory

MONTH = time.strftime("%Y-%m", time.gmtime())


def client(folder: Path, name: str) -> Path:
    path = folder / name / "hosts.yml"
    told = {"keepwell_client": {"id": name, "name": name.title()}}
    inventory(
        path, {f"{name}-box": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}}, **told
    )
    return path


def test_a_month_and_all_clients(project: Project, tmp_path: Path) -> None:
    acme, zenith = client(tmp_path, "acme"), client(tmp_path, "zenith")
    for hosts in (acme, zenith):
        assert project.play("assess", hosts, "-e", "keepwell_subset=system").rc == 0
    made = project.play("period_report", acme, "-e", f"keepwell_month={MONTH}")
    assert made.rc == 0, made.output
    [folder] = (project.state / "acme" / "reports").glob("period-*")
    document = json.loads((folder / "period.json").read_text())
    assert [host["host"] for host in document["hosts"]] == ["acme-box"]
    assert "Verify this yourself" in (folder / "auditor.partial.html").read_text()
    for path in folder.iterdir():
        assert b"zenith" not in path.read_bytes()
    again = project.play("period_report", acme, "-e", f"keepwell_month={MONTH}")
    assert "changed=0" in again.output
    wrong = project.play("period_report", acme, "-e", "keepwell_month=soon")
    assert wrong.rc == 2
    assert "keepwell_month must be a month like 2026-10" in wrong.output
    typo = project.play("period_report", acme, "-e", "keepwell_form=2026-10-01")
    assert "Traceback" not in typo.output

    shown = project.play("fleet_overview", acme)
    assert shown.rc == 0, shown.output
    page = (project.state / "_fleet" / "overview.html").read_text()
    assert 'id="client-acme"' in page
    assert 'id="client-zenith"' in page
