# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: which updates are handed to ansible.windows.win_updates together, and how. Pure."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Sequence

from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.models import Item

# The module matches a title with its KB numbers behind it, as one text.
_KBS: t.Final = r"(KB[0-9]+( KB[0-9]+)*)?"
_NAMED: t.Final = 5


def turns(items: Sequence[Item]) -> list[list[Item]]:
    """Return the updates in the order of their turns: those that must be alone one by one, then all others at once."""
    first = sorted((item for item in items if item.alone), key=lambda item: item.name)
    rest = [item for item in items if not item.alone]
    return [*([item] for item in first), *([rest] if rest else [])]


def words(turn: Sequence[Item]) -> str:
    """Return which updates a turn is of, for a person."""
    names = [item.name for item in turn]
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if names[_NAMED:] else "")


def arguments(turn: Sequence[Item]) -> dict[str, t.Any]:
    """Return the arguments of the module that let it install exactly these, and never reboot by itself."""
    return {
        # A category's name is translated; these have been chosen already.
        "category_names": ["*"],
        "accept_list": [f"^{re.escape(item.title or item.name)}{_KBS}$" for item in turn],
        "server_selection": "default",
        "state": "installed",
        "reboot": False,
    }
