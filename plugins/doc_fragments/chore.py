# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation that the steps of all chores share."""

from __future__ import annotations


class ModuleDocFragment:
    """What every step of every chore has in common; what is the chore's own is in a fragment of its name."""

    DOCUMENTATION = r"""
attributes:
  diff_mode:
    description: Will return details on what has changed when in diff_mode.
    support: none
  action:
    description:
      - Indicates this has a corresponding action plugin so some parts of the options can be executed on the controller.
    support: full
notes:
  - M(keepwell.fleet.run_begin) must have begun a run in the same play.
seealso:
  - module: keepwell.fleet.run_begin
  - module: keepwell.fleet.assess
"""
