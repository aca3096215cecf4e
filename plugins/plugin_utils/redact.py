# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: take secrets out of texts before they become evidence.

Probes never collect command lines or passwords; this is the second net, for secrets that a tool prints inside a URL
or a message. Pure.
"""

from __future__ import annotations

import re
import typing as t

MASK = "[redacted]"
_RULES = (
    # user:password@host in any URL, up to the last @ before the path. How a match begins has a limit in every rule:
    # a host's text of one endless word must not hold the control node.
    (re.compile(r"(?P<keep>[a-z][a-z0-9+.-]{0,30}://[^\s:/@]{0,200}:)[^\s/]+(?=@)", re.IGNORECASE), rf"\g<keep>{MASK}"),
    # token@host; shorter ones are names of users
    (re.compile(r"(?P<keep>https?://)[^\s:/@]{16,}(?=@)", re.IGNORECASE), rf"\g<keep>{MASK}"),
    # password=..., RESTIC_PASSWORD=..., "token": "..." in messages of tools; a quoted value may hold spaces
    (
        re.compile(
            r"(?P<keep>\b(?:[\w-]{0,60}[_-])?(?:pass(?:word|wd|phrase)?|secret|token|api[_-]?key|access[_-]?key|private[_-]?key)"
            r"\b[\"']?\s*[=:]\s*)(?!\[redacted\])(?:\"[^\"\n]*\"|'[^'\n]*'|[^\s\"',;]+)",
            re.IGNORECASE,
        ),
        rf"\g<keep>{MASK}",
    ),
    (re.compile(r"(?P<keep>\bauthorization:\s*(?:basic|bearer)\s+)\S+", re.IGNORECASE), rf"\g<keep>{MASK}"),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), MASK),
)

_SECRET_KEY = re.compile(r"(?:pass(?:word|wd|phrase)|secret|token|api_key|private_key)", re.IGNORECASE)


def redact_text(text: str) -> str:
    """Return the text with secrets replaced by ``[redacted]``. Applying it twice changes nothing more."""
    # Every rule needs one of these; few texts have any.
    if ":" not in text and "=" not in text and "-----BEGIN" not in text:
        return text
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text


def redact(value: t.Any) -> t.Any:
    """Return a copy of a JSON value in which every text is redacted."""
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, dict):
        return {
            redact_text(str(key)): MASK if isinstance(entry, str) and _SECRET_KEY.fullmatch(str(key)) else redact(entry)
            for key, entry in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [redact(entry) for entry in value]
    return value
