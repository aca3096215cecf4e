# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation that the steps of patching share."""

from __future__ import annotations


class ModuleDocFragment:
    """What every step of patching has in common."""

    DOCUMENTATION = r"""
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying target.
    support: full
    details: Steps that act do nothing in check mode; the plan says what they would do.
notes:
  - A step of the role C(keepwell.fleet.patching); its settings are the role's variables.
  - What was done so far is in the host's change record, C(changes/<host>.patching.json) in the folder of the run. A
    step does nothing when that says that the change has come to its end.
"""
