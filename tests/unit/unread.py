"""Take away one source of a host after the other, and see which checks notice.

A check depends on what it reads: its documents note every value that it takes from them. Where a value that it took is
another one without the source, its result without the source must be ``unknown`` (or a finding), never ``ok`` or none.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

import replay

from ansible_collections.keepwell.fleet.plugins.plugin_utils import judge, policy
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import ProbeRecord, View

POLICY = policy.build([])
Path = tuple[t.Any, ...]
_GONE = object()


class _Mapping(dict[t.Any, t.Any]):
    """A mapping that notes what is taken from it."""

    def __init__(self, data: dict[t.Any, t.Any], path: Path, taken: set[Path]) -> None:
        super().__init__((key, _noting(value, (*path, key), taken)) for key, value in data.items())
        self._path, self._taken = path, taken

    def _note(self, key: t.Any) -> None:
        value = super().get(key, _GONE)
        # Of a list or mapping its parts are noted as they are taken, and how many there are.
        self._taken.add((*self._path, key) if not isinstance(value, (dict, list)) else (*self._path, key, len))

    def __getitem__(self, key: t.Any) -> t.Any:
        self._note(key)
        return super().__getitem__(key)

    def get(self, key: t.Any, default: t.Any = None) -> t.Any:
        self._note(key)
        return super().get(key, default)

    def __contains__(self, key: t.Any) -> bool:
        self._note(key)
        return super().__contains__(key)

    def values(self) -> t.Any:
        return [self[key] for key in list(self)]

    def items(self) -> t.Any:
        return [(key, self[key]) for key in list(self)]


def _noting(value: t.Any, path: Path, taken: set[Path]) -> t.Any:
    if isinstance(value, dict):
        return _Mapping(value, path, taken)
    if isinstance(value, list):
        return [_noting(entry, (*path, number), taken) for number, entry in enumerate(value)]
    return value


def _at(data: t.Any, path: Path) -> t.Any:
    for step in path:
        if step is len:
            return len(data) if isinstance(data, (dict, list)) else data
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return _GONE
    return data


class Judged(t.NamedTuple):
    """The result of a check, and what it took from the documents of probes."""

    result: judge.Result
    taken: dict[str, set[Path]]


def judged(view: View, check: str) -> Judged:
    """Judge, and note what was taken."""
    taken: dict[str, set[Path]] = {name: set() for name in view.probes}
    probes = {
        name: replace(record, data=_Mapping(dict(record.data), (), taken[name])) for name, record in view.probes.items()
    }
    return Judged(judge.run_check(check, replace(view, probes=probes), POLICY), taken)


def all_judged(view: View, probe: str) -> dict[str, Judged]:
    """Results of all checks that took something of a probe and say something: what is unknown is not taken for well."""
    found = {check.id: judged(view, check.id) for check in judge.CHECKS}
    return {
        name: entry
        for name, entry in found.items()
        if entry.taken[probe] and entry.result.state not in (None, "unknown")
    }


def not_noticed(before: dict[str, Judged], view: View, after: View, probe: str) -> list[str]:
    """Checks that took another value of a probe than it has now, and say ``ok`` or nothing all the same."""
    wrong = []
    for name, entry in before.items():
        was, now = view.probes[probe].data, after.probes[probe].data
        if not any(_at(was, path) != _at(now, path) for path in entry.taken[probe]):
            continue
        if judge.run_check(name, after, POLICY).state in (None, "ok"):
            wrong.append(name)
    return wrong


def with_probe(view: View, probe: str, **changes: t.Any) -> View:
    """The view with another record of a probe."""
    return replace(view, probes={**view.probes, probe: replace(view.probes[probe], **changes)})


def record_of(case: dict[str, t.Any]) -> ProbeRecord:
    """Replay a probe's case."""
    found = replay.probe_record(case)
    return ProbeRecord(found["status"], found["data"], found["sources"], found.get("detail", ""))


def broken(case: dict[str, t.Any]) -> t.Iterator[tuple[str, dict[str, t.Any]]]:
    """(what, case) for every command of a probe's case that does not answer and every file that may not be read."""
    for command in case.get("commands") or {}:
        yield command, {**case, "commands": {**case["commands"], command: {"status": "timeout"}}}
    for path in case.get("files") or {}:
        yield path, {**case, "files": {**case["files"], path: {"denied": True}}}
