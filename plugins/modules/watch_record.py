#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: watch_record
short_description: Record a beat of the watch
description:
  - Judges what the hosts of the play answered (registered as C(keepwell_heard)) by the checks of assessments, writes
    one line of evidence for all of them, and tells what changed since the beat before.
  - A host is lost when it answered before and did not answer twice in a row. When none of several hosts answers, that
    is taken for a fault on the way to them, and told once.
  - What happens within a maintenance window that is declared is told, and never fails the task.
  - Writes C(keepwell_metrics_file) and calls C(keepwell_ping_url), where they are set.
  - Removes beats that are older than C(availability.watch_keep_days) of the policy.
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
options:
  at:
    description: When the beat began, as M(keepwell.fleet.watch_begin) says it.
    type: float
    required: true
  fail_on:
    description:
      - The state from which on something that changed makes the task fail. What was so at the beat before never does.
    type: str
    choices: [never, watch, unknown, act, crit]
    default: never
extends_documentation_fragment:
  - keepwell.fleet.control
attributes:
  check_mode:
    support: full
    details: Nothing is written and nobody is told.
  diff_mode:
    description: Will return details on what has changed when in diff_mode.
    support: none
seealso:
  - module: keepwell.fleet.watch
  - module: keepwell.fleet.availability
"""

EXAMPLES = r"""
- name: Record the beat
  keepwell.fleet.watch_record:
    at: "{{ keepwell_beat.at }}"
    fail_on: crit
  run_once: true
"""

RETURN = r"""
summary:
  description: Verdict, hosts by state, who does not answer, and what changed.
  returned: always
  type: dict
"""
