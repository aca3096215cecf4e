#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: disk_cleanup
short_description: Free space on filesystems that ask for room, by safe rules
description:
  - >-
    Goes through the rules with one walk, on the filesystems that a check of capacity found something about, oldest
    things first, until the target is free or the budget is spent. In check mode it is the same walk without its last
    step, so what it announces is what would be done.
  - >-
    Deletes in folders alone that are compiled into Keepwell, never through a link, never across a mount, never what is
    open, linked twice, locked or younger than its rule says. No variable adds a folder.
  - >-
    Carried out, it is a unit of its own on the host, which outlives the connection; what was predicted and what became
    free are both in the change record, with the reason where they differ.
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
options:
  rules:
    description: Names of the rules. By default those of the role's variable C(disk_cleanup_rules).
    type: list
    elements: str
  target_free_percent:
    description: Free share of a filesystem at which the work ends. By default C(disk_cleanup_target_free_percent).
    type: float
  budget:
    description: The most that is done, as C(bytes), C(files) and C(seconds). By default C(disk_cleanup_budget).
    type: dict
extends_documentation_fragment:
  - keepwell.fleet.chore
  - keepwell.fleet.disk_cleanup
"""

EXAMPLES = r"""
- name: See what would become free
  keepwell.fleet.disk_cleanup:
  check_mode: true

- name: Free space until a quarter of each filesystem is free
  keepwell.fleet.disk_cleanup:
    rules: [package_cache, rotated_logs]
    target_free_percent: 25
    budget:
      bytes: 10737418240
      files: 100000
      seconds: 300
"""

RETURN = r"""
filesystems:
  description: Mount points that ask for room.
  returned: in check mode
  type: list
  elements: str
predicted_bytes:
  description: What would become free.
  returned: in check mode
  type: int
touched:
  description: True when work was begun on the host, so that it has to be assessed again.
  returned: not in check mode
  type: bool
outcome:
  description: How the host's change stands, as in its change record.
  returned: when the host has one
  type: str
  sample: planned
msg:
  description: One sentence for a person.
  returned: always
  type: str
  sample: "/var/log: 3.1 MiB freed, 3.1 MiB predicted (rotated_logs 12 files 3.1 MiB)"
"""
