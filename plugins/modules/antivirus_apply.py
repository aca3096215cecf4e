#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: antivirus_apply
short_description: Do the antivirus work of a host
description:
  - >-
    Waits for work that an earlier run began. Otherwise asks the guards for each step: is the service bought, is the
    host not on hold, is a window open
    where the step needs one.
  - >-
    Then starts the steps as a unit of their own on the host, with limits, which outlives the connection, and waits for
    its end. Lost connections are picked up again; a host that stays away is left to its own, and a later run takes up
    what became of it.
  - >-
    Files are moved, never deleted.
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
extends_documentation_fragment:
  - keepwell.fleet.chore
  - keepwell.fleet.antivirus
"""

EXAMPLES = r"""
- name: Apply
  keepwell.fleet.antivirus_apply:
  timeout: 8100
"""

RETURN = r"""
touched:
  description: True when work was begun on the host.
  returned: always
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
"""
