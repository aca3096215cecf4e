# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The doors that Windows has of its own: Remote Desktop, SMB, the firewall, WinRM; and what administrators confirm."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._access_policy import Policy
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._access_windows import facts_of, not_readable
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import Verdict, View, check


@check(
    "access.remote_desktop",
    title="Remote Desktop",
    advice="Demand Network Level Authentication; from the internet let people reach it through a VPN or gateway alone.",
    needs=("access",),
    controls=("CIS 4.6", "ISO A.8.9"),
)
def remote_desktop(view: View, policy: Policy) -> Iterator[Verdict]:
    """Remote Desktop without Network Level Authentication shows a session to everybody who reaches the port."""
    if not view.windows:
        return
    facts = facts_of(view, "remote_desktop")
    command = (
        "Get-ItemProperty 'HKLM:\\SYSTEM\\CurrentControlSet\\Control\\Terminal Server\\WinStations\\RDP-Tcp' | "
        "Select-Object UserAuthentication, SecurityLayer, PortNumber"
    )
    expected = "off, or with Network Level Authentication"
    if not facts or (facts["enabled"] and facts["nla"] is None):
        summary = "Whether Remote Desktop is open, and how, could not be read."
        yield not_readable("settings not readable", expected, summary, command)
    elif facts["enabled"] and not facts["nla"]:
        observed = f"on at port {facts['port']}, without Network Level Authentication"
        summary = (
            "Remote Desktop gives everybody who reaches it a login screen: flaws and guessed passwords get in there."
        )
        yield Verdict("act", "", observed, expected, summary, command=command)
    else:
        observed = f"on at port {facts['port']}, with Network Level Authentication" if facts["enabled"] else "off"
        yield Verdict("ok", observed=observed, expected=expected)


@check(
    "access.smb1",
    title="SMB version 1",
    advice="Find who still uses it (audit with Set-SmbServerConfiguration -AuditSmb1Access), then remove the feature.",
    needs=("access",),
    controls=("CIS 4.8", "ISO A.8.9"),
)
def smb1(view: View, policy: Policy) -> Iterator[Verdict]:
    """The old protocol that WannaCry came by. The server's side is the dangerous one."""
    if not view.windows:
        return
    facts = facts_of(view, "smb1")
    server, client = facts.get("server"), facts.get("client")
    command = "Get-SmbServerConfiguration | Select-Object EnableSMB1Protocol; Get-SmbSession | Select-Object Dialect"
    if server is None:
        yield not_readable(
            "not readable", "off", "Whether shares are served by SMB version 1 could not be read.", command
        )
    elif server:
        summary = "This host serves its shares by SMB version 1, which has no protection against forged messages."
        yield Verdict("act", "", "on for its own shares", "off", summary, command=command)
    elif client:
        summary = "This host can still use shares of others by SMB version 1."
        advice = "Replace the device that needs it (an old NAS or scanner), then remove the feature."
        yield Verdict("watch", "", "on for the shares of others", "off", summary, advice, command)
    else:
        yield Verdict("ok", observed="off", expected="off")


@check(
    "access.firewall",
    title="Firewall",
    advice="Switch it on (Set-NetFirewallProfile -Enabled True); open single ports instead of the whole host.",
    needs=("access",),
    controls=("CIS 4.4", "CIS 4.5", "ISO A.8.9"),
)
def firewall(view: View, policy: Policy) -> Iterator[Verdict]:
    """All three profiles of Windows' own firewall, unless another maker's is on in its place."""
    if not view.windows:
        return
    profiles = view.data("access").get("firewall")
    others = view.data("access").get("firewall_products") or []
    expected = "on in every network"
    command = "Get-NetFirewallProfile -PolicyStore ActiveStore | Format-Table Name, Enabled; Get-Service MpsSvc"
    if others:
        yield Verdict("ok", observed=f"{', '.join(others[:3])} is on", expected=expected)
        return
    if not profiles:
        yield not_readable("profiles not readable", expected, "Whether the firewall is on could not be read.", command)
        return
    off = sorted(name for name, enabled in profiles.items() if not enabled)
    if off:
        where = "everywhere" if len(off) == len(profiles) else f"in {', '.join(off)} networks"
        summary = f"The firewall is off {where}: every service of this host can be reached from there."
        yield Verdict("act", "", f"off: {', '.join(off)}", expected, summary, command=command)
    else:
        yield Verdict("ok", observed=f"on: {', '.join(sorted(profiles))}", expected=expected)


@check(
    "access.winrm",
    title="Remote management (WinRM)",
    advice="Set AllowUnencrypted to false; use HTTPS, or Kerberos and NTLM, which encrypt by themselves.",
    needs=("access",),
    sources=("winrm listeners",),
    controls=("CIS 4.6", "ISO A.8.9"),
)
def winrm(view: View, policy: Policy) -> Iterator[Verdict]:
    """WinRM must not take messages in clear text: they hold passwords and all that is done."""
    if not view.windows:
        return
    facts = facts_of(view, "winrm")
    listeners = [entry for entry in facts.get("listeners") or () if entry["enabled"]]
    names = ", ".join(sorted({f"{entry['transport']} {entry['port'] or ''}".strip() for entry in listeners}))
    command = "winrm enumerate winrm/config/listener; winrm get winrm/config/service"
    if facts.get("allow_unencrypted") is None:
        yield not_readable("settings not readable", "encrypted only", "WinRM's settings could not be read.", command)
    elif facts["allow_unencrypted"]:
        basic = " with passwords as they are (Basic)" if facts["basic"] else ""
        summary = f"WinRM takes messages in clear text{basic}: whoever listens on the network reads them."
        yield Verdict("act", "", f"{names}; unencrypted allowed", "encrypted only", summary, command=command)
    else:
        yield Verdict("ok", observed=f"{names or 'no listener'}; encrypted only", expected="encrypted only")


@check(
    "access.uac",
    title="User Account Control",
    advice="Set EnableLUA to 1 and restart: without it every program of an administrator has all rights.",
    needs=("access",),
    controls=("ISO A.8.9",),
)
def uac(view: View, policy: Policy) -> Iterator[Verdict]:
    """Administrators work without their rights until they confirm."""
    if not view.windows:
        return
    enabled = facts_of(view, "uac").get("enabled")
    command = "Get-ItemProperty HKLM:\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Policies\\System -Name EnableLUA"
    if enabled is None:
        yield not_readable("not readable", "on", "Whether User Account Control is on could not be read.", command)
    elif not enabled:
        summary = "User Account Control is off: what an administrator opens by mistake has the whole host at once."
        yield Verdict("act", "", "off", "on", summary, command=command)
    else:
        yield Verdict("ok", observed="on", expected="on")
