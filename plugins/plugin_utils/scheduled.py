# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: for which entry of the schedule this run is, and of which playbook it is.

Runs on the control node.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence
from pathlib import PurePath

from ansible import context

# An extra variable: what starts scheduled runs sets it.
ENTRY_VARIABLE = "keepwell_entry"


def entry(variables: Mapping[str, t.Any], schedule: t.Collection[str]) -> str:
    """Return the entry of the schedule that this run is for; "" for none, and for one that the client does not have."""
    named = str(variables.get(ENTRY_VARIABLE) or "")
    return named if named in schedule else ""


def playbook(arguments: Sequence[str] | None = None) -> str:
    """Return the name of the playbook that was started, without folder and ending: ``assess``.

    Of several in one command the names are joined, which is the name of none of them.
    """
    given = context.CLIARGS.get("args", ()) if arguments is None else arguments
    return "+".join(PurePath(str(name)).name.removesuffix(".yml").rpartition(".")[2] for name in given)
