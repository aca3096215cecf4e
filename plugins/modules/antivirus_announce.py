#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: antivirus_announce
short_description: Print the antivirus plans of all hosts
description:
  - >-
    Prints one text over all hosts and keeps it as C(announcement.txt) in the folder of the run.
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
extends_documentation_fragment:
  - keepwell.fleet.chore
  - keepwell.fleet.antivirus
"""

EXAMPLES = r"""
- name: Announce
  keepwell.fleet.antivirus_announce:
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
"""
