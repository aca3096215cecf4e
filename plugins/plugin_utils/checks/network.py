# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Network."""

from __future__ import annotations

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import Section


class Policy(Section):
    """Thresholds for network."""
