# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what is really in place, by the host's own account: build, history, what is offered. Pure.

The word of the module that installed counts for nothing here: an update that is taken back during the boot has been
"installed" before.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Mapping, Sequence

from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import Version
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import count_text
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.wua import planning
from ansible_collections.keepwell.fleet.plugins.plugin_utils.windows_errors import catalogue

_SUCCEEDED = ("succeeded", "succeeded_with_errors")
_FAILED = ("failed", "aborted")
# The history has whole seconds.
_SLACK_S = 5.0


class Verdict(t.NamedTuple):
    """What is not in place, name -> why; what waits for a boot; and the build that runs now."""

    missing: dict[str, str]
    waiting: list[str]
    build: str


def of(updates: Iterable[Version], data: Mapping[str, t.Any], since: float, build_before: str) -> Verdict:
    """Judge updates that are said to be installed since then; ``data`` is the packages document of now."""
    running = build(data)
    boot_due = bool(planning.due_first(data))
    missing, waiting = {}, []
    for update in updates:
        why = _failed(update, data, since)
        if why:
            missing[update.name] = why
        elif boot_due:
            waiting.append(update.name)
        else:
            doubt = _doubt(update, data, since, running, build_before)
            if doubt:
                missing[update.name] = doubt
    return Verdict(missing, waiting, running)


def build(data: Mapping[str, t.Any]) -> str:
    """Return the build that runs, as 10.0.20348.2700; empty when nobody knows."""
    return str((data.get("kernel") or {}).get("running") or "")


def accounted(answer: Mapping[str, t.Any], data: Mapping[str, t.Any]) -> bool:
    """True when the host's history says of every update of a round how it ended."""
    since = float(answer["started_at"])
    last = (_last(str(move["update_id"]), data, since) for move in answer["moves"])
    return all(line is not None and line["result"] in (*_SUCCEEDED, *_FAILED) for line in last)


def state(answer: Mapping[str, t.Any], data: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the end of a round that nobody saw, in the form of the state of a transaction.

    ``answer`` is what the host noted when it began; what came of it is in its history.
    """
    since = float(answer["started_at"])
    done, failed, open_ = [], {}, []
    for move in answer["moves"]:
        last = _last(str(move["update_id"]), data, since)
        if last is not None and last["result"] in _SUCCEEDED:
            done.append(move)
        elif last is not None and last["result"] in _FAILED:
            failed[str(move["name"])] = _words(last)
        else:
            open_.append(str(move["name"]))
    found: dict[str, t.Any] = {
        "kind": "apply",
        "started_at": since,
        "moves_done": [
            {
                "name": move["name"],
                "after": str(move["revision"]),
                "update_id": move["update_id"],
                "title": str(move.get("title") or ""),
                "cumulative": bool(move.get("cumulative")),
            }
            for move in done
        ],
        "failures": failed,
        "half_done": [],
        "log_tail": "\n".join(f"{name}: {words}" for name, words in failed.items()),
    }
    text = f"by the host's own history {count_text(len(done), 'update')} installed"
    text += f", {len(failed)} failed" if failed else ""
    text += f", nothing is known of {', '.join(open_[:5])}" if open_ else ""
    if done or planning.due_first(data):
        return {**found, "outcome": "done", "code": "", "text": text}
    if failed:
        words = "; ".join(f"{name} failed: {why}" for name, why in list(failed.items())[:3])
        return {**found, "outcome": "failed", "code": "apply_failed", "text": f"{text}: {words}"}
    return {
        **found,
        "outcome": "refused",
        "code": "interrupted",
        "text": f"The work was ended before anything was installed: {text}.",
    }


def _last(update_id: str, data: Mapping[str, t.Any], since: float) -> Mapping[str, t.Any] | None:
    """The newest line of the host's history on an update since then."""
    lines: Sequence[Mapping[str, t.Any]] = data.get("history") or []
    mine = [
        line
        for line in lines
        if line["operation"] == "install"
        and str(line["update_id"]).lower() == update_id.lower()
        and (line["at"] or 0.0) >= since - _SLACK_S
    ]
    return max(mine, key=lambda line: float(line["at"] or 0.0), default=None)


def _words(line: Mapping[str, t.Any]) -> str:
    code = line.get("hresult")
    return catalogue.words(int(str(code), 16)) if code else "the host's history gives no reason"


def _failed(update: Version, data: Mapping[str, t.Any], since: float) -> str:
    """Return how the host's own history says that an update failed, empty when it does not."""
    last = _last(update.update_id, data, since)
    return f"Windows took it back or could not finish it: {_words(last)}" if last and last["result"] in _FAILED else ""


def _doubt(update: Version, data: Mapping[str, t.Any], since: float, running: str, build_before: str) -> str:
    """Return what speaks against an update being in place, empty when nothing does."""
    if data["pending"] is None:
        return "the host gave no list of updates after the change"
    offered = {(entry.get("update_id"), entry["candidate"]) for entry in data["pending"]}
    if (update.update_id, update.after) in offered:
        return "it was reported as installed, and Windows offers it still"
    if update.cumulative and build_before and running == build_before:
        return f"it was reported as installed, and the build is still {running}"
    if data.get("history") is None:
        return "the host's history of updates could not be read"
    last = _last(update.update_id, data, since)
    grown = update.cumulative and build_before and running != build_before
    if not grown and (last is None or last["result"] not in _SUCCEEDED):
        return "it was reported as installed, and the host's history does not have it"
    return ""
