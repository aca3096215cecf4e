#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: antivirus_adopt
short_description: Take up antivirus work that an earlier run began
description:
  - Work on a host belongs to neither the connection nor the control node, so it may have gone on after its run ended.
    Waits for the end of such work and takes it into the change record of this run.
  - Begins nothing.
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
extends_documentation_fragment:
  - keepwell.fleet.chore
  - keepwell.fleet.antivirus
"""

EXAMPLES = r"""
- name: Pick up what an earlier run began
  keepwell.fleet.antivirus_adopt:
"""

RETURN = r"""
adopted:
  description: Identifiers of the work that was followed to its end.
  returned: success
  type: list
  elements: str
msg:
  description: One sentence for a person.
  returned: always
  type: str
  sample: nothing was left by an earlier run
"""
