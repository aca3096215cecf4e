#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: disk_cleanup_check
short_description: Check the variables of disk cleanup of every host
description:
  - Refuses typos, unknown rules and log ages below the retention, with all mistakes at once, before any connection.
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
extends_documentation_fragment:
  - keepwell.fleet.chore
  - keepwell.fleet.disk_cleanup
"""

EXAMPLES = r"""
- name: Check the variables
  keepwell.fleet.disk_cleanup_check:
  run_once: true
"""

RETURN = r"""
turns:
  description: The hosts of the play in the order in which they are cleaned up; who missed the last time comes first.
  returned: success
  type: list
  elements: list
msg:
  description: One sentence for a person.
  returned: always
  type: str
  sample: "the variables of 12 hosts are fine"
"""
