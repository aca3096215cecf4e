#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: patch_announce
short_description: Say what patching would do
description:
  - Prints the plans of all hosts as one text, and keeps it in the run's folder as C(announcement.txt). No host is
    contacted.
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
extends_documentation_fragment:
  - keepwell.fleet.chore
  - keepwell.fleet.patching
"""

EXAMPLES = r"""
- name: Announce
  keepwell.fleet.patch_announce:
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
  sample: "9 updates on 3 hosts"
"""
