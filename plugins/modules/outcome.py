#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: outcome
short_description: Turn a recorded Keepwell run into Ansible's exit code
description:
  - Reports a host that the run could not reach as unreachable, now that its reports are written, so that
    C(ansible-playbook) ends with its own exit code 4.
  - Fails for a host on which a change was refused, failed or was taken back; one that was lost during its change is
    unreachable. A change that a window or an earlier ring kept back is no failure.
  - Fails for a host whose state is at or above O(fail_on).
  - Reads evidence only; no host is contacted.
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
options:
  evidence:
    description:
      - Folder of the recorded run.
    type: path
    required: true
  fail_on:
    description:
      - The state from which on a host makes the play fail. By default findings never do, a job's result says whether
        the tool worked.
    type: str
    choices: [never, watch, unknown, act, crit]
    default: never
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
- name: Say what the run found
  keepwell.fleet.outcome:
    evidence: /var/lib/keepwell/acme/runs/01K9Y7C3M1T4R8Z0V5B2N6H9XQ
    fail_on: crit
"""

RETURN = r"""
msg:
  description: The host's state, or why it could not be looked at.
  returned: always
  type: str
"""
