# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The certificates of a host: on disk, as shown on its ports, and what renews them.

Private keys are never opened by name; of a file that holds one beside its certificate only the CERTIFICATE blocks
are decoded and nothing else is kept. Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import re

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _certificate_places, _listeners
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._der import parse_certificate, pem_certificates
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._renewal import renewal

TIME_LIMIT_S = 12
PARAMETERS = ("names", "paths", "ports")
FILE_CAP = 200
CERTIFICATE_CAP = 400
# A file with more certificates than this is a list of authorities, not a chain.
CHAIN_CAP = 20
QUESTION_CAP = 60
ADDRESS_CAP = 6
NAME_CAP = 12
# Port -> how TLS starts there (None: at once).
TLS_PORTS = {443: None, 8443: None, 465: None, 993: None, 995: None, 636: None, 5986: None}
STARTTLS_PORTS = {25: "smtp", 587: "smtp", 143: "imap", 110: "pop3"}
WEB_PORTS = (443, 8443)
_GLOBAL_ADDRESS = re.compile(r"^\d+:\s+(\S+)\s+inet6?\s+([0-9a-fA-F.:]+)")


def collect(machine, parameters):
    """Return the facts of ``certificates``.

    ``parameters``: ``paths`` (more files, folders or patterns), ``ports`` (more TLS ports), ``names`` (more server
    names to ask for). Keys: ``certificates`` (fingerprint -> facts of ``_der.parse_certificate`` and ``used``: a
    server's configuration, Let's Encrypt or the plan names it, or it is shown on a port), ``files`` (path,
    ``used_by``, ``chain`` of fingerprints from leaf up, ``modified`` epoch, ``error``), ``served`` (address, port,
    name asked for or None, starttls, status, detail, protocol, fingerprint), ``listening`` (TLS ports that are open;
    None: could not be told), ``renewal``, ``left_out`` (files, questions beyond the caps).
    """
    known = {}
    files, files_left_out = _files(machine, parameters, known)
    listening, served, questions_left_out = _served(machine, parameters, files, known)
    used = set(entry["fingerprint"] for entry in served if entry["fingerprint"])
    for entry in files:
        if entry["used_by"]:
            used.update(entry["chain"])
    for fingerprint, facts in known.items():
        facts["used"] = fingerprint in used
    return {
        "certificates": known,
        "files": files,
        "served": served,
        "listening": listening,
        "renewal": renewal(machine),
        "left_out": {"files": files_left_out, "questions": questions_left_out},
    }


def _files(machine, parameters, known):
    places, configured = _certificate_places.candidates(machine, parameters.get("paths") or [])
    found = []
    paths = sorted(places)
    for path in paths[:FILE_CAP]:
        users = sorted(places[path])
        data = machine.read_bytes(path)
        entry = {"path": path, "used_by": users, "chain": [], "modified": None, "error": None}
        if data is None:
            if path in configured or "plan" in users:
                entry["error"] = machine.sources.get(path, {"status": "absent"})["status"]
                found.append(entry)
            continue
        try:
            facts = read_certificates(data)
        except ValueError as exc:
            entry["error"] = str(exc)
            found.append(entry)
            continue
        if not facts or len(facts) > CHAIN_CAP or len(known) > CERTIFICATE_CAP:
            continue
        entry["chain"] = [fact["fingerprint"] for fact in facts]
        info = machine.stat(path)
        entry["modified"] = info["mtime"] if info else None
        for fact in facts:
            known.setdefault(fact["fingerprint"], fact)
        found.append(entry)
    return found, max(0, len(paths) - FILE_CAP)


def read_certificates(data):
    """Facts of every certificate in the bytes of a PEM or DER file; empty when it holds none. Raises ValueError."""
    if data[:1] == b"\x30" and b"-----BEGIN" not in data:
        return [parse_certificate(data)]
    text = data.decode("latin-1")
    return [parse_certificate(der) for der in pem_certificates(text)]


def _served(machine, parameters, files, known):
    """(open TLS ports or None, what each shows, number of questions not asked)."""
    listeners, _more = _listeners.collect(machine)
    if listeners is None:
        return None, [], 0
    wanted = dict(TLS_PORTS)
    wanted.update(STARTTLS_PORTS)
    for port in parameters.get("ports") or []:
        wanted.setdefault(int(port), None)
    tcp = [one for one in listeners if one["proto"] == "tcp" and one["port"] in wanted]
    asked_names = [str(name) for name in parameters.get("names") or []]
    web_names = _names_on_disk(files, known)
    questions = []
    addresses = _addresses(machine) if tcp else []
    for listener in tcp:
        port = listener["port"]
        names = asked_names + ([name for name in web_names if name not in asked_names] if port in WEB_PORTS else [])
        for position, address in enumerate(_targets(listener, addresses)):
            # Names are asked for at the first address; the others differ, if at all, in what they show by default.
            for name in [None] + (names if position == 0 else []):
                if (address, port, name) not in questions:
                    questions.append((address, port, name))
    questions.sort(key=lambda question: question[2] is not None)
    served = []
    for address, port, name in questions[:QUESTION_CAP]:
        if machine.remaining() < 2.0:
            break
        answer = machine.tls_peer(address, port, server_name=name, starttls=wanted[port], timeout=1.5)
        served.append(_answer(address, port, name, wanted[port], answer, known))
    return sorted(set(one["port"] for one in tcp)), served, len(questions) - len(served)


def _answer(address, port, name, starttls, answer, known):
    entry = {
        "address": address,
        "port": port,
        "name": name,
        "starttls": starttls,
        "status": answer["status"],
        "detail": answer.get("detail") or "",
        "protocol": answer.get("protocol") or None,
        "fingerprint": None,
    }
    if answer.get("der"):
        try:
            facts = parse_certificate(answer["der"])
        except ValueError as exc:
            entry["status"], entry["detail"] = "error", str(exc)
            return entry
        known.setdefault(facts["fingerprint"], facts)
        entry["fingerprint"] = facts["fingerprint"]
    return entry


def _names_on_disk(files, known):
    """One server name of every leaf certificate in use, to be asked for by SNI."""
    names = []
    for entry in files:
        if entry["used_by"] and entry["chain"]:
            leaf = known[entry["chain"][0]]
            for name in leaf["names"]:
                if re.match(r"^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$", name) and not name.replace(".", "").isdigit():
                    if name not in names:
                        names.append(name)
                    break
    return names[:NAME_CAP]


def _addresses(machine):
    shown = machine.run(["ip", "-o", "addr", "show", "scope", "global"], source="addresses")
    if not shown.ok:
        return []
    try:
        return parse_addresses(shown.out)[:ADDRESS_CAP]
    except ValueError as exc:
        machine.note("addresses", "error", str(exc))
        return []


def parse_addresses(text):
    """Addresses in ``ip -o addr show scope global``, IPv4 first. Raises ValueError naming a line of another form."""
    found = []
    for line in text.splitlines():
        match = _GLOBAL_ADDRESS.match(line)
        if not match:
            raise ValueError("ip addr: cannot read %r" % line[:120])
        found.append(match.group(2))
    return sorted(found, key=lambda address: ":" in address)


def _targets(listener, addresses):
    """Where to knock: a listener on all addresses is asked on loopback and on each of them."""
    address = listener["address"]
    if listener["scope"] != "wildcard":
        return [address]
    if address == "::":
        # "::" may or may not take IPv4, too; ss shows those that do as "*", which the reader also writes as "::".
        return ["127.0.0.1", "::1"] + addresses
    return ["127.0.0.1"] + [one for one in addresses if ":" not in one]
