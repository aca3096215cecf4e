# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Availability: did the host go down unasked, how well could it be looked at, and how was it reached?"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import (
    DAY,
    Section,
    State,
    Verdict,
    View,
    check,
    count_text,
    duration_text,
    threshold,
)


class Policy(Section):
    """Thresholds for reboots and contact."""

    reboot_recent_days: float = threshold(7.0, "House: how long an unexpected reboot stays a finding", gt=0)
    watch_keep_days: int = threshold(1100, "36 months, as all evidence: how long beats of the watch are kept", ge=35)
    contact_watch_s: float = threshold(30.0, "House: ten times what a healthy host takes over a slow link", gt=0)


_WINDOWS_LOOK = (
    "Get-WinEvent -FilterHashtable @{LogName='System'; Id=12, 13, 41, 1001, 1074, 6006, 6008} -MaxEvents 20 | "
    "Select-Object TimeCreated, ProviderName, Id"
)


@check(
    "availability.unexpected_reboot",
    title="Unexpected reboots",
    advice="Read the end of the previous boot's log and the hardware log: power, heat, memory, a crash of the kernel.",
    needs=("system",),
    thresholds=("reboot_recent_days",),
)
def unexpected_reboot(view: View, policy: Policy) -> Iterator[Verdict]:
    """A new boot id since an earlier run, without a clean shutdown at the end of the boot before."""
    boot = view.data("system").get("boot") or {}
    log = view.command("journal", "event log")
    current = boot.get("boot_id")
    expected = "no restart without a clean shutdown"
    if not current:
        yield Verdict("unknown", observed="the boot could not be identified", expected=expected)
        return
    known = [boot_id for boot_id, _seen in view.history.boots() if boot_id != current]
    booted_at = boot.get("booted_at")
    up = f"up {duration_text(view.now - booted_at)}" if booted_at else "time of boot not known"
    # Without the time of boot nobody can tell how old a restart is: it is taken for recent, and never called well.
    well: State = "ok" if booted_at else "unknown"
    recent = booted_at is None or view.now - booted_at <= policy.reboot_recent_days * DAY
    if not known or not recent:
        yield Verdict(well, observed=up if known else f"{up}; no earlier boot known", expected=expected)
        return
    previous = boot.get("previous") or {}
    clean = previous.get("clean")
    skipped = previous.get("boot_id") not in (None, known[-1])
    if clean and not skipped:
        yield Verdict(well, observed=f"{up}; the boot before was shut down cleanly", expected=expected)
    elif clean is False:
        yield Verdict(
            "act",
            observed=f"{up}; the {log} of the boot before ends without a shutdown",
            expected=expected,
            summary="The host restarted without having been shut down.",
            advice="Find the cause before it happens again: power, heat, memory, a kernel panic, the hypervisor.",
            command=view.command("journalctl -b -1 -n 100 --no-pager", _WINDOWS_LOOK),
            since=booted_at,
            age_basis="boot time",
            data={"boot_id": current, "previous": dict(previous)},
        )
    elif (view.data("system").get("virtualisation") or {}).get("kind") == "container":
        yield Verdict(
            "watch",
            observed=f"{up}; the machine below this container restarted",
            expected=expected,
            summary="The machine that carries this container restarted.",
            advice="Look at that machine; a container cannot tell why.",
            since=booted_at,
            age_basis="boot time",
        )
    else:
        reason = "it restarted more than once since the last look" if clean else f"no {log} of the boot before"
        yield Verdict(
            "unknown",
            observed=f"{up}; {reason}",
            expected=expected,
            summary="The host restarted; whether it was shut down cleanly cannot be told.",
            advice=view.command(
                "Find out why; then keep the journal over reboots (Storage=persistent) and let Keepwell read it.",
                "Find out why; then give the log System more room, so that it reaches back to the boot before.",
            ),
            command=view.command("last -x -n 20 reboot shutdown; journalctl --list-boots", _WINDOWS_LOOK),
            since=booted_at,
            age_basis="boot time",
        )


@check(
    "availability.observation",
    title="Completeness of the observation",
    advice="Give Keepwell the rights or the time it lacks: what nobody sees, nobody fixes.",
)
def observation(view: View, policy: Policy) -> Iterator[Verdict]:
    """Probes and sources that failed are facts missing by error; those refused are named one by one."""
    if not view.probes:
        return
    failed = []
    refused = []
    for name, record in sorted(view.probes.items()):
        if record.status in ("error", "timeout"):
            failed.append(f"{name} ({record.status})")
        elif record.status == "denied":
            refused.append(name)
        for source, entry in sorted(record.sources.items()):
            if entry.get("status") in ("error", "timeout"):
                failed.append(f"{name}: {source} ({entry['status']})")
            elif entry.get("status") == "denied":
                refused.append(f"{name}: {source}")
    expected = "every source readable"
    data = {"failed": failed, "denied": refused}
    texts = [f"failed: {_some(failed)}"] if failed else []
    texts += [f"needs more rights: {_some(refused)}"] if refused else []
    if failed:
        yield Verdict(
            "unknown",
            observed="; ".join(texts),
            expected=expected,
            summary=f"{count_text(len(failed), 'source')} of this host failed; what they would have told is not known.",
            advice="Look at the named sources; every check that needs them is unknown until they answer.",
            data=data,
        )
    elif refused:
        yield Verdict(
            "watch",
            observed="; ".join(texts),
            expected=expected,
            summary=f"{count_text(len(refused), 'source')} may not be read by the user Keepwell has on this host.",
            advice=_rights(view),
            command=view.command("sudo -n -l", "whoami.exe /groups"),
            data=data,
        )
    else:
        yield Verdict("ok", observed=f"{count_text(len(view.probes), 'probe')} answered in full", expected=expected)


def _rights(view: View) -> str:
    if view.windows:
        return (
            "Even an administrator may not read them: look for a policy or a security product in the way."
            if view.privileged
            else "Put Keepwell's account into the group Administrators of this host."
        )
    if view.privileged:
        return "Even root may not read them: look for a container or a security module in the way."
    return "Allow become (sudo) for that user on this host."


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:6])
    return shown if len(names) <= 6 else f"{shown} and {len(names) - 6} more"


@check(
    "availability.contact",
    title="Contact with the host",
    advice="Mend the connection or the rights: a host that is hard to reach is one that is not looked after.",
    controls=("ISO A.8.16", "NIS2 3.2", "SOC 2 CC7.2"),
    thresholds=("contact_watch_s",),
)
def contact(view: View, policy: Policy) -> Iterator[Verdict]:
    """How the control node got there: refused rights, slowness."""
    if not view.contact:
        return
    bad = []
    refused = str(view.contact.get("become_refused") or "")
    if refused:
        bad.append(
            Verdict(
                "act",
                object="become",
                observed=f"become refused: {refused}",
                expected="root rights for reading",
                summary="Keepwell may not become root on this host and sees only part of it.",
                advice="Mend the sudo rule or the password of the Keepwell user.",
                command="sudo -n -l",
            )
        )
    seconds = float(view.contact.get("seconds") or 0.0)
    if seconds > policy.contact_watch_s:
        bad.append(
            Verdict(
                "watch",
                object="speed",
                observed=f"{seconds:.1f} s",
                expected=f"within {policy.contact_watch_s:g} s",
                summary="This host takes long to answer.",
                advice=view.command(
                    "Look at its load, its name resolution (UseDNS, sssd) and the line to it.",
                    "Look at its load, at what scans PowerShell as it starts, and at the line to it.",
                ),
                command=view.command("uptime", "Get-Process | Sort-Object CPU -Descending | Select-Object -First 10"),
            )
        )
    if bad:
        yield from bad
    else:
        yield Verdict("ok", observed=f"answered in {seconds:.1f} s", expected=f"within {policy.contact_watch_s:g} s")


_STANDING: dict[str, tuple[State, str]] = {
    "missing": ("act", "Runs of this client may not be started"),
    "not_running": ("act", "Runs of this client are not started"),
    "unknown": ("unknown", "Whether runs of this client are started cannot be told"),
}


@check(
    "availability.schedule",
    title="Schedule on the control node",
    advice="See with playbooks/schedule.yml what differs; then install what is written with -e scheduler_act=true.",
    from_control=True,
)
def schedule(view: View, policy: Policy) -> Iterator[Verdict]:
    """Is what starts the runs of this client as it is written? Says nothing where this node does not start them."""
    standing = view.schedule
    if standing is None or not standing.kind:
        return
    expected = "installed as keepwell_schedule has it, enabled and active"
    if not standing.differences:
        files = count_text(standing.files, "file")
        yield Verdict("ok", observed=f"{files} for {standing.kind} as written", expected=expected)
    for difference in standing.differences:
        state, consequence = _STANDING.get(difference.kind, ("watch", "Runs may start otherwise than written"))
        yield Verdict(
            state,
            object=difference.object,
            observed=difference.text,
            expected=expected,
            summary=f"{consequence}: {difference.text} on the control node.",
        )


@check(
    "availability.awx",
    title="Schedule in AWX",
    advice="See with playbooks/awx.yml what differs; then make AWX what is written with -e awx_act=true.",
    from_control=True,
)
def awx(view: View, policy: Policy) -> Iterator[Verdict]:
    """Was AWX as it is written when it was looked at last? Says nothing where nobody keeps this client in AWX."""
    found = view.schedule.awx if view.schedule else None
    if found is None:
        return
    expected = "in AWX as keepwell_awx and keepwell_schedule have it"
    if not found.differences:
        objects = count_text(found.objects, "object")
        yield Verdict("ok", observed=f"{objects} as written on {found.at}", expected=expected)
    for difference in found.differences:
        state, consequence = _STANDING.get(difference.kind, ("watch", "Runs may start otherwise than written"))
        yield Verdict(
            state,
            object=difference.object,
            observed=difference.text,
            expected=expected,
            summary=f"{consequence}: {difference.text}, as of {found.at}.",
        )
