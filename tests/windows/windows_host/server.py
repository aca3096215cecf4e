"""The listener: many hosts on one port, told apart by their path, over HTTP or HTTPS."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import typing as t
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from windows_host.authentication import Authentication, Unsealable
from windows_host.host import WindowsHost
from windows_host.shells import Lost

_PREFIX = "/wsman/"


class Listener(ThreadingHTTPServer):
    """A port on loopback, chosen by the system."""

    daemon_threads = True
    # 20 hosts whose tasks all begin at once.
    request_queue_size = 128

    def __init__(self, hosts: t.Mapping[str, WindowsHost], certificate: Path | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.hosts = hosts
        self._tls: ssl.SSLContext | None = None
        if certificate is not None:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(certificate)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def finish_request(self, request: t.Any, client_address: t.Any) -> None:
        """Shake hands in the thread of the connection, so that no client can hold up the others."""
        if self._tls is not None:
            try:
                request = self._tls.wrap_socket(request, server_side=True)
            except OSError:
                return
        super().finish_request(request, client_address)
        if self._tls is not None:
            with contextlib.suppress(OSError):
                request.close()

    def handle_error(self, request: t.Any, client_address: t.Any) -> None:
        """A client that went away is no news; anything else is in the log of its host."""


@contextlib.contextmanager
def listening(hosts: t.Mapping[str, WindowsHost], certificate: Path | None = None) -> t.Iterator[Listener]:
    """A listener, as long as the block lasts."""
    listener = Listener(hosts, certificate)
    thread = threading.Thread(target=listener.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield listener
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()


@contextlib.contextmanager
def refusing() -> t.Iterator[int]:
    """A port that refuses connections and that nobody else gets meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])


class _Connection(BaseHTTPRequestHandler):
    """One TCP connection with its authentication."""

    protocol_version = "HTTP/1.1"
    server_version = "Microsoft-HTTPAPI/2.0"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = -1

    def setup(self) -> None:
        super().setup()
        self._authentication = Authentication()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        listener = t.cast(Listener, self.server)
        host = listener.hosts.get(self.path.removeprefix(_PREFIX)) if self.path.startswith(_PREFIX) else None
        if host is None:
            self._answer(404)
            return
        boot = host.boot_id
        if host.silent():
            self.close_connection = True
            return
        if host.faults.busy or host.faults.server_error:
            self._answer(503 if host.faults.busy else 500)
            return
        decided = self._authentication.check(self.headers.get("Authorization"), host.faults.wrong_password)
        if decided.status != 200 or not body:
            self._answer(decided.status, headers=decided.headers)
            return
        try:
            message = self._authentication.unseal(body, self.headers.get("Content-Type", ""))
        except Unsealable:
            self.close_connection = True
            self._answer(400)
            return
        try:
            status, reply = host.service.answer(message)
        except Lost:
            self.close_connection = True
            return
        if host.boot_id != boot or host.silent(count=False):
            self.close_connection = True
            return
        sealed, kind = self._authentication.seal(reply, message is not body)
        self._answer(status, sealed, kind, decided.headers)

    def _answer(
        self, status: int, body: bytes = b"", kind: str = "", headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if kind:
            self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *_args: t.Any) -> None:
        """The calls of a host are its log."""
