#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: patch_restart
short_description: Restart what still runs on replaced files
description:
  - Restarts the units that run on files which the change has replaced, except those that must never be restarted
    (D-Bus, logins, container and virtual machine hosts ...) and those that the role's variables name.
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
extends_documentation_fragment:
  - keepwell.fleet.chore
  - keepwell.fleet.patching
"""

EXAMPLES = r"""
- name: Restart services
  keepwell.fleet.patch_restart:
"""

RETURN = r"""
services:
  description: Units, and what became of each.
  returned: when services had to be restarted
  type: dict
outcome:
  description: How the host's change stands, as in its change record.
  returned: when the host has one
  type: str
  sample: running
msg:
  description: One sentence for a person.
  returned: always
  type: str
  sample: "restarted ssh.service, cron.service"
"""
