# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: an error code of Windows in plain words. Pure."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.keepwell.fleet.plugins.plugin_utils.windows_errors import (
    servicing,
    update_agent,
    update_source,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.windows_errors.entry import RETRY, Entry

ENTRIES: t.Final = tuple(
    sorted([*update_agent.ENTRIES, *update_source.ENTRIES, *servicing.ENTRIES], key=lambda entry: entry.code)
)
_KNOWN: t.Final = {entry.code: entry for entry in ENTRIES}
# By the first digits of a code that has no entry of its own, the longest first: who says it.
_FAMILIES: t.Final = (
    ("0x80072", "an error of the network between the host and its update source"),
    ("0x80073", "an error of the component store"),
    ("0x8024d", "an error while the Windows Update Agent updated itself"),
    ("0x80244", "an error between the host and its update source"),
    ("0x80246", "an error of the download"),
    ("0x8024", "an error of the Windows Update Agent"),
    ("0x800f", "an error of Windows' servicing (CBS)"),
    ("0x80d0", "an error of Delivery Optimization"),
    ("0x8020", "an error of the download service BITS"),
    ("0x8007", "an error of Windows"),
)
_LOOK: t.Final = "Keepwell's catalogue does not have it: look it up at Microsoft, and read the host's own log."


def unsigned(code: int) -> int:
    """Return a code as Windows' documentation counts it; programs often hand it on as a negative number."""
    return code & 0xFFFFFFFF


def find(code: int) -> Entry | None:
    """Return what is known of a code, None when nothing is."""
    return _KNOWN.get(unsigned(code))


def words(code: int) -> str:
    """Return a code in plain words: what it is, why, what to do, whether trying again is safe."""
    entry = find(code)
    if entry is not None:
        return f"{entry.hexadecimal} ({entry.name}): {entry.cause}. {entry.step} {RETRY[entry.retry]}"
    text = f"0x{unsigned(code):08x}"
    family = next((meaning for start, meaning in _FAMILIES if text.startswith(start)), "an error of an installer")
    return f"{text}: {family}. {_LOOK}"


def told(text: str) -> str:
    """Return what a host told: in plain words where it is a code alone, else as it is."""
    return words(int(text, 16)) if re.fullmatch(r"0x[0-9A-Fa-f]{8}", text) else text
