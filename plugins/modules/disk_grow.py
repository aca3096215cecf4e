#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: disk_grow
short_description: Make filesystems larger before they are full
description:
  - Only where C(disk_cleanup_grow) is true, only filesystems that C(disk_cleanup_grow_filesystems) names, only when a
    check of capacity found something, and only in a maintenance window.
  - Knows ext4 and XFS on LVM, on the last partition of a disk, and on whole disks. Sizes are absolute, a reserve stays
    in the volume group, and everything that is not well beneath is a reason not to. Nothing is ever made smaller.
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
extends_documentation_fragment:
  - keepwell.fleet.chore
  - keepwell.fleet.disk_cleanup
"""

EXAMPLES = r"""
- name: See which filesystems would be made larger
  keepwell.fleet.disk_grow:
  check_mode: true
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
  sample: "/srv: 512 MiB more (/dev/mapper/data-srv)"
"""
