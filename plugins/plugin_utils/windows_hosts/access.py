# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the access document from the raw facts of a Windows host. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.keepwell.fleet.plugins.plugin_utils.windows_hosts._records import (
    Row,
    first,
    listed,
    number,
    rows,
)

# Groups with power over the host: the same everywhere by number, named in the language of Windows.
GROUPS = {
    "S-1-5-32-544": "Administrators",
    "S-1-5-32-555": "Remote Desktop Users",
    "S-1-5-32-580": "Remote Management Users",
    "S-1-5-32-551": "Backup Operators",
    "S-1-5-32-578": "Hyper-V Administrators",
}
_GUEST = 501
_DISABLED_DRIVER = 4
_TRUE = 1
# SecurityCenter2: the second byte of a product's state; 0x10 is on.
_STATE_SHIFT, _STATE_ON = 8, 0x10
_ON_MASK = 0xF0
_RDP_PORT = 3389
_FOREVER_S = 20 * 365 * 86400


def read(data: Row, _at: float) -> dict[str, t.Any]:
    """Return the document of ``access`` (see probes/access.py) from what access.psm1 found.

    ``uid`` of an account is the last number of its SID, ``can_log_in`` whether it is switched on; a password may be
    ``optional``: the account's own flag says so. Windows' own keys: ``domain_role`` (0 alone, 1 member, 2 server
    alone, 3 member server, 4 and 5 domain controllers), ``guest_enabled``, ``password_policy``, ``remote_desktop``,
    ``smb1``, ``firewall``, ``firewall_products``, ``laps``, ``winrm``, ``uac``; None: could not be read.
    """
    accounts = rows(data, "accounts")
    role = number(first(data, "computer").get("DomainRole"))
    services = {str(row.get("Name")).lower(): row.get("State") for row in listed(data, "firewall_service")}
    known = [_account(row) for row in accounts or ()]
    failed = data.get("failed_logins")
    return {
        "sshd": {
            "installed": "sshd" in services,
            "running": services.get("sshd") == "Running",
            "settings": None,
            "source": None,
            "match_blocks": 0,
        },
        "accounts": known,
        "accounts_read": accounts is not None,
        "last_logins_known": accounts is not None,
        "keys": [],
        "keys_unread": [],
        "admins": _admins(data),
        # A group whose members nobody could list is not one without members.
        "admins_read": sorted(
            GROUPS[str(group.get("sid"))]
            for group in listed(data, "groups")
            if str(group.get("sid")) in GROUPS and group.get("members") is not None
        ),
        "sudo": None,
        "failed_logins": None if failed is None else {**failed, "source": "Security log"},
        "domain_role": role,
        "guest_enabled": None
        if accounts is None
        else any(account["uid"] == _GUEST and account["can_log_in"] for account in known),
        "password_policy": _password_policy(data),
        "remote_desktop": _remote_desktop(data),
        "smb1": _smb1(data),
        "firewall": _firewall(data, services.get("mpssvc")),
        "firewall_products": _firewall_products(data),
        "laps": _laps(data),
        "winrm": _winrm(data),
        "uac": {"enabled": _switch(data.get("uac"), "EnableLUA")},
    }


def _account(row: Row) -> dict[str, t.Any]:
    sid = str(row.get("SID.Value") or "")
    return {
        "name": row.get("Name"),
        "sid": sid,
        "uid": number(sid.rpartition("-")[2]) or 0,
        "shell": "",
        "can_log_in": bool(row.get("Enabled")),
        "password": {
            "state": "set" if row.get("PasswordRequired") else "optional",
            "algorithm": None,
            "changed_at": row.get("PasswordLastSet"),
            "max_age_days": None,
            "expires_at": row.get("AccountExpires"),
        },
        "last_login": row.get("LastLogon"),
        "keys": 0,
    }


def _admins(data: Row) -> dict[str, list[str]]:
    """Group -> sorted members: ``DOMAIN\\name``, and the SID where the account behind it is gone."""
    found = {}
    for group in listed(data, "groups"):
        name = GROUPS.get(str(group.get("sid")))
        members = [_member(member) for member in listed(group, "members")] if "members" in group else []
        if name and members:
            found[name] = sorted(members)
    return found


def _member(member: Row) -> str:
    """``WinNT://ACME/SRV/Administrator`` -> ``SRV\\Administrator``."""
    parts = [part for part in str(member.get("path") or "").removeprefix("WinNT://").split("/") if part]
    if not parts:
        return str(member.get("sid") or "?")
    if len(parts) == 1:
        return parts[0]
    return f"{parts[-2]}\\{parts[-1]}"


def _password_policy(data: Row) -> dict[str, t.Any] | None:
    policy = data.get("password_policy")
    if not isinstance(policy, dict):
        return None
    age = number(policy.get("MaxPasswordAge"))
    return {
        "length_least": number(policy.get("MinPasswordLength")),
        "history": number(policy.get("PasswordHistoryLength")),
        "max_age_s": age if age is not None and 0 < age < _FOREVER_S else None,
        "lockout_after": number(policy.get("MaxBadPasswordsAllowed")),
        "lockout_s": number(policy.get("AutoUnlockInterval")),
    }


def _switch(values: t.Any, name: str) -> bool | None:
    """A registry value as on or off; None when it is not there."""
    value = number(values.get(name)) if isinstance(values, dict) else None
    return None if value is None else value == _TRUE


def _remote_desktop(data: Row) -> dict[str, t.Any] | None:
    """Policy goes before the host's own setting."""
    denied = _switch(data.get("terminal_policy"), "fDenyTSConnections")
    if denied is None:
        denied = _switch(data.get("terminal_server"), "fDenyTSConnections")
    if denied is None:
        return None
    nla = _switch(data.get("terminal_policy"), "UserAuthentication")
    if nla is None:
        nla = _switch(data.get("terminal_listener"), "UserAuthentication")
    listener = data.get("terminal_listener") or {}
    return {"enabled": not denied, "nla": nla, "port": number(listener.get("PortNumber")) or _RDP_PORT}


def _smb1(data: Row) -> dict[str, bool | None]:
    smb = data.get("smb") or {}
    start = number(smb.get("ClientDriverStart"))
    return {"server": smb.get("EnableSMB1Protocol"), "client": start is not None and start != _DISABLED_DRIVER}


def _firewall(data: Row, service: t.Any) -> dict[str, bool] | None:
    """Profile (domain, private, public) -> whether it filters; a service that is down filters nothing."""
    profiles = rows(data, "firewall")
    if not profiles:
        return None
    runs = service in (None, "Running")
    return {str(row.get("Name")).lower(): runs and number(row.get("Enabled")) == _TRUE for row in profiles}


def _firewall_products(data: Row) -> list[str]:
    """Firewalls of other makers that are on, as the Security Center of clients has them."""
    found = []
    for row in listed(data, "firewall_products"):
        state = number(row.get("productState")) or 0
        if (state >> _STATE_SHIFT) & _ON_MASK == _STATE_ON:
            found.append(str(row.get("displayName")))
    return sorted(found)


def _laps(data: Row) -> dict[str, bool]:
    """Which of the two keeps the local administrator's password; 1 and 2 are the places where Windows LAPS keeps it."""
    places = [
        number((data.get(name) or {}).get("BackupDirectory")) for name in ("laps_policy", "laps_csp", "laps_local")
    ]
    modern = any(place in (1, 2) for place in places)
    return {"windows_laps": modern, "legacy_laps": _switch(data.get("laps_legacy"), "AdmPwdEnabled") is True}


def _winrm(data: Row) -> dict[str, t.Any]:
    facts = data.get("winrm") or {}
    service = facts.get("service")
    listeners = []
    for row in facts.get("listeners") or ():
        address, _plus, transport = str(row.get("name")).rpartition("+")
        values = row.get("values") or {}
        enabled = number(values.get("enabled"))
        listeners.append(
            {
                "transport": transport.upper(),
                "address": address,
                "port": number(values.get("Port")),
                "enabled": enabled is None or enabled == _TRUE,
            }
        )
    return {
        "listeners": listeners,
        "allow_unencrypted": None if service is None else str(service.get("AllowUnencrypted")).lower() == "true",
        "basic": None if service is None else str(service.get("Basic")).lower() == "true",
    }
