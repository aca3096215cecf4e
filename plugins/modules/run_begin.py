#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: run_begin
short_description: Begin a Keepwell run
description:
  - Checks every C(keepwell_*) variable of every host of the play before the first connection, and refuses the run with
    all mistakes at once.
  - Seals runs that were interrupted earlier; their evidence counts.
  - Writes down the population of the run (all hosts of the play, after C(--limit)), so that no host can silently be
    missing from its reports.
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
options:
  subset:
    description:
      - Probes that this run sends, as for M(keepwell.fleet.assess). Fewer than all make the run a partial one.
    type: list
    elements: str
    default: [all]
  maintain:
    description:
      - Every chore that the service plans have is done in this run. Of them those may change hosts that C(maintain_act)
        names, except hosts whose own C(<chore>_act) is false; where C(maintain_act) is not given, those whose own
        C(<chore>_act) is true.
    type: bool
    default: false
  acting:
    description:
      - Chores that may change hosts in this run. Each must be in the service plan (C(keepwell_plan)) of some host.
      - Only one run at a time may change a client's hosts; it holds the client's lease until it is recorded. A second
        one is refused and names the first. The lease of a run whose process is gone is taken over, and so is that of a
        run on another control node after 30 minutes without a sign of life.
      - In check mode no chore acts.
    type: list
    elements: str
    choices: [monitoring, patching, antivirus, backup_verification, disk_cleanup, reporting]
    default: []
extends_documentation_fragment:
  - keepwell.fleet.control
attributes:
  check_mode:
    support: full
    details: The run is recorded and marked as partial.
  diff_mode:
    description: Will return details on what has changed when in diff_mode.
    support: none
notes:
  - Use it once a play, with C(run_once).
  - Touches no host. Writes below C(keepwell_state_dir) on the control node.
seealso:
  - module: keepwell.fleet.record
"""

EXAMPLES = r"""
- name: Begin the run
  keepwell.fleet.run_begin:
  run_once: true
"""

RETURN = r"""
run_id:
  description: Identifier of the run, a ULID that sorts by time.
  returned: success
  type: str
  sample: 01K9Y7C3M1T4R8Z0V5B2N6H9XQ
client:
  description: Identifier of the client that all hosts belong to.
  returned: success
  type: str
  sample: acme
evidence:
  description: Folder of the run's evidence on the control node.
  returned: success
  type: str
  sample: /var/lib/keepwell/acme/runs/01K9Y7C3M1T4R8Z0V5B2N6H9XQ
interrupted_runs:
  description: Earlier runs that never ended and were sealed now.
  returned: success
  type: list
  elements: str
bought:
  description: Chores that the service plans have, each with the hosts it is bought for.
  returned: success
  type: dict
  sample: {patching: [web1, web2]}
acting:
  description: With O(maintain), the chores that may change hosts, each with these hosts. Empty in check mode.
  returned: success
  type: dict
  sample: {patching: [web1]}
taken_over:
  description: The run whose lease was taken over; empty when there was none.
  returned: success
  type: str
partial:
  description: Why this run does not cover everything; empty when it does.
  returned: success
  type: list
  elements: str
"""
