# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the chores, with the variables of their roles."""

from __future__ import annotations

import typing as t
from collections.abc import Collection

from ansible_collections.keepwell.fleet.plugins.plugin_utils.antivirus import options as antivirus
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification import options as backup_verification
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.options import Setting
from ansible_collections.keepwell.fleet.plugins.plugin_utils.disk_cleanup import options as disk_cleanup
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching import options as patching


class Variables(t.NamedTuple):
    """How the variables of a chore's role are read."""

    model: type[Setting]
    registered: Collection[str] = ()


CHORES: dict[str, Variables] = {
    "antivirus": Variables(antivirus.Options, antivirus.REGISTERED),
    "backup_verification": Variables(backup_verification.Options, backup_verification.REGISTERED),
    "disk_cleanup": Variables(disk_cleanup.Options, disk_cleanup.REGISTERED),
    "patching": Variables(patching.Options, patching.REGISTERED),
}
