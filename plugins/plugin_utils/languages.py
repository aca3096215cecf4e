# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the languages of what clients read, and how dates and numbers are written in them. Pure.

A small table of our own: with the data of a library a report of last year would look different after its next update.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

# Joins what may not be torn apart at the end of a line.
_FIRM = "\u00a0"


@dataclass(frozen=True, slots=True)
class Writing:
    """How a language writes dates and numbers. ``day`` and ``short`` have {day}, {month}, {year}."""

    months: tuple[str, ...]
    short_months: tuple[str, ...]
    day: str
    short: str
    decimal: str
    thousands: str


def _months(names: str) -> tuple[str, ...]:
    return tuple(names.split())


WRITINGS: Mapping[str, Writing] = {
    "en": Writing(
        _months("January February March April May June July August September October November December"),
        _months("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec"),
        f"{{day}}{_FIRM}{{month}} {{year}}",
        f"{{day}}{_FIRM}{{month}}",
        ".",
        ",",
    ),
    "nl": Writing(
        _months("januari februari maart april mei juni juli augustus september oktober november december"),
        _months("jan feb mrt apr mei jun jul aug sep okt nov dec"),
        f"{{day}}{_FIRM}{{month}} {{year}}",
        f"{{day}}{_FIRM}{{month}}",
        ",",
        ".",
    ),
    "de": Writing(
        _months("Januar Februar März April Mai Juni Juli August September Oktober November Dezember"),
        _months("Jan Feb März Apr Mai Juni Juli Aug Sept Okt Nov Dez"),
        f"{{day}}.{_FIRM}{{month}} {{year}}",
        f"{{day}}.{_FIRM}{{month}}",
        ",",
        ".",
    ),
    "it": Writing(
        _months("gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre"),
        _months("gen feb mar apr mag giu lug ago set ott nov dic"),
        f"{{day}}{_FIRM}{{month}} {{year}}",
        f"{{day}}{_FIRM}{{month}}",
        ",",
        ".",
    ),
}
LANGUAGES = tuple(WRITINGS)


def language_of(locale: str) -> str | None:
    """Return the language of a locale like ``nl``, ``nl_NL`` or ``de-AT.UTF-8``; None when reports do not speak it."""
    match = re.fullmatch(r"([a-z]{2})(?:[_-][A-Za-z]{2})?(?:\.[A-Za-z0-9-]+)?", locale)
    return match.group(1) if match and match.group(1) in WRITINGS else None
