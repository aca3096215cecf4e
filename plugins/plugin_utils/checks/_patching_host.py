# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: checks of the package manager itself: its sources, state, locks and automatic updaters."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _package_locks
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import (
    DAY,
    HOUR,
    State,
    Verdict,
    View,
    check,
    count_text,
    duration_text,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._patching_policy import Policy, doubts, names_text

_REFRESH = {
    "apt": "apt-get update -o APT::Update::Error-Mode=any",
    "dnf4": "dnf makecache --refresh",
    "dnf5": "dnf5 makecache --refresh",
    "yum": "yum makecache",
    "zypper": "zypper refresh",
    "wua": "(New-Object -ComObject Microsoft.Update.AutoUpdate).DetectNow()",
}
_UPDATER_LOOK = {
    "apt": "apt-config dump | grep -E 'Periodic|Unattended'",
    "wua": "Get-ItemProperty 'HKLM:\\SOFTWARE\\Policies\\Microsoft\\Windows\\WindowsUpdate\\AU'",
}
_REPAIR = {"apt": "dpkg --audit", "zypper": "zypper verify --dry-run"}


@check(
    "patching.metadata_fresh",
    title="Freshness of the package lists",
    advice="Refresh the package lists and read its errors; until then no count of updates on this host means anything.",
    needs=("packages",),
    controls=("CIS 7.3", "NIS2 6.6.1"),
    thresholds=("metadata_max_age_h",),
)
def metadata_fresh(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge whether what the host knows of its sources is recent and complete."""
    data = view.data("packages")
    expected = f"every source read within {duration_text(policy.metadata_max_age_h * HOUR)}"
    reasons = doubts(view, policy)
    metadata = data["metadata"]
    if reasons:
        what = view.command("The package lists", "The list of updates")
        yield Verdict(
            "unknown",
            observed=names_text(reasons, 2),
            expected=expected,
            summary=f"{what} cannot be trusted: {names_text(reasons, 3)}.",
            advice=view.command(
                "",
                "Let the host search for updates and read its error; until then no count of them means anything.",
            ),
            command=_REFRESH.get(data["manager"], ""),
            since=metadata["checked_at"],
            age_basis="package lists",
            data={"reasons": reasons[:20]},
        )
    else:
        age = max(0.0, view.now - metadata["checked_at"])
        count = count_text(len(metadata["sources"]), "source")
        yield Verdict("ok", observed=f"{count}, oldest read {duration_text(age)} ago", expected=expected)


@check(
    "patching.sources",
    title="Package sources",
    advice="Without a working source for security updates a host looks up to date for ever.",
    needs=("packages",),
    sources=(
        "/etc/apt/*",
        "/etc/zypp/*",
        "/etc/os-release",
        "/var/cache/*/repomd.xml",
        "/var/lib/apt/lists/*Release",
        "office",
        "search",
    ),
    controls=("CIS 2.2", "NIS2 6.6.1"),
    thresholds=("release_lock_max_age_d",),
)
def sources(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge whether security updates can reach this host at all."""
    data = view.data("packages")
    metadata = data["metadata"]
    expected = "sources that bring security updates"
    found = list(_source_problems(data, policy, view.now))
    for name, state, observed, summary in found:
        yield Verdict(state, object=name, observed=observed, expected=expected, summary=summary)
    if not found:
        silent = [source["id"] for source in metadata["sources"] if source.get("updateinfo") is False]
        note = f"; without advisories: {names_text(silent, 3)}" if silent else ""
        yield Verdict("ok", observed=count_text(len(metadata["sources"]), "source") + note, expected=expected)


def _source_problems(data: Mapping[str, t.Any], policy: Policy, now: float) -> Iterator[tuple[str, State, str, str]]:
    """Yield (object, state, observed, summary)."""
    metadata = data["metadata"]
    if metadata["configured"] == 0:
        yield "none", "act", "no package source", "No package source is configured: no update will ever be offered."
        return
    if data["not_offered"]["registered"] is False:
        yield (
            "registration",
            "act",
            "not registered",
            "The host is not registered with its vendor: updates are not offered to it.",
        )
    yield from _switched_off(data)
    lock = data["not_offered"]["releasever_lock"]
    if lock:
        old = lock["dated"] is not None and now - lock["dated"] > policy.release_lock_max_age_d * DAY
        age = f", made {duration_text(now - lock['dated'])} ago" if lock["dated"] is not None else ""
        yield (
            "release_lock",
            "act" if old else "watch",
            f"tied to release {lock['value']}{age}",
            f"The host is tied to release {lock['value']}: newer updates exist without being offered.",
        )
    if data["manager"] == "apt" and metadata["sources"]:
        security = [source for source in metadata["sources"] if source["class"] == "security"]
        if not security:
            yield "security", "act", "no security archive", "No security archive is among the package sources."
        for source in security:
            if source["priority"] is not None and source["priority"] <= 100:
                yield (
                    source["id"],
                    "act",
                    f"pinned to priority {source['priority']}",
                    f"A pin keeps the security archive {source['id']} from being used.",
                )


def _switched_off(data: Mapping[str, t.Any]) -> Iterator[tuple[str, State, str, str]]:
    """Yield what keeps a Windows host from any source of updates."""
    told = data["not_offered"]
    off = "No update will ever be offered to this host"
    if told.get("service_disabled"):
        yield "service", "act", "the service Windows Update is disabled", f"{off}: Windows Update is disabled."
    if told.get("access_disabled"):
        yield "access", "act", "a policy takes Windows Update away", f"{off}: a policy takes Windows Update away."
    if told.get("internet_blocked") and not (told.get("wsus") or {}).get("used"):
        text = "a policy keeps it from Microsoft's servers, and no WSUS server is in use"
        yield "internet", "act", text, f"{off}: {text}."
    if (data.get("office") or {}).get("updates_enabled") is False:
        yield "office", "watch", "Office does not update itself", "Office's own updates are switched off on this host."


@check(
    "patching.package_state",
    title="State of the package database",
    advice="Repair it before the next update: a package left half-way makes every later run fail. Leave locks alone.",
    needs=("packages",),
    controls=("ISO A.8.8",),
)
def package_state(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge packages that a former run left half-way."""
    data = view.data("packages")
    broken = data["broken_state"]
    expected = "every package whole"
    if view.windows:
        return  # Windows looks into its component store only when it is asked to, which takes minutes.
    if broken is None:
        yield Verdict("unknown", observed="the package database could not be read", expected=expected)
        return
    for entry in broken[:20]:
        yield Verdict(
            "act",
            object=entry["package"],
            observed=entry["detail"],
            expected=expected,
            summary=f"{entry['package']}: {entry['detail']}.",
            command=_REPAIR.get(data["manager"], "dnf check"),
            data={"state": entry["state"]},
        )
    if not broken:
        count = data.get("installed_count")
        yield Verdict(
            "ok", observed=f"{count} packages, all whole" if count else "nothing left half-way", expected=expected
        )


@check(
    "patching.locks",
    title="Locks of the package manager",
    advice="Wait for it or find out what it waits for. Never delete a lock file: the program that holds it is alive.",
    needs=("packages",),
    sources=_package_locks.FILES,
    thresholds=("lock_max_h",),
)
def locks(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge locks that are held right now."""
    held = view.data("packages")["locks"]
    expected = f"none held for more than {duration_text(policy.lock_max_h * HOUR)}"
    if held is None:
        yield Verdict("unknown", observed="the locks may not be read by this user", expected=expected)
        return
    for entry in held:
        started = entry["started_at"]
        age = max(0.0, view.now - started) if started is not None else 0.0
        who = entry["program"] or "another program"
        pid = f" (pid {entry['pid']})" if entry["pid"] else ""
        stuck = age > policy.lock_max_h * HOUR
        since = f", running for {duration_text(age)}" if started is not None else ""
        yield Verdict(
            "act" if stuck else "watch",
            object=entry["path"],
            observed=f"held by {who}{pid}{since}",
            expected=expected,
            summary=f"{who}{pid} holds {entry['path']}: updates must wait"
            + (", and it looks stuck." if stuck else "."),
            advice=view.command(
                "",
                "Wait for it or find out what it waits for: an installer that is ended leaves a broken update.",
            ),
            command=view.command(
                f"ps -o pid,etime,stat,comm -p {entry['pid']}",
                f"Get-Process -Id {entry['pid']} | Select-Object Id, ProcessName, StartTime, CPU",
            )
            if entry["pid"]
            else "",
            since=started,
            age_basis="start of the process" if started is not None else "",
            data=dict(entry),
        )
    if not held:
        yield Verdict("ok", observed="free", expected=expected)


@check(
    "patching.automatic_updates",
    title="Automatic updates",
    advice="One updater per host, and no reboot outside the window: change its configuration.",
    needs=("packages",),
    sources=("/etc/dnf/automatic.conf", "/etc/yum/yum-cron.conf", "automatic updates"),
    controls=("CIS 7.3",),
    thresholds=("allow_automatic_reboot", "automatic_updates_max_age_d"),
)
def automatic_updates(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge programs that update or reboot the host by themselves."""
    record = view.record("packages")
    updaters = record.data["auto_updaters"]
    expected = "at most one updater, no reboot by itself"
    if record.status_of("apt-config") not in ("ok", "absent"):
        yield Verdict("unknown", observed="apt's configuration could not be read", expected=expected)
        return
    if view.windows and record.data.get("build") is None:
        # Servers and clients of Windows update themselves by different rules.
        yield Verdict("unknown", observed="which Windows this is could not be read", expected=expected)
        return
    found = False
    active = [updater for updater in updaters if updater["applies"]]
    if len(active) > 1:
        found = True
        names = names_text(updater["name"] for updater in active)
        yield Verdict(
            "act",
            object="several",
            observed=f"{len(active)} updaters: {names}",
            expected=expected,
            summary=f"{names} all install updates by themselves: nobody can say which one did what.",
        )
    for updater in active:
        problems: list[tuple[State, str]] = []
        if updater["reboots"] and not policy.allow_automatic_reboot:
            problems.append(("act", f"reboots by itself ({updater['reboot_time'] or 'at any time'})"))
        if updater["scheduled"] is False:
            problems.append(("watch", "switched on, but its timer is off"))
        last = updater["last_run"]
        if last is not None and view.now - last > policy.automatic_updates_max_age_d * DAY:
            problems.append(("watch", f"last ran {duration_text(view.now - last)} ago"))
        if updater["kept_back"]:
            problems.append(("watch", f"keeps back {names_text(updater['kept_back'])}"))
        if problems:
            found = True
            yield Verdict(
                "act" if any(state == "act" for state, _text in problems) else "watch",
                object=updater["name"],
                observed="; ".join(text for _state, text in problems),
                expected=expected,
                summary=f"{updater['name']} {', '.join(text for _state, text in problems)}.",
                command=_UPDATER_LOOK.get(record.data["manager"], ""),
                data=dict(updater),
            )
    if not found:
        text = f"{active[0]['name']} installs updates, without reboots" if active else "none active"
        if active and active[0]["reboots"]:
            text = f"{active[0]['name']} installs updates and may reboot"
        yield Verdict("ok", observed=text, expected=expected)
