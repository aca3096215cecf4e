"""Commands, parameters and classes that are right although no profile has them, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

PATH = Path(__file__).with_name("allowed.yml")


@dataclass(frozen=True)
class Allowed:
    """Names in lower case. A command has its parameters; those of a command of the profiles are added to its own."""

    commands: dict[str, frozenset[str]]
    programs: frozenset[str]
    classes: frozenset[str]


def load(path: Path = PATH) -> Allowed:
    """Read the list. Raises ValueError for an entry without a reason."""
    raw = yaml.safe_load(path.read_text())
    for kind, entries in raw.items():
        for name, entry in entries.items():
            if not str(entry.get("reason") or "").strip():
                raise ValueError(f"{path}: {kind}: {name} has no reason. Say why it is right.")
    return Allowed(
        commands={
            name.lower(): frozenset(each.lower() for each in entry.get("parameters") or ())
            for name, entry in (raw.get("commands") or {}).items()
        },
        programs=frozenset(name.lower() for name in raw.get("programs") or {}),
        classes=frozenset(name.lower() for name in raw.get("classes") or {}),
    )
