# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Backup: what the host tells, what is in the repositories, what was proven, and what nobody has declared.

The order of the imports is the order in reports.
"""

from __future__ import annotations

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks import (
    _backup_host,
    _backup_look,
    _backup_proof,
    _backup_survival,
    _backup_whole,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._backup_policy import Policy

__all__ = ["Policy"]
# Importing these modules registers their checks.
PARTS = (_backup_host, _backup_look, _backup_proof, _backup_survival, _backup_whole)
