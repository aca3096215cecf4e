#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: patch_record
short_description: Close the change record of a host
description:
  - Adds what is still open and why, which findings are new, and which advisories are closed; gives the change its
    outcome; and tells the host that its transaction is recorded.
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
extends_documentation_fragment:
  - keepwell.fleet.chore
  - keepwell.fleet.patching
"""

EXAMPLES = r"""
- name: Record the change
  keepwell.fleet.patch_record:
"""

RETURN = r"""
outcome:
  description: How the host's change stands, as in its change record.
  returned: when the host has one
  type: str
  sample: running
msg:
  description: One sentence for a person.
  returned: always
  type: str
  sample: "done: 12 packages, no update of the policy is left"
"""
