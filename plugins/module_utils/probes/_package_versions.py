# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: versions as Debian and RPM order them, for kernels and a few guards.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import re

_PART = re.compile(r"(\D*)(\d*)")


def _letter(letter):
    if letter == "~":
        return -1
    return ord(letter) if letter.isalpha() else ord(letter) + 256


def key(text):
    """Sort key of an upstream version or kernel release: digits as numbers, ``~`` before the end, letters before signs.

    Debian policy 5.6.12 without epoch and revision; it also orders RPM's versions and releases as far as these follow
    the usual patterns.
    """
    parts = []
    for letters, digits in _PART.findall(text):
        if letters or digits:
            parts.append((tuple(_letter(letter) for letter in letters) + (0,), int(digits or 0)))
    while parts and parts[-1] == ((0,), 0):
        parts.pop()
    parts.append(((0,), 0))
    return tuple(parts)


def debian_key(text):
    """Sort key of a whole Debian version ``epoch:upstream-revision``."""
    epoch, colon, rest = text.partition(":")
    if not colon:
        epoch, rest = "0", text
    upstream, dash, revision = rest.rpartition("-")
    if not dash:
        upstream, revision = rest, ""
    return int(epoch), key(upstream), key(revision)


def rpm_key(text):
    """Sort key of ``epoch:version-release``."""
    return debian_key(text)
