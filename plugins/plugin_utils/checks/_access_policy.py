# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the policy for access."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import (
    Section,
    threshold,
)

Facts = Mapping[str, t.Any]


class Policy(Section):
    """Thresholds for access."""

    root_login_allowed: t.Literal["no", "key", "yes"] = threshold(
        "key", "CIS Debian benchmark: no; House: key for emergencies"
    )
    password_login_allowed: bool = threshold(False, "House: keys only; passwords are guessed around the clock")
    free_sudo_allowed: tuple[str, ...] = threshold(
        (), "House: names of users and %groups that need no password, by agreement"
    )
    failed_logins_watch: int = threshold(50, "House: refused logins an hour", ge=1)
    failed_logins_act: int = threshold(500, "House: refused logins an hour", ge=1)
    idle_days: float = threshold(90.0, "House; CIS 5.3 wants 45 days", gt=0)
    idle_exempt: tuple[str, ...] = threshold(
        ("root",), "House: accounts of machines and emergencies log in without a record"
    )
    new_key_days: float = threshold(7.0, "House: how long a new key stays in view", gt=0)
    rsa_bits_least: int = threshold(2048, "NIST SP 800-131A: 2048 bits for RSA", ge=1024)
    password_length_least: int = threshold(8, "NIST SP 800-63B: at least 8 signs", ge=1)
    lockout_after_most: int = threshold(10, "Microsoft: default of Windows 11 22H2, 10 wrong passwords", ge=1)
    laps_required: bool = threshold(True, "CIS 5.2: no two computers with the same administrator's password")
    password_age_days: float = threshold(0.0, "NIST SP 800-63B: no forced change; 0 switches it off", ge=0)
