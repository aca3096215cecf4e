# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packages.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

TIME_LIMIT_S = 5


def collect(machine, parameters):
    """Return the facts."""
    return {}
