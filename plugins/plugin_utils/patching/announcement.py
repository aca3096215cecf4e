# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: plans as text, for a terminal at night and for the client's office. Pure."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import count_text, size_text
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import Client, iso
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.models import (
    Item,
    Move,
    Plan,
    Withheld,
    of_windows,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.visible import visible

WIDTH = 100
_CLASSES = {
    "security": "security",
    "point_release": "point release",
    "bugfix": "bug fix",
    "feature": "new feature",
    "driver": "driver",
    "definition": "malware definition",
    "unknown": "no advisory, counts as security",
    "dependency": "needed by another",
}


def client(
    owner: Client, plans: Sequence[Plan], missing: Sequence[str], run_id: str, now: float, *, acting: bool
) -> str:
    """Return the announcement of a run: every host in the order of its ring, and those without a plan."""
    busy = [plan for plan in plans if not _is_quiet(plan)]
    quiet = sorted(plan.host for plan in plans if _is_quiet(plan))
    lines = [
        f"Updates for {owner.name}, planned {iso(now)} (run {run_id})",
        "Hosts are changed ring by ring while a window is open."
        if acting
        else "This is an announcement: nothing has been changed.",
        "",
    ]
    for plan in sorted(busy, key=lambda entry: (entry.ring or 0, entry.host)):
        lines += [*_host(plan), ""]
    if quiet:
        lines += [*_wrap("Nothing to do: ", ", ".join(quiet)), ""]
        for plan in sorted(plans, key=lambda entry: entry.host):
            if plan.host in quiet and plan.withheld:
                lines += [visible(plan.host), *_withheld(plan), ""]
    if missing:
        lines += [*_wrap("No plan, because they were not reached or could not be judged: ", ", ".join(missing)), ""]
    if busy and not acting:
        lines += [
            "To carry out exactly these plans, inside a maintenance window:",
            f"  -e patching_act=true -e patching_approved_run={run_id} \\",
            "  -e 'patching_approver=\"...\"'",
            "",
        ]
    return "\n".join(lines)


def host(plan: Plan) -> str:
    """Return the plan of one host."""
    return "\n".join(_host(plan)) + "\n"


def _host(plan: Plan) -> Iterator[str]:
    ring = f", ring {plan.ring}" if plan.ring else ""
    lane = ", EMERGENCY" if plan.lane == "emergency" else ""
    yield from _wrap(f"{plan.host}{ring}{lane}: ", _counted(plan), indent=4)
    if plan.ring_reason:
        yield from _wrap("  Ring: ", plan.ring_reason, indent=6)
    by_name = {item.name: item for item in plan.items}
    for move in plan.transaction:
        item = by_name.get(move.name)
        yield from _wrap(f"  {_move(move, item)}", _why(item), indent=6)
    for item in plan.items:
        if item.kind == "patch":
            yield from _wrap(f"  patch {item.name}", _why(item), indent=6)
    if not plan.empty:
        yield from _wrap(
            f"  Reboot: {plan.reboot.expected}", _sentence([*plan.reboot.reasons, plan.reboot.text]), indent=6
        )
    if plan.transaction:
        if plan.services or plan.services_kept:
            restarted = ", ".join(plan.services) or "none"
            yield from _wrap("  Services to restart: ", f"{restarted}; more may come with the new files", indent=6)
        for unit, reason in plan.services_kept.items():
            yield from _wrap(f"  {unit} stays as it is: ", reason, indent=6)
        less = (plan.installed_bytes or 0) < 0
        grown = None if plan.installed_bytes is None else abs(plan.installed_bytes)
        yield f"  Space: {_size(plan.download_bytes)} to fetch, {_size(grown)} {'less' if less else 'more'} on disk"
        yield from _wrap("  Way back: ", plan.rollback.text, indent=6)
        for line in plan.rollback.not_possible:
            yield from _wrap("    no way back: ", line, indent=6)
    for fact in plan.preflight:
        if not fact.passed:
            wanted = f" (wanted: {fact.expected})" if fact.expected else ""
            yield from _wrap(f"  NOT READY, {fact.name}: ", f"{fact.observed}{wanted}. {fact.advice}".strip(), indent=6)
    for line in plan.doubts:
        yield from _wrap("  Not certain: ", line, indent=6)
    yield from _withheld(plan)
    yield f"  Plan {plan.plan_hash[:16]}"


def _withheld(plan: Plan) -> Iterator[str]:
    if plan.withheld:
        yield "  Left out:"
    for entry in plan.withheld:
        yield from _wrap(f"    {_left_out(entry)}: ", entry.reason, indent=6)


def _left_out(entry: Withheld) -> str:
    if entry.update_id:
        return of_windows(entry.name, entry.title, entry.version)
    return f"{entry.name} {_change(entry.installed, entry.version)}"


def _change(before: str | None, after: str) -> str:
    return f"{before} -> {after}" if before else after


def _is_quiet(plan: Plan) -> bool:
    """True when nothing is wanted; a host that wants something and gets nothing is no quiet one."""
    return plan.empty and plan.ready and not plan.items


def _counted(plan: Plan) -> str:
    if plan.reboot.left:
        return "a reboot"
    if not plan.transaction:
        return "nothing to do" if plan.ready and not plan.items else "nothing can be done"
    counts = Counter(item.update_class for item in plan.items)
    more = len(plan.transaction) - sum(item.kind != "patch" for item in plan.items)
    parts = [f"{number} {_CLASSES[name]}" for name, number in sorted(counts.items())]
    if more > 0 and all(item.kind != "patch" for item in plan.items):
        parts.append(f"{more} needed by them")
    what = "update" if any(item.kind == "update" for item in plan.items) else "package"
    return f"{count_text(len(plan.transaction), what)} ({', '.join(parts)})"


def _move(move: Move, item: Item | None) -> str:
    if move.update_id:
        return of_windows(move.name, item.title if item else "", move.after or "?")
    name = f"{move.name}:{move.arch}" if move.arch not in ("", "all", "noarch") else move.name
    if move.action == "upgrade":
        return f"{name} {move.before} -> {move.after}"
    return f"{move.action} {name} {move.after or move.before or ''}".rstrip()


def _why(item: Item | None) -> str:
    if item is None:
        return ": needed by the others"
    severity = f", {item.severity}" if item.severity else ""
    known = [name for name in (*item.advisories, *item.cves) if name != item.name]
    names = f"; {', '.join(known[:6])}" + (f" and {len(known) - 6} more" if known[6:] else "") if known else ""
    due = f"; due {item.deadline[:10]}" if item.deadline else ""
    reason = f"; {item.reason}" if item.reason else ""
    return f": {_CLASSES[item.update_class]}{severity}{names}{due}{reason}"


def _sentence(parts: Sequence[str]) -> str:
    told = [part for part in parts if part]
    return f": {'; '.join(told)}" if told else ""


def _size(number: int | None) -> str:
    return "an unknown amount" if number is None else size_text(number)


def _wrap(head: str, text: str, indent: int = 2) -> list[str]:
    # Much of this is told by the hosts: nothing of it may move the cursor of a terminal.
    return textwrap.wrap(
        visible(head + text), WIDTH, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False
    ) or [head.rstrip()]
