# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: ask what the client says must answer before and after a change, from the host itself.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import http.client
import socket
import urllib.error
import urllib.request

_TIMEOUT_S = 10.0
_LIMIT_S = 20.0
_COMMAND_TIMEOUT_S = 30.0
_BODY_CAP = 1024 * 1024


def ask(machine, probes):
    """{"probes": {name: {"ok", "text"}}}; one thing each: ``tcp``, ``http`` or ``command``."""
    return {"probes": dict((probe["name"], _bounded(machine, probe)) for probe in probes)}


def _bounded(machine, probe):
    if probe.get("command"):
        return _command(machine, probe["command"])
    # In a child: a server that sends a byte now and then would otherwise never let go.
    status, answer = machine.in_child(lambda: _one(probe), _LIMIT_S)
    return answer or _answer(False, "no answer in time" if status == "timeout" else "the probe failed")


def _one(probe):
    try:
        if probe.get("tcp"):
            return _tcp(probe["tcp"])
        if probe.get("http"):
            return _http(probe["http"], probe.get("status"), probe.get("contains"))
    except (OSError, ValueError, OverflowError, http.client.HTTPException) as exc:
        return _answer(False, "no answer: %s" % (getattr(exc, "strerror", None) or exc or type(exc).__name__))
    return _answer(False, "the probe asks nothing: it has none of tcp, http and command")


def _answer(ok, text):
    return {"ok": ok, "text": " ".join(text.split())[:200]}


def _tcp(place):
    host, _colon, port = place.rpartition(":")
    socket.create_connection((host.strip("[]"), int(port)), _TIMEOUT_S).close()
    return _answer(True, "%s takes connections" % place)


def _http(url, status, contains):
    """GET without proxies; certificates are checked. Without ``status`` any good answer will do."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url, headers={"User-Agent": "Keepwell"})  # noqa: S310 - http(s) by the options
    try:
        answer = opener.open(request, timeout=_TIMEOUT_S)
    except urllib.error.HTTPError as exc:
        answer = exc
    except urllib.error.URLError as exc:
        return _answer(False, "no answer: %s" % exc.reason)
    with answer:
        code = answer.getcode()
        body = answer.read(_BODY_CAP).decode("utf-8", "replace") if contains else ""
    if code != status if status else code >= 400:
        return _answer(False, "status %d%s" % (code, " instead of %d" % status if status else ""))
    if contains and contains not in body:
        return _answer(False, "status %d, and %r is not in the answer" % (code, contains))
    return _answer(True, "status %d" % code)


def _command(machine, argv):
    output = machine.run(argv, timeout=_COMMAND_TIMEOUT_S, accepted=None, source="probe")
    if output.status == "absent":
        return _answer(False, "%s is not there" % argv[0])
    if output.rc is None:
        return _answer(False, "no answer in time" if output.status == "timeout" else output.err or output.status)
    lines = [line for line in (output.out + output.err).splitlines() if line.strip()]
    return _answer(output.rc == 0, "return code %d%s" % (output.rc, ": " + lines[-1] if lines else ""))
