"""Who calls: Basic, NTLM and SPNEGO, and the sealing of messages that WinRM over plain HTTP asks for.

A context belongs to one TCP connection, as on Windows: after it is complete, later requests of that connection carry
no Authorization header. [MS-WSMV] 2.2.9.1 describes the sealed messages.
"""

from __future__ import annotations

import atexit
import base64
import binascii
import os
import struct
import tempfile
import typing as t
from pathlib import Path

import spnego
from spnego.exceptions import SpnegoError

USER = "keepwell"
PASSWORD = "Simulated-Host-1"  # opens nothing but these simulated hosts
CHALLENGES = ("Negotiate", 'Basic realm="WSMAN"')
_BOUNDARY = b"--Encrypted Boundary"
_SEALED = "application/HTTP-SPNEGO-session-encrypted"
_PLAIN = "application/soap+xml;charset=UTF-8"


class Unsealable(Exception):
    """A sealed message that this connection's context cannot open: Windows answers 400."""


class Answer(t.NamedTuple):
    """What the authentication says of one request: 200 goes on, anything else is the answer."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()


class Authentication:
    """The state of one TCP connection."""

    def __init__(self) -> None:
        self.user: str | None = None
        self._context: spnego.ContextProxy | None = None

    def check(self, header: str | None, refuse: bool) -> Answer:
        """Look at the Authorization header; ``refuse`` is a host whose password was changed."""
        if header is None and self.user is not None:
            return Answer(200)
        kind, _space, token = (header or "").partition(" ")
        try:
            given = base64.b64decode(token, validate=True)
        except binascii.Error:
            return _refused()
        if kind == "Basic":
            name, _colon, password = given.decode(errors="replace").partition(":")
            if refuse or (name, password) != (USER, PASSWORD):
                return _refused()
            self.user = name
            return Answer(200)
        if kind in ("Negotiate", "NTLM") and given:
            return self._step(kind, given, refuse)
        return _refused()

    def _step(self, kind: str, token: bytes, refuse: bool) -> Answer:
        if self._context is None or self._context.complete:
            self.user = None
            plain = token.startswith(b"NTLMSSP\0")
            _write_accounts()
            self._context = spnego.server(
                protocol="ntlm" if plain else "negotiate",
                options=spnego.NegotiateOptions.use_ntlm if plain else spnego.NegotiateOptions.use_negotiate,
            )
        try:
            back = self._context.step(token)
        except SpnegoError:
            self._context = None
            return _refused()
        headers = ((("WWW-Authenticate", f"{kind} {base64.b64encode(back).decode()}"),)) if back else ()
        if not self._context.complete:
            return Answer(401, headers)
        if refuse:
            self._context = None
            return _refused()
        self.user = USER
        return Answer(200, headers)

    def unseal(self, body: bytes, content_type: str) -> bytes:
        """The message in the clear; raise Unsealable where the context does not fit."""
        if not content_type.startswith("multipart/encrypted"):
            return body
        if self._context is None:
            raise Unsealable("a sealed message, but no context")
        _heading, _boundary, rest = body.partition(b"application/octet-stream\r\n")
        sealed = rest.removesuffix(_BOUNDARY + b"--\r\n")
        try:
            size = struct.unpack("<i", sealed[:4])[0]
            return self._context.unwrap_winrm(sealed[4 : 4 + size], sealed[4 + size :])
        except (SpnegoError, struct.error, ValueError, TypeError) as exc:
            raise Unsealable(str(exc)) from exc

    def seal(self, message: bytes, sealed: bool) -> tuple[bytes, str]:
        """Return the body and its content type: sealed where the question was."""
        if not sealed or self._context is None:
            return message, _PLAIN
        wrapped = self._context.wrap_winrm(message)
        body = b"\r\n".join(
            (
                _BOUNDARY,
                f"\tContent-Type: {_SEALED}".encode(),
                f"\tOriginalContent: type={_PLAIN};Length={len(message) + wrapped.padding_length}".encode(),
                _BOUNDARY,
                b"\tContent-Type: application/octet-stream",
                struct.pack("<i", len(wrapped.header)) + wrapped.header + wrapped.data + _BOUNDARY + b"--\r\n",
            )
        )
        return body, f'multipart/encrypted;protocol="{_SEALED}";boundary="Encrypted Boundary"'


def _refused() -> Answer:
    return Answer(401, tuple(("WWW-Authenticate", challenge) for challenge in CHALLENGES))


_accounts: list[Path] = []


def _write_accounts() -> None:
    """pyspnego knows the accounts of an NTLM server by a file that the environment names."""
    if _accounts:
        return
    handle, name = tempfile.mkstemp(prefix="keepwell-accounts-")
    with os.fdopen(handle, "w") as file:
        file.write(f":{USER}:{PASSWORD}\n")
    _accounts.append(Path(name))
    atexit.register(Path(name).unlink, missing_ok=True)
    os.environ["NTLM_USER_FILE"] = name
