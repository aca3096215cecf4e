#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_schedule
short_description: Decide who verifies which backup, and what may go on at the same time
description:
  - >-
    Checks the C(backup_verification_*) variables of every host of the inventory before the first connection: unknown
    names, verifiers that are no host of the inventory, repositories that are opened with different credentials.
  - Returns the batches in which datasets may be tested, so that a repository is read by one host and for one dataset
    at a time. No host is contacted.
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
extends_documentation_fragment:
  - keepwell.fleet.chore
  - keepwell.fleet.backup_verification
"""

EXAMPLES = r"""
- name: Decide who verifies what
  keepwell.fleet.backup_schedule:
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
    hosts:
      description: Verifying hosts of this play that belong to the batch.
      type: list
      elements: str
    datasets:
      description: What they may test in it, each as C(<protected host>/<dataset>).
      type: list
      elements: str
msg:
  description: One sentence for a person.
  returned: always
  type: str
  sample: "7 datasets, verified by 2 hosts in 3 batches"
"""
