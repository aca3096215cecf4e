# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: in which file of an inventory a variable is set, to tell whoever has to mend it.

Reads the YAML files of the inventory itself; what scripts and other formats say has no place. Runs on the control node.
"""

from __future__ import annotations

import os
import re
import typing as t
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

_PATH = re.compile(r"^(?P<name>[a-z_]+)(?P<rest>(?:\[\d+\]|\.[\w-]+)*)")
_ENDINGS = ("", ".yml", ".yaml", ".json")


@dataclass(frozen=True)
class Place:
    """A variable that a file sets. ``kind`` is group, host or inventory; ``node`` is its value as YAML has it."""

    file: Path
    line: int
    kind: t.Literal["group", "host", "inventory"]
    owner: str
    node: yaml.Node


class Places:
    """The files of some inventory sources, read when they are asked for first.

    With ``only`` no other variable is asked for, and files in which that word is not found are not parsed.
    """

    def __init__(self, sources: Sequence[str], only: str = "") -> None:
        self._sources = [Path(source) for source in sources if os.path.exists(source)]
        self._only = only
        self._found: dict[str, list[Place]] | None = None

    def of(self, name: str) -> list[Place]:
        """Return every place where a variable is set."""
        if self._found is None:
            self._found = {}
            for path, kind, owner in self._files():
                for key, place in _variables(path, kind, owner, self._only):
                    self._found.setdefault(key, []).append(place)
        return self._found.get(name, [])

    def tell(self, problem: str) -> str:
        """Return ``FILE:LINE`` of the variable that a sentence begins with, "" when it is set nowhere here."""
        match = _PATH.match(problem)
        places = self.of(match["name"]) if match else []
        if match is None or not places:
            return ""
        steps = re.findall(r"\[(\d+)\]|\.([\w-]+)", match["rest"])
        best = max(places, key=lambda place: _depth(place.node, steps)[0])
        line = _depth(best.node, steps)[1] or best.line
        return f"{os.path.relpath(best.file)}:{line}"

    def _files(self) -> Iterator[tuple[Path, t.Literal["group", "host", "inventory"], str]]:
        for source in self._sources:
            folder = source if source.is_dir() else source.parent
            if source.is_file() and source.suffix in _ENDINGS[1:]:
                yield source, "inventory", source.name
            if source.is_dir():
                for path in sorted(source.iterdir()):
                    if path.is_file() and path.suffix in _ENDINGS[1:]:
                        yield path, "inventory", path.name
            for kind, name in (("group", "group_vars"), ("host", "host_vars")):
                for path in sorted((folder / name).rglob("*")):
                    if path.is_file() and path.suffix in _ENDINGS:
                        owner = path.relative_to(folder / name).parts[0]
                        yield path, t.cast(t.Any, kind), Path(owner).stem if path.parent.name == name else owner


def _variables(
    path: Path, kind: t.Literal["group", "host", "inventory"], owner: str, only: str
) -> Iterator[tuple[str, Place]]:
    """Yield the variables of a file; in an inventory they lie below ``vars`` and below hosts."""
    try:
        text = path.read_text(encoding="utf-8")
        if only not in text:
            return
        document = yaml.compose(text, Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        # Ansible reads it itself, and says what is wrong with it.
        return
    for key, value in _pairs(document):
        if kind == "inventory":
            yield from _deep(path, value, owner)
        else:
            yield str(key.value), Place(path, key.start_mark.line + 1, kind, owner, value)


def _deep(path: Path, node: yaml.Node, owner: str) -> Iterator[tuple[str, Place]]:
    for key, value in _pairs(node):
        yield str(key.value), Place(path, key.start_mark.line + 1, "inventory", owner, value)
        yield from _deep(path, value, owner)


def _pairs(node: yaml.Node | None) -> list[tuple[yaml.Node, yaml.Node]]:
    return list(node.value) if isinstance(node, yaml.MappingNode) else []


def _depth(node: yaml.Node, steps: Sequence[tuple[str, str]]) -> tuple[int, int]:
    """Return how far a path leads into a value, and the line (from 1) on which that is."""
    line = 0
    for number, (index, key) in enumerate(steps):
        if index and isinstance(node, yaml.SequenceNode) and int(index) < len(node.value):
            node = node.value[int(index)]
            line = node.start_mark.line + 1
            continue
        found = next(((name, value) for name, value in _pairs(node) if str(name.value) == key), None)
        if found is None:
            return number, line
        line, node = found[0].start_mark.line + 1, found[1]
    return len(steps), line
