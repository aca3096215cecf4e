# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Access: who can get in, with what, who is administrator, and what changed since somebody looked."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._access_policy import Facts, Policy
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import (
    DAY,
    Verdict,
    View,
    check,
    count_text,
    duration_text,
)

__all__ = ["PARTS", "Policy", "sightings"]


@check(
    "access.uid0",
    title="Accounts with uid 0",
    advice="Find out who made the account; lock it unless somebody can say what it is for.",
    needs=("access",),
)
def uid0(view: View, policy: Policy) -> Iterator[Verdict]:
    """Only root has the number 0. Windows has no such number: its administrators are in access.admins."""
    if view.windows:
        return
    others = [name for name in view.data("access")["uid0"] if name != "root"]
    for name in others:
        summary = f"The account {name} has uid 0: it is root by another name."
        yield Verdict("crit", name, "uid 0", "root alone", summary, command="awk -F: '$3 == 0' /etc/passwd")
    if not others:
        yield Verdict("ok", observed="root alone", expected="root alone")


@check(
    "access.empty_passwords",
    title="Stored passwords",
    advice="Lock the account (passwd -l) or have its owner set a password.",
    needs=("access",),
    thresholds=("password_age_days",),
)
def empty_passwords(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge what /etc/shadow says of each account; the hashes themselves stay on the host."""
    if view.windows:
        yield from _access_windows.optional_passwords(view, policy)
        return
    if view.record("access").status_of("shadow") != "ok":
        summary = "Whether accounts have empty passwords can only be seen by root."
        yield Verdict("unknown", observed="/etc/shadow may not be read", expected="no empty password", summary=summary)
        return
    checked = 0
    bad: list[Verdict] = []
    for account in view.data("access")["accounts"]:
        password, name = account["password"], account["name"]
        if password is None:
            continue
        checked += 1
        age = view.now - (password["changed_at"] or view.now)
        if password["state"] == "empty":
            summary = f"{name} needs no password: anybody at a console or with su becomes that account."
            bad.append(Verdict("crit", name, "no password asked for", "a password or a lock", summary))
        elif password["state"] == "set" and password["algorithm"] in ("md5", "des"):
            summary = (
                f"The password of {name} is stored as {password['algorithm']}, which is broken by trying in hours."
            )
            bad.append(Verdict("watch", name, f"stored as {password['algorithm']}", "yescrypt or sha512", summary))
        elif password["state"] == "set" and 0 < policy.password_age_days * DAY < age:
            limit = f"{policy.password_age_days:g} days"
            summary = f"The password of {name} is {duration_text(age)} old; the policy allows {limit}."
            bad.append(Verdict("watch", name, f"{duration_text(age)} old", limit, summary))
    yield from bad
    if not bad:
        yield Verdict("ok", observed=f"{count_text(checked, 'account')} looked at", expected="no empty password")


@check(
    "access.sudo_nopasswd",
    title="Sudo rules",
    advice="Name the commands that are needed instead of ALL, or agree on the exception in the policy.",
    needs=("access",),
    sources=("sudoers",),
    thresholds=("free_sudo_allowed",),
)
def sudo_nopasswd(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge sudo rules that ask for no password; those for everything matter most."""
    sudo = view.data("access")["sudo"]
    if view.record("access").denied("sudoers"):
        summary = "sudo's rules can only be read by root."
        yield Verdict("unknown", observed="/etc/sudoers may not be read", expected="its rules", summary=summary)
        return
    if sudo is None:
        return
    bad: list[Verdict] = []
    limited = 0
    for line in sudo["authenticate_off"]:
        summary = f"{line['file']} switches sudo's password off for {line['scope']}."
        bad.append(Verdict("act", line["scope"], "!authenticate", "a password", summary, command="sudo visudo -c"))
    for rule in sudo["rules"]:
        if rule["who"] in policy.free_sudo_allowed:
            continue
        if "ALL" not in rule["commands"]:
            limited += 1
            continue
        summary = f"{rule['who']} becomes root without a password ({rule['file']}): whoever gets in there has the host."
        command = f"sudo grep -n NOPASSWD {rule['file']}"
        bad.append(
            Verdict("watch", rule["who"], "NOPASSWD: ALL", "a password, or an agreed exception", summary, "", command)
        )
    yield from bad
    if not bad and view.record("access").status_of("sudoers") == "error":
        summary = "Part of sudo's rules could not be understood: a rule without a password may be among them."
        command = "sudo visudo -c; sudo grep -rn NOPASSWD /etc/sudoers /etc/sudoers.d"
        yield Verdict("unknown", "", "rules not understood", "no NOPASSWD: ALL", summary, command=command)
    elif not bad:
        yield Verdict("ok", observed=f"{count_text(limited, 'rule')} for single commands", expected="no NOPASSWD: ALL")


@check(
    "access.new_keys",
    title="SSH keys",
    advice="Ask the owner of the account whether the key is theirs; take it out of authorized_keys if nobody knows it.",
    needs=("access",),
    sources=("authorized keys of *",),
    thresholds=("new_key_days", "rsa_bits_least"),
)
def new_keys(view: View, policy: Policy) -> Iterator[Verdict]:
    """A key that was not there before is as interesting as a missing service. The first run only learns."""
    if view.windows:
        return
    data = view.data("access")
    previous_at = view.history.previous_at()
    bad: list[Verdict] = []
    for key in data["keys"]:
        where = f"{key['account']}: {key['type']} {key['fingerprint']}"
        identity = f"{key['account']} {key['fingerprint']}"
        known_since = view.history.first_seen("ssh_key", identity)
        weak = key["type"] == "ssh-dss" or (key["type"] == "ssh-rsa" and (key["bits"] or 0) < policy.rsa_bits_least)
        look = f"sudo ssh-keygen -lf {key['file']}"
        # With no earlier run everything is new, and saying so of every key would bury the ones that matter.
        new = previous_at is not None and _is_new(known_since, view, policy, key, data)
        if new:
            age = duration_text(view.now - known_since) + " ago" if known_since else "now"
            summary = f"The account {key['account']} has a key that was not there before (first seen {age})."
            bad.append(
                Verdict(
                    "act", identity, where, "known keys only", summary, "", look, known_since, "first seen by Keepwell"
                )
            )
        elif weak:
            summary = (
                f"The account {key['account']} can be entered with a weak key ({key['type']}, {key['bits']} bits)."
            )
            bad.append(
                Verdict("watch", identity, where, f"RSA of {policy.rsa_bits_least} bits or better", summary, "", look)
            )
    yield from bad
    if data["keys_unread"] and not bad:
        names = ", ".join(data["keys_unread"][:5])
        summary = f"The keys of {names} could not be read; whoever has one of them gets in unseen."
        advice = "" if view.privileged else "Let Keepwell become root for this probe."
        yield Verdict("unknown", "", f"not readable: {names}", "all keys", summary, advice)
    elif not bad:
        learned = " learned for the first time" if previous_at is None else ", none new"
        yield Verdict("ok", observed=f"{count_text(len(data['keys']), 'key')}{learned}", expected="known keys only")


def _is_new(known_since: float | None, view: View, policy: Policy, key: Facts, data: Facts) -> bool:
    """New: never seen, or seen for less than some days although an earlier run had already read that account."""
    before = view.history.previous("access")
    if before is not None and key["account"] in (before.get("keys_unread") or []):
        return False
    if known_since is None:
        return True
    first_run = min(
        (at for at in (view.history.first_seen("account", name) for name in data["uid0"]) if at), default=known_since
    )
    return known_since > first_run and view.now - known_since < policy.new_key_days * DAY


@check(
    "access.admins",
    title="Administrators",
    advice="Ask who ordered the change; undo it if nobody did.",
    needs=("access",),
    sources=("/etc/group",),
)
def admins(view: View, policy: Policy) -> Iterator[Verdict]:
    """Compare the members of groups with power over the host with the previous run."""
    current = {(group, name) for group, names in view.data("access")["admins"].items() for name in names}
    previous = view.history.previous("access")
    unread = _access_windows.unread_groups(view) if view.windows else set()
    if _access_windows.ADMINISTRATORS in unread:
        summary = "Nobody can see who the administrators of this host are."
        yield Verdict("unknown", observed="members not readable", expected="as before", summary=summary)
        return
    if previous is None or "admins" not in previous:
        people = ", ".join(sorted({name for _group, name in current})) or "nobody"
        yield Verdict("ok", observed=f"{people} (learned for the first time)", expected="as before")
        return
    known = {(group, name) for group, names in previous["admins"].items() if group not in unread for name in names}
    if view.windows:
        # A group that could not be read then is learned now.
        learned = set(previous.get("admins_read") or ())
        current = {(group, name) for group, name in current if group in learned}
    for group, name in sorted(current - known):
        summary = f"{name} has become a member of {group} since the previous run."
        yield Verdict(
            "act",
            f"{group}/{name}",
            f"{name} new in {group}",
            "as before",
            summary,
            command=view.command(f"getent group {group}", _access_windows.members_command(group)),
        )
    for group, name in sorted(known - current):
        summary = f"{name} is no longer a member of {group}."
        yield Verdict(
            "watch",
            f"{group}/{name}",
            f"{name} gone from {group}",
            "as before",
            summary,
            command=view.command(f"getent group {group}", _access_windows.members_command(group)),
        )
    if current == known:
        people = ", ".join(sorted({name for _group, name in current})) or "nobody"
        yield Verdict("ok", observed=people, expected="as before")


@check(
    "access.idle_accounts",
    title="Use of accounts",
    advice="Ask whether the person still works there; lock the account rather than deleting it.",
    needs=("access",),
    thresholds=("idle_days", "idle_exempt"),
    controls=("CIS 5.3",),
)
def idle_accounts(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge people's accounts (uid 1000 and up) that can log in with a password or a key, by their last login."""
    data = view.data("access")
    if view.windows and _access_windows.accounts_hidden(view):
        yield _access_windows.no_accounts("no idle account")
        return
    people = [
        account
        for account in data["accounts"]
        if account["can_log_in"] and account["uid"] >= 1000 and account["name"] not in policy.idle_exempt
    ]
    usable = [
        one for one in people if one["keys"] or (one["password"] or {}).get("state") in ("set", "empty", "optional")
    ]
    limit = policy.idle_days * DAY
    if view.record("access").status_of("shadow") != "ok" and people:
        summary = "Which accounts can be used at all is known to root alone."
        yield Verdict("unknown", observed="/etc/shadow may not be read", expected="no idle account", summary=summary)
        return
    if view.windows and _access_windows.is_controller(view):
        return  # Its accounts are the domain's.
    if usable and not data["last_logins_known"]:
        summary = "This host keeps no record of last logins (lastlog or lastlog2), so idle accounts cannot be told."
        yield Verdict("unknown", observed="no record of logins", expected="lastlog or lastlog2", summary=summary)
        return
    bad: list[Verdict] = []
    for account in usable:
        last, changed = account["last_login"], (account["password"] or {}).get("changed_at")
        since = last or changed
        if since is None or view.now - since <= limit:
            continue
        age = duration_text(view.now - since)
        observed = f"last login {age} ago" if last else f"no login on record, password set {age} ago"
        summary = f"{account['name']} can still log in, but {observed}."
        basis = "record of last logins" if last else "change of the password"
        bad.append(
            Verdict(
                "watch",
                account["name"],
                observed,
                f"within {policy.idle_days:g} days",
                summary,
                since=since,
                age_basis=basis,
            )
        )
    yield from bad
    if not bad:
        yield Verdict(
            "ok", observed=f"{count_text(len(usable), 'account')} in use", expected=f"within {policy.idle_days:g} days"
        )


def sightings(view: View) -> Iterator[tuple[str, str]]:
    """Keys by account, and accounts that can log in."""
    record = view.probes.get("access")
    if record is not None and record.status == "ok":
        for key in record.data.get("keys", []):
            yield "ssh_key", f"{key['account']} {key['fingerprint']}"
        for account in record.data.get("accounts", []):
            if account["can_log_in"]:
                yield "account", account["name"]


# Importing a part registers its checks; here, so that reports show them behind those above.
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks import (  # noqa: E402
    _access_doors,
    _access_sshd,
    _access_windows,
)

PARTS = (_access_sshd, _access_windows, _access_doors)
