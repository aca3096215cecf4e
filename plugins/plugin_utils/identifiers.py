# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the names of runs and findings. Runs on the control node."""

from __future__ import annotations

import hashlib
import json
import secrets

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def finding_key(client: str, host: str, check: str, obj: str) -> str:
    """Return the stable key of a finding: 16 hex digits over client, host, check and object."""
    array = json.dumps([client, host, check, obj], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(array.encode("utf-8", "replace")).hexdigest()[:16]


def new_run_id(now: float) -> str:
    """Return a ULID: 48 bits of milliseconds and 80 random bits, 26 characters that sort by time."""
    number = (int(now * 1000) << 80) | secrets.randbits(80)
    digits = ""
    for _digit in range(26):
        number, rest = divmod(number, 32)
        digits = _CROCKFORD[rest] + digits
    return digits
