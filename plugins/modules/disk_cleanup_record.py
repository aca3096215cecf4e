#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: disk_cleanup_record
short_description: Close the change record of a host
description:
  - Writes down what became free, what the checks say now, and what is large on filesystems that still ask for room.
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
extends_documentation_fragment:
  - keepwell.fleet.chore
  - keepwell.fleet.disk_cleanup
"""

EXAMPLES = r"""
- name: Record the change
  keepwell.fleet.disk_cleanup_record:
"""

RETURN = r"""
outcome:
  description: How the host's change stands, as in its change record.
  returned: when the host has one
  type: str
  sample: planned
msg:
  description: One sentence for a person.
  returned: always
  type: str
  sample: "done: /var/log: 3.1 MiB freed, 3.1 MiB predicted."
"""
