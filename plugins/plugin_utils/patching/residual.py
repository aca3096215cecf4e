# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what is still open after a change, line by line with its reason. Pure."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.models import Plan, of_windows


def explain(plan: Plan, document: Mapping[str, t.Any], failures: Mapping[str, str] | None = None) -> list[str]:
    """Return a line for every update of the plan that is still pending, and for every security update left out.

    ``failures`` are updates that could not be installed, with their error in plain words, which begins with its code.
    """
    record = document["probes"].get("packages")
    if record is None or record["status"] != "ok" or record["data"]["pending"] is None:
        return ["The host gave no list of updates after the change: what is left is not known."]
    pending = {(entry["name"], entry.get("arch") or ""): entry for entry in record["data"]["pending"]}
    wanted = {(item.name, item.arch): item for item in plan.items}
    lines = []
    for key, entry in sorted(pending.items()):
        item = wanted.get(key)
        if item is None:
            continue
        if item.kind == "patch":
            lines.append(f"patch {item.name} is still needed")
            continue
        if item.kind == "update":
            if entry["candidate"] == item.version:
                code = (failures or {}).get(item.name, "").partition(":")[0]
                lines.append(f"{item.name} is still offered" + (f": it failed, {code}" if code else ""))
            else:
                lines.append(f"{item.name} is offered in another revision since the plan was made")
            continue
        if entry["installed"] == item.version:
            # Above the fix there is a newer version which the policy does not ask for, unless it is a fix again.
            if entry["class"] in ("security", "unknown"):
                newer = entry.get("security_version") or entry["candidate"]
                lines.append(f"{item.name} {newer}: a newer fix, offered only since the plan was made")
            continue
        held = f" ({entry['held_by']})" if entry["held_by"] else ""
        lines.append(f"{item.name} is still at {entry['installed']} instead of {item.version}{held}")
    lines += [
        f"{_called(entry.name, entry.version, entry.title, entry.update_id)}: {entry.reason}"
        for entry in plan.withheld
        if entry.update_class in ("security", "unknown") and (entry.name, entry.arch) in pending
    ]
    known = {*wanted, *((entry.name, entry.arch) for entry in plan.withheld)}
    lines += [
        f"{_called(name, entry['candidate'], entry.get('title'), entry.get('update_id'))}: "
        "offered only since the plan was made"
        for (name, arch), entry in sorted(pending.items())
        if (name, arch) not in known and entry["class"] in ("security", "unknown")
    ]
    return lines


def _called(name: str, version: str, title: str | None, update_id: str | None) -> str:
    return of_windows(name, title or "", version) if update_id else f"{name} {version}"
