"""What a host was asked, and what it changed."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass


@dataclass(frozen=True)
class Call:
    """One request as it arrived."""

    kind: str
    name: str
    """A module's full name, ``<chore>/<operation>`` for keepwell.fleet.agent, a script's name, or the command."""
    arguments: dict[str, t.Any]
    check_mode: bool
    become: str | None
    boot_id: str
    at: float


@dataclass(frozen=True)
class Change:
    """One thing that really changed on the host: ``eula``, ``download``, ``install``, ``reboot``, ``file``, ..."""

    kind: str
    what: str
