# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the facts of one unit or timer of systemd (part of the services probe, and of the watch).

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

from ansible_collections.keepwell.fleet.plugins.module_utils.probes._systemd import (
    parse_count,
    parse_span,
    parse_timestamp,
)

UNIT_PROPERTIES = (
    "Id,Type,LoadState,ActiveState,SubState,Result,NRestarts,ExecMainStatus,StateChangeTimestamp,UnitFileState,"
    "InvocationID,MemoryCurrent,TasksCurrent,ConditionResult,ConditionTimestamp,TriggeredBy"
)
TIMER_PROPERTIES = (
    "Id,LoadState,ActiveState,SubState,Result,UnitFileState,StateChangeTimestamp,Unit,LastTriggerUSec,"
    "NextElapseUSecRealtime,NextElapseUSecMonotonic,ConditionResult,ConditionTimestamp"
)


def full_name(name):
    """Name of a unit with its kind; a service where none is said."""
    return name if "." in name else name + ".service"


def unit_facts(block):
    """Return the facts of one unit. ``invocation`` is the start of systemd's id of this very start of the unit.

    ``condition`` is None when the unit's conditions were not looked at since systemd loaded the unit.
    """
    facts = {
        "type": block.get("Type") or None,
        "load": block.get("LoadState") or None,
        "active": block.get("ActiveState") or None,
        "sub": block.get("SubState") or None,
        "result": block.get("Result") or None,
        "enabled": block.get("UnitFileState") or None,
        "since": parse_timestamp(block.get("StateChangeTimestamp", "")),
        "condition": _condition(block),
        "triggered_by": block.get("TriggeredBy", "").split(),
    }
    if block["Id"].endswith(".service"):
        facts["restarts"] = parse_count(block.get("NRestarts"))
        facts["exit"] = parse_count(block.get("ExecMainStatus"))
        facts["invocation"] = block.get("InvocationID", "")[:16] or None
        facts["memory_bytes"] = parse_count(block.get("MemoryCurrent"))
        facts["tasks"] = parse_count(block.get("TasksCurrent"))
    return facts


def _condition(block):
    return block.get("ConditionResult") == "yes" if block.get("ConditionTimestamp") else None


def timer_facts(block, service, started):
    """Return the facts of one timer: when it ran, when it runs next (None: never again), how its unit fared.

    ``started`` is the epoch of boot: timers that count from boot name their next run as a span since then.
    """
    following = [parse_timestamp(block.get("NextElapseUSecRealtime", ""))]
    span = parse_span(block.get("NextElapseUSecMonotonic", ""))
    if span is not None and started is not None:
        following.append(started + span)
    known = [moment for moment in following if moment is not None]
    return {
        "active": block.get("ActiveState") or None,
        "sub": block.get("SubState") or None,
        "result": block.get("Result") or None,
        "enabled": block.get("UnitFileState") or None,
        "since": parse_timestamp(block.get("StateChangeTimestamp", "")),
        "condition": _condition(block),
        "last": parse_timestamp(block.get("LastTriggerUSec", "")),
        "next": round(min(known), 3) if known else None,
        "unit": block.get("Unit") or None,
        "unit_active": service.get("ActiveState"),
        "unit_result": service.get("Result"),
        "unit_exit": parse_count(service.get("ExecMainStatus")),
        "unit_since": parse_timestamp(service.get("StateChangeTimestamp", "")),
    }
