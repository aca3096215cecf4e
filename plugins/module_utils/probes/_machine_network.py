# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: ask sockets, on this host or where the plan says (part of Machine).

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import socket
import ssl
import time

from ansible_collections.keepwell.fleet.plugins.module_utils.probes._sources import SourceLog


class Network(SourceLog):
    """The methods of Machine that open connections."""

    def tcp_connect(self, address, port, timeout=1.0):
        """Open and close one TCP connection: {"status": ok|refused|timeout|error, "ms": float, "detail": text}."""
        start = time.monotonic()
        try:
            connection = socket.create_connection((address, port), min(timeout, self.remaining()))
            connection.close()
            status, detail = "ok", ""
        except socket.timeout:
            status, detail = "timeout", "no answer within %.1f s" % timeout
        except ConnectionRefusedError:
            status, detail = "refused", "connection refused"
        except OSError as exc:
            status, detail = "error", exc.strerror or str(exc)
        return {"status": status, "ms": round((time.monotonic() - start) * 1000, 1), "detail": detail}

    def udp_exchange(self, address, port, payload, timeout=1.0):
        """Send one datagram (bytes) and return (reply bytes or None, milliseconds)."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        start = time.monotonic()
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as channel:
                channel.settimeout(min(timeout, self.remaining()))
                channel.connect((address, port))
                channel.send(payload)
                reply = channel.recv(4096)
        except OSError:
            reply = None
        return reply, round((time.monotonic() - start) * 1000, 1)

    def unix_exchange(self, path, payload, timeout=2.0, limit=65536):
        """Send bytes to a local stream socket and return what comes back until it closes, or None (then noted)."""
        return self._exchange(socket.AF_UNIX, path, path, payload, timeout, limit)

    def tcp_exchange(self, address, port, payload, timeout=2.0, limit=65536):
        """Like ``unix_exchange`` over TCP; noted under ``address:port``."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return self._exchange(family, (address, port), "%s:%d" % (address, port), payload, timeout, limit)

    def _exchange(self, family, target, source, payload, timeout, limit):
        try:
            with socket.socket(family, socket.SOCK_STREAM) as channel:
                channel.settimeout(min(timeout, self.remaining()))
                channel.connect(target)
                channel.sendall(payload)
                data = b""
                while len(data) < limit:
                    part = channel.recv(8192)
                    if not part:
                        break
                    data += part
                return data
        except socket.timeout:
            self.note(source, "timeout", "the socket did not answer")
        except OSError as exc:
            self._note_os_error(exc, source)
        return None

    def tls_peer(self, address, port, server_name=None, starttls=None, timeout=2.0):
        """The certificate a server shows, unverified on purpose: an expired one must be seen, too.

        ``starttls`` is None, ``smtp``, ``imap`` or ``pop3``. Returns {"status": ok|refused|timeout|error,
        "detail": text, "protocol": text, "der": bytes or None}.
        """
        end = time.monotonic() + min(timeout, self.remaining())
        result = {"status": "error", "detail": "", "protocol": "", "der": None}
        try:
            channel = socket.create_connection((address, port), max(0.05, end - time.monotonic()))
            with channel:
                if starttls:
                    _say_starttls(channel, starttls, end)
                channel.settimeout(max(0.05, end - time.monotonic()))
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
                with context.wrap_socket(channel, server_hostname=server_name) as secure:
                    result["der"] = secure.getpeercert(True)
                    result["protocol"] = secure.version() or ""
                    result["status"] = "ok"
        except socket.timeout:
            result["status"], result["detail"] = "timeout", "no answer within %.1f s" % timeout
        except ConnectionRefusedError:
            result["status"], result["detail"] = "refused", "connection refused"
        except (OSError, ValueError) as exc:
            result["detail"] = (getattr(exc, "reason", None) or getattr(exc, "strerror", None) or str(exc))[:200]
        return result


def _say_starttls(channel, protocol, end):
    """Ask a mail server to switch to TLS; raises OSError when it will not."""
    words = {
        "smtp": (b"EHLO keepwell.invalid\r\n", b"STARTTLS\r\n", b"220"),
        "imap": (None, b"a1 STARTTLS\r\n", b"a1 OK"),
        "pop3": (None, b"STLS\r\n", b"+OK"),
    }
    greet, ask, agreed = words[protocol]

    def receive():
        channel.settimeout(max(0.05, end - time.monotonic()))
        return channel.recv(4096)

    receive()
    if greet:
        channel.sendall(greet)
        receive()
    channel.sendall(ask)
    if agreed not in receive():
        raise OSError("the server does not offer STARTTLS")
