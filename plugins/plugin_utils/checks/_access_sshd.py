# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Access over SSH: what sshd lets in, and how often it refused."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._access_policy import Facts, Policy
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import (
    State,
    Verdict,
    View,
    check,
    count_text,
)

SSHD = "sudo sshd -T | grep -iE 'permitrootlogin|passwordauthentication|permitemptypasswords'"


def _settings(view: View) -> tuple[Facts | None, bool]:
    """(sshd's settings or None, whether they include its defaults)."""
    sshd = view.data("access")["sshd"]
    return sshd["settings"], sshd["source"] == "sshd -T"


def _no_settings(view: View) -> Iterator[Verdict]:
    if view.data("access")["sshd"]["installed"]:
        yield Verdict(
            "unknown",
            observed="sshd's settings could not be read",
            expected="its settings",
            summary="sshd is installed but neither sshd -T nor its configuration could be read.",
            command=SSHD,
        )


@check(
    "access.root_login",
    title="Root login over SSH",
    advice="Set PermitRootLogin to no (or prohibit-password) in a file in /etc/ssh/sshd_config.d, then reload sshd.",
    needs=("access",),
    thresholds=("root_login_allowed",),
)
def root_login(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge PermitRootLogin; what is not written down is only known from ``sshd -T``."""
    if view.windows:
        return
    settings, effective = _settings(view)
    if settings is None:
        yield from _no_settings(view)
        return
    value = settings["permitrootlogin"]
    if value is None:
        summary = "PermitRootLogin is not set in the configuration and the default in force could not be asked for."
        why = view.record("access").sources.get("sshd -T", {}).get("detail") or "gave no answer"
        yield Verdict("unknown", observed=f"not set; sshd -T: {why}", expected="no", summary=summary, command=SSHD)
        return
    passwords = settings["passwordauthentication"] != "no" or settings["kbdinteractiveauthentication"] == "yes"
    reach = {"no": 0, "forced-commands-only": 1, "prohibit-password": 1, "yes": 2 if passwords else 1}.get(value, 2)
    allowed = {"no": 0, "key": 1, "yes": 2}[policy.root_login_allowed]
    matches = view.data("access")["sshd"]["match_blocks"]
    note = f"; {count_text(matches, 'Match block')} may differ" if matches else ""
    observed = f"PermitRootLogin {value}{note}" + ("" if effective else " (from the file)")
    if reach <= allowed:
        yield Verdict("ok", observed=observed, expected=f"{policy.root_login_allowed} at most")
        return
    summary = "Root may log in over SSH with a password." if reach == 2 else "Root may log in over SSH with a key."
    yield Verdict("act" if reach == 2 else "watch", "", observed, policy.root_login_allowed, summary, command=SSHD)


@check(
    "access.password_login",
    title="Password login over SSH",
    advice="See that everybody has a key, then set PasswordAuthentication and KbdInteractiveAuthentication to no.",
    needs=("access",),
    thresholds=("password_login_allowed",),
)
def password_login(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge whether sshd takes passwords, and empty ones at that."""
    if view.windows:
        return
    settings, effective = _settings(view)
    if settings is None:
        yield from _no_settings(view)
        return
    password, keyboard = settings["passwordauthentication"], settings["kbdinteractiveauthentication"]
    if settings["permitemptypasswords"] == "yes":
        summary = "sshd lets accounts without a password in."
        yield Verdict("crit", "", "PermitEmptyPasswords yes", "no", summary, command=SSHD)
        return
    observed = f"PasswordAuthentication {password or 'not set'}, KbdInteractiveAuthentication {keyboard or 'not set'}"
    if password == "no" and keyboard == "no":  # noqa: S105 - the value of a setting
        yield Verdict("ok", observed=observed, expected="no")
    elif not effective and "yes" not in (password, keyboard):
        summary = "Part of the settings is not written down and the defaults could not be asked for."
        yield Verdict("unknown", observed=observed, expected="no", summary=summary, command=SSHD)
    elif policy.password_login_allowed:
        yield Verdict("ok", observed=f"{observed} (allowed by policy)", expected="allowed")
    else:
        state: State = "act" if view.exposure == "internet" else "watch"
        summary = "sshd takes passwords, and passwords can be guessed."
        yield Verdict(state, "", observed, "no", summary, command=SSHD)


@check(
    "access.failed_logins",
    title="Refused logins",
    advice="Close SSH to the outside or put it behind a VPN; if it came from inside, find the host that does it.",
    needs=("access",),
    sources=("login log",),
    thresholds=("failed_logins_watch", "failed_logins_act"),
)
def failed_logins(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge how many logins sshd refused; on Windows, how many the host refused by whatever way."""
    if not view.windows and not view.data("access")["sshd"]["installed"]:
        return
    facts = view.data("access")["failed_logins"]
    if facts is None:
        log = view.command("Neither the journal nor the login log could be read", "The Security log could not be read")
        summary = f"{log}, so guessing of passwords would go unseen."
        advice = view.command("", "Let Keepwell be an administrator, or add its user to the group Event Log Readers.")
        yield Verdict("unknown", "", "no readable log", "a log of logins", summary, advice)
        return
    more = "at least " if facts["at_least"] else ""
    observed = f"{more}{facts['count']} from {count_text(facts['sources'], 'address', 'addresses')}"
    expected = f"below {policy.failed_logins_watch} an hour"
    if facts["count"] >= policy.failed_logins_watch:
        state: State = "act" if facts["count"] >= policy.failed_logins_act else "watch"
        command = view.command(
            "sudo journalctl -t sshd -t sshd-session --since=-1h --no-pager | tail -n 30",
            "Get-WinEvent -FilterHashtable @{ LogName = 'Security'; Id = 4625 } -MaxEvents 30 | Format-List",
        )
        summary = view.command("Somebody is trying passwords or keys.", "Somebody is trying passwords.")
        advice = view.command(
            "",
            "Close Remote Desktop and SMB to the outside, or put them behind a VPN; from inside it is often a service "
            "with an old password.",
        )
        yield Verdict(state, "", observed, expected, summary, advice, command)
    else:
        yield Verdict("ok", observed=observed, expected=expected)
