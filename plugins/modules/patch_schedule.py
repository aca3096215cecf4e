#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: patch_schedule
short_description: Decide which hosts are patched together, ring by ring
description:
  - >-
    Returns the batches in which the hosts may be patched: ring after ring, and never both nodes of a pair in one batch.
    Where no host has C(patching_ring), every kind of system gets a canary and steps of its own.
  - >-
    What a host runs is known from what this run saw of it, else from its connection, else from the last run that saw
    it. No host is contacted, so call it after C(keepwell.fleet.assess).
  - The rings of all hosts of the inventory are written into the run's folder (C(patching/schedule.json)), whatever
    C(--limit) says.
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
extends_documentation_fragment:
  - keepwell.fleet.chore
  - keepwell.fleet.patching
"""

EXAMPLES = r"""
- name: Decide who goes with whom
  keepwell.fleet.patch_schedule:
  run_once: true
  register: schedule
"""

RETURN = r"""
batches:
  description: The batches in their order.
  returned: success
  type: list
  elements: dict
  contains:
    ring:
      description: Number of the ring, from 1.
      type: int
    hosts:
      description: Hosts of this play that belong to the batch.
      type: list
      elements: str
msg:
  description: One sentence for a person.
  returned: always
  type: str
  sample: "6 hosts in 3 rings"
"""
