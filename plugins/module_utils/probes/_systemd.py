# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: read what ``systemctl show`` and its relatives print (with TZ=UTC and LC_ALL=C).

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import calendar
import re
import time

# systemd's way to say "no limit" or "not counted" in an unsigned 64-bit property.
NOT_SET = ("", "[not set]", "[no data]", "infinity", "18446744073709551615")
_TIMESTAMP = re.compile(r"^(?:[A-Z][a-z]{2} )?(\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2})(?:\.(\d+))? UTC$")
_SPAN_PART = re.compile(r"^(\d+(?:\.\d+)?)(y|month|w|d|h|min|s|ms|us)$")
_SPAN_SIZES = {
    "y": 31557600.0,
    "month": 2629800.0,
    "w": 604800.0,
    "d": 86400.0,
    "h": 3600.0,
    "min": 60.0,
    "s": 1.0,
    "ms": 1e-3,
    "us": 1e-6,
}


def parse_blocks(text):
    """Parse the blocks of ``systemctl show`` (``Key=value`` lines, an empty line between units) into dictionaries.

    Raises ValueError with the line when one is not ``Key=value``.
    """
    blocks = []
    current = {}
    for line in text.splitlines() + [""]:
        if not line.strip():
            if current:
                blocks.append(current)
            current = {}
            continue
        key, equals, value = line.partition("=")
        if not equals or not key or " " in key:
            raise ValueError("systemctl show: not Key=value: %r" % line[:120])
        current[key] = value
    return blocks


def parse_timestamp(text):
    """Return epoch seconds of ``Mon 2026-11-23 02:31:08 UTC``; None for "never". Raises ValueError otherwise."""
    if text in ("", "n/a", "0", "infinity"):
        return None
    match = _TIMESTAMP.match(text)
    if not match:
        raise ValueError("not a systemd time in UTC: %r" % text[:80])
    seconds = calendar.timegm(time.strptime(match.group(1), "%Y-%m-%d %H:%M:%S"))
    return seconds + (float("0." + match.group(2)) if match.group(2) else 0.0)


def parse_span(text):
    """Return seconds of ``1h 40min 45.716355s``; None for "none". Raises ValueError otherwise."""
    if text in ("", "0", "infinity", "n/a"):
        return None
    negative = text[0] in "+-" and text[0] == "-"
    seconds = 0.0
    for part in text.lstrip("+-").split():
        match = _SPAN_PART.match(part)
        if not match:
            raise ValueError("not a systemd time span: %r" % text[:80])
        seconds += float(match.group(1)) * _SPAN_SIZES[match.group(2)]
    return -seconds if negative else seconds


def parse_count(text):
    """Return a property as a whole number, or None when systemd does not count it. Raises ValueError otherwise."""
    if text is None or text in NOT_SET:
        return None
    if not text.isdigit():
        raise ValueError("not a number: %r" % text[:80])
    return int(text)
