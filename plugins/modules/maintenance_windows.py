#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: maintenance_windows
short_description: Tell which maintenance windows come next
description:
  - Shows the next windows of all hosts of the inventory by the client's clock and in UTC, cut by blackouts, and what
    looks wrong with them (none within 35 days, a start between 02:00 and 03:00, a blackout of more than 45 days,
    windows that overlap).
  - Keeps them as a calendar file that people can subscribe to, C(<state>/<client>/windows.ics).
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
options:
  next:
    description: How many to show.
    type: int
    default: 6
extends_documentation_fragment:
  - keepwell.fleet.control
"""

EXAMPLES = r"""
- name: Tell which windows come next
  keepwell.fleet.maintenance_windows:
    next: 10
"""

RETURN = r"""
windows:
  description: The coming windows, in order, each with C(name), C(begin), C(end), C(allow) and C(hosts).
  returned: success
  type: list
  elements: dict
warnings_found:
  description: What looks wrong, one sentence each.
  returned: success
  type: list
  elements: str
path:
  description: The calendar file.
  returned: success
  type: str
"""
