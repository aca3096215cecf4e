#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: patch_reboot
short_description: Reboot a host that has to be, and prove it
description:
  - Reboots when the host has a reason to, the role's variables allow it, the window is open long enough and nothing
    on the host speaks against it. Waits for the host, and proves the reboot by its boot identifier (in a container by
    the start of process 1).
  - A host that does not come back is C(lost); one that runs its old kernel afterwards has a finding.
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
extends_documentation_fragment:
  - keepwell.fleet.chore
  - keepwell.fleet.patching
"""

EXAMPLES = r"""
- name: Reboot
  keepwell.fleet.patch_reboot:
  timeout: 1800
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
  sample: "rebooted for linux-image; up after 41 s"
"""
