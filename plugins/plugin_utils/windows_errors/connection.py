# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: why a Windows host is not reached, in plain words. Data, and one pure function.

The words of pywinrm, pypsrp, requests and of Windows' remote management itself are told apart by patterns. The first
that fits wins: special ones stand before general ones.
"""

from __future__ import annotations

import re
import typing as t

_ANSIBLE = "https://docs.ansible.com/ansible/latest/os_guide/windows_winrm.html"
_LEARN = "https://learn.microsoft.com/"
_WSMAN = _LEARN + "windows/win32/winrm/quotas"
_KERBEROS = _LEARN + "troubleshoot/windows-server/windows-security/kerberos-authentication-troubleshooting-guidance"


class Trouble(t.NamedTuple):
    """One reason why a host cannot be talked to."""

    code: str
    pattern: str
    cause: str
    step: str
    source: str = _ANSIBLE


TROUBLES: t.Final = (
    Trouble(
        "certificate_expired", r"certificate (has expired|is not yet valid)",
        "the certificate of the host's WinRM listener is out of date, or a clock is wrong",
        "Renew it and give its thumbprint to the listener.",
    ),
    Trouble(
        "certificate_name", r"hostname mismatch|ip address mismatch|doesn't match|certificate is not valid for",
        "the certificate of the host's WinRM listener is for another name",
        "Set ansible_host to a name that it has, or issue one for this name.",
    ),
    Trouble(
        "certificate_untrusted", r"certificate verify failed|self.signed certificate|unable to get local issuer",
        "nobody that the control node trusts vouches for the certificate of the host's WinRM listener",
        "Name the authority's file in ansible_psrp_ca_cert or ansible_winrm_ca_trust_path.",
    ),
    Trouble(
        "not_tls", r"wrong.version.number|record layer failure|unknown protocol",
        "the port does not speak HTTPS", "Use the HTTPS listener's port (5986), or make such a listener.",
    ),
    Trouble(
        "clock", r"clock skew", "the clocks of host, domain controller and control node differ by more than 5 minutes",
        "Set them.", _KERBEROS,
    ),
    Trouble(
        "no_kdc", r"cannot (contact any kdc|find kdc)|cannot resolve (network address for )?kdc",
        "no domain controller is found for the user's realm", "Look at DNS and /etc/krb5.conf of the control node.",
        _KERBEROS,
    ),
    Trouble(
        "service_name", r"server not found in kerberos database|server .* not found in kerberos",
        "the domain does not know the host by this name", "Use its full domain name in ansible_host.", _KERBEROS,
    ),
    Trouble(
        "no_library", r"is not installed|does not support transport", "the control node lacks a library",
        "Install what the text names on the control node.",
    ),
    Trouble(
        "password_expired", r"password (has )?expired|must be changed|STATUS_PASSWORD_(EXPIRED|MUST_CHANGE)",
        "the password has expired", "Set a new one, and give the account one that does not expire by itself.",
    ),
    Trouble(
        "locked_out", r"account (is |has been )?locked|STATUS_ACCOUNT_LOCKED_OUT|credentials have been revoked",
        "the account is locked or disabled", "Unlock it, and find out who tried wrong passwords.",
    ),
    Trouble(
        "credentials", r"credentials were rejected|failed to authenticate|\b401\b|preauthentication failed|"
        r"not found in kerberos database|password incorrect|logon failure|STATUS_LOGON_FAILURE",
        "user name or password is wrong, or the host does not take this way of signing in",
        "Check ansible_user and the password; a local account needs a transport that the listener allows.",
    ),
    Trouble(
        "access", r"access is denied|0x80070005|\b403\b",
        "the account may sign in, and may not use remote management",
        "Put it into Administrators (Keepwell needs that to patch) or Remote Management Users (to look only).",
    ),
    Trouble(
        "encryption", r"unencrypted|message.encryption|encryption is required|AllowUnencrypted",
        "the host refuses messages that are not encrypted", "Use HTTPS, or NTLM or Kerberos with encryption.",
    ),
    Trouble(
        "quota", r"maximum number of (concurrent )?(shells|operations|users|processes)|quota|2150859173|2150859174",
        "the host has as many remote sessions as it allows", "Wait, or raise the quotas of WinRM.", _WSMAN,
    ),
    Trouble(
        "memory", r"outofmemory|not enough (memory|storage)|MaxMemoryPerShell",
        "a remote session may not use more memory", "Raise MaxMemoryPerShellMB of WinRM.", _WSMAN,
    ),
    Trouble(
        "no_listener", r"connection refused|actively refused|\berrno 111\b|\b404\b",
        "nothing takes connections on the WinRM port", "Make the HTTPS listener and start the service WinRM.",
    ),
    Trouble(
        "no_name", r"name or service not known|name resolution|getaddrinfo|nodename nor servname",
        "the control node does not know the host's name", "Look at DNS and ansible_host.",
    ),
    Trouble(
        "no_route", r"no route to host|network is unreachable|errno 113|errno 101",
        "there is no way to the host", "Look at the network, the VPN and whether the host is on.",
    ),
    Trouble(
        "overloaded", r"\b50[03]\b|service unavailable|bad http response",
        "the host's remote management failed or is overloaded", "Look at the host's load; restart WinRM.",
    ),
    Trouble(
        "hung_up", r"connection (was )?(aborted|reset|closed)|remote end closed|broken pipe|eof occurred",
        "the connection broke", "The host may be booting; look at its network when it happens again.",
    ),
    Trouble(
        "silence", r"timed? ?out|timeout|max retries exceeded",
        "the host does not answer", "Is it on? Does the firewall let port 5986 through from the control node?",
    ),
)  # fmt: skip


# Of these the host, its domain or the control node has nothing to say but "no": the host may be well.
_KEPT_OUT: t.Final = (
    *("certificate_expired", "certificate_name", "certificate_untrusted", "not_tls", "clock", "no_kdc"),
    *("service_name", "no_library", "password_expired", "locked_out", "credentials", "access", "encryption", "quota"),
)


def keeps_out(message: str) -> bool:
    """True where what ``words`` made of a message tells of being kept out, and not of a host that is silent."""
    text = message.casefold()
    return any(trouble.cause.casefold() in text for trouble in TROUBLES if trouble.code in _KEPT_OUT)


def find(message: str) -> Trouble | None:
    """Return what a message of a connection means, None when no pattern fits."""
    return next((trouble for trouble in TROUBLES if re.search(trouble.pattern, message, re.IGNORECASE)), None)


def words(message: str) -> str:
    """Return a message of a connection in plain words, with its own behind; as it is where nothing is known of it."""
    trouble = find(message)
    return f"{trouble.cause}. {trouble.step} ({message})" if trouble else message
