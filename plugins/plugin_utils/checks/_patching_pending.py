# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: checks of what is offered."""

from __future__ import annotations

from collections import Counter
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
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._patching_policy import (
    Aged,
    Policy,
    aged,
    doubts,
    look_again,
    names_text,
    oldest_first,
    open_updates,
    sla,
)

LISTS = {
    "apt": "apt list --upgradable",
    "dnf4": "dnf -C updateinfo list",
    "dnf5": "dnf5 -C advisory list",
    "yum": "yum -C updateinfo list",
    "zypper": "zypper --no-refresh list-patches",
    "wua": "(New-Object -ComObject Microsoft.Update.Session).CreateUpdateSearcher().Search('IsInstalled=0').Updates | "
    "Select-Object Title, IsHidden",
}


def figures(items: list[Aged], now: float) -> dict[str, object]:
    severities = Counter(str(item.update["severity"] or "unrated") for item in items)
    return {
        "count": len(items),
        "overdue": sum(1 for item in items if item.deadline < now),
        "severities": dict(sorted(severities.items())),
        "cves": len({cve for item in items for cve in item.update["cves"]}),
        "packages": [
            {
                "name": item.update["name"],
                "installed": item.update["installed"],
                "candidate": item.update["candidate"],
                "severity": item.update["severity"],
                "age_s": max(0.0, now - item.since),
                "deadline": item.deadline,
            }
            for item in items[:10]
        ],
    }


def _counted_from(basis: str) -> str:
    """Say so where nobody knows when the update came out: the clock then starts late."""
    return " (counted from first sight)" if basis == "ledger_first_seen" else ""


def _pending(view: View, policy: Policy, word: str, items: list[Aged], calm: State, late: State) -> Iterator[Verdict]:
    """Judge the open updates of one class; ``calm`` and ``late`` are the states before and after the deadline."""
    manager = view.data("packages")["manager"]
    command = LISTS.get(manager, "")
    items = oldest_first(items)
    overdue = [item for item in items if item.deadline < view.now]
    doubt = doubts(view, policy)
    expected = "none past its deadline, on fresh metadata"
    what = count_text(len(items), f"{word} update")
    if overdue:
        first = overdue[0]
        oldest = duration_text(view.now - min(item.since for item in overdue))
        state: State = late
        if late == "act" and view.exposure == "internet" and any(i.update["severity"] == "critical" for i in overdue):
            state = "crit"
        verb = "is" if len(overdue) == 1 else "are"
        yield Verdict(
            state,
            object=word.replace("-", "_"),
            observed=f"{what}, {len(overdue)} overdue, oldest {oldest}",
            expected=expected,
            summary=f"{count_text(len(overdue), f'{word} update')} {verb} past the deadline: "
            f"{names_text(item.update['name'] for item in overdue)}.",
            command=command,
            since=min(item.since for item in overdue),
            age_basis=first.basis,
            deadline=first.deadline,
            data=figures(items, view.now),
        )
    elif doubt:
        yield Verdict(
            "unknown",
            object=word.replace("-", "_"),
            observed=f"{what} known, but {doubt[0]}",
            expected=expected,
            summary=f"Nobody can say how many {word} updates are open: {names_text(doubt, 3)}.",
            advice=look_again(view),
            data={"doubts": doubt[:10], **figures(items, view.now)},
        )
    elif items:
        first = items[0]
        left = duration_text(first.deadline - view.now)
        yield Verdict(
            calm,
            object=word.replace("-", "_"),
            observed=f"{what}, first due in {left}{_counted_from(first.basis)}",
            expected=expected,
            summary=f"{what} open: {names_text(item.update['name'] for item in items)}." if calm != "ok" else "",
            command=command,
            since=first.since,
            age_basis=first.basis,
            deadline=first.deadline,
            data=figures(items, view.now),
        )
    else:
        count = view.data("packages").get("installed_count")
        over = f" for {count} installed packages" if count else ""
        yield Verdict("ok", object=word.replace("-", "_"), observed=f"no {word} updates{over}", expected=expected)


@check(
    "patching.security_pending",
    title="Pending security updates",
    advice="Install them in the next maintenance window; a fix past its deadline needs a window now or an exception.",
    needs=("packages",),
    controls=(
        "CIS 7.3",
        "CIS 7.4",
        "CIS 7.7",
        "ISO A.8.8",
        "NIST SI-2",
        "NIS2 6.6.1",
        "NIS2 6.10",
        "CE A6.4",
        "CE A6.5",
        "E8 OS",
        "E8 Apps",
        "PCI 6.3.3",
        "SOC 2 CC7.1",
    ),
    thresholds=("sla_critical_internet_h", "sla_high_or_unrated_d", "sla_other_d"),
)
def security_pending(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge open security updates by severity, exposure and age."""
    items = [aged(view, update, sla(update, view.exposure, policy)) for update in open_updates(view, "security")]
    unnamed = open_updates(view, "unknown")
    # Elsewhere than with apt the class comes from advisories: where these are absent or broken, "none" says nothing.
    if not items and unnamed and view.data("packages")["manager"] != "apt" and not doubts(view, policy):
        what = count_text(len(unnamed), "update")
        yield Verdict(
            "unknown",
            object="security",
            observed=f"no security update known, but no advisory says what {what} would fix",
            expected="advisories for every update",
            summary=f"Any of these may be a security update: {names_text(update['name'] for update in unnamed)}.",
            advice=view.command(
                "Find out why the package sources offer updates without advisories, then look again.",
                "Look up in Microsoft's catalogue what they mend, then decide.",
            ),
            command=LISTS.get(view.data("packages")["manager"], ""),
            data={"unclassified": len(unnamed)},
        )
        return
    yield from _pending(view, policy, "security", items, "watch", "act")


@check(
    "patching.point_release_pending",
    title="Pending point-release updates",
    advice="They carry fixes without an advisory; 'security only' patching leaves them out. Install them monthly.",
    needs=("packages",),
    controls=("CIS 7.3", "ISO A.8.8"),
    thresholds=("point_release_d",),
)
def point_release_pending(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge updates that come only with a point release of the distribution."""
    updates = open_updates(view, "point_release")
    if view.data("packages")["manager"] != "apt" and not updates:
        return
    items = [aged(view, update, policy.point_release_d * DAY) for update in updates]
    yield from _pending(view, policy, "point-release", items, "watch", "act")


@check(
    "patching.other_pending",
    title="Pending bug-fix and feature updates",
    advice="No hurry; take them along with the next security updates so that the distance to the vendor stays small.",
    needs=("packages",),
    thresholds=("other_updates_d",),
)
def other_pending(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge updates that their vendor calls bug fix, feature or driver."""
    items = [
        aged(view, update, policy.other_updates_d * DAY) for update in open_updates(view, "bugfix", "feature", "driver")
    ]
    yield from _pending(view, policy, "other", items, "ok", "watch")


@check(
    "patching.unclassified",
    title="Unclassified updates",
    advice="Treat all of them as security updates and install them within that deadline.",
    needs=("packages",),
    controls=("ISO A.8.8", "NIS2 6.6.1", "CE A6.4", "CE A6.5"),
    thresholds=("sla_high_or_unrated_d", "sla_other_d"),
)
def unclassified(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge updates from sources without advisories or a security archive: as security, and never ok."""
    items = [aged(view, update, sla(update, view.exposure, policy)) for update in open_updates(view, "unknown")]
    if not items:
        yield from _pending(view, policy, "unclassified", items, "ok", "act")
        return
    for verdict in _pending(view, policy, "unclassified", items, "unknown", "act"):
        sources = sorted({origin for item in items for origin in item.update["origins"]})
        text = f" The sources {names_text(sources)} say nothing about them." if sources else ""
        yield Verdict(
            verdict.state,
            object=verdict.object,
            observed=verdict.observed,
            expected="advisories for every update",
            summary=verdict.summary + text,
            advice=verdict.advice,
            command=verdict.command,
            since=verdict.since,
            age_basis=verdict.age_basis,
            deadline=verdict.deadline,
            data={**verdict.data, "sources": sources[:20]},
        )
