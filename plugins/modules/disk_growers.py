#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: disk_growers
short_description: See what is large and what grew on filesystems that ask for room
description:
  - Walks over the filesystems that a check of capacity found something about, within a budget of entries and seconds,
    and adds the largest folders with their owners to what the run saw of the host. The checks judge again, so that the
    findings name what grows.
  - Reads names and sizes, follows no link, crosses no mount, changes nothing.
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
extends_documentation_fragment:
  - keepwell.fleet.chore
  - keepwell.fleet.disk_cleanup
"""

EXAMPLES = r"""
- name: See what grows
  keepwell.fleet.disk_growers:
  timeout: 300
"""

RETURN = r"""
filesystems:
  description: Mount points that were looked at.
  returned: success
  type: list
  elements: str
msg:
  description: One sentence for a person.
  returned: always
  type: str
  sample: "looked at /var/log"
"""
