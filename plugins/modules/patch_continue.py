#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: patch_continue
short_description: Go on with a Windows host after its first updates
description:
  - Some updates of Windows can only be installed, or are only offered, after others or after a reboot. This step asks
    the host again and installs what is left, as long as nothing holds it and enough of the window is left. Where a plan
    was approved, nothing but it.
  - It does nothing on other systems and in check mode.
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
extends_documentation_fragment:
  - keepwell.fleet.chore
  - keepwell.fleet.patching
"""

EXAMPLES = r"""
- name: Install what is left
  keepwell.fleet.patch_continue:
  timeout: 8700
"""

RETURN = r"""
outcome:
  description: How the host's change stands, as in its change record.
  returned: when the host has one
  type: str
  sample: running
msg:
  description: One sentence for a person.
  returned: always
  type: str
  sample: "2 updates installed"
"""
