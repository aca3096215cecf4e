#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: availability
short_description: Tell how available hosts and services were in a month
description:
  - Reads the beats of the watch and nothing else. The same month gives the same figures whenever it is asked for.
  - Maintenance windows that were declared before they began do not count; overlapping ones are left out once.
  - Time that nobody watched is a gap. With less than 95 percent of the time known, nothing is called measured.
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
options:
  month:
    description: Month of the client's calendar, like V(2026-10). Default is the last month that is over.
    type: str
extends_documentation_fragment:
  - keepwell.fleet.control
attributes:
  diff_mode:
    description: Will return details on what has changed when in diff_mode.
    support: none
notes:
  - Run it on C(localhost), with the inventory of the client.
seealso:
  - module: keepwell.fleet.watch_record
"""

EXAMPLES = r"""
- name: How was October
  keepwell.fleet.availability:
    month: "2026-10"
"""

RETURN = r"""
availability:
  description: The figures of all hosts together, of every host, and of every watched service.
  returned: when there was a beat in that month
  type: dict
path:
  description: The same as a file.
  returned: when there was a beat in that month, outside check mode
  type: str
msg:
  description: The same as a table for people.
  returned: always
  type: str
"""
