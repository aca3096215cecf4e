# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation that the steps of disk cleanup share."""

from __future__ import annotations


class ModuleDocFragment:
    """What every step of disk cleanup has in common."""

    DOCUMENTATION = r"""
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying target.
    support: full
    details: Steps that act see in check mode what they would do, by the same walk.
notes:
  - A step of the role C(keepwell.fleet.disk_cleanup); its settings are the role's variables.
  - What was done so far is in the host's change record, C(changes/<host>.disk_cleanup.json) in the folder of the run. A
    step does nothing when that says that the change has come to its end.
"""
