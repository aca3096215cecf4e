"""From runs of this machine to the reports of their month, and to the page of all clients."""

from __future__ import annotations

import json
import sys
import time
import typing as t
from pathlib import Path

import pypdf
from harness import Project, inventory

MONTH = time.strftime("%Y-%m", time.gmtime())


def client(folder: Path, name: str, **more: t.Any) -> Path:
    path = folder / name / "hosts.yml"
    told = {"keepwell_client": {"id": name, "name": name.title(), "locale": "nl_NL"}, **more}
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


def test_a_client_has_its_language_look_and_templates_where_no_host_is_in_the_play(
    project: Project, tmp_path: Path
) -> None:
    foot = tmp_path / "acme" / "templates" / "period" / "foot.html.j2"
    foot.parent.mkdir(parents=True)
    foot.write_text("Van ons voor u")
    look = {"health_report_templates": ["templates"], "health_report_brand": {"name": "Acme IT"}}
    acme = client(tmp_path, "acme", **look)
    assert project.play("assess", acme, "-e", "keepwell_subset=system").rc == 0
    asked = json.dumps({"keepwell_month": MONTH, "health_report_formats": ["html", "pdf"], "health_report_language": "de"})
    made = project.play("period_report", acme, "-e", asked)
    assert made.rc == 0, made.output
    [folder] = (project.state / "acme" / "reports").glob("period-*")
    page = (folder / "period.partial.html").read_text()
    assert '<html lang="nl">' in page
    assert "Van ons voor u" in page
    assert "<bdi>Acme IT</bdi>" in page
    assert '<html lang="de">' in (folder / "auditor.partial.html").read_text()
    inside = pypdf.PdfReader(folder / "auditor.partial.pdf").attachments
    [run] = (project.state / "acme" / "runs").glob("*/run.json")
    assert inside["run.json"] == [run.read_bytes()]
    assert inside["period.json"] == [(folder / "period.json").read_bytes()]
    assert {"manifest.json", "verify.py", "SHA256SUMS", "changes.csv"} <= inside.keys()
    assert "changed=0" in project.play("period_report", acme, "-e", asked).output
    for playbook in ("report", "deliver", "fleet_overview"):
        seen = project.play(playbook, acme)
        assert seen.rc == 0, seen.output
