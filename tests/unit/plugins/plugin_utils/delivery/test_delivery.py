# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Messages on their way to real receivers: what was promised arrives once, whoever is down and whoever is killed."""

from __future__ import annotations

import contextlib
import email
import email.policy
import hashlib
import json
import multiprocessing
import os
import signal
import socket
import time
import typing as t
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import fleet_maker
import mail_and_hooks
import pytest
from mail_and_hooks import PASSWORD, USER, Certificate, Hooks, Mailbox, http_server, mail_server

from ansible_collections.keepwell.fleet.plugins.plugin_utils.delivery import receivers, rounds
from ansible_collections.keepwell.fleet.plugins.plugin_utils.delivery.composing import Composer
from ansible_collections.keepwell.fleet.plugins.plugin_utils.delivery.rounds import Delivery, Round
from ansible_collections.keepwell.fleet.plugins.plugin_utils.delivery.spool import Spool
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import EvidenceError
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report import pdf
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.environment import search_path

NOW = fleet_maker.NOW + 60
DAY = 86400.0
ANN, BOB = "ann@bakery.example", "bob@bakery.example"
SECRET = "whsec_" + "QUFB" * 8
# Of the test server in clear, and of the one that is encrypted from the first byte on.
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")


@pytest.fixture(scope="module")
def cert(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return mail_and_hooks.certificate(tmp_path_factory.mktemp("tls"))


@cache
def run_of(number: int = 1, client: str = "demolen"):
    run = fleet_maker.make_run(14)
    header = run.header.model_copy(
        update={
            "run_id": f"01KARN3T5V7X9Z1B3D5F7H9K{number:02d}",
            "client": run.header.client.model_copy(update={"id": client}),
        }
    )
    return run.model_copy(update={"header": header})


@dataclass
class Client:
    """A client with a state directory and receivers."""

    state: Path
    cert: Certificate
    notify: dict[str, t.Any]
    smtp: dict[str, t.Any] | None = None
    id: str = "demolen"

    @property
    def spool(self) -> Spool:
        return Spool(self.state, self.id)

    def delivery(self, at: float = NOW, act: bool = True) -> Delivery:
        found, problems = receivers.build(self.notify, self.smtp)
        assert problems == []
        return Delivery(self.spool, found, at, act=act)

    def tell(
        self, run: t.Any = None, at: float = NOW, which: t.Any = "due", limit_s: float = 20, act: bool = True
    ) -> Round:
        delivery = self.delivery(at, act)
        if run is not None:
            delivery.promise(run, Composer(run, search_path([]), lambda: b""))
        delivery.send(limit_s, which)
        return delivery.done

    def files(self) -> list[Path]:
        return [path for path in self.state.rglob("*") if path.is_file() and path.name != ".lock"]


@pytest.fixture
def client(tmp_path: Path, cert: Certificate) -> t.Callable[..., Client]:
    def make(notify: dict[str, t.Any], smtp: dict[str, t.Any] | None = None, **more: t.Any) -> Client:
        return Client(tmp_path / "state", cert, notify, smtp, **more)

    return make


def smtp(box: Mailbox | int, cert: Certificate, **more: t.Any) -> dict[str, t.Any]:
    return {
        "host": "localhost",
        "port": box if isinstance(box, int) else box.port,
        "from": "Keepwell <keepwell@msp.example>",
        "user": USER,
        "password": PASSWORD,
        "ca_file": str(cert.pem),
        "timeout_s": 5,
        **more,
    }


def desk(*to: str, **more: t.Any) -> dict[str, t.Any]:
    return {"desk": {"channel": "mail", "to": list(to or (ANN,)), **more}}


def hook(hooks: Hooks | str, **more: t.Any) -> dict[str, t.Any]:
    url = hooks if isinstance(hooks, str) else hooks.url
    return {"hook": {"channel": "webhook", "url": url, "secret": SECRET, "timeout_s": 3, **more}}


# --- what was promised arrives


@pytest.mark.parametrize("tls", [False, True], ids=["starttls", "tls"])
def test_a_mail_goes_encrypted_with_a_password_to_each_person(client, cert, tls: bool) -> None:
    with mail_server(cert, tls=tls) as box:
        us = client(desk(ANN, BOB, attach=["csv", "html"]), smtp(box, cert, security="tls" if tls else "starttls"))
        done = us.tell(run_of())
        assert len(done.sent) == 2
        assert (done.waiting, done.problems) == ([], [])
        for address in (ANN, BOB):
            [content] = box.to(address)
            mail = email.message_from_bytes(content, policy=email.policy.default)
            assert mail["To"] == address
            assert mail["From"] == "Keepwell <keepwell@msp.example>"
            assert "grade C?" in mail["Subject"]
            assert "Hosts: 14:" in mail.get_body(("plain",)).get_content()
            assert [part.get_filename() for part in mail.iter_attachments()] == [
                "results.csv",
                "findings.csv",
                "engineer.html",
                "owner.html",
            ]
        assert [sender for sender, _to, _content in box.mails] == ["keepwell@msp.example"] * 2
        # One person is not told who else was.
        assert BOB.encode() not in box.to(ANN)[0]
        assert all(box.secure) or tls
        # The same run again, by whichever way, is no mail again.
        assert us.tell(run_of()).sent == []
        assert len(box.mails) == 2


def test_the_owners_page_is_attached_as_pdf_where_it_can_be_made(client, cert, monkeypatch) -> None:
    with mail_server(cert) as box:
        us = client(desk(attach=["pdf"]), smtp(box, cert, timeout_s=20))
        assert us.tell(run_of(1)).notes == []
        monkeypatch.setattr(pdf, "available", lambda: False)
        [note] = us.tell(run_of(2)).notes
        assert note.startswith("desk (mail): owner.pdf was not made: WeasyPrint is not installed here.")
        with_it, without = [email.message_from_bytes(content, policy=email.policy.default) for content in box.to(ANN)]
        [part] = with_it.iter_attachments()
        assert (part.get_filename(), part.get_content_type()) == ("owner.pdf", "application/pdf")
        assert part.get_content().startswith(b"%PDF-")
        assert list(without.iter_attachments()) == []


def test_lines_that_are_a_dot_arrive_as_a_dot(client, cert) -> None:
    run = run_of().model_copy(update={"verdict": "x" * 76 + "\n.\n..\nQUIT"})
    with mail_server(cert) as box:
        us = client(desk(), smtp(box, cert))
        delivery = us.delivery()
        delivery.promise(run, Composer(run, search_path([]), lambda: b""))
        [item], _problems = us.spool.items()
        # Even a payload with such lines of its own.
        payload = us.spool.payload(item) + b".\r\n..\r\n.x\r\n"
        us.spool.add(item.model_copy(update={"payload_sha256": hashlib.sha256(payload).hexdigest()}), payload)
        assert len(us.tell().sent) == 1
        assert box.to(ANN) == [payload]


def test_webhook_slack_and_teams_get_their_bodies(client, cert) -> None:
    with http_server(cert) as hooks:
        ca = {"ca_file": str(cert.pem)}
        us = client(
            {
                **hook(hooks, **ca),
                "room": {"channel": "slack", "url": hooks.url, **ca},
                "team": {"channel": "teams", "url": hooks.url, **ca},
            }
        )
        hooks.answers = [(200, {}, b"ok"), (200, {}, b"ok"), (202, {}, b"")]
        done = us.tell(run_of())
        assert len(done.sent) == 3, done
        by_kind = {
            "webhook"
            if "webhook-id" in request.headers
            else "teams"
            if b"AdaptiveCard" in request.body
            else "slack": request
            for request in hooks.requests
        }
        assert set(by_kind) == {"webhook", "slack", "teams"}
        for request in hooks.requests:
            assert request.headers["content-type"] == "application/json; charset=utf-8"
            assert request.path == "/hook?token=tok-of-the-vault"
            json.loads(request.body)
        headers = by_kind["webhook"].headers
        assert headers["idempotency-key"] == headers["webhook-id"]
        assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
        assert json.loads(by_kind["webhook"].body)["run_id"] == run_of().header.run_id


def test_metrics_are_put_where_the_collector_looks(client, tmp_path: Path) -> None:
    folder = tmp_path / "collector"
    us = client({"numbers": {"channel": "textfile", "directory": str(folder)}, **hook("http://127.0.0.1:1/")})
    done = us.tell(run_of(2))
    assert done.waiting[0] == f"numbers (textfile): {folder} cannot be written: it is no folder."
    folder.mkdir()
    done = us.tell(run_of(2))
    assert done.written == [f"numbers (textfile): {folder}"]
    run_file = folder / "keepwell-demolen.prom"
    assert 'keepwell_hosts{client="demolen",state="ok"} 5' in run_file.read_text()
    waiting = 'keepwell_delivery_waiting{client="demolen",receiver="hook"} 1\n'
    assert waiting in (folder / "keepwell-demolen-delivery.prom").read_text()
    assert sorted(path.name for path in folder.iterdir()) == ["keepwell-demolen-delivery.prom", "keepwell-demolen.prom"]
    # An older run, reported on again, does not turn the clock back, and a part says nothing of the whole.
    before = run_file.read_bytes()
    part = run_of(3).model_copy(update={"header": run_of(3).header.model_copy(update={"partial": ["--limit"]})})
    assert us.tell(run_of(1)).written == []
    assert us.tell(part).written == []
    assert run_file.read_bytes() == before


# --- whoever is down


def test_a_mail_server_that_is_down_gets_it_once_when_it_is_back(client, cert) -> None:
    port = mail_and_hooks.free_port()
    us = client(desk(ANN, BOB), smtp(port, cert))
    done = us.tell(run_of(1))
    assert done.sent == []
    assert len(done.waiting) == 2
    assert "Connection refused" in done.waiting[0]
    assert "not tried now" in done.waiting[1]
    us.tell(run_of(2), at=NOW + 60)
    with mail_server(cert, port=port) as box:
        # What failed itself waits for its time, unless a person asks; what was only not tried goes at once.
        assert len(us.tell(at=NOW + 61).sent) == 2
        assert len(us.tell(at=NOW + 301).sent) == 1
        assert len(us.tell(at=NOW + 302, which="waiting").sent) == 1
        assert len(box.mails) == 4
        assert len({email.message_from_bytes(content)["Message-ID"] for *_, content in box.mails}) == 4
        assert us.spool.items() == ([], [])
        us.tell(run_of(2), at=NOW + 402)
        assert len(box.mails) == 4


@pytest.mark.parametrize("answer", ["451 try later", "554 no", "421 closing"])
def test_a_refused_mail_waits_and_is_sent_once(client, cert, answer: str) -> None:
    with mail_server(cert) as box:
        box.answers = [answer]
        us = client(desk(), smtp(box, cert))
        done = us.tell(run_of())
        assert done.sent == []
        assert answer in done.waiting[0]
        assert us.tell(at=NOW + 200).sent == []
        assert len(us.tell(at=NOW + 301).sent) == 1
        assert len(box.mails) == 1


def test_an_http_receiver_that_is_down_gets_it_once_when_it_is_back(client) -> None:
    port = mail_and_hooks.free_port()
    us = client(
        {**hook(f"http://localhost:{port}/x"), "room": {"channel": "slack", "url": f"http://localhost:{port}/x"}}
    )
    assert len(us.tell(run_of()).waiting) == 2
    with http_server(port=port) as hooks:
        hooks.answers = [(503, {}, b"busy"), (500, {"Retry-After": "7200"}, b"worse")]
        assert len(us.tell(at=NOW + 301).waiting) == 2
        assert us.tell(at=NOW + 2000).sent != []
        assert us.tell(at=NOW + 3000).sent == []
        # Who asked us to stay away for two hours is left alone for two hours.
        assert len(us.tell(at=NOW + 301 + 7200).sent) == 1
        assert len(hooks.requests) == 4
        assert us.spool.items() == ([], [])


@pytest.mark.parametrize(
    ("code", "headers", "words"),
    [
        (302, {"Location": "http://evil.example/"}, "not followed"),
        (404, {}, "answered 404 no such hook"),
        (410, {}, "410"),
    ],
)
def test_answers_that_are_no_yes_are_told(client, code: int, headers: dict, words: str) -> None:
    with http_server() as hooks:
        hooks.answers = [(code, headers, b"no such hook")]
        done = client(hook(hooks)).tell(run_of())
        assert words in done.waiting[0]
        assert len(hooks.requests) == 1


def test_it_is_given_up_after_days_and_said_so(client, cert, tmp_path: Path) -> None:
    port = mail_and_hooks.free_port()
    us = client(
        {**desk(give_up_days=2), "numbers": {"channel": "textfile", "directory": str(tmp_path)}}, smtp(port, cert)
    )
    at, tries = NOW, 1
    us.tell(run_of())
    for _ in range(50):
        [item], _problems = us.spool.items()
        at = rounds.epoch(item.next_at) + 1
        tries += 1
        if (done := us.tell(at=at)).given_up:
            break
    assert done.given_up[0].startswith(f"desk (mail to {ANN}): given up after {tries} attempts.")
    assert at == pytest.approx(NOW + 2 * DAY, abs=2)
    assert tries == 9
    assert us.spool.items() == ([], [])
    [receipt] = us.spool.ends("given_up")
    assert receipt.recipient == ANN
    assert (
        'keepwell_delivery_given_up{client="demolen",receiver="desk"} 1'
        in (tmp_path / "keepwell-demolen-delivery.prom").read_text()
    )
    with mail_server(cert, port=port) as box:
        assert us.tell(run_of(), at=at + 1).sent == []
        assert box.mails == []


@pytest.mark.parametrize("how", ["silent", "drip"])
def test_a_receiver_that_never_ends_costs_its_time_limit(client, how: str) -> None:
    with http_server() as hooks:
        hooks.hold_s = 30 if how == "silent" else 0
        hooks.drip = how == "drip"
        us = client(hook(hooks, timeout_s=1.0))
        began = time.monotonic()
        done = us.tell(run_of())
        assert time.monotonic() - began < 3
        assert "no answer within 1 s" in done.waiting[0]
        hooks.hold_s = 0


def test_the_whole_round_has_an_end(client) -> None:
    with http_server() as hooks:
        hooks.hold_s = 30
        many = {f"hook{number}": hook(hooks, timeout_s=5)["hook"] for number in range(20)}
        us = client(many)
        began = time.monotonic()
        done = us.tell(run_of(), limit_s=2)
        assert time.monotonic() - began < 5
        assert len(done.waiting) == 20
        assert len(us.spool.items()[0]) == 20
        hooks.hold_s = 0


# --- TLS and passwords


def test_no_mail_goes_to_a_server_that_cannot_prove_who_it_is(client, cert) -> None:
    with mail_server(cert) as box:
        done = client(desk(), smtp(box, cert, ca_file="")).tell(run_of())
        assert "its certificate is not trusted" in done.waiting[0]
        assert box.mails == []


def test_no_mail_goes_in_clear_where_encryption_was_asked_for(client, cert) -> None:
    with mail_server(cert, starttls=False) as box:
        done = client(desk(), smtp(box, cert)).tell(run_of())
        assert "Mail is not sent in clear instead" in done.waiting[0]
        assert box.mails == []


def test_a_wrong_password_is_told_without_it(client, cert) -> None:
    with mail_server(cert) as box:
        done = client(desk(), smtp(box, cert, password="wrong-one")).tell(run_of())
        assert "user and password are refused: 535" in done.waiting[0]
        assert "wrong-one" not in done.waiting[0]


def test_https_is_verified(client, cert) -> None:
    with http_server(cert) as hooks:
        done = client(hook(hooks)).tell(run_of())
        assert "its certificate is not trusted" in done.waiting[0]
        assert hooks.requests == []


def test_secrets_are_in_no_file_and_no_sentence(client, cert) -> None:
    with mail_server(cert) as box, http_server() as hooks:
        # Receivers that give away what they were told.
        box.answers = [f"554 {PASSWORD} for {USER}"]
        hooks.answers = [(500, {}, f"{hooks.url} {SECRET} tok-of-the-vault".encode())]
        us = client({**desk(attach=["json"]), **hook(hooks)}, smtp(box, cert))
        done = us.tell(run_of())
        assert len(done.waiting) == 2
        texts = [path.read_bytes() for path in us.files()] + [repr(done).encode()]
        assert len(texts) > 4
        for text in texts:
            assert PASSWORD.encode() not in text
            assert SECRET.encode() not in text
            assert hooks.url.encode() not in text
        us.tell(at=NOW + 301)
        for path in us.files():
            assert PASSWORD.encode() not in path.read_bytes()


# --- killed between sending and writing down


def _sends(us: Client) -> None:
    us.tell()


def killed_when(us: Client, arrived: t.Callable[[], bool]) -> None:
    """Send in a process of its own and kill it the moment something is so: the other side then takes its time."""
    child = multiprocessing.get_context("fork").Process(target=_sends, args=(us,))
    child.start()
    end = time.monotonic() + 15
    while not arrived() and time.monotonic() < end:
        time.sleep(0.005)
    assert arrived()
    os.kill(t.cast(int, child.pid), signal.SIGKILL)
    child.join()
    assert child.exitcode == -signal.SIGKILL


def promised(us: Client) -> None:
    delivery = us.delivery()
    delivery.promise(run_of(), Composer(run_of(), search_path([]), lambda: b""))


def test_a_mail_is_not_sent_twice_after_a_kill(client, cert) -> None:
    with mail_server(cert) as box:
        us = client(desk(), smtp(box, cert, timeout_s=20))
        promised(us)
        box.hold_s = 3
        killed_when(us, lambda: len(box.mails) == 1)
        box.hold_s = 0
        for at in (NOW + 1, NOW + DAY):
            done = us.tell(run_of(), at=at)
            assert done.sent == []
            assert done.doubtful == [
                f"desk (mail to {ANN}): it may have arrived. The process that sent it came to its end before it could note the answer."
            ]
        assert len(box.mails) == 1
        # A person decides; the mail is the same one, and says so.
        assert len(us.tell(at=NOW + 2 * DAY, which="doubtful").sent) == 1
        assert len(box.mails) == 2
        assert box.mails[0][2] == box.mails[1][2]


def test_a_doubt_that_nobody_decides_is_given_up(client, cert) -> None:
    with mail_server(cert) as box:
        us = client(desk(), smtp(box, cert, timeout_s=20))
        promised(us)
        box.hold_s = 3
        killed_when(us, lambda: len(box.mails) == 1)
        box.hold_s = 0
        done = us.tell(at=NOW + 7 * DAY + 1)
        assert "in doubt, and nobody decided" in done.given_up[0]
        assert us.spool.items() == ([], [])


def test_a_webhook_is_repeated_after_a_kill_and_its_receiver_can_tell(client) -> None:
    with http_server() as hooks:
        us = client(hook(hooks, timeout_s=20))
        promised(us)
        hooks.hold_s = 3
        killed_when(us, lambda: len(hooks.requests) == 1)
        hooks.hold_s = 0
        assert len(us.tell(at=NOW + 1).sent) == 1
        assert len(hooks.requests) == 2
        assert len({request.headers["idempotency-key"] for request in hooks.requests}) == 1
        assert len({request.body for request in hooks.requests}) == 1


def test_a_kill_before_the_point_of_no_return_costs_nothing(client, cert) -> None:
    with mail_server(cert) as box:
        with socket.create_server(("127.0.0.1", 0)) as mute:
            us = client(desk(), smtp(mute.getsockname()[1], cert, timeout_s=20))
            promised(us)
            mute.setblocking(False)
            lines: list[t.Any] = []

            def connected() -> bool:
                with contextlib.suppress(BlockingIOError):
                    lines.append(mute.accept())
                return bool(lines)

            killed_when(us, connected)
        lines[0][0].close()
        us.smtp = smtp(box, cert)
        done = us.tell(at=NOW + 1)
        assert (len(done.sent), done.doubtful) == (1, [])
        assert len(box.mails) == 1


def test_a_kill_between_the_note_and_clearing_away_costs_nothing(client, cert, monkeypatch) -> None:
    with mail_server(cert) as box:
        us = client(desk(), smtp(box, cert))

        def dies(_spool: Spool, _item: t.Any) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(Spool, "_remove", dies)
            with contextlib.suppress(KeyboardInterrupt):
                us.tell(run_of())
        assert len(box.mails) == 1
        done = us.tell(run_of(), at=NOW + 999)
        assert (done.sent, done.waiting, done.doubtful) == ([], [], [])
        assert len(box.mails) == 1
        assert us.spool.items() == ([], [])
        assert list((us.spool.root / "waiting").iterdir()) == []


def test_two_processes_do_not_send_the_same(client, cert) -> None:
    with mail_server(cert) as box:
        us = client(desk(), smtp(box, cert))
        promised(us)
        with us.spool.locked() as ours:
            assert ours
            done = us.tell(run_of())
            assert done.waiting == ["Another process is sending for this client; what waits is left to it."]
            assert box.mails == []
        assert len(us.tell(run_of()).sent) == 1


# --- only to whom it belongs


def test_a_run_of_another_client_is_told_to_nobody(client, cert) -> None:
    with mail_server(cert) as box:
        us = client(desk(), smtp(box, cert))
        with pytest.raises(EvidenceError, match=r"is of client 'other', and the receivers are those of 'demolen'"):
            us.tell(run_of(1, "other"))
        # Nor is a message that somebody carried over from another client's spool.
        other = client(desk(), smtp(box, cert), id="other")
        other_delivery = other.delivery()
        other_delivery.promise(run_of(1, "other"), Composer(run_of(1, "other"), search_path([]), lambda: b""))
        promised(us)
        for folder in ("waiting", "payload"):
            for path in (other.spool.root / folder).iterdir():
                path.rename(us.spool.root / folder / path.name)
        delivery = us.delivery()
        delivery.send(10)
        assert "is not a message of client demolen: it is not sent" in delivery.done.problems[0]
        assert len(box.mails) == 1


def test_who_is_no_receiver_any_more_gets_nothing(client, cert) -> None:
    port = mail_and_hooks.free_port()
    us = client(desk(ANN, BOB), smtp(port, cert))
    us.tell(run_of())
    us.notify = desk(BOB)
    with mail_server(cert, port=port) as box:
        done = us.tell(at=NOW + 301)
        assert done.withdrawn == [f"desk (mail to {ANN}): it is no receiver any more."]
        assert [to for _sender, to, _content in box.mails] == [[BOB]]
        us.notify = desk(ANN, BOB)
        us.tell(run_of(), at=NOW + 302)
        assert len(box.mails) == 1


def test_a_message_that_was_changed_is_not_sent(client, cert) -> None:
    with mail_server(cert) as box:
        us = client(desk(), smtp(box, cert))
        promised(us)
        [item], _problems = us.spool.items()
        path = us.spool.root / "payload" / item.key
        path.write_bytes(path.read_bytes().replace(b"14:", b"15:"))
        assert "was changed since the message was made" in us.tell().waiting[0]
        assert box.mails == []


def test_check_mode_says_who_and_touches_nothing(client, cert, tmp_path: Path) -> None:
    with mail_server(cert) as box, http_server() as hooks:
        us = client(
            {**desk(), **hook(hooks), "numbers": {"channel": "textfile", "directory": str(tmp_path)}}, smtp(box, cert)
        )
        done = us.tell(run_of(), act=False)
        assert done.promised == [f"desk (mail to {ANN}): each run", "hook (webhook): each run"]
        assert done.written == [f"numbers (textfile): {tmp_path}"]
        assert (box.mails, hooks.requests, us.files()) == ([], [], [])
        assert [path.name for path in tmp_path.iterdir() if path.is_file()] == []


def test_a_damaged_item_is_named_and_the_others_go(client, cert) -> None:
    with mail_server(cert) as box:
        us = client(desk(), smtp(box, cert))
        promised(us)
        (us.spool.root / "waiting" / "x.json").write_text("{")
        done = us.tell()
        assert "x.json is not JSON" in done.problems[0]
        assert len(box.mails) == 1


def test_ends_are_forgotten_when_they_are_too_old_to_matter(client, cert) -> None:
    with mail_server(cert) as box:
        us = client(desk(), smtp(box, cert))
        us.tell(run_of())
        assert len(us.spool.ends("sent")) == 1
        us.tell(at=time.time() + 399 * DAY)
        assert len(us.spool.ends("sent")) == 1
        us.tell(at=time.time() + 401 * DAY)
        assert us.spool.ends("sent") == []
        with pytest.raises(EvidenceError, match="too old to be delivered"):
            us.tell(run_of(), at=NOW + 401 * DAY)
        assert len(box.mails) == 1


# --- what waits has a size


def test_what_waits_takes_so_much_room_and_no_more(client, cert, monkeypatch) -> None:
    port = mail_and_hooks.free_port()
    us = client({**desk(attach=["html"]), **hook(f"http://127.0.0.1:{port}/x")}, smtp(port, cert))
    us.tell(run_of(1))
    first = us.spool.used()
    monkeypatch.setattr(rounds, "ROOM_WITH_FILES", first)
    # From here on mails come without their files, and the files are named.
    done = us.tell(run_of(2))
    assert done.promised == [f"desk (mail to {ANN}): each run", "hook (webhook): each run"]
    assert done.notes == [
        f"desk (mail to {ANN}): it is without attachments, {first // 1_000_000} MB of messages wait for this client already."
    ]
    newest = next(item for item in us.spool.items()[0] if item.run_id == run_of(2).header.run_id and item.recipient)
    mail = email.message_from_bytes(us.spool.payload(newest), policy=email.policy.default)
    assert list(mail.iter_attachments()) == []
    assert "engineer.html" in mail.get_body(("plain",)).get_content()
    # Then nothing: it is said, counted as given up, and not made again.
    monkeypatch.setattr(rounds, "ROOM", us.spool.used())
    done = us.tell(run_of(3))
    assert done.promised == []
    assert f"desk (mail to {ANN}): " in done.given_up[0]
    assert "messages wait for this client already: nothing more fits." in done.given_up[0]
    assert len(us.spool.ends("given_up")) == len(done.given_up) == 2
    assert us.spool.used() == rounds.ROOM
    assert us.tell(run_of(3)).given_up == []
