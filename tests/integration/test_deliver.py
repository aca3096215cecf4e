"""Whole runs that tell people and programs: a real mail server, a real HTTP server, and either of them down."""

from __future__ import annotations

import email
import email.policy
import json
import typing as t
from pathlib import Path

import pytest
from harness import Outcome, Project, inventory
from mail_and_hooks import PASSWORD, USER, Certificate, certificate, free_port, http_server, mail_server

ANN = "ann@bakery.example"
SIGNING = "whsec_" + "QUFB" * 8
TOKEN = "tok-of-the-vault"


@pytest.fixture(scope="module")
def cert(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificate(tmp_path_factory.mktemp("tls"))


def client(folder: Path, mail_port: int, url: str, cert: Certificate, more: dict[str, t.Any] | None = None) -> Path:
    """A client of one machine: this one. Secrets come from variables of their own, as from a vault."""
    (folder / "metrics").mkdir(exist_ok=True)
    receivers = {
        "desk": {"channel": "mail", "to": [ANN], "attach": ["csv", "ics"]},
        "hook": {
            "channel": "webhook",
            "url": "{{ vault_hook_url }}",
            "secret": "{{ vault_hook_secret }}",
            "timeout_s": 2,
        },
        "numbers": {"channel": "textfile", "directory": str(folder / "metrics")},
        **(more or {}),
    }
    sunday = {"rule": {"weekly": ["sun"]}, "start": "22:00", "duration": "4h", "allow": ["patch"]}
    return inventory(
        folder / "acme.yml",
        {"web1": {"ansible_connection": "local"}},
        keepwell_client={"id": "acme", "name": "Acme Ltd"},
        keepwell_windows={"sunday": sunday},
        keepwell_notify=receivers,
        keepwell_smtp={
            "host": "localhost",
            "port": mail_port,
            "user": USER,
            "password": "{{ vault_smtp_password }}",
            "from": "Keepwell <keepwell@msp.example>",
            "ca_file": str(cert.pem),
            "timeout_s": 3,
        },
        vault_smtp_password=PASSWORD,
        vault_hook_url=url,
        vault_hook_secret=SIGNING,
    )


def told(outcome: Outcome) -> str:
    return " ".join(outcome.output.split())


def secrets_in(project: Project, outcome: Outcome) -> list[str]:
    """Where a secret turned up: the output, or a file of the state directory."""
    texts = {"output": outcome.output.encode()}
    texts |= {str(path): path.read_bytes() for path in project.state.rglob("*") if path.is_file()}
    return [name for name, text in texts.items() for secret in (PASSWORD, SIGNING, TOKEN) if secret.encode() in text]


def test_a_run_is_told_once_and_nothing_secret_is_left_behind(
    project: Project, tmp_path: Path, cert: Certificate
) -> None:
    with mail_server(cert) as box, http_server() as hooks:
        place = client(tmp_path, box.port, f"{hooks.url}&x={TOKEN}", cert)
        outcome = project.play("assess", place, "-vvvv")
        assert outcome.rc == 0, outcome.output
        run = outcome.run("acme")
        [content] = box.to(ANN)
        mail = email.message_from_bytes(content, policy=email.policy.default)
        assert mail["Subject"].startswith("[Keepwell] Acme Ltd, ")
        parts = {part.get_filename(): part for part in mail.iter_attachments()}
        assert set(parts) == {"results.csv", "findings.csv", "windows.ics"}
        assert b"BEGIN:VEVENT" in parts["windows.ics"].get_payload(decode=True)
        report = project.state / "acme" / "latest"
        assert parts["results.csv"].get_payload(decode=True) == (report / "results.csv").read_bytes()
        [request] = hooks.requests
        body = json.loads(request.body)
        assert body["run_id"] == run["header"]["run_id"]
        assert body["counts"]["results"]["total"] == run["counts"]["results"]["total"]
        metrics = (tmp_path / "metrics" / "keepwell-acme.prom").read_text()
        assert metrics == (report / "metrics.prom").read_text()
        assert secrets_in(project, outcome) == []
        # The same run again is told to nobody: not by itself, and not when it is asked for by its id.
        for more in ((), ("-e", f"keepwell_run_id={run['header']['run_id']}")):
            again = project.play("deliver", place, *more)
            assert again.rc == 0, again.output
        assert (len(box.mails), len(hooks.requests)) == (1, 1)
        # Somebody new is told of it when it is asked for; check mode says so, and tells nobody.
        late = {"late": {"channel": "mail", "to": "bob@bakery.example"}}
        place = client(tmp_path, box.port, f"{hooks.url}&x={TOKEN}", cert, late)
        arguments = ("-e", f"keepwell_run_id={run['header']['run_id']}")
        checked = project.play("deliver", place, *arguments, "--check")
        assert checked.rc == 0, checked.output
        assert "Would be told: late (mail to bob@bakery.example): each run" in told(checked)
        assert len(box.mails) == 1
        assert project.play("deliver", place, *arguments).rc == 0
        assert [recipients for _sender, recipients, _content in box.mails] == [[ANN], ["bob@bakery.example"]]
        # A run in check mode is a part of a run: it is told to nobody who did not ask for parts.
        assert project.play("assess", place, "--check").rc == 0
        assert (len(box.mails), len(hooks.requests)) == (2, 1)


def test_receivers_that_are_down_cost_a_run_little_and_get_it_once_when_they_are_back(
    project: Project, tmp_path: Path, cert: Certificate
) -> None:
    mail_port, hook_port = free_port(), free_port()
    url = f"http://localhost:{hook_port}/{TOKEN}"
    place = client(tmp_path, mail_port, url, cert)
    with http_server(port=hook_port) as hooks:
        # It takes the request and says nothing, for longer than this test lets a run take.
        hooks.hold_s = 600
        outcome = project.play("assess", place)
    assert outcome.rc == 0, outcome.output
    assert f"Waits: desk (mail to {ANN}): localhost:{mail_port}: Connection refused." in told(outcome)
    assert "Waits: hook (webhook): no answer within 2 s" in told(outcome)
    assert (project.state / "acme" / "latest" / "engineer.html").exists()
    waiting = (tmp_path / "metrics" / "keepwell-acme-delivery.prom").read_text()
    assert 'keepwell_delivery_waiting{client="acme",receiver="desk"} 1' in waiting
    assert secrets_in(project, outcome) == []
    with mail_server(cert, port=mail_port) as box, http_server(port=hook_port) as hooks:
        early = project.play("deliver", place)
        assert (early.rc, box.mails, hooks.requests) == (0, [], [])
        back = project.play("deliver", place, "-e", "keepwell_deliver=waiting")
        assert back.rc == 0, back.output
        assert f"Sent: desk (mail to {ANN})" in told(back)
        project.play("deliver", place, "-e", "keepwell_deliver=waiting")
        assert (len(box.mails), len(hooks.requests)) == (1, 1)
        assert secrets_in(project, back) == []


def test_a_client_that_tells_nobody_has_no_spool(project: Project, tmp_path: Path) -> None:
    place = inventory(tmp_path / "acme.yml", {"web1": {"ansible_connection": "local"}}, keepwell_client="acme")
    outcome = project.play("deliver", place)
    assert outcome.rc == 0, outcome.output
    assert not (project.state / "acme" / "delivery").exists()
