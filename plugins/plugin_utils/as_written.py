# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: JSON Schemas of values that are read into something else than what people write. Pure."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from pydantic import WithJsonSchema

ELAPSED: t.Final = r"^(?:\d{1,3}h)?(?:\d{1,4}m)?$"


def text(pattern: str) -> WithJsonSchema:
    """A text of this form, like ``4h``."""
    return WithJsonSchema({"type": "string", "pattern": pattern})


def many(items: Mapping[str, t.Any]) -> WithJsonSchema:
    """A list of such words, or one text with commas."""
    return WithJsonSchema({"anyOf": [{"type": "array", "items": dict(items), "minItems": 1}, {"type": "string"}]})
