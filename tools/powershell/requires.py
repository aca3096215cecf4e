"""Which module utils a file brings along, as Ansible looks for them."""

from __future__ import annotations

import fnmatch
import functools
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

from tree_sitter import Node

from powershell.source import ROOT, Problem, Source, functions, of_kind, parse, text_of

_POWERSHELL = re.compile(r"(?i)^#\s*(?:ansiblerequires\s+-powershell|requires\s+-modules?)\s+([\w.]+)")
_CSHARP = re.compile(r"(?i)^#\s*ansiblerequires\s+-csharputil\s+([\w.]+)")
_OURS = "ansible_collections.keepwell.fleet.plugins.module_utils."


def _wanted(source: Source) -> Iterator[tuple[int, str, bool]]:
    """Return line, name and whether it is C#, of all that a file asks for."""
    for number, line in enumerate(source.text.splitlines(), start=1):
        for pattern, csharp in ((_POWERSHELL, False), (_CSHARP, True)):
            found = pattern.match(line)
            if found:
                yield number, found[1], csharp


def place(name: str, csharp: bool = False, root: Path = ROOT) -> Path | None:
    """Return the file that Ansible takes for the name of a module util, or None."""
    suffix = ".cs" if csharp else ".psm1"
    if name.startswith(_OURS):
        path = root / "plugins" / "module_utils" / (name.removeprefix(_OURS).replace(".", "/") + suffix)
    elif name.startswith("ansible_collections."):
        package, _, rest = name.partition(".plugins.module_utils.")
        found = importlib.util.find_spec(package)
        folders = list(found.submodule_search_locations or ()) if found else []
        if not folders:
            return None
        path = Path(folders[0]) / "plugins" / "module_utils" / (rest.replace(".", "/") + suffix)
    else:
        # Only its place is asked for: importing it takes a second.
        core = importlib.util.find_spec("ansible")
        folder = "csharp" if csharp else "powershell"
        path = Path(str(core and core.origin)).parent / "module_utils" / folder / (name + suffix)
    return path if path.is_file() else None


@functools.cache
def _exported(path: Path) -> dict[str, Node]:
    source = parse(path)
    defined = functions(source.root)
    names = exports(source)
    return {name: node for name, node in defined.items() if names is None or any(fits(name, each) for each in names)}


def fits(name: str, pattern: str) -> bool:
    """Return True when a name is meant by what is exported, which may have an asterisk."""
    return fnmatch.fnmatchcase(name.lower(), pattern.lower())


def exports(source: Source) -> dict[str, Node] | None:
    """Return the functions that a psm1 says it exports, or None when it says nothing and so exports all."""
    found: dict[str, Node] | None = None
    for command in of_kind(source.root, "command"):
        if text_of(command.child_by_field_name("command_name")).lower() != "export-modulemember":
            continue
        found = found or {}
        after_other = False
        for node in of_kind(command, "command_parameter", "generic_token", "verbatim_string_characters"):
            if node.type == "command_parameter":
                after_other = text_of(node).lower() != "-function"
            elif not after_other and text_of(node).lower() != "export-modulemember":
                found[text_of(node).strip("'\"")] = node
    return found


def provided(source: Source, root: Path = ROOT) -> dict[str, Node]:
    """Return the functions of the module utils that a file asks for, by name in lower case.

    Those that these ask for in turn are theirs: a file names what it calls.
    """
    found: dict[str, Node] = {}
    for _line, name, csharp in _wanted(source):
        path = None if csharp else place(name, root=root)
        if path:
            found.update({each.lower(): node for each, node in _exported(path).items()})
    return found


def check(source: Source, root: Path = ROOT) -> Iterator[Problem]:
    """What is asked for exists."""
    for line, name, csharp in _wanted(source):
        if not place(name, csharp, root):
            where = "plugins/module_utils" if name.startswith(_OURS) else "what Ansible and its collections bring"
            yield source.problem(line, f"There is no module util {name} in {where}. Name one that is there, in full.")
