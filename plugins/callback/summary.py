# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The last lines of a run: verdict, counts, top problems, who was not reached, and the files written."""

from __future__ import annotations

DOCUMENTATION = r"""
name: summary
type: aggregate
short_description: Ends a Keepwell run with its verdict
description:
  - Prints at most 25 lines at the end of a playbook that recorded a Keepwell run. Works beside any stdout callback.
  - On a terminal, long runs also get a progress line now and then. Without a terminal (cron, systemd, AWX) the output
    stays plain.
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
requirements:
  - enable in configuration
options:
  progress_seconds:
    description:
      - Seconds between two progress lines on a terminal; 0 turns them off.
    type: int
    default: 10
    env:
      - name: KEEPWELL_PROGRESS_SECONDS
    ini:
      - section: callback_keepwell_summary
        key: progress_seconds
"""

import os
import sys
import time
import typing as t

from ansible import constants as C
from ansible.errors import AnsibleError
from ansible.plugins.callback import CallbackBase

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import count_text, size_text
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.work import LOOK
from ansible_collections.keepwell.fleet.plugins.plugin_utils.status import near

LINES = 25
WIDTH = 118
ORDER = ("crit", "act", "unknown", "watch", "accepted", "ok")
GLYPHS = {"ok": "✓", "watch": "◔", "act": "▲", "crit": "✖", "unknown": "?", "accepted": "◇"}
# How the line of a chore begins.
TITLES = {"patching": "Patching", "antivirus": "Antivirus", "backup_verification": "Tests", "disk_cleanup": "Cleanup"}
# Where the stable word of an outcome is not the one to say.
WORDS = {"rolled_back": "rolled back", "skipped": "kept back", "running": "cut off", "nothing": "with nothing to do"}
COLOURS = {"ok": C.COLOR_OK, "watch": C.COLOR_CHANGED, "act": C.COLOR_CHANGED, "crit": C.COLOR_ERROR}
_CONTROLS = dict.fromkeys([*range(32), 127, *range(128, 160), *range(8234, 8239), *range(8294, 8298)], " ")


def clean(text: t.Any) -> str:
    """Return text from a host without control and direction characters: it must not steer the terminal."""
    return str(text).translate(_CONTROLS)


def fit(text: str, width: int = WIDTH) -> str:
    """Return one line of at most ``width`` characters."""
    line = clean(text)
    return line if len(line) <= width else line[: width - 1] + "…"


def counts_line(counts: t.Mapping[str, int], noun: str) -> str:
    """Return ``300 results: 3 crit, 290 ok``; the parts add up to the first figure."""
    parts = [f"{GLYPHS[state]} {counts[state]} {state}" for state in ORDER if counts.get(state)]
    total = counts["total"]
    return f"{total} {noun}{'' if total == 1 else 's'}: {', '.join(parts) or 'none'}"


def compose(summary: t.Mapping[str, t.Any], files: t.Sequence[str]) -> list[tuple[str, str | None]]:
    """Return the lines (text, state for the colour or None), at most 25 of them.

    ``files`` are the report's path and the names of what lies beside it.
    """
    lines: list[tuple[str, str | None]] = [
        (f"{summary['client']}: {summary['verdict']} {_grade(summary['grade'])}", _worst(summary["hosts"]))
    ]
    if summary["partial"]:
        lines.append((f"PARTIAL: {'; '.join(summary['partial'])}", "watch"))
    lines.append((f"  {counts_line(summary['hosts'], 'host')}", None))
    lines.append((f"  {counts_line(summary['results'], 'result')}", None))
    lines += _hold_lines(summary)
    lines += _work_lines(summary.get("work"))
    lines += _waiting_lines(summary.get("waiting") or [])
    lines += _backup_lines(summary.get("backups"))
    lines += _problem_lines(summary["problems"])
    lines += _unreached_lines(summary["unreached"])
    lines += _missed_lines(summary.get("missed_runs") or [])
    if summary["interrupted_runs"]:
        number = len(summary["interrupted_runs"])
        which = ", ".join(summary["interrupted_runs"][-2:])
        lines.append(
            (f"{number} earlier run{'' if number == 1 else 's'} interrupted (evidence kept): {which}", "watch")
        )
    # Of many files only the first few: the folder is named, and pages of single hosts are linked from the report.
    names = [name for name in files[1:] if "/" not in name]
    if files:
        lines = lines[: LINES - 3]
        lines.append((f"Report    {files[0]}", None))
        if names:
            lines.append((f"          also there: {', '.join(names)}", None))
    lines = lines[: LINES - 1]
    lines.append((f"Evidence  {summary['evidence']}", None))
    # A path must stay whole, to be copied.
    return [(clean(text) if text.startswith(("Report ", "Evidence ")) else fit(text), state) for text, state in lines]


def _grade(letter: str) -> str:
    return "No grade." if letter == "none" else f"Grade {letter}" + ("" if letter.endswith("?") else ".")


def _worst(counts: t.Mapping[str, int]) -> str:
    return next((state for state in ("crit", "act", "unknown", "watch") if counts.get(state)), "ok")


def _problem_lines(problems: t.Sequence[t.Mapping[str, t.Any]]) -> list[tuple[str, str | None]]:
    lines: list[tuple[str, str | None]] = []
    for problem in problems[:5]:
        hosts = ", ".join(clean(host)[:40] for host in problem["hosts"])
        more = f" and {problem['more_hosts']} more" if problem["more_hosts"] else ""
        glyph = GLYPHS[problem["state"]]
        lines.append((f"  {glyph} {problem['title']}: {problem['observed']} [{hosts}{more}]", problem["state"]))
    if len(problems) > 5:
        lines.append((f"    and {len(problems) - 5} more problems in the report", None))
    return [("Do today", None), *lines] if lines else []


def _work_lines(work: t.Mapping[str, t.Any] | None) -> list[tuple[str, str | None]]:
    """What was done and would be: one line of numbers, then what asks for a person, then what waits."""
    if work is None:
        return []
    outcomes = work["outcomes"]
    parts = [f"{LOOK[name][1]} {outcomes[name]} {WORDS.get(name, name)}" for name in LOOK if outcomes.get(name)]
    chores = work["chores"]
    touched = set(outcomes) & {"done", *(entry["outcome"] for entry in work["bad"])}
    if "disk_cleanup" in chores:
        what = "became free" if touched else "could become free"
        parts.append(f"{size_text(work['freed_bytes'] if touched else work['predicted_bytes'])} {what}")
    if "patching" in chores and not touched:
        updates, hosts = count_text(work["updates"], "update"), count_text(work["planned"], "host")
        parts.append(f"{updates} for {hosts} in the plan")
        if work["not_ready"]:
            parts.append(f"not ready: {_few(work['not_ready'])}")
    title = TITLES.get(chores[0], "Work") if len(chores) == 1 else "Work"
    lines: list[tuple[str, str | None]] = [(f"{title:<9} {', '.join(parts) or 'no host was changed'}", None)]
    for entry in work["bad"][:4]:
        state, glyph = LOOK[entry["outcome"]]
        lines.append((f"  {glyph} {clean(entry['host'])[:40]}: {entry['text']}", state))
    if len(work["bad"]) > 4:
        lines.append((f"    and {len(work['bad']) - 4} more in the report", None))
    for entry in work["held"][:2]:
        lines.append((f"  {LOOK['skipped'][1]} {entry['text']} [{_few(entry['hosts'])}]", "watch"))
    return lines


def _waiting_lines(waiting: t.Sequence[t.Mapping[str, str]]) -> list[tuple[str, str | None]]:
    """Who missed a chore when it was due, the longest waiting first."""
    if not waiting:
        return []
    shown = [f"host {clean(entry['host'])[:40]}, {entry['chore']}, since {entry['since']}" for entry in waiting[:3]]
    more = f"; and {len(waiting) - 3} more" if len(waiting) > 3 else ""
    return [(f"Waiting   {'; '.join(shown)}{more}", "watch")]


def _hold_lines(summary: t.Mapping[str, t.Any]) -> list[tuple[str, str | None]]:
    """What a person keeps back, which holds have ended since the last run, and whose lease this run took over."""
    lines: list[tuple[str, str | None]] = []
    holds = summary.get("holds") or []
    lines += [(f"On hold   {text}", "watch") for text in holds[:3]]
    if len(holds) > 3:
        lines.append((f"          and {len(holds) - 3} more holds in the report", "watch"))
    ended = summary.get("expired_holds") or []
    lines += [(f"Hold over {text}", None) for text in ended[:2]]
    if len(ended) > 2:
        lines.append((f"          and {len(ended) - 2} more in the report", None))
    if summary.get("taken_over"):
        lines.append((f"Took over the lease of {summary['taken_over']}", "watch"))
    return lines


def _backup_lines(backups: t.Mapping[str, t.Any] | None) -> list[tuple[str, str | None]]:
    """How many datasets are proven, and the first that are not."""
    if backups is None:
        return []
    ends = [f"{number} {name}" for name, number in backups["tests"].items()]
    more = f"; tests of this run: {', '.join(ends)}" if ends else ""
    noun = "dataset is" if backups["total"] == 1 else "datasets are"
    lines: list[tuple[str, str | None]] = [
        (f"Backups   {backups['proven']} of {backups['total']} {noun} proven{more}", None)
    ]
    for entry in backups["open"][:3]:
        lines.append((f"  {clean(entry['host'])[:40]} {entry['dataset']}: {entry['reason']}", None))
    if len(backups["open"]) > 3:
        lines.append((f"    and {len(backups['open']) - 3} more in the report", None))
    return lines


def _missed_lines(missed: t.Sequence[str]) -> list[tuple[str, str | None]]:
    """The newest of what did not run."""
    if not missed:
        return []
    more = [(f"    and {len(missed) - 3} more in the report", None)] if len(missed) > 3 else []
    return [("Did not run", None), *((f"  {GLYPHS['act']} {text}", "act") for text in missed[-3:]), *more]


def compose_beat(summary: t.Mapping[str, t.Any]) -> list[tuple[str, str | None]]:
    """Return the lines of a beat of the watch: one, and one for each thing that changed, at most 25."""
    part = " (a part of the hosts)" if summary["partial"] else ""
    lines: list[tuple[str, str | None]] = [
        (f"{summary['client']}{part}: {summary['verdict']}", _worst(summary["hosts"]))
    ]
    changed = summary["notices"]
    for notice in changed[: LINES - 2]:
        who = f"{clean(notice['host'])[:60]} " if notice["host"] else ""
        lines.append((f"  {GLYPHS[notice['state']]} {who}{notice['text']}", notice["state"]))
    if len(changed) > LINES - 2:
        lines.append((f"    and {len(changed) - LINES + 2} more", None))
    return [(fit(text), state) for text, state in lines]


def _few(hosts: t.Sequence[str]) -> str:
    shown = ", ".join(clean(host)[:40] for host in hosts[:3])
    return shown if len(hosts) <= 3 else f"{shown} and {len(hosts) - 3} more"


def _unreached_lines(unreached: t.Sequence[t.Mapping[str, str]]) -> list[tuple[str, str | None]]:
    if not unreached:
        return []
    lines: list[tuple[str, str | None]] = [("Not looked at", None)]
    lines += [(f"  ? {clean(entry['host'])[:60]}: {entry['reason']}", "unknown") for entry in unreached[:4]]
    if len(unreached) > 4:
        names = ", ".join(clean(entry["host"])[:40] for entry in unreached[4:])
        lines.append((f"    and {len(unreached) - 4} more: {names}", None))
    return lines


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """keepwell.fleet.summary"""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "keepwell.fleet.summary"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *arguments: t.Any, **named: t.Any) -> None:
        super().__init__(*arguments, **named)
        self._summary: t.Mapping[str, t.Any] | None = None
        self._beat: t.Mapping[str, t.Any] | None = None
        self._files: list[str] = []
        self._closing: list[str] = []
        self._warnings: dict[str, None] = {}
        self._assessed = 0
        self._expected = 0
        self._started = self._said = time.monotonic()

    def v2_playbook_on_play_start(self, play: t.Any) -> None:
        """Start counting hosts anew."""
        self._assessed = self._expected = 0
        self._started = self._said = time.monotonic()

    def v2_runner_on_start(self, host: t.Any, task: t.Any) -> None:
        """A host's assessment begins."""
        self._expected += task.action == "keepwell.fleet.assess"

    def v2_runner_on_ok(self, result: t.Any) -> None:
        """Remember what the record and render tasks tell."""
        values = _values(result)
        action = _action(result)
        if action.startswith("keepwell.fleet.") and not values.get("changed"):
            self._warnings.update(dict.fromkeys(str(text) for text in values.get("warnings") or ()))
        if action in ("keepwell.fleet.record", "keepwell.fleet.recorded"):
            self._summary = values.get("summary")
        elif action == "keepwell.fleet.watch_record":
            self._beat = values.get("summary")
        elif action in ("keepwell.fleet.history", "keepwell.fleet.availability"):
            self._closing = [*values.get("altered", []), *str(values.get("msg", "")).splitlines()]
        elif action == "keepwell.fleet.render":
            index = str(values.get("index") or values.get("folder", ""))
            beside = [str(name) for name in values.get("files", []) if not index.endswith(f"/{name}")]
            self._files = [near(index), *beside]
        self._progress(action)

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        """A host's assessment failed; or a beat tells of something that is to fail it."""
        if _action(result) == "keepwell.fleet.watch_record":
            self._beat = _values(result).get("summary")
        self._progress(_action(result))

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        """A host could not be reached."""
        self._progress(_action(result))

    def _progress(self, action: str) -> None:
        if action != "keepwell.fleet.assess":
            return
        self._assessed += 1
        seconds = int(self.get_option("progress_seconds"))
        if not seconds or not sys.stdout.isatty() or time.monotonic() - self._said < seconds:
            return
        self._said = time.monotonic()
        passed = int(self._said - self._started)
        self._display.display(f"… {self._assessed} of {self._expected} hosts assessed after {passed} s")

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        """Print the summary, and warnings before it that go with tasks that are not shown."""
        for text in self._warnings if _hides_ok() else ():
            self._display.warning(clean(text))
        for line in self._closing:
            self._display.display(clean(line))
        if self._summary:
            lines = compose(self._summary, self._files)
        elif self._beat:
            lines = compose_beat(self._beat)
        else:
            return
        plain = not sys.stdout.isatty() or "NO_COLOR" in os.environ
        self._display.display("")
        for text, state in lines:
            self._display.display(text, color=None if plain or state is None else COLOURS.get(state))


def _hides_ok() -> bool:
    """True when the output leaves out tasks that changed nothing, and their warnings with them."""
    try:
        return not C.config.get_config_value("display_ok_hosts", plugin_type="callback", plugin_name="default")
    except AnsibleError:
        return False


def _action(result: t.Any) -> str:
    """Full name of a result's action. Attribute names changed in ansible-core 2.19 and 2.20."""
    task = getattr(result, "task", None) or result._task
    return str(getattr(task, "resolved_action", None) or task.action)


def _values(result: t.Any) -> t.Mapping[str, t.Any]:
    values: t.Mapping[str, t.Any] = result.result if hasattr(result, "result") else result._result
    return values
