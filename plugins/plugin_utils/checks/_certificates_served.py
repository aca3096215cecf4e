# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates as ports show them, against those on disk."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import (
    DAY,
    Verdict,
    View,
    check,
    count_text,
    duration_text,
    worst,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._certificates_policy import (
    Facts,
    Policy,
    limits,
    name_of,
)


def _leaf_names(facts: Facts) -> frozenset[str]:
    return frozenset(name.lower() for name in facts.get("names") or [facts.get("common_name") or ""])


@check(
    "certificates.served",
    title="Certificates as served",
    advice="Reload (not restart) the service that listens there; then ask the port again.",
    needs=("certificates",),
    sources=("/*", "addresses", "configuration of *", "certificates in *", "store*", "http bindings"),
    controls=("ISO A.8.24",),
)
def served(view: View, policy: Policy) -> Iterator[Verdict]:
    """Find ports that still show a certificate of which a newer one lies on disk; and ports that show none."""
    data = view.data("certificates")
    if data["listening"] is None:
        yield Verdict(
            "unknown",
            observed="open ports could not be listed",
            expected="a list of listening ports",
            summary="Nobody could tell which ports show a certificate.",
        )
        return
    known = data["certificates"]
    stale: dict[int, Verdict] = {}
    silent: dict[int, Verdict] = {}
    fine = 0
    for entry in data["served"]:
        port = entry["port"]
        if entry["fingerprint"] is None:
            if _speaks_no_tls(entry):
                continue
            silent[port] = Verdict(
                "unknown",
                object=f"port {port}",
                observed=f"{entry['status']}: {entry['detail']}"[:120],
                expected="a certificate",
                summary=f"Port {port} is open but the TLS handshake failed, so its certificate is not known.",
                command=_ask(view, entry, ""),
            )
            continue
        newer = _newer_on_disk(view, policy, known[entry["fingerprint"]], entry["fingerprint"])
        if newer is None:
            fine += 1
        elif port not in stale:
            stale[port] = _stale(view, entry, known, newer)
    yield from (stale[port] for port in sorted(stale))
    answered = {entry["port"] for entry in data["served"] if entry["fingerprint"]}
    yield from (silent[port] for port in sorted(silent) if port not in answered)
    left_out = data["left_out"].get("questions", 0)
    if fine and not stale and not set(silent) - answered:
        more = f", {left_out} not asked" if left_out else ""
        ports = ", ".join(str(port) for port in sorted(answered))
        yield Verdict(
            "ok", observed=f"{count_text(fine, 'answer')} on port {ports}{more}", expected="the newest on disk"
        )


def _speaks_no_tls(entry: Facts) -> bool:
    """A port whose owner answers in clear text, or mail without STARTTLS, has no certificate to judge."""
    detail = entry["detail"].upper().replace(" ", "_")
    return any(word in detail for word in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "STARTTLS", "RECORD_LAYER_FAILURE"))


def _endpoint(entry: Facts) -> str:
    address = f"[{entry['address']}]" if ":" in entry["address"] else entry["address"]
    name = f" -servername {shlex.quote(entry['name'])}" if entry["name"] else ""
    start = f" -starttls {entry['starttls']}" if entry["starttls"] else ""
    return f"{address}:{entry['port']}{name}{start}"


def _ask(view: View, entry: Facts, more: str) -> str:
    """Line that asks a port for its certificate."""
    return view.command(
        f"openssl s_client -connect {_endpoint(entry)} </dev/null{more}",
        "netsh http show sslcert; Get-ChildItem -Path Cert:\\LocalMachine\\My",
    )


def _newer_on_disk(view: View, policy: Policy, shown: Facts, fingerprint: str) -> tuple[str, Facts, Facts] | None:
    """(fingerprint, facts, file) of the newest certificate in use for the same names, when it is not the one shown.

    On Windows a renewed certificate lies in the store, used by nobody, until somebody binds it to the port. Others lie
    there, too: the one that is shown is stale only when its own time for renewal has come.
    """
    data = view.data("certificates")
    if view.windows and shown["not_after"] - view.now >= limits(shown, policy)[0]:
        return None
    best: tuple[str, Facts, Facts] | None = None
    for entry in data["files"]:
        if not entry["chain"] or not (entry["used_by"] or view.windows):
            continue
        if entry["chain"][0] == fingerprint and not view.windows:
            return None
        facts = data["certificates"][entry["chain"][0]]
        if view.windows and not (facts.get("has_key") and facts.get("server_auth")):
            continue
        if _leaf_names(facts) != _leaf_names(shown) or facts["not_before"] <= shown["not_before"]:
            continue
        if best is None or facts["not_before"] > best[1]["not_before"]:
            best = entry["chain"][0], facts, entry
    return best


def _stale(view: View, entry: Facts, known: Facts, newer: tuple[str, Facts, Facts]) -> Verdict:
    shown = known[entry["fingerprint"]]
    fingerprint, facts, file = newer
    left = shown["not_after"] - view.now
    ending = f"expired {duration_text(left)} ago" if left < 0 else f"ends in {duration_text(left)}"
    return Verdict(
        worst(["act", "crit" if left < DAY else "ok"]),
        object=f"port {entry['port']}",
        observed=f"shows {entry['fingerprint'][:16]} ({ending})",
        expected=f"{fingerprint[:16]} from {file['path']}",
        summary=(
            f"{name_of(facts)} was renewed on {view.command('disk', 'this host')}, but port {entry['port']} still "
            f"shows the old certificate, which {ending}."
        ),
        advice=view.command("", "Bind the new certificate to the port (IIS: site bindings), then ask the port again."),
        command=_ask(view, entry, " 2>&1 | openssl x509 -noout -enddate -serial"),
        since=file["modified"],
        age_basis="change of the file",
        deadline=shown["not_after"],
        data={"shown": entry["fingerprint"], "on_disk": fingerprint, "file": file["path"], "address": entry["address"]},
    )
