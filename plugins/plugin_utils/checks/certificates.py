# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates: do they last, does the server show the one that lies on disk, and will somebody renew them?"""

from __future__ import annotations

import itertools
import shlex
import typing as t
from collections.abc import Iterator

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import (
    State,
    Verdict,
    View,
    check,
    count_text,
    duration_text,
    literal,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._certificates_policy import (
    Facts,
    Policy,
    limits,
    name_of,
)

__all__ = ["PARTS", "Policy", "sightings"]


def _places(data: Facts, fingerprint: str) -> list[str]:
    places = [entry["path"] for entry in data["files"] if fingerprint in entry["chain"]]
    shown = sorted({str(entry["port"]) for entry in data["served"] if entry["fingerprint"] == fingerprint}, key=int)
    return places + [f"port {port}" for port in shown]


@check(
    "certificates.expiry",
    title="Certificate expiry",
    advice="Renew it, reload the services that use it, then look again at what the port shows.",
    needs=("certificates",),
    sources=("/*", "listeners", "addresses", "configuration of *", "certificates in *"),
    thresholds=("watch_share", "crit_share", "crit_days", "watch_days_at_most", "crit_days_at_most"),
    controls=("ISO A.8.24",),
)
def expiry(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge every certificate that is in use, chain included; what nothing on the host uses is left alone."""
    data = view.data("certificates")
    bad: list[Verdict] = []
    healthy: list[tuple[float, Facts]] = []
    for fingerprint, facts in sorted(data["certificates"].items()):
        left = facts["not_after"] - view.now
        watch, crit = limits(facts, policy)
        if not facts["used"]:
            continue
        state: State = "crit" if left < crit else "watch" if left < watch else "ok"
        if facts["not_before"] > view.now:
            state = "act"
        if state == "ok":
            healthy.append((left, facts))
            continue
        bad.append(_expiring(view, facts, fingerprint, state, left, watch, _places(data, fingerprint)))
    unreadable = [entry for entry in data["files"] if entry["error"] and entry["used_by"] and _matters(entry)]
    for entry in unreadable:
        yield Verdict(
            "unknown",
            object=entry["path"],
            observed=entry["error"],
            expected="a readable certificate",
            summary=f"The certificate file {entry['path']} that {', '.join(entry['used_by'])} uses could not be read.",
            advice=view.command(
                "Read it with more rights, or correct the path in the configuration.",
                "Import the certificate with its key, or bind another one to the service.",
            ),
            command=_look_at(view, entry["path"]),
        )
    yield from bad
    # On Windows a store that fails is one whose certificates are not known; elsewhere a file says so itself.
    lost = ("denied", "error", "timeout") if view.windows else ("denied",)
    record = view.record("certificates")
    denied = [name for name in record.sources if record.status_of(name) in lost]
    if denied and not unreadable:
        yield Verdict(
            "unknown",
            observed=f"may not read: {', '.join(sorted(denied))}",
            expected="all places where certificates lie",
            summary="Some certificates could not be looked at for lack of rights.",
            advice=view.command("Let Keepwell become root for this probe.", "Let Keepwell be an administrator here."),
        )
    elif not bad and not unreadable and healthy:
        left, facts = min(healthy, key=lambda pair: pair[0])
        yield Verdict(
            "ok",
            observed=f"{count_text(len(healthy), 'certificate')}, first: {name_of(facts)} in {duration_text(left)}",
            expected="renewed before a third of the lifetime is left",
        )


def _matters(entry: Facts) -> bool:
    """PostgreSQL's default configuration names a certificate that need not exist."""
    return not (entry["error"].startswith("absent") and entry["used_by"] == ["postgresql"])


def _look_at(view: View, path: str) -> str:
    """Line that shows what a certificate on this host says."""
    return view.command(
        f"sudo openssl x509 -noout -enddate -subject -issuer -in {shlex.quote(path)}",
        f"Get-Item -LiteralPath {literal(path)} | Format-List Subject, Issuer, NotBefore, NotAfter, DnsNameList",
    )


def _expiring(
    view: View, facts: Facts, fingerprint: str, state: State, left: float, watch: float, places: list[str]
) -> Verdict:
    now = view.now
    name = name_of(facts)
    kind = "authority certificate" if facts["ca"] else "certificate"
    if facts["not_before"] > now:
        observed = f"{name}: not valid before {duration_text(facts['not_before'] - now)} from now"
        summary = f"The {kind} {name} is not valid yet; either it was rolled out too early or the clock is wrong."
    elif left < 0:
        observed = f"{name}: expired {duration_text(left)} ago"
        summary = f"The {kind} {name} has expired: clients refuse the connection or show a warning."
    else:
        observed = f"{name}: {duration_text(left)} left"
        summary = f"The {kind} {name} ends in {duration_text(left)} and has not been renewed."
    where = f" Found in: {', '.join(places[:5])}." if places else ""
    own = " It signs itself, so only those who were told trust it." if facts["self_signed"] and not facts["ca"] else ""
    path = next((place for place in places if place.startswith(("/", "Cert:"))), None)
    port = next((place.rpartition(" ")[2] for place in places if place.startswith("port ")), None)
    if path:
        command = _look_at(view, path)
    else:
        command = f"openssl s_client -connect 127.0.0.1:{port} </dev/null 2>/dev/null | openssl x509 -noout -enddate"
    return Verdict(
        state,
        object=fingerprint[:32],
        observed=observed,
        expected=f"more than {duration_text(watch)} left",
        summary=summary + where + own,
        command=command,
        since=facts["not_after"] - watch,
        age_basis="lifetime in the certificate",
        deadline=facts["not_after"],
        data={"name": name, "not_after": facts["not_after"], "left_s": left, "places": places[:20]},
    )


@check(
    "certificates.chain",
    title="Certificate chains",
    advice="Put the issuing certificate behind the server's own one in the same file (fullchain) and reload.",
    needs=("certificates",),
    sources=("/*", "configuration of *", "certificates in *"),
)
def chain(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge the order and completeness of every chain in use, as far as the files on the host tell.

    Windows keeps no chains beside a certificate: it puts them together from its stores.
    """
    if view.windows:
        return
    data = view.data("certificates")
    known = data["certificates"]
    issuers = {facts["subject_hash"]: facts for facts in known.values() if facts["ca"] and not facts["self_signed"]}
    good = 0
    problems = 0
    for entry in data["files"]:
        # certbot's cert.pem is the leaf alone by design; what servers use is fullchain.pem beside it.
        if not entry["used_by"] or not entry["chain"] or entry["path"].endswith("/cert.pem"):
            continue
        facts = [known[fingerprint] for fingerprint in entry["chain"]]
        fault = _chain_fault(facts, issuers)
        if fault is None:
            good += 1
            continue
        problems += 1
        yield Verdict(
            "watch",
            object=entry["path"],
            observed=fault,
            expected="leaf first, then each issuer",
            summary=f"The chain in {entry['path']} is not right: {fault}. Strict clients will refuse it.",
            command=f"sudo openssl storeutl -noout -text -certs {shlex.quote(entry['path'])} | grep -E 'Subj|Issu'",
        )
    if good and not problems:
        yield Verdict("ok", observed=f"{count_text(good, 'chain')} in order", expected="leaf first, then each issuer")


def _chain_fault(facts: list[t.Any], issuers: Facts) -> str | None:
    for lower, upper in itertools.pairwise(facts):
        if lower["issuer_hash"] != upper["subject_hash"]:
            return f"{name_of(upper)} does not issue {name_of(lower)}"
    last = facts[-1]
    if not last["self_signed"] and last["issuer_hash"] in issuers:
        return (
            f"the issuing certificate {name_of(issuers[last['issuer_hash']])} is on this host but missing from the file"
        )
    return None


@check(
    "certificates.renewal",
    title="Automatic renewal of certificates",
    advice="Switch the renewal timer on and run it once by hand (certbot renew --dry-run changes nothing).",
    needs=("certificates",),
    sources=("renewal services",),
)
def renewal(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge whether tools that keep certificates are started by a timer or cron, and whether the last run went well."""
    working: list[str] = []
    bad: list[Verdict] = []
    for entry in view.data("certificates")["renewal"]:
        tool = entry["tool"]
        if entry["lineages"] == 0:
            continue
        timers = [timer for timer in entry["timers"] or [] if timer["active"]]
        failed = [timer for timer in timers if timer["service_result"] not in (None, "success")]
        look = view.command(
            f"systemctl list-timers --all | grep -i {tool.split('.')[0]}", f"Get-ScheduledTask | findstr /i {tool}"
        )
        if failed:
            unit = failed[0]["name"].replace(".timer", ".service")
            bad.append(
                Verdict(
                    "act",
                    object=tool,
                    observed=f"last run of {unit}: {failed[0]['service_result']}",
                    expected="success",
                    summary=f"{tool} is started on time but its last run failed; certificates will run out.",
                    advice=view.command("", "Run the task by hand and read the log of the tool."),
                    command=view.command(
                        f"sudo journalctl -u {unit} -n 50 --no-pager",
                        f"Get-ScheduledTaskInfo -TaskName {literal(unit)}",
                    ),
                    since=failed[0]["last"],
                )
            )
        elif timers or entry["cron"]:
            working.append(f"{tool} by {timers[0]['name'] if timers else 'cron'}")
        elif entry["timers"] is None or entry["cron"] is None or entry["lineages"] is None:
            bad.append(
                Verdict(
                    "unknown",
                    object=tool,
                    observed="timers or cron tables could not be read",
                    expected="a timer or cron entry",
                    summary=f"Whether anything starts {tool} could not be seen.",
                    command=look,
                )
            )
        else:
            bad.append(
                Verdict(
                    "act",
                    object=tool,
                    observed="no timer and no cron entry starts it",
                    expected="a timer or cron entry",
                    summary=f"{tool} keeps {count_text(entry['lineages'], 'certificate')} here but nothing starts it."
                    if not view.windows
                    else f"The task that starts {tool} is switched off; certificates will run out.",
                    advice=view.command("", "Switch the task on and run it once by hand."),
                    command=look,
                )
            )
    yield from bad
    if working and not bad:
        yield Verdict("ok", observed=", ".join(working), expected="a timer or cron entry")


def sightings(view: View) -> Iterator[tuple[str, str]]:
    """Fingerprints of certificates in use."""
    record = view.probes.get("certificates")
    if record is not None and record.status == "ok":
        for fingerprint, facts in record.data.get("certificates", {}).items():
            if facts.get("used"):
                yield "certificate", fingerprint


# Importing a part registers its checks; here, so that reports show them behind those above.
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks import _certificates_served  # noqa: E402

PARTS = (_certificates_served,)
