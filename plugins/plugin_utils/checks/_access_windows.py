# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Accounts and passwords of Windows hosts."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._access_policy import Facts, Policy
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import (
    Verdict,
    View,
    check,
    count_text,
    literal,
)

ADMINISTRATORS = "Administrators"
_SIDS = {
    ADMINISTRATORS: "S-1-5-32-544",
    "Remote Desktop Users": "S-1-5-32-555",
    "Remote Management Users": "S-1-5-32-580",
    "Backup Operators": "S-1-5-32-551",
    "Hyper-V Administrators": "S-1-5-32-578",
}
_GUEST = 501
# Win32_ComputerSystem.DomainRole
_MEMBERS = (1, 3)
_CONTROLLERS = (4, 5)


def members_command(group: str) -> str:
    """Line that lists a group's members, whatever Windows calls it."""
    return f"Get-LocalGroupMember -SID {_SIDS.get(group, literal(group))}"


def unread_groups(view: View) -> set[str]:
    """Groups whose members could not be read this time. Not every Windows has all of them."""
    known = set(view.data("access").get("admins_read") or ())
    return {group for group in _SIDS if group not in known}


def is_controller(view: View) -> bool:
    """True for a domain controller: it has no accounts of its own."""
    return view.data("access").get("domain_role") in _CONTROLLERS


def accounts_hidden(view: View) -> bool:
    """True where there are accounts that could not be read."""
    return not view.data("access").get("accounts_read") and not is_controller(view)


def no_accounts(expected: str) -> Verdict:
    """The verdict where accounts could not be read."""
    summary = "The accounts of this host could not be read."
    advice = "Let Keepwell be an administrator here."
    return Verdict("unknown", "", "accounts not readable", expected, summary, advice, "Get-LocalUser")


def optional_passwords(view: View, policy: Policy) -> Iterator[Verdict]:
    """Accounts that are on and may have an empty password, as their own flag says. Windows shows no password's kind."""
    expected = "every account needs a password"
    if accounts_hidden(view):
        yield no_accounts(expected)
        return
    accounts = [one for one in view.data("access")["accounts"] if one["can_log_in"] and one["uid"] != _GUEST]
    bad = [one for one in accounts if one["password"]["state"] == "optional"]
    for account in bad:
        yield Verdict(
            "watch",
            account["name"],
            "may have an empty password",
            expected,
            f"{account['name']} is allowed to have no password: at the keyboard, that is enough to get in.",
            "Set a password and take the permission away (net user NAME /passwordreq:yes).",
            "Get-LocalUser | Where-Object { $_.Enabled -and -not $_.PasswordRequired }",
        )
    if accounts and not bad:
        yield Verdict("ok", observed=f"{count_text(len(accounts), 'account')} looked at", expected=expected)


def not_readable(observed: str, expected: str, summary: str, command: str = "") -> Verdict:
    """The verdict where Windows did not let itself be asked."""
    return Verdict("unknown", "", observed, expected, summary, "Let Keepwell be an administrator here.", command)


def facts_of(view: View, key: str) -> Facts:
    """A part of the access document; empty where it could not be read."""
    return view.data("access").get(key) or {}


@check(
    "access.guest",
    title="Guest account",
    advice="Switch it off (Disable-LocalUser); who needs access gets an account with a name.",
    needs=("access",),
    controls=("CIS 4.7",),
)
def guest(view: View, policy: Policy) -> Iterator[Verdict]:
    """The guest account of Windows, known by its number: it needs no password and has no owner."""
    if not view.windows or view.data("access").get("domain_role") in _CONTROLLERS:
        return
    enabled = view.data("access").get("guest_enabled")
    if enabled is None:
        yield no_accounts("switched off")
    elif enabled:
        name = next((one["name"] for one in view.data("access")["accounts"] if one["uid"] == _GUEST), "Guest")
        summary = f"The guest account ({name}) is on: anybody on the network can use what guests may."
        yield Verdict("act", "", "switched on", "switched off", summary, command=f"Get-LocalUser -Name {literal(name)}")
    else:
        yield Verdict("ok", observed="switched off", expected="switched off")


@check(
    "access.password_policy",
    title="Rules for passwords",
    advice="Set the rules by group policy (or net accounts): length matters, a lock after wrong tries stops guessing.",
    needs=("access",),
    thresholds=("password_length_least", "lockout_after_most"),
    controls=("CIS 5.2",),
)
def password_policy(view: View, policy: Policy) -> Iterator[Verdict]:
    """What the host demands of passwords; on a domain controller, what the domain demands."""
    if not view.windows:
        return
    facts = facts_of(view, "password_policy")
    length, lockout = facts.get("length_least"), facts.get("lockout_after")
    expected = (
        f"{policy.password_length_least} signs or more, locked after {policy.lockout_after_most} wrong tries or fewer"
    )
    if length is None or lockout is None:
        yield not_readable("rules not readable", expected, "The rules for passwords could not be read.", "net accounts")
        return
    locks = f"locked after {lockout} wrong tries" if lockout else "never locked"
    observed = f"{length} signs, {locks}"
    texts = [f"a password of {length} signs is enough"] if length < policy.password_length_least else []
    if not 0 < lockout <= policy.lockout_after_most:
        texts.append("passwords may be tried without end" if not lockout else f"{lockout} wrong passwords are allowed")
    if texts:
        yield Verdict("watch", "", observed, expected, f"On this host {' and '.join(texts)}.", command="net accounts")
    else:
        yield Verdict("ok", observed=observed, expected=expected)


def _needs_laps(view: View, policy: Policy) -> bool:
    """True on members of a domain, and where that is not known, unless the policy leaves LAPS off."""
    role = view.data("access").get("domain_role")
    return view.windows and policy.laps_required and (role is None or role in _MEMBERS)


@check(
    "access.laps",
    title="Local administrators' passwords",
    advice="Let LAPS give every computer a password of its own; it comes with Windows and needs one group policy.",
    needs=("access",),
    sources=("computer",),
    applies=_needs_laps,
    thresholds=("laps_required",),
    controls=("CIS 5.2",),
)
def laps(view: View, policy: Policy) -> Iterator[Verdict]:
    """Members of a domain whose local administrator's password nobody changes are all opened by one password."""
    if view.data("access").get("domain_role") is None:
        yield not_readable("domain not known", "LAPS", "Whether this host is a member of a domain could not be read.")
        return
    facts = view.data("access").get("laps")
    if not facts or view.record("access").status_of("laps") not in ("ok", "absent"):
        yield not_readable(
            "not readable", "LAPS", "Whether LAPS looks after the local administrator could not be read."
        )
    elif facts["windows_laps"] or facts["legacy_laps"]:
        observed = "Windows LAPS" if facts["windows_laps"] else "Microsoft LAPS (the older one)"
        yield Verdict("ok", observed=observed, expected="LAPS")
    else:
        summary = "Nothing changes the password of the local administrator: often all computers have the same one."
        yield Verdict(
            "watch", "", "no LAPS", "LAPS", summary, command="Get-LocalUser | Format-Table Name, PasswordLastSet"
        )
