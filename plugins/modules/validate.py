#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: validate
short_description: Say everything that is wrong in a client's files
description:
  - Reads the variables of every host of the inventory as the playbooks do (client, plan, contract, policy, windows,
    exceptions, and those of every chore) and shows every mistake at once, each with its file and line, what is allowed
    and the nearest match.
  - Also refused are hosts of several clients, two names for one machine, more hosts than the contract allows, and
    groups that put a host into different rings.
  - Where a client is kept in AWX (C(keepwell_awx)) its definitions are looked at as well; AWX is not asked.
  - Warns of expired exceptions, exceptions for nobody, and differences between the contract and the inventory.
  - No host is contacted. M(keepwell.fleet.run_begin) does the same first in every playbook.
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
options: {}
extends_documentation_fragment:
  - keepwell.fleet.control
seealso:
  - module: keepwell.fleet.run_begin
"""

EXAMPLES = r"""
- name: Look at the client's files
  keepwell.fleet.validate:
"""

RETURN = r"""
client:
  description: Identifier of the client.
  returned: success
  type: str
hosts:
  description: How many hosts the inventory has.
  returned: success
  type: int
warnings_found:
  description: What is no mistake and worth a look, one sentence each.
  returned: success
  type: list
  elements: str
"""
