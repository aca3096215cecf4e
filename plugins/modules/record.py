#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: record
short_description: Put a Keepwell run together and seal it
description:
  - Reads the evidence that the hosts of the run left, counts and grades it, compares it with the previous run, and
    writes C(run.json), the one document that all reports are made from.
  - Hosts of the population without evidence become C(unknown).
  - Seals the run with a manifest that holds the hash of every file and of the manifest before it, and adds the run to
    the client's history index.
  - Signs the manifest where C(keepwell_signing_key) names a key, and has it stamped with the time where
    C(keepwell_timestamp_url) names an authority. What stands against that is said; the run is recorded all the same.
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
options: {}
extends_documentation_fragment:
  - keepwell.fleet.control
attributes:
  check_mode:
    support: full
    details: A run in check mode is recorded as a partial one.
  diff_mode:
    description: Will return details on what has changed when in diff_mode.
    support: none
notes:
  - Run it on C(localhost), in the same ansible-playbook that began the run.
  - Fails with one sentence when no run was begun, for example because no host matched.
seealso:
  - module: keepwell.fleet.run_begin
  - module: keepwell.fleet.render
  - module: keepwell.fleet.verify
"""

EXAMPLES = r"""
- name: Record the run
  keepwell.fleet.record:
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
  description: Why this run does not cover everything; empty when it does.
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
