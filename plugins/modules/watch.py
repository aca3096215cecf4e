#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: watch
short_description: Ask a host for a beat of the watch
description:
  - Asks whether the host was restarted, how full its filesystems are, and how the watched units are. Changes nothing
    and needs no root rights - become is not used even where the inventory has it.
  - A host that does not answer is an answer, too - the task never fails for it.
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
options:
  watched:
    description: Units of systemd that are to run.
    type: list
    elements: str
    default: []
attributes:
  action:
    description:
      - Indicates this has a corresponding action plugin so some parts of the options can be executed on the controller.
    support: full
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description: Will return details on what has changed when in diff_mode.
    support: none
seealso:
  - module: keepwell.fleet.watch_record
"""

EXAMPLES = r"""
- name: Ask
  keepwell.fleet.watch:
    watched: [nginx, postgresql]
  register: keepwell_heard
"""

RETURN = r"""
answer:
  description: C(ok), C(fail) when the host does not answer, C(unknown) when it answers and cannot be looked at.
  returned: always
  type: str
reason:
  description: Why there is no observation.
  returned: always
  type: str
document:
  description: What the host says, in the shape of an assessment's observation.
  returned: when it answers
  type: dict
"""
