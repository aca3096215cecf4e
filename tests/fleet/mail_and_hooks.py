# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real receivers on loopback: a mail server with STARTTLS or TLS and passwords, an HTTP(S) server. They keep what they get."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import http.server
import socket
import ssl
import threading
import time
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

USER, PASSWORD = "keepwell", "hunter2-of-the-vault"


@dataclass(frozen=True)
class Certificate:
    """A certificate for localhost, made on the spot, that is its own authority."""

    pem: Path

    def context(self) -> ssl.SSLContext:
        found = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        found.load_cert_chain(self.pem)
        return found


def certificate(folder: Path) -> Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "localhost.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return Certificate(path)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Mailbox:
    """What a mail server took. ``answers`` are given instead of taking mail, one each; ``hold_s`` lets it think."""

    port: int
    mails: list[tuple[str, list[str], bytes]] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    hold_s: float = 0.0
    secure: list[bool] = field(default_factory=list)

    def to(self, address: str) -> list[bytes]:
        return [content for _sender, recipients, content in self.mails if address in recipients]

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.answers:
            return self.answers.pop(0)
        self.mails.append((str(envelope.mail_from), list(envelope.rcpt_tos), bytes(envelope.original_content or b"")))
        self.secure.append(session.ssl is not None)
        if self.hold_s:
            await asyncio.sleep(self.hold_s)
        return "250 taken"


def _knows(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: t.Any) -> AuthResult:
    ours = isinstance(data, LoginPassword) and (data.login, data.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=ours, handled=False)


@contextlib.contextmanager
def mail_server(cert: Certificate, *, tls: bool = False, port: int = 0, starttls: bool = True) -> t.Iterator[Mailbox]:
    """A mail server that wants encryption and a password. ``tls`` from the first byte on, else by STARTTLS."""
    box = Mailbox(port or free_port())
    options: dict[str, t.Any] = {
        "authenticator": _knows,
        "auth_required": True,
        "hostname": "127.0.0.1",
        "port": box.port,
    }
    if tls:
        options |= {"ssl_context": cert.context(), "auth_require_tls": False}
    elif starttls:
        options |= {"tls_context": cert.context(), "require_starttls": True}
    else:
        options |= {"auth_require_tls": False}
    controller = Controller(box, **options)
    controller.start()
    try:
        yield box
    finally:
        controller.stop(no_assert=True)


@dataclass(frozen=True)
class Request:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Hooks:
    """What an HTTP server got, and what it answers: ``answers`` first, then 200; ``hold_s`` lets it think before that."""

    port: int
    scheme: str = "http"
    requests: list[Request] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    hold_s: float = 0.0
    drip: bool = False

    @property
    def url(self) -> str:
        return f"{self.scheme}://localhost:{self.port}/hook?token=tok-of-the-vault"


@contextlib.contextmanager
def http_server(cert: Certificate | None = None, *, port: int = 0) -> t.Iterator[Hooks]:
    """An HTTP server, or HTTPS with a certificate."""
    hooks = Hooks(port or free_port(), "https" if cert else "http")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hooks.requests.append(Request(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            time.sleep(hooks.hold_s)
            with contextlib.suppress(OSError):
                if hooks.drip:
                    # A byte a moment: every single one begins the time-out of a socket anew.
                    for sign in "HTTP/1.1 200 OK\r\nX-Slow: " + "a" * 1000:
                        self.wfile.write(sign.encode())
                        self.wfile.flush()
                        time.sleep(0.1)
                    return
                code, headers, said = hooks.answers.pop(0) if hooks.answers else (200, {}, b"ok")
                self.send_response(code)
                for name, value in {**headers, "Content-Length": str(len(said))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(said)

        def log_message(self, *_arguments: t.Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", hooks.port), Handler)
    server.daemon_threads = True
    if cert:
        server.socket = cert.context().wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield hooks
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
