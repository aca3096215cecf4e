#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: schedule_plan
short_description: Say what the control node should have of a client's schedule, and what is different
description:
  - Makes systemd units or a file for cron of C(keepwell_schedule), by the variables of the role C(scheduler), and
    compares them with what is installed on this machine.
  - Shows every difference. Changes nothing; the role does.
  - Refuses what is in the way, such as a file of the same name that Keepwell did not make for this client.
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
extends_documentation_fragment:
  - keepwell.fleet.control
"""

EXAMPLES = r"""
- name: See what is written and what is installed
  keepwell.fleet.schedule_plan:
  register: plan
"""

RETURN = r"""
files:
  description: The wanted files, each with C(path) and C(content).
  returned: success
  type: list
  elements: dict
timers:
  description: Names of the timers that have to be enabled and active; none with cron.
  returned: success
  type: list
  elements: str
remove:
  description: Files that were made for this client and are not wanted any more.
  returned: success
  type: list
  elements: str
stop:
  description: Names of the timers among them.
  returned: success
  type: list
  elements: str
traces:
  description: What systemd keeps of those timers.
  returned: success
  type: list
  elements: str
folder:
  description: The client's folder in the state directory.
  returned: success
  type: str
record:
  description: C(path) and C(content) of the record of what is installed; without content nothing is.
  returned: success
  type: dict
make_folders:
  description: Folders of the state directory that scheduled runs write into and that have to be made.
  returned: success
  type: list
  elements: str
needs:
  description: What the account of scheduled runs has to be able to do, each with C(test) (as of test(1)) and C(path).
  returned: success
  type: list
  elements: dict
systemd:
  description: Whether systemd runs this machine.
  returned: success
  type: bool
differences:
  description: What is not as it is written, one sentence each.
  returned: success
  type: list
  elements: str
"""
