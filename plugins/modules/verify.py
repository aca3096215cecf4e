#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: verify
short_description: Say what holds of a client's evidence
description:
  - Checks that no file of a run was changed, added or removed, that no run is missing, that signatures and time stamps
    are by whom they should be, and that a head that was noted elsewhere is there. Says so in plain sentences.
  - Fails when something does not hold. No host is contacted and nothing is changed.
  - It is the same program as C(verify.py) in an evidence pack, which needs nothing of Keepwell.
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
options:
  client:
    description:
      - Identifier of the client. Default is the client of the inventory.
    type: str
  source:
    description:
      - An evidence pack (zip file or folder), or a client's folder of another state directory. Default is the
        evidence of the client.
    type: path
  run_id:
    description:
      - Look only at the files of this run; the chain is checked as a whole.
    type: str
    default: ""
  since:
    description:
      - Look only at the files of runs that ended on or after this day (UTC), such as V(2026-07-01).
    type: str
    default: ""
  heads:
    description:
      - Heads that were noted elsewhere, for example in reports. Evidence that was put back to an older state, or
        written anew, lacks them.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - keepwell.fleet.control
attributes:
  diff_mode:
    description: Will return details on what has changed when in diff_mode.
    support: none
seealso:
  - module: keepwell.fleet.evidence_pack
"""

EXAMPLES = r"""
- name: Verify the evidence of this client against the head in the last report
  keepwell.fleet.verify:
    heads:
      - 5c0b3f6e8d7a49120c4b8f3e2d1a0f9e8d7c6b5a49382716f5e4d3c2b1a09f8e
"""

RETURN = r"""
client:
  description: Identifier of the client of the inventory.
  returned: always
  type: str
source:
  description: What was looked at.
  returned: always
  type: str
sentences:
  description: What was found, each with C(holds), which is true, false, or null for what is only to be known.
  returned: always
  type: list
  elements: dict
holds:
  description: Whether nothing was found that does not hold.
  returned: always
  type: bool
head:
  description: Hash of the newest manifest.
  returned: always
  type: str
"""
