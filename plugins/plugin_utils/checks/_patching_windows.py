# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: checks of what Windows alone has: monthly updates, failed ones, Secure Boot."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import (
    DAY,
    State,
    Verdict,
    View,
    check,
    count_text,
    duration_text,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._patching_months import build_text, gap, kept_away
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._patching_policy import Policy, sla
from ansible_collections.keepwell.fleet.plugins.plugin_utils.windows_hosts.packages import failures

# Failures older than that are another month's.
_FAILED_S = 35 * DAY
# When the last of the certificates of 2011 ends (Microsoft Windows Production PCA 2011; KB5062710).
_CERTIFICATES_END = datetime.datetime(2026, 10, 19, tzinfo=datetime.UTC).timestamp()
_BUILD_LOOK = (
    "Get-ItemProperty 'HKLM:\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion' | "
    "Select-Object EditionID, CurrentBuildNumber, UBR"
)
_HISTORY_LOOK = (
    "$s = (New-Object -ComObject Microsoft.Update.Session).CreateUpdateSearcher(); $s.QueryHistory(0, 20) | "
    "Select-Object Date, ResultCode, HResult, Title"
)
_SECURE_BOOT_LOOK = "Get-ItemProperty 'HKLM:\\SYSTEM\\CurrentControlSet\\Control\\SecureBoot\\Servicing'"


@check(
    "patching.monthly_update",
    title="Monthly update of Windows",
    advice="Find out why it is not installed: look at pauses, deferrals, approvals on WSUS and at failed updates.",
    needs=("packages",),
    controls=("CIS 7.3", "CIS 7.7", "ISO A.8.8", "NIST SI-2", "NIS2 6.6.1", "CE A6.4", "E8 OS", "PCI 6.3.3"),
    thresholds=("sla_critical_internet_h", "sla_high_or_unrated_d", "sla_other_d"),
)
def monthly_update(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge build and revision against the calendar of monthly updates; what is offered does not count here."""
    build = view.data("packages").get("build")
    if not view.windows:
        return
    expected = "the monthly update, within its deadline"
    if not build or not build.get("month"):
        text = "Neither the update history nor the component store tells of which month this build of Windows is."
        yield Verdict(
            "unknown", observed="month of the build not known", expected=expected, summary=text, command=_BUILD_LOOK
        )
        return
    lacks = gap(view)
    told = build_text(build)
    if lacks is None:
        yield Verdict("ok", observed=f"{told}, nothing newer to get", expected=expected, data=dict(build))
        return
    deadline = lacks.since + sla({"severity": None}, view.exposure, policy)
    late = view.now > deadline
    count = count_text(lacks.count, "monthly update")
    why = "; ".join(text for _kind, text in kept_away(view))
    yield Verdict(
        "act" if late else "ok",
        observed=f"{told}: {count} behind for {duration_text(view.now - lacks.since)}" + (f"; {why}" if why else ""),
        expected=expected,
        summary=f"Windows is {count} behind: {told}, the newest is of {lacks.newest}."
        + (f" Nothing newer reaches it: {why}." if why else "")
        if late
        else "",
        command=_BUILD_LOOK,
        since=lacks.since,
        age_basis="release of the update after the installed one",
        deadline=deadline,
        data={**build, "behind": lacks.count},
    )


@check(
    "patching.failed_updates",
    title="Updates that fail to install",
    advice="Look up the code before trying again: the same update fails the same way until its cause is gone.",
    needs=("packages",),
    controls=("CIS 7.7", "ISO A.8.8"),
)
def failed_updates(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge updates whose last attempt failed, by the history that Windows keeps."""
    if not view.windows:
        return
    history = view.data("packages").get("history")
    expected = "every update in place after its last attempt"
    if history is None:
        yield Verdict("unknown", observed="the update history could not be read", expected=expected)
        return
    failed = failures(history, view.now - _FAILED_S)
    for name, facts in sorted(failed.items()):
        times = count_text(facts["count"], "time")
        yield Verdict(
            "act" if facts["count"] > 1 else "watch",
            object=name,
            observed=f"failed {times}, last with 0x{facts['hresult']}",
            expected=expected,
            summary=f"{name} failed {times} to install, last with 0x{facts['hresult']}.",
            command=_HISTORY_LOOK,
            since=facts["at"],
            age_basis="last attempt",
            data={"name": name, **facts},
        )
    if not failed:
        yield Verdict("ok", observed=f"{count_text(len(history), 'entry', 'entries')} of history", expected=expected)


@check(
    "patching.secure_boot",
    title="Secure Boot certificates",
    advice="Update the firmware first, have BitLocker's recovery key at hand, then follow Microsoft's KB5068202."
    " Keepwell only looks: the change is written into the firmware.",
    needs=("packages",),
    sources=("secure boot",),
    controls=("ISO A.8.8", "NIST SI-2"),
)
def secure_boot(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge whether firmware trusts the certificates of 2023; says nothing where Secure Boot is off or not there."""
    facts = view.data("packages").get("secure_boot")
    expected = "the certificates of 2023 in the firmware"
    if not view.windows:
        return
    if facts is None:
        text = "Whether Secure Boot is on, and what it trusts, could not be read."
        yield Verdict("unknown", observed="not read", expected=expected, summary=text, command=_SECURE_BOOT_LOOK)
        return
    if facts.get("enabled") is not True:
        return
    status, error = facts.get("status"), facts.get("error")
    over = view.now > _CERTIFICATES_END
    if status == "Updated" and not error:
        yield Verdict("ok", observed="updated", expected=expected)
        return
    word = {"NotStarted": "not begun", "InProgress": "under way"}.get(str(status), "no word of it")
    state: State = "act" if over or error else "watch"
    code = f", error 0x{error & 0xFFFFFFFF:08X}" if error else ""
    yield Verdict(
        state,
        observed=f"{word}{code}",
        expected=expected,
        summary="The firmware does not trust the Secure Boot certificates of 2023"
        + (f" (error 0x{error & 0xFFFFFFFF:08X})." if error else ".")
        + (
            " Those of 2011 have ended: the host starts, and gets no more fixes for what runs before Windows."
            if over
            else " Those of 2011 end in 2026."
        ),
        command=_SECURE_BOOT_LOOK,
        deadline=_CERTIFICATES_END,
        data=dict(facts),
    )
