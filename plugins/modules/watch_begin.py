#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: watch_begin
short_description: Begin a beat of the watch
description:
  - Checks every C(keepwell_*) variable of every host of the play before the first connection, and refuses the beat with
    all mistakes at once.
  - Says which hosts are asked and which of their services are watched (C(keepwell_probes.services.watched)).
  - Writes down a schedule (C(keepwell_schedule)) that is new or was changed - from then on its runs are expected.
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
options: {}
extends_documentation_fragment:
  - keepwell.fleet.control
attributes:
  diff_mode:
    description: Will return details on what has changed when in diff_mode.
    support: none
seealso:
  - module: keepwell.fleet.watch
  - module: keepwell.fleet.watch_record
"""

EXAMPLES = r"""
- name: Begin the beat
  keepwell.fleet.watch_begin:
  register: keepwell_beat
  run_once: true
"""

RETURN = r"""
at:
  description: When the beat began, in seconds since 1970 UTC.
  returned: success
  type: float
watched:
  description: The units that are watched, of every host that a plan covers.
  returned: success
  type: dict
"""
