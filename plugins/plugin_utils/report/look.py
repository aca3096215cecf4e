# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the look of a state: glyph, word, colour. The same in every output. Pure."""

from __future__ import annotations

import gettext
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import State

# What asks for attention comes first.
ORDER: tuple[State, ...] = ("crit", "act", "unknown", "watch", "accepted", "ok")
GLYPHS: Mapping[State, str] = {"crit": "✖", "act": "▲", "unknown": "?", "watch": "◔", "accepted": "◇", "ok": "✓"}

# Fills keep 3:1 against page and card, and stay apart for every kind of colour blindness; the tests compute both.
# `unknown` and `accepted` have no solid colour: they are drawn as a hatch and as dots in `muted`.
LIGHT: Mapping[str, str] = {
    "page": "#f5f6f8",
    "card": "#ffffff",
    "text": "#1a2230",
    "muted": "#566070",
    "link": "#1a4fa3",
    "line": "#dde1e7",
    "well": "#eef0f4",
    "ok": "#1e8e6e",
    "watch": "#b98900",
    "act": "#b4400c",
    "crit": "#5c0a24",
}
DARK: Mapping[str, str] = {
    "page": "#12161c",
    "card": "#1b2129",
    "text": "#e8ecf1",
    "muted": "#a3adba",
    "link": "#8fbcff",
    "line": "#2f3844",
    "well": "#151a21",
    "ok": "#7fe0cc",
    "watch": "#f6df83",
    "act": "#d9803f",
    "crit": "#e0406a",
}
SOLIDS: tuple[State, ...] = ("ok", "watch", "act", "crit")


@dataclass(frozen=True, slots=True)
class Badge:
    """A state as a reader sees it: never colour alone."""

    state: State
    glyph: str
    word: str


def badge(state: State, texts: gettext.NullTranslations) -> Badge:
    """Return glyph and word of a state."""
    words: dict[State, str] = {
        "crit": texts.pgettext("state", "critical"),
        "act": texts.pgettext("state", "act"),
        "unknown": texts.pgettext("state", "unknown"),
        "watch": texts.pgettext("state", "watch"),
        "accepted": texts.pgettext("state", "accepted"),
        "ok": texts.pgettext("state", "ok"),
    }
    return Badge(state, GLYPHS[state], words[state])


def badges(texts: gettext.NullTranslations) -> dict[State, Badge]:
    """Return all six, in the order in which they are shown."""
    return {state: badge(state, texts) for state in ORDER}


def css_variables() -> str:
    """Return the colours as CSS custom properties: light, dark where the reader prefers it, light on paper."""

    def block(tokens: Mapping[str, str]) -> str:
        return ":root{" + ";".join(f"--{name}:{value}" for name, value in tokens.items()) + "}"

    return f"{block(LIGHT)}\n@media screen and (prefers-color-scheme:dark){{{block(DARK)}}}\n"


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours (#rrggbb) as WCAG 2.2 reckons it, from 1 to 21."""
    bright, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def fill(state: State, chart: str) -> str:
    """Return the literal paint of a state in an SVG: a colour, or one of the chart's own patterns."""
    return LIGHT[state] if state in SOLIDS else f"url(#{chart}-{state})"
