#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: antivirus_prepare
short_description: Check the antivirus variables of every host
description:
  - >-
    Reads the C(antivirus_*) variables of every host of the inventory and fails with all mistakes at once, before
    anything is asked of a host.
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
extends_documentation_fragment:
  - keepwell.fleet.chore
  - keepwell.fleet.antivirus
"""

EXAMPLES = r"""
- name: Prepare
  keepwell.fleet.antivirus_prepare:
  run_once: true
"""

RETURN = r"""
steps:
  description: For each host of the play the steps that are asked for, in their order.
  returned: success
  type: dict
  sample: {"web1": ["scan", "quarantine", "rescan"]}
turns:
  description: The hosts of the play in the order in which they are worked on; who missed the last time comes first.
  returned: success
  type: list
  elements: list
msg:
  description: One sentence for a person.
  returned: always
  type: str
"""
