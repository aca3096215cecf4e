"""``python -m powershell [file ...]``: look at PowerShell, print what is wrong, and fail if anything is."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from powershell import allowed, balance, language, layout, lists, requires, specs, tables, variables
from powershell.commands import Commands
from powershell.source import ROOT, Check, Problem, Source, parse

FOLDERS = ("plugins", "roles", "playbooks", "tests")
SUFFIXES = (".ps1", ".psm1")
# In this order: who cannot read a file says nothing more of it.
READ: tuple[Check, ...] = (language.encoding, balance.check, language.grammar)
CHECKS: tuple[Check, ...] = (
    language.newer, language.plain, language.literal, specs.check, layout.module_util, layout.output, variables.check,
)  # fmt: skip


def files(root: Path = ROOT) -> list[Path]:
    """Return all PowerShell of the project; links lead to what is already there."""
    found = (path for folder in FOLDERS for path in (root / folder).rglob("*") if path.suffix in SUFFIXES)
    return sorted(path for path in found if path.is_file() and not path.is_symlink())


def problems(sources: list[Source], systems: list[tables.System], root: Path = ROOT) -> Iterator[Problem]:
    """Return all that is wrong with these files."""
    commands = Commands(systems, allowed.load(), root)
    for source in sources:
        unread = [problem for check in READ for problem in check(source)]
        yield from unread
        if not unread:
            for check in CHECKS:
                yield from check(source)
            yield from requires.check(source, root)
            yield from lists.check(source, root)
            yield from commands.check(source)
    yield from layout.once(sources)


def main(arguments: Iterable[str]) -> int:
    """Return 0 when nothing is wrong."""
    sources = [parse(Path(name).resolve()) for name in arguments] or [parse(path) for path in files()]
    in_ci = os.environ.get("CI") == "true"
    try:
        systems = tables.load()
    except tables.NoTableError as exc:
        if in_ci:
            print(f"The lists of commands of Windows cannot be had: {exc}.")
            return 1
        systems = []
        print(f"SKIPPED: whether commands, parameters and classes exist on Windows, and aliases. {exc}.")
    found = sorted(set(problems(sources, systems)))
    for problem in found:
        print(problem)
    checked = f" against {', '.join(system.name for system in systems)}" if systems else ""
    if not found:
        print(f"{len(sources)} files of PowerShell read{checked}. They were not run.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
