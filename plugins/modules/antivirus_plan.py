#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: antivirus_plan
short_description: Plan the antivirus work of a host
description:
  - >-
    Asks the host what the steps that are switched on would meet: engines and versions, services that are down, how many
    files a scan would go over and what it leaves out, what is in quarantine. It reads and changes nothing.
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
extends_documentation_fragment:
  - keepwell.fleet.chore
  - keepwell.fleet.antivirus
"""

EXAMPLES = r"""
- name: Plan
  keepwell.fleet.antivirus_plan:
  register: planned
"""

RETURN = r"""
steps:
  description: Steps that could be done now.
  returned: success
  type: list
  elements: str
  sample: ["update", "scan", "rescan"]
targets:
  description: What a scan would go over; empty when none is asked for.
  returned: success
  type: dict
msg:
  description: One sentence for a person.
  returned: always
  type: str
"""
