# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: sign a webhook in the way that https://www.standardwebhooks.com/ describes. Pure.

The signature is an HMAC-SHA256 over ``<id>.<timestamp>.<body>``. The id is the same in every attempt, so that a
receiver which keeps ids acts once; the timestamp is that of the attempt, so that an old request cannot be played back.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

PREFIX = "whsec_"
SHORTEST, LONGEST = 24, 64


def key_of(secret: str) -> bytes:
    """Return the key that a secret stands for. Raises ValueError for one that is no base64, too short or too long."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not SHORTEST <= len(key) <= LONGEST:
        raise ValueError(
            f"should be {SHORTEST} to {LONGEST} random bytes in base64, as 'openssl rand -base64 32' makes them"
        )
    return key


def headers(secret: str, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers of an attempt."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    signature = base64.b64encode(hmac.new(key_of(secret), signed, hashlib.sha256).digest()).decode()
    return {
        "Idempotency-Key": message_id,
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{signature}",
    }
