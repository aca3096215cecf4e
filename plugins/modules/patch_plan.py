#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: patch_plan
short_description: Plan the updates of a host
description:
  - Chooses from what is pending by the policy, lets the host's package manager simulate exactly that, looks at what
    stands against it (space, locks, broken packages, stale lists ...) and writes the plan with its hash into the
    run's folder (C(plans/<host>.<chore>.json)).
  - Reads the host only; nothing is fetched, locked or written there. The host must have been assessed in this run.
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
extends_documentation_fragment:
  - keepwell.fleet.chore
  - keepwell.fleet.patching
"""

EXAMPLES = r"""
- name: Plan
  keepwell.fleet.patch_plan:
  register: planned
"""

RETURN = r"""
plan_hash:
  description: Hash over the client, the host, the package manager and the whole transaction.
  returned: success
  type: str
packages:
  description: What would be changed, as C(name version).
  returned: success
  type: list
  elements: str
msg:
  description: One sentence for a person.
  returned: always
  type: str
  sample: "12 updates, 9 of them security; a reboot is expected"
"""
