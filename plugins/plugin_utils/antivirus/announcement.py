# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: plans of antivirus work as text. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from ansible_collections.keepwell.fleet.plugins.plugin_utils.antivirus.models import Plan
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import count_text, size_text
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import Client, iso
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.visible import visible

WIDTH = 100


def client(
    owner: Client, plans: Sequence[Plan], missing: Sequence[str], run_id: str, now: float, *, acting: bool
) -> str:
    """Return the announcement of a run: every host with its steps, and those without a plan."""
    lines = [
        f"Antivirus work for {owner.name}, planned {iso(now)} (run {run_id})",
        "It is done now, as far as guards and windows allow."
        if acting
        else "This is an announcement: nothing has been changed.",
        "",
    ]
    busy = sorted((plan for plan in plans if plan.steps or plan.left), key=lambda plan: plan.host)
    for plan in busy:
        lines += [*_host(plan), ""]
    idle = sorted(plan.host for plan in plans if not (plan.steps or plan.left))
    if idle:
        lines += [*_wrap("No step was asked for: ", ", ".join(idle)), ""]
    if missing:
        lines += [*_wrap("No plan, because they were not reached or could not be judged: ", ", ".join(missing)), ""]
    if any(plan.steps for plan in busy) and not acting:
        lines += ["To do it, add: -e antivirus_act=true", ""]
    return "\n".join(lines)


def _host(plan: Plan) -> Iterator[str]:
    known = f"{count_text(plan.open_detections, 'open detection')}, {plan.in_quarantine} in quarantine"
    yield from _wrap(f"{plan.host}: ", known)
    for step in plan.steps:
        against = "" if step.ready else "NOT POSSIBLE: "
        yield from _wrap(f"  {step.name}: ", f"{against}{step.text}.", indent=6)
    for step_name, why in plan.left.items():
        yield from _wrap(f"  {step_name}: ", f"left: {why}.", indent=6)
    if plan.targets:
        if plan.targets.largest_bytes:
            yield f"  Files larger than {size_text(plan.targets.largest_bytes)} are passed by."
        for folder, reason in plan.targets.left_out.items():
            yield from _wrap(f"    left out {folder}: ", reason, indent=6)
    for line in plan.warnings:
        yield from _wrap("  Note: ", f"{line}.", indent=6)


def _wrap(head: str, text: str, indent: int = 2) -> list[str]:
    # Much of this is told by the hosts: nothing of it may move the cursor of a terminal.
    return textwrap.wrap(
        visible(head + text), WIDTH, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False
    )
