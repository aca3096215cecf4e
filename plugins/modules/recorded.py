#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: recorded
short_description: Find a recorded Keepwell run
description:
  - Finds a run in the evidence of a client and returns the same as M(keepwell.fleet.record) did when the run was
    recorded, so that its reports can be made again. No host is contacted.
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
options:
  client:
    description:
      - Identifier of the client. Default is the client of the inventory.
    type: str
  run_id:
    description:
      - Identifier of the run. Default is the newest one that is complete and not partial, else the newest.
    type: str
extends_documentation_fragment:
  - keepwell.fleet.control
attributes:
  diff_mode:
    description: Will return details on what has changed when in diff_mode.
    support: none
seealso:
  - module: keepwell.fleet.record
"""

EXAMPLES = r"""
- name: Find the newest run of a client
  keepwell.fleet.recorded:
    client: acme
  register: recorded
"""

RETURN = r"""
run:
  description: Path of the sealed C(run.json).
  returned: success
  type: str
client:
  description: Identifier of the client.
  returned: success
  type: str
client_dir:
  description: The client's folder in the state directory.
  returned: success
  type: str
date:
  description: Day on which the run began (UTC).
  returned: success
  type: str
  sample: "2026-11-23"
partial:
  description: Why the run does not cover everything; empty when it does.
  returned: success
  type: list
  elements: str
status:
  description: Content of C(status.json), for scripts and monitoring.
  returned: success
  type: dict
summary:
  description: What the C(keepwell.fleet.summary) callback prints.
  returned: success
  type: dict
"""
