# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what the question mark behind grades in a table says. Pure."""

from __future__ import annotations

import gettext
from collections.abc import Iterable


def doubt_of(texts: gettext.NullTranslations, letters: Iterable[str]) -> str:
    """Return what the question mark says, below a table with these grades; "" where none has one."""
    if not any(letter.endswith("?") for letter in letters):
        return ""
    return texts.gettext("A question mark behind a grade: too many hosts could not be looked at, so it is not certain.")
