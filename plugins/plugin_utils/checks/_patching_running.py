# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: checks of what is installed but not running."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import (
    DAY,
    HOUR,
    Verdict,
    View,
    check,
    count_text,
    duration_text,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._patching_policy import Policy, names_text

# What tells which kernels are installed, which runs, and which the boot loader starts.
_BOOT_SOURCES = ("dpkg-query", "rpm", "/proc/sys/kernel/osrelease", "/etc/default/grub", "/boot/*", "grubby")
_WINDOWS_LOOK = (
    "Get-ChildItem 'HKLM:\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Component Based Servicing', "
    "'HKLM:\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\WindowsUpdate\\Auto Update' -Name"
)


@check(
    "patching.reboot_required",
    title="Pending reboot",
    advice="Plan the reboot in the next maintenance window. What is installed but not running protects nobody.",
    needs=("packages",),
    sources=("needs-restarting", "needs-rebooting", "/proc/version", "/proc/sys/kernel/osrelease"),
    controls=("ISO A.8.8", "NIS2 6.6.1", "CE A6.4", "E8 OS"),
    thresholds=("reboot_max_d", "reboot_critical_max_h"),
)
def reboot_required(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge the evidence for a reboot; weak evidence never makes a reboot overdue."""
    data = view.data("packages")
    reboot, kernel = data["reboot"], data["kernel"]
    critical = any(entry["severity"] == "critical" for entry in data["not_running"])
    limit = policy.reboot_critical_max_h * HOUR if critical else policy.reboot_max_d * DAY
    expected = f"no reboot pending for more than {duration_text(limit)}"
    if reboot["required"] == "yes":
        details = [reason["detail"] for reason in reboot["reasons"]]
        strong = reboot["strength"] == "strong"
        chosen = [reason for reason in reboot["reasons"] if reason["strength"] == reboot["strength"]]
        moments = [(reason["since"], "reported by the host") for reason in chosen if reason["since"] is not None]
        for reason in chosen:
            seen = view.history.first_seen("reboot", reason["kind"])
            if seen is not None:
                moments.append((seen, "ledger_first_seen"))
        since, basis = min(moments, default=(view.now, "seen now"))
        overdue = strong and view.now > since + limit
        live = kernel["livepatch"] or []
        note = f" Live patches are active ({names_text(live)}): it may wait for the window." if live else ""
        strength = "" if strong else " (weak evidence)"
        yield Verdict(
            "act" if overdue and not live else "watch",
            observed=f"needed for {duration_text(max(0.0, view.now - since))}{strength}: {names_text(details, 3)}",
            expected=expected,
            summary=f"The host should be rebooted: {names_text(details, 3)}.{note}",
            advice="" if strong else "No need to force it: take it along with the next reboot.",
            command=view.command("uname -r; ls -1 /boot/vmlinuz-*", _WINDOWS_LOOK),
            since=since,
            age_basis=basis,
            deadline=since + limit if strong else None,
            data={
                "strength": reboot["strength"],
                "reasons": list(reboot["reasons"]),
                "running": kernel["running"],
                "newest": kernel["newest"],
                "not_running": list(data["not_running"])[:10],
            },
        )
    elif reboot["required"] == "no":
        running = f"running {kernel['running']}, " if kernel["running"] else ""
        yield Verdict("ok", observed=f"{running}nothing waits for a reboot", expected=expected)
    elif view.windows:
        yield Verdict(
            "unknown",
            observed="cannot tell: none of the signs could be read",
            expected=expected,
            summary="Nothing on this host can tell whether it needs a reboot.",
            advice="Give Keepwell an account that may read the registry, or look by hand.",
            command=_WINDOWS_LOOK,
        )
    elif reboot["container"] is None:
        why = reboot["needrestart"]["why_not"]
        no_kernel = "its kernel does not come from a package" if kernel["newest"] is None else "nothing could be asked"
        yield Verdict(
            "unknown",
            observed=f"cannot tell: {no_kernel}" + (f"; needrestart: {why}" if why else ""),
            expected=expected,
            summary="Nothing on this host can tell whether it needs a reboot; that no flag file exists proves nothing.",
            advice="Compare the running kernel with the newest one by hand, or install needrestart 3.8 or newer.",
            command="uname -r; ls -1 /boot/vmlinuz-*",
        )


@check(
    "patching.reboot_will_not_help",
    title="Kernel of the next boot",
    advice="Set the boot loader's default to the newest kernel before the reboot, or the reboot changes nothing.",
    needs=("packages",),
)
def reboot_will_not_help(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge whether the next boot would bring the newest installed kernel."""
    data = view.data("packages")
    kernel = data["kernel"]
    default = kernel["default_boot"]
    if kernel["container"] is not None:
        return
    if default is None or kernel["newest"] is None:
        unread = view.record("packages").unread(*_BOOT_SOURCES)
        if unread:
            names = ", ".join(unread)
            text = f"Which kernel the next boot starts cannot be told: {names} could not be read."
            yield Verdict("unknown", observed=f"not read: {names}", expected="the newest kernel", summary=text)
        return
    expected = f"the newest kernel ({kernel['newest']})"
    other = default["release"] is not None and default["release"] != kernel["newest"]
    waiting = kernel["newest"] != kernel["running"]
    facts = {"default_boot": dict(default), "running": kernel["running"], "newest": kernel["newest"]}
    if other or (default["pinned"] and default["release"] is None):
        entry = default["release"] or default["entry"]
        yield Verdict(
            "act" if waiting and other else "watch",
            observed=f"the next boot starts {entry}",
            expected=expected,
            summary=f"A reboot will not help: {default['source']} pins the boot entry to {entry}."
            if waiting
            else f"{default['source']} pins the boot entry to {entry}: the next kernel update will have no effect.",
            command="grep GRUB_DEFAULT /etc/default/grub; cat /boot/grub*/grubenv",
            data=facts,
        )
    else:
        yield Verdict(
            "ok",
            observed=f"the next boot starts the newest kernel ({default['source']})",
            expected=expected,
            data=facts,
        )


@check(
    "patching.services_restart",
    title="Services after updates",
    advice="Restart the service in the next window. Databases, queues and hypervisors: ask their owner first.",
    needs=("packages",),
    sources=("/proc/*/cgroup",),
    controls=("ISO A.8.8", "NIS2 6.6.1", "CE A6.5", "E8 Apps"),
    thresholds=("services_restart_max_d",),
)
def services_restart(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge services that still use files which an update has deleted."""
    data = view.data("packages")
    groups = data["services_restart"]
    seen = data["services_seen"]
    if view.windows:
        return  # Files in use cannot be replaced there: their update waits for a reboot, and that is told.
    expected = "no service on deleted program files"
    if groups is None:
        yield Verdict("unknown", observed="no process could be inspected", expected=expected)
        return
    limit = policy.services_restart_max_d * DAY
    services = [group for group in groups if group["restartable"]]
    for group in services:
        since = view.history.first_seen("old_code", group["unit"])
        start = view.now if since is None else since
        overdue = view.now > start + limit
        files = count_text(len(group["files"]), "deleted file")
        yield Verdict(
            "act" if overdue else "watch",
            object=group["unit"],
            observed=f"uses {files}, seen for {duration_text(view.now - start)}",
            expected=expected,
            summary=f"{group['unit']} still runs code that an update has replaced ({names_text(group['files'], 2)}).",
            command=f"systemctl status {group['unit']} --no-pager",
            since=start,
            age_basis="ledger_first_seen" if since is not None else "seen now",
            deadline=start + limit,
            data={"programs": group["programs"], "pids": group["pids"], "files": group["files"]},
        )
    total = seen["read"] + seen["unread"]
    # Processes that end meanwhile cannot be read either; more than that means missing rights (root without
    # SYS_PTRACE in a container).
    if seen["unread"] and (not view.privileged or seen["unread"] > max(3, total // 10)):
        yield Verdict(
            "unknown",
            observed=f"{seen['unread']} of {total} processes may not be inspected by this user",
            expected=expected,
            summary="Not every process may be inspected: services on replaced code may be among the others.",
        )
    elif not services:
        rest = [group["unit"] or group["programs"][0] for group in groups]
        text = f"; with the next reboot or login: {names_text(rest)}" if rest else ""
        yield Verdict(
            "ok",
            observed=f"{count_text(seen['read'], 'process', 'processes')} inspected, no service to restart{text}",
            expected=expected,
        )
