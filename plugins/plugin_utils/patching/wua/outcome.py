# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what came of a turn, from what ansible.windows.win_updates returns. Pure."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import count_text
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.guards import Stop
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.models import Item
from ansible_collections.keepwell.fleet.plugins.plugin_utils.windows_errors import catalogue, connection

# How the module says that an error of a COM call came with a code, and its own words without one.
_CODE = re.compile(r"\b0x([0-9A-Fa-f]{8})\b")
_REBOOT_FIRST = "A reboot is required before more updates can be installed"
# What the record calls the build of Windows among the updates.
_BUILD = "Windows"
_EXCLUSIVE = 0x80240019
# Not tried yet, or asking for a boot first: they have another turn once the host was rebooted.
_AFTER_A_BOOT = (0x80240016, 0x80070BC9, 0x8024201D, 0x80242014, _EXCLUSIVE)


@dataclass
class Attempt:
    """What became of the updates of one or more turns; ids are those of Windows Update."""

    installed: set[str] = field(default_factory=set)
    failures: dict[str, int] = field(default_factory=dict)
    # What the agent did besides: never wanted, always told.
    others: dict[str, str] = field(default_factory=dict)
    waiting: set[str] = field(default_factory=set)
    reboot: bool = False
    # Of the turn as a whole, where no update has one of its own.
    error: str = ""
    # What kept the turns after it back.
    stop: Stop | None = None

    def take(self, other: Attempt) -> None:
        """Add what came of a later turn; what succeeds at last has not failed."""
        self.failures.update(other.failures)
        self.installed |= other.installed
        for done in self.installed:
            self.failures.pop(done, None)
        self.others.update(other.others)
        self.waiting = (self.waiting | other.waiting) - self.installed - self.failures.keys()
        self.reboot = self.reboot or other.reboot
        self.error = other.error


def broke_off(result: Mapping[str, t.Any]) -> bool:
    """True when the module was not heard to its end: nobody knows yet what became of the turn.

    The module tells only some broken connections apart; of the others it says what the library said.
    """
    if result.get("unreachable"):
        return True
    message = str(result.get("msg") or "")
    return bool(result.get("failed")) and not _CODE.search(message) and connection.find(message) is not None


def read(turn: Sequence[Item], result: Mapping[str, t.Any]) -> Attempt:
    """Return what became of the updates of a turn."""
    found = Attempt(reboot=bool(result.get("reboot_required")))
    wanted = {item.update_id for item in turn}
    # The probe writes GUIDs in small letters, the module as the update's source has them.
    spelled = {identifier.lower(): identifier for identifier in wanted}
    for named, update in (result.get("updates") or {}).items():
        identifier = spelled.get(named.lower(), named)
        code = update.get("failure_hresult_code")
        wrong = code is not None and catalogue.unsigned(int(code)) >> 31 == 1
        if identifier not in wanted:
            if update.get("installed"):
                found.others[identifier] = str(update.get("title") or identifier)
        elif wrong and catalogue.unsigned(int(code)) in _AFTER_A_BOOT:
            found.waiting.add(identifier)
            found.reboot = True
        elif wrong:
            found.failures[identifier] = catalogue.unsigned(int(code))
        elif update.get("installed") or code is not None:
            found.installed.add(identifier)
    if result.get("failed"):
        _error(found, str(result.get("msg") or "the module gave no reason"))
    found.waiting |= wanted - found.installed - found.failures.keys()
    return found


def _error(found: Attempt, message: str) -> None:
    """Take in the error of the turn as a whole."""
    if _REBOOT_FIRST in message:
        found.reboot = True
        return
    if found.failures:
        # Each failed one says why; the module's sentence says only that there are some.
        return
    code = _CODE.search(message)
    said = " ".join(message.split())[:300]
    found.error = f"{catalogue.words(int(code[1], 16))} ({said})" if code else said


def failures(items: Sequence[Item], found: Attempt) -> dict[str, str]:
    """Return name -> why it failed in plain words."""
    names = {item.update_id: item.name for item in items}
    return {names[identifier]: catalogue.words(code) for identifier, code in sorted(found.failures.items())}


def close(record: ChangeRecord, left: str) -> None:
    """Give a change that was verified its last words; ``left`` says what is still open, and why it was not begun."""
    in_place = [entry for entry in record.versions if entry.update_id and entry.name not in record.failures]
    build = next((f", build {entry.after}" for entry in record.versions if entry.name == _BUILD), "")
    rebooted = record.reboot is not None and record.reboot.done and not in_place
    done = f"{'rebooted' if rebooted else count_text(len(in_place), 'update') + ' in place'}{build}"
    if not record.failures:
        record.text = f"{done[:1].upper()}{done[1:]}; {left.rstrip('.')}."
        return
    moved = {entry.name for entry in record.versions}
    record.outcome = "failed"
    record.code = "not_in_place" if moved & record.failures.keys() else "apply_failed"
    told = [f"{name}: {why.rstrip('.')}." for name, why in record.failures.items()]
    more = f" And {len(told) - 3} more." if told[3:] else ""
    rest = f" Not begun: {record.stopped}" if record.stopped else ""
    record.text = f"{count_text(len(told), 'update')} failed, {done}. {' '.join(told[:3])}{more}{rest}"


def state(items: Sequence[Item], found: Attempt, started_at: float) -> dict[str, t.Any]:
    """Return the end of a round in the form of the state of a transaction; see ``transaction.absorb``.

    Done as soon as something is in place or has to wait for a boot: what failed is told beside it, and decides once
    the host has come to rest.
    """
    done = [item for item in items if item.update_id in found.installed]
    failed = failures(items, found)
    answer: dict[str, t.Any] = {
        "started_at": started_at,
        "kind": "apply",
        "moves_done": [
            {
                "name": item.name,
                "after": item.version,
                "update_id": item.update_id,
                "title": item.title,
                "cumulative": item.cumulative,
            }
            for item in done
        ],
        "failures": failed,
        "half_done": [],
        "stopped": found.stop.text if found.stop else "",
        "log_tail": "\n".join(f"{name}: {words}" for name, words in failed.items()),
    }
    changed = f"{count_text(len(done), 'update')} installed"
    told = [f"{name} failed: {words}" for name, words in list(failed.items())[:3]]
    told += [f"more than was wanted: {title}" for title in found.others.values()]
    if found.error:
        told.append(found.error)
    if found.stop is not None:
        told.append(f"{count_text(len(found.waiting), 'update')} not begun: {found.stop.text}")
    text = "; ".join([changed, *told])
    if done or (found.reboot and not failed and not found.error):
        waits = ", the rest waits for the reboot" if found.waiting and found.reboot else ""
        code = found.stop.code if found.stop else ""
        return {**answer, "outcome": "done", "code": code, "text": text + waits}
    if not failed and not found.error and found.stop is not None:
        return {**answer, "outcome": found.stop.outcome, "code": found.stop.code, "text": found.stop.text}
    if not failed and not found.error:
        # Chosen, and not found any more by the module's own search.
        text = "Windows Update does not offer the chosen updates any more; announce a new plan."
        return {**answer, "outcome": "refused", "code": "plan_changed", "text": text}
    code = "download_failed" if "ownload" in found.error else "apply_failed"
    return {**answer, "outcome": "failed", "code": code, "text": text[:1].upper() + text[1:]}
