# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: speak with mail servers and with what takes HTTP requests. TLS is verified, always.

What a server answers is cut, made visible and freed of secrets by the caller. Runs on the control node.
"""

from __future__ import annotations

import contextlib
import email.utils
import http.client
import re
import smtplib
import socket
import ssl
import urllib.parse
from collections.abc import Callable, Mapping

from ansible_collections.keepwell.fleet.plugins.plugin_utils.delivery.attempt import Answer, Gate
from ansible_collections.keepwell.fleet.plugins.plugin_utils.delivery.receivers import Smtp

_LONGEST_WAIT_S = 86400.0
# Between us and the receiver: whether it got the request is not known.
_BETWEEN = (502, 504)


def send_mail(smtp: Smtp, recipient: str, content: bytes, gate: Gate) -> Answer:
    """Hand one mail to the server. The point of no return is the end of its text, which only then counts."""
    where = f"{smtp.host}:{smtp.at}"
    sender = email.utils.parseaddr(smtp.sender)[1]
    try:
        server = _connect(smtp, sender, gate)
    except (OSError, smtplib.SMTPException, ssl.CertificateError, ValueError) as exc:
        return Answer("failed", f"{where}: {_reason(exc)}", down=True)
    try:
        size = [f"size={len(content)}"] if server.has_extn("size") else []
        steps: tuple[tuple[Callable[[], tuple[int, bytes]], tuple[int, ...]], ...] = (
            (lambda: server.mail(sender, size), (250,)),
            (lambda: server.rcpt(recipient), (250, 251)),
            (lambda: server.docmd("data"), (354,)),
        )
        for step, wanted in steps:
            code, said = step()
            if code not in wanted:
                return Answer("failed", f"{where} refused: {code} {_text(said)}")
        gate.go_through()
        # A line that is a single dot would end the text early: RFC 5321, 4.5.2.
        server.send(re.sub(rb"(?m)^\.", b"..", content) + (b"" if content.endswith(b"\r\n") else b"\r\n") + b".\r\n")
        code, said = server.getreply()
    except (OSError, smtplib.SMTPException) as exc:
        if gate.passed:
            return Answer("doubtful", f"{where}: {_reason(exc)} after the message was handed over", down=True)
        return Answer("failed", f"{where}: {_reason(exc)}", down=True)
    else:
        if code != 250:
            return Answer("failed", f"{where} refused: {code} {_text(said)}")
        with contextlib.suppress(OSError, smtplib.SMTPException):
            server.quit()
        return Answer("sent", f"{code} {_text(said)}")
    finally:
        server.close()


def _connect(smtp: Smtp, sender: str, gate: Gate) -> smtplib.SMTP:
    """Return a connection on which mail may be handed over: encrypted and logged in as was asked for."""
    # By itself the library looks up our own name, which takes as long as it takes.
    ours = sender.rpartition("@")[2]
    context = None if smtp.security == "none" else _context(smtp.ca_file)
    server: smtplib.SMTP
    if smtp.security == "tls":
        server = smtplib.SMTP_SSL(smtp.host, smtp.at, ours, timeout=smtp.timeout_s, context=context)
    else:
        server = smtplib.SMTP(smtp.host, smtp.at, ours, timeout=smtp.timeout_s)
    try:
        gate.closes(lambda: _shut(server.sock))
        server.ehlo_or_helo_if_needed()
        if smtp.security == "starttls":
            server.starttls(context=context)
            server.ehlo()
        if smtp.user:
            server.login(smtp.user, smtp.password.get_secret_value())
    except BaseException:
        server.close()
        raise
    return server


def post(url: str, headers: Mapping[str, str], body: bytes, *, timeout_s: float, ca_file: str, gate: Gate) -> Answer:
    """Send one request. Nothing is followed elsewhere: the address in the client's file is where it goes."""
    parts = urllib.parse.urlsplit(url)
    where = parts.hostname or ""
    target = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
    try:
        connection = _open(parts, timeout_s, ca_file)
        connection.connect()
        sock = connection.sock
        gate.closes(lambda: _shut(sock))
    except (OSError, ssl.CertificateError, http.client.HTTPException, ValueError) as exc:
        return Answer("failed", f"{where}: {_reason(exc)}", down=True)
    try:
        gate.go_through()
        connection.request("POST", target, body=body, headers={"User-Agent": "Keepwell", **headers})
        response = connection.getresponse()
        said = _text(response.read(2000))
    except (OSError, http.client.HTTPException) as exc:
        return Answer("doubtful", f"{where}: {_reason(exc)} after the request was sent", down=True)
    finally:
        connection.close()
    code = response.status
    if 200 <= code < 300:
        return Answer("sent", f"{code}")
    if 300 <= code < 400:
        return Answer(
            "failed", f"{where} answered {code}: it points elsewhere, which is not followed. Correct the url."
        )
    return Answer(
        "doubtful" if code in _BETWEEN else "failed",
        f"{where} answered {code} {said}".rstrip(),
        down=code == 429 or code >= 500,
        retry_after_s=_wait(response.getheader("Retry-After")),
    )


def _open(parts: urllib.parse.SplitResult, timeout_s: float, ca_file: str) -> http.client.HTTPConnection:
    if parts.scheme == "https":
        return http.client.HTTPSConnection(
            parts.hostname or "", parts.port, timeout=timeout_s, context=_context(ca_file)
        )
    return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout_s)


def _context(ca_file: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except (OSError, ssl.SSLError) as exc:
        raise ValueError(f"ca_file {ca_file} cannot be used: {getattr(exc, 'strerror', None) or exc}") from exc


def _shut(sock: socket.socket | None) -> None:
    """End a connection under the hands of whoever waits for it."""
    with contextlib.suppress(OSError):
        if sock is not None:
            # Not the method of a TLS socket, which takes its cipher away while another thread uses it.
            socket.socket.shutdown(sock, socket.SHUT_RDWR)


def _wait(value: str | None) -> float | None:
    """Return how long a server asks us to stay away, when it says so in seconds."""
    if value is None or not re.fullmatch(r"\d{1,9}", value.strip()):
        return None
    return min(float(value), _LONGEST_WAIT_S)


def _text(said: bytes | str) -> str:
    return " ".join((said.decode("utf-8", "replace") if isinstance(said, bytes) else said).split())


def _reason(exc: Exception) -> str:
    """Return why it did not work, in few words."""
    if isinstance(exc, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {exc.verify_message}"
    if isinstance(exc, ssl.SSLError):
        return f"no encrypted connection: {exc.reason or exc}"
    if isinstance(exc, smtplib.SMTPAuthenticationError):
        return f"user and password are refused: {exc.smtp_code} {_text(exc.smtp_error)}"
    if isinstance(exc, smtplib.SMTPNotSupportedError):
        return f"{exc} Mail is not sent in clear instead."
    if isinstance(exc, smtplib.SMTPResponseException):
        return f"it answers {exc.smtp_code} {_text(exc.smtp_error)}"
    if isinstance(exc, TimeoutError):
        return "no answer in time"
    if isinstance(exc, socket.gaierror):
        return "its name is not known"
    return str(getattr(exc, "strerror", None) or exc) or type(exc).__name__
