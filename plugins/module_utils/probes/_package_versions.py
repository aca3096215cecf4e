# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: versions as Debian and RPM order them, for kernels and a few guards.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import re

_PART = re.compile(r"(\D*)(\d*)")
_SEGMENT = re.compile(r"\d+|[A-Za-z]+|~|\^")


def _letter(letter):
    if letter == "~":
        return -1
    return ord(letter) if letter.isalpha() else ord(letter) + 256


def key(text):
    """Sort key of an upstream version or revision: digits as numbers, ``~`` before the end, letters before signs.

    Debian policy 5.6.12.
    """
    parts = []
    for letters, digits in _PART.findall(text):
        if letters or digits:
            parts.append((tuple(_letter(letter) for letter in letters) + (0,), int(digits or 0)))
    # The end of a version: after "~", before any letter.
    parts = parts or [((0,), 0)]
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


def segments_key(text):
    """Sort key of a version or release as rpmvercmp has it, also for kernel releases of any distribution.

    Signs only separate: ``427.13.1.el9_4`` is newer than ``427.el9``, because numbers come after letters.
    """
    order = {"~": (-1, 0, ""), "^": (1, 0, "")}
    parts = []
    for segment in _SEGMENT.findall(text):
        if segment.isdigit():
            parts.append((3, int(segment), ""))
        else:
            parts.append(order.get(segment) or (2, 0, segment))
    parts.append((0, 0, ""))
    return tuple(parts)


def rpm_key(text):
    """Sort key of ``epoch:version-release``."""
    epoch, colon, rest = text.partition(":")
    if not colon:
        epoch, rest = "0", text
    version, _dash, release = rest.partition("-")
    return int(epoch), segments_key(version), segments_key(release)
