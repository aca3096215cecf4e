#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: disk_cleanup_adopt
short_description: Take up what an earlier run began on a host
description:
  - Follows work to its end that an earlier run began and could not follow, and puts it into the change record.
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
extends_documentation_fragment:
  - keepwell.fleet.chore
  - keepwell.fleet.disk_cleanup
"""

EXAMPLES = r"""
- name: Pick up what an earlier run began
  keepwell.fleet.disk_cleanup_adopt:
"""

RETURN = r"""
adopted:
  description: Identifiers of that work.
  returned: success
  type: list
  elements: str
msg:
  description: One sentence for a person.
  returned: always
  type: str
  sample: "nothing was left by an earlier run"
"""
