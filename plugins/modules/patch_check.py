#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: patch_check
short_description: Check the variables of patching of every host
description:
  - Refuses what is wrong in the C(patching_*) variables of any host, with all mistakes at once, before any connection.
  - >-
    Writes down that a person lets the client go on after a change that failed or left new findings, where
    C(patching_release) says so and the run acts; else it only tells. Where several hosts wait for it, they have to be
    named with C(--limit). No host is contacted.
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
extends_documentation_fragment:
  - keepwell.fleet.chore
  - keepwell.fleet.patching
"""

EXAMPLES = r"""
- name: Check the variables
  keepwell.fleet.patch_check:
  run_once: true
"""

RETURN = r"""
released:
  description: Hosts whose last change held others, and after which the client may go on from now, or would.
  returned: success
  type: list
  elements: str
msg:
  description: One sentence for a person.
  returned: always
  type: str
  sample: "the variables of 12 hosts are fine"
"""
