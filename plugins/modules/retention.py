#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: retention
short_description: Delete evidence whose time is over
description:
  - Shows the runs of a client that are older than C(keepwell_retention_months) and, when asked to, deletes their
    evidence, the reports made of it, and packs that hold it.
  - Manifests, signatures and time stamps stay, so that the chain can be verified as before. A run of its own records
    what was deleted, in its sealed and signed manifest, before anything is.
  - The newest run over the whole client stays whatever its age, and so does a run whose evidence was changed. While
    C(keepwell_legal_hold) says something, nothing is deleted.
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
options:
  client:
    description:
      - Identifier of the client. Default is the client of the inventory.
    type: str
  act:
    description:
      - Delete. Otherwise it is only shown what would be deleted.
    type: bool
    default: false
extends_documentation_fragment:
  - keepwell.fleet.control
attributes:
  diff_mode:
    description: Will return details on what has changed when in diff_mode.
    support: none
seealso:
  - module: keepwell.fleet.verify
"""

EXAMPLES = r"""
- name: Show what is older than it has to be kept
  keepwell.fleet.retention:

- name: Delete it
  keepwell.fleet.retention:
    act: true
"""

RETURN = r"""
client:
  description: Identifier of the client.
  returned: success
  type: str
due:
  description: Runs whose evidence is to be deleted, or was.
  returned: success
  type: list
  elements: str
kept:
  description: Why other runs of that age stay, a sentence each.
  returned: success
  type: list
  elements: str
run_id:
  description: The run that recorded the deletion; empty when nothing was deleted.
  returned: success
  type: str
"""
