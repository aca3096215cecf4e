#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: patch_apply
short_description: Carry out the plan of a host
description:
  - >-
    Asks the guards first: is the service bought, is a window open and long enough, have the earlier rings succeeded,
    is no other node of the pair at work, is the plan the approved one, does nothing stand against it.
  - Then starts the transaction on the host as a unit of its own, which outlives the connection, and waits for its
    end. The host simulates again and refuses when the result is not exactly the plan.
  - On Windows it is asked again before each turn of updates whether it may be begun. Where the host has nothing but a
    reboot that an earlier change had to leave, nothing is installed.
  - Lost connections are picked up again; a host that stays away is left to its own, and a later run takes up what
    became of it.
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
extends_documentation_fragment:
  - keepwell.fleet.chore
  - keepwell.fleet.patching
"""

EXAMPLES = r"""
- name: Apply the plan
  keepwell.fleet.patch_apply:
  timeout: 8100
  register: applied
"""

RETURN = r"""
touched:
  description: True when a transaction was begun on the host, so that it has to be verified.
  returned: always
  type: bool
more:
  description: True when a Windows host may have more to install once the first updates are in place.
  returned: on Windows hosts that were touched
  type: bool
outcome:
  description: How the host's change stands, as in its change record.
  returned: when the host has one
  type: str
  sample: running
msg:
  description: One sentence for a person.
  returned: always
  type: str
  sample: "kw-tool 1.0-1 -> 1.0-1+deb12u1 and 3 more"
"""
