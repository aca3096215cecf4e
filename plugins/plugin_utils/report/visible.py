# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: text that came from hosts, made safe to look at. Pure.

Escaping for HTML, Markdown and spreadsheets happens where those are made. Here go the characters that deceive the eye
whatever the format: control characters, and marks that turn the direction of writing.
"""

from __future__ import annotations

import re
import typing as t

from pydantic import BaseModel

from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import ModelT, canonical

# C0, DEL and C1 controls; then invisible, directional, line separating, and tag characters; last our own signs, so
# that different texts stay different.
_DECEIVING = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\U000e0000-\U000e007f\u2400-\u2421\u27e8]"
)
# In canonical JSON control characters are written as escapes, the others as themselves.
_ESCAPED = re.compile(r"\\(?:[bfnrt]|u00[01])")
_SHOWN = re.compile("[\u2400-\u2421]|\u27e8U\\+[0-9A-F]{4,5}\u27e9")


def visible(text: str) -> str:
    """Return ``text`` with deceiving characters as signs: a line feed as ``␊``, U+202E as ``⟨U+202E⟩``."""
    return _DECEIVING.sub(_sign, text)


def _sign(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else f"\u27e8U+{code:04X}\u27e9"


def has_signs(text: str) -> bool:
    """True when ``visible`` replaced something: such a text is not what it was and must not be pasted."""
    return _SHOWN.search(text) is not None


def presentable(document: ModelT) -> ModelT:
    """Return a document with every text made visible. The evidence itself stays as it was found."""
    if _is_plain(document):
        return document
    # Mostly it is the log of one change among a thousand hosts: the parts that are plain stay as they are.
    fields = {name: getattr(document, name) for name in type(document).model_fields}
    shown = {name: _shown(value) for name, value in fields.items()}
    return document.model_copy(update={name: value for name, value in shown.items() if value is not fields[name]})


def _is_plain(part: BaseModel) -> bool:
    # What equals its default is a text of ours.
    text = canonical(part.model_dump(mode="json", exclude_defaults=True)).decode("utf-8").rstrip("\n")
    return _ESCAPED.search(text) is None and _DECEIVING.search(text) is None


def _shown(value: t.Any) -> t.Any:
    """Return a field's value with every text made visible; the very same one where nothing is to be done."""
    if isinstance(value, BaseModel):
        return value if _is_plain(value) else type(value).model_validate(_walk(value.model_dump(mode="json")))
    if isinstance(value, list):
        parts = [_shown(part) for part in value]
        return parts if any(new is not old for new, old in zip(parts, value, strict=True)) else value
    if value is None or isinstance(value, (str, int, float)):
        return visible(value) if isinstance(value, str) and _DECEIVING.search(value) else value
    raise TypeError(f"a document with a field of type {type(value).__name__} cannot be made presentable")


def _walk(value: t.Any) -> t.Any:
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, list):
        return [_walk(item) for item in value]
    if isinstance(value, dict):
        return {visible(str(key)): _walk(item) for key, item in value.items()}
    return value
