# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: checks of what is withheld, and by whom."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import (
    DAY,
    State,
    Verdict,
    View,
    check,
    count_text,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._patching_months import gap, kept_away, offered
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._patching_pending import LISTS, figures
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._patching_policy import (
    Policy,
    aged,
    doubts,
    look_again,
    names_text,
    oldest_first,
    sla,
)

_REASONS = {
    "hold": ("on hold", "apt-mark showhold"),
    "pin": ("kept back by a pin", "apt-cache policy"),
    "exclude": (
        "excluded in the configuration",
        "grep -rE '^(exclude|excludepkgs)' /etc/dnf /etc/yum.conf /etc/yum.repos.d",
    ),
    "versionlock": ("locked to a version", "cat /etc/dnf/plugins/versionlock.list /etc/dnf/versionlock.toml"),
    "dependency": ("kept back by dependencies", "apt-get -s dist-upgrade"),
    "update_stack": ("waiting for an update of zypper itself", "zypper --no-refresh list-patches"),
    "hidden": ("hidden on this host", LISTS["wua"]),
}


@check(
    "patching.withheld",
    title="Held-back updates",
    advice="Find out who held it and why. A fix held past its deadline needs an exception with a name and an end date.",
    needs=("packages",),
    sources=("check-update without excludes", "/etc/dnf/plugins/versionlock.list"),
    controls=("CIS 7.2", "ISO A.8.8", "NIS2 6.6.2"),
    thresholds=("sla_critical_internet_h", "sla_high_or_unrated_d", "sla_other_d"),
)
def withheld(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge what holds, pins, excludes and version locks keep from being installed; phasing is never overdue."""
    data = view.data("packages")
    if data["pending"] is None:
        yield Verdict("unknown", observed="no list of updates", expected="no security fix held back")
        return
    held = [update for update in data["pending"] if update["held_by"] is not None]
    phased = [update for update in held if update["held_by"] == "phasing"]
    bad = False
    for reason in sorted({update["held_by"] for update in held} - {"phasing"}):
        mine = [update for update in held if update["held_by"] == reason]
        items = oldest_first(aged(view, update, sla(update, view.exposure, policy)) for update in mine)
        fixes = [item for item in items if item.update["class"] in ("security", "unknown")]
        overdue = [item for item in fixes if item.deadline < view.now]
        words, command = _REASONS.get(reason, (f"held back ({reason})", ""))
        state: State = "act" if overdue else "watch" if fixes else "ok"
        if state == "ok":
            continue
        bad = True
        first = (overdue or fixes)[0]
        names = names_text(item.update["name"] for item in (overdue or fixes))
        yield Verdict(
            state,
            object=reason,
            observed=f"{count_text(len(fixes), 'security fix', 'security fixes')} {words}, {len(overdue)} overdue",
            expected="no security fix held back past its deadline",
            summary=f"{names}: {words}"
            + (", past the deadline: install it or record an exception." if overdue else "."),
            command=command,
            since=first.since,
            age_basis=first.basis,
            deadline=first.deadline,
            data={"held_by": reason, "waiver_required": bool(overdue), **figures(items, view.now)},
        )
    away = list(_kept_away(view, policy)) if view.windows else []
    yield from away
    bad = bad or bool(away)
    doubt = doubts(view, policy)
    if not bad and doubt:
        yield Verdict(
            "unknown",
            observed=f"{count_text(len(held), 'update')} known to be held back, but {doubt[0]}",
            expected="no security fix held back",
            advice=look_again(view),
        )
    elif not bad:
        parts = []
        rest = len(held) - len(phased)
        if rest:
            parts.append(f"{count_text(rest, 'update')} without a security fix held back")
        if phased:
            parts.append(
                f"{count_text(len(phased), 'update')} deferred by phasing: {names_text(u['name'] for u in phased)}"
            )
        text = "; ".join(parts) or "nothing is held back"
        names_held = {"deferred_by_phasing": [update["name"] for update in phased][:20]}
        yield Verdict("ok", observed=text, expected="no security fix held back", data=names_held)


def _kept_away(view: View, policy: Policy) -> Iterator[Verdict]:
    """Judge pauses and deferrals of Windows Update: what they keep away is on no list."""
    limit = sla({"severity": None}, view.exposure, policy)
    lacks = gap(view)
    deferred = view.data("packages")["not_offered"].get("deferred_days") or 0
    for kind, text in kept_away(view):
        waits = lacks is not None and not offered(view)
        late = waits and lacks is not None and view.now > lacks.since + limit
        too_long = kind == "deferral" and deferred * DAY > limit
        if kind == "deferral" and not waits and not too_long:
            continue
        what = f"; the monthly update of {lacks.newest} is out" if waits and lacks else ""
        yield Verdict(
            "act" if late or too_long else "watch",
            object=kind,
            observed=f"{text}{what}",
            expected="no security fix held back past its deadline",
            summary=f"What is not offered is not installed: {text}{what}.",
            command="Get-ItemProperty 'HKLM:\\SOFTWARE\\Policies\\Microsoft\\Windows\\WindowsUpdate', "
            "'HKLM:\\SOFTWARE\\Microsoft\\WindowsUpdate\\UX\\Settings'",
            since=lacks.since if waits and lacks else None,
            age_basis="release of the update after the installed one" if waits else "",
            deadline=lacks.since + limit if waits and lacks else None,
            data={"held_by": kind, "waiver_required": late or too_long},
        )
