# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The colours are computed, not chosen by eye: contrast (WCAG 2.2) and distance under three kinds of colour blindness.

What is computed are the colours of the style sheet that a page really has.
"""

from __future__ import annotations

import gettext
import itertools
import re

import fleet_maker
import pytest
from page_reader import TEMPLATES, Reader

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import STATES
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report import look
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.bundle import make_bundle

Triple = tuple[float, float, float]

# Machado, Oliveira and Fernandes 2009, severity 1; applied to linear RGB.
SIMULATIONS = {
    "none": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}


def linear(colour: str) -> Triple:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    return tuple(c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)  # type: ignore[return-value]


def contrast(one: str, other: str) -> float:
    bright, dark = sorted(
        (sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear(x), strict=True)) for x in (one, other)),
        reverse=True,
    )
    return (bright + 0.05) / (dark + 0.05)


def lab(colour: Triple) -> Triple:
    matrix = ((0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750), (0.0193339, 0.1191920, 0.9503041))
    white = (0.95047, 1.0, 1.08883)
    xyz = [sum(m * c for m, c in zip(row, colour, strict=True)) / w for row, w in zip(matrix, white, strict=True)]
    x, y, z = (v ** (1 / 3) if v > 216 / 24389 else (24389 / 27 * v + 16) / 116 for v in xyz)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def distance(one: str, other: str, kind: str) -> float:
    """CIE 1976 colour difference as somebody with this kind of sight sees it."""
    seen = []
    for colour in (one, other):
        simulated = [sum(m * c for m, c in zip(row, linear(colour), strict=True)) for row in SIMULATIONS[kind]]
        seen.append(lab(tuple(min(1.0, max(0.0, c)) for c in simulated)))  # type: ignore[arg-type]
    return sum((a - b) ** 2 for a, b in zip(*seen, strict=True)) ** 0.5


def style_sheets() -> dict[str, str]:
    """The style sheets of the pages by name, as a browser gets them."""
    files = make_bundle(fleet_maker.make_run(1), TEMPLATES, formats=["html"]).files
    return {name: Reader(content.decode()).style for name, content in files.items()}


def colours_of(sheet: str) -> tuple[dict[str, str], dict[str, str]]:
    """The colours by name that a style sheet sets for light and for dark, where the reader prefers that."""
    dark = re.search(r"@media screen and \(prefers-color-scheme:dark\)\{:root\{(.*?)\}", sheet)
    light = re.search(r"^:root\{(.*?)\}", sheet)
    assert light
    assert dark
    return (dict(re.findall(r"--(\w+):(#\w{6})", light[1])), dict(re.findall(r"--(\w+):(#\w{6})", dark[1])))


SHEETS = style_sheets()
LIGHT, DARK = colours_of(SHEETS["engineer.html"])
themes = pytest.mark.parametrize("tokens", [LIGHT, DARK], ids=["light", "dark"])


def test_all_pages_have_the_same_colours_and_no_rule_has_one_of_its_own():
    assert colours_of(SHEETS["owner.html"]) == (LIGHT, DARK) == (look.LIGHT, look.DARK)
    for name, sheet in SHEETS.items():
        rules = re.sub(r"--\w+:#\w{6}", "", sheet)
        # The number of a sheet of paper, where no variable is known.
        assert set(re.findall(r"#[0-9a-f]{3,8}\b|rgba?\(|hsla?\(", rules)) <= {LIGHT["muted"]}, name


@themes
@pytest.mark.parametrize("ground", ["page", "card", "well"])
@pytest.mark.parametrize("ink", ["text", "muted", "link"])
def test_text_can_be_read_on_every_ground(tokens, ground, ink):
    assert contrast(tokens[ink], tokens[ground]) >= 4.5


@themes
@pytest.mark.parametrize("state", look.SOLIDS)
def test_fills_stand_out_from_the_card_and_carry_their_glyph(tokens, state):
    # The glyph inside a cell has the colour of the card.
    assert contrast(tokens[state], tokens["card"]) >= 3


@pytest.mark.parametrize("kind", SIMULATIONS)
@pytest.mark.parametrize(("tokens", "least"), [(LIGHT, 17.5), (DARK, 25)], ids=["light", "dark"])
def test_no_two_states_look_alike_to_anybody(tokens, least, kind):
    worst = min(distance(tokens[a], tokens[b], kind) for a, b in itertools.combinations(look.SOLIDS, 2))
    assert worst >= least, worst


@themes
def test_what_has_no_colour_of_its_own_is_drawn_in_ink_and_cannot_be_taken_for_one(tokens):
    """`unknown` is a hatch and `accepted` are dots, on the card: their ink stands out, and differs from all solids."""
    assert contrast(tokens["muted"], tokens["card"]) >= 3
    for name, sheet in SHEETS.items():
        assert not re.search(r"\.f-(unknown|accepted) *\{[^}]*fill", sheet), name
        assert ".dot, .pale { fill: var(--muted); }" in sheet or ".dot { fill: var(--muted); }" in sheet, name
    for state in ("unknown", "accepted"):
        assert look.fill(state, "chart") == f"url(#chart-{state})"


def test_the_measure_itself_finds_a_palette_that_fails():
    # Amber and orange, as chosen by eye once: one colour for a protanope.
    assert distance("#8a5a00", "#c2410c", "protan") < 2
    assert contrast("#777777", "#ffffff") < 4.5 < contrast("#767676", "#ffffff")


def test_darker_is_worse_on_paper():
    greys = [contrast(LIGHT[state], "#ffffff") for state in ("watch", "act", "crit")]
    assert greys == sorted(greys)


def test_every_state_has_a_glyph_and_a_word_of_its_own():
    badges = look.badges(gettext.NullTranslations())
    assert set(badges) == set(STATES)
    assert len({badge.glyph for badge in badges.values()}) == len({badge.word for badge in badges.values()}) == 6
