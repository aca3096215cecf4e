# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the plan of a Windows host, as far as it is other than that of a package manager. Pure.

The Windows Update Agent cannot simulate: what is wanted is what is done, and the host says right before the work
whether it still offers exactly that.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence

from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.models import Item, Move, RebootPlan, Rollback
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.options import Options

_WAY_BACK: t.Final = (
    "Nothing is taken back by itself. Of a monthly update the cumulative part can be removed by hand "
    "(DISM /Online /Remove-Package), its servicing stack and most others cannot: what brings a host back is a "
    "snapshot or a backup from before."
)


def simulation(items: Sequence[Item], pending: Sequence[Mapping[str, t.Any]]) -> dict[str, t.Any]:
    """Return what a package manager would simulate: a line for each update, and what is to be fetched at most."""
    sizes = {(update["name"], update["candidate"], update.get("update_id")): update.get("size") for update in pending}
    wanted = [sizes.get((item.name, item.version, item.update_id)) for item in items]
    return {
        "moves": [
            {
                "name": item.name,
                "arch": item.arch,
                "action": "install",
                "before": None,
                "after": item.version,
                "update_id": item.update_id,
            }
            for item in items
        ],
        "errors": [],
        "download_bytes": None if None in wanted else sum(int(size or 0) for size in wanted),
        # Nobody says how much an update takes once it is in place.
        "installed_bytes": None,
    }


def reboot(data: Mapping[str, t.Any], items: Sequence[Item], options: Options, left: str = "") -> RebootPlan:
    """Return whether the updates, or what is pending already, will ask for a reboot; ``left`` as of ``reboot_left``."""
    told = data["reboot"]
    pending = [f"{reason['detail']} (already pending)" for reason in told["reasons"]]
    reasons = pending if told["required"] == "yes" and told["strength"] == "strong" else []
    behaviour = {(update["name"], update.get("update_id")): update for update in data["pending"] or []}
    wanted = [(item, behaviour.get((item.name, item.update_id), {})) for item in items]
    reasons += [
        f"{item.name} takes effect at boot"
        for item, update in wanted
        if update.get("needs_reboot") or update.get("cumulative")
    ]
    expected: t.Literal["yes", "no", "unknown"] = "yes" if reasons else "no"
    if not reasons:
        reasons = [f"{item.name} may ask for it" for item, update in wanted if update.get("needs_reboot") is None]
        expected = "unknown" if reasons or (items and told["required"] == "unknown") else "no"
    alone = left if not items and due_first(data) and options.reboot == "when_required" else ""
    if expected == "no":
        text = ""
    elif alone:
        text = f"the change of run {left} had to leave it: it is done inside the window"
    elif options.reboot == "when_required":
        text = "the host is rebooted when it asks for it, inside the window, and goes on with what is left"
    else:
        text = "left to a person: patching_reboot is 'never'"
    return RebootPlan(expected=expected, reasons=list(dict.fromkeys(reasons)), text=text, left=alone)


def reboot_left(last: ChangeRecord | None) -> str:
    """Return the run of a host's newest change, where that ended well and had to leave its reboot; else nothing."""
    if last is None or last.outcome != "done" or last.reboot is None or last.reboot.required != "yes":
        return ""
    told = [step for step in last.steps if step.name == "reboot"]
    return last.run_id if told and told[-1].outcome == "skipped" else ""


def rollback(moves: Sequence[Move]) -> Rollback:
    """Return what could be taken back."""
    if not moves:
        return Rollback(possible="yes", text="Nothing would be changed.")
    return Rollback(possible="no", text=_WAY_BACK)


def due_first(data: Mapping[str, t.Any]) -> list[str]:
    """Return why nothing installs before the host is rebooted; empty when it does."""
    told = data["reboot"]
    if told["required"] != "yes" or told["strength"] != "strong":
        return []
    return [str(reason["detail"]) for reason in told["reasons"] if reason["strength"] == "strong"]
