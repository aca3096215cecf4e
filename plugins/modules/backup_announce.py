#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_announce
short_description: Print which backups would be read and restored, and how
description:
  - Prints what is due on all hosts as one text - dataset, test, why it is due, snapshot, files, size, target, free
    space and every step in words - and keeps it in the run's folder (C(announcement.txt)). No host is contacted.
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
extends_documentation_fragment:
  - keepwell.fleet.chore
  - keepwell.fleet.backup_verification
"""

EXAMPLES = r"""
- name: Announce
  keepwell.fleet.backup_announce:
  run_once: true
"""

RETURN = r"""
path:
  description: Where the text is.
  returned: success
  type: str
msg:
  description: One sentence for a person.
  returned: always
  type: str
  sample: "4 tests on 2 hosts"
"""
