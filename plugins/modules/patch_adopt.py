#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: patch_adopt
short_description: Wait for what an earlier run began on a host
description:
  - A transaction that an earlier run began goes on when that run is killed or loses its connection. This step finds
    it, waits for its end and takes it into the change record of this run.
  - Does nothing where no such transaction is.
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
extends_documentation_fragment:
  - keepwell.fleet.chore
  - keepwell.fleet.patching
"""

EXAMPLES = r"""
- name: Pick up what an earlier run began
  keepwell.fleet.patch_adopt:
"""

RETURN = r"""
adopted:
  description: Identifier of the transaction; empty when there was none.
  returned: success
  type: str
msg:
  description: One sentence for a person.
  returned: always
  type: str
  sample: "nothing was left by an earlier run"
"""
