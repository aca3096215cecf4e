#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_record
short_description: Close the change record of a verifying host
description:
  - Says what the host's tests came to, or why none was done, and lets the host forget accounts of tests that are older
    than 30 days.
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
extends_documentation_fragment:
  - keepwell.fleet.chore
  - keepwell.fleet.backup_verification
"""

EXAMPLES = r"""
- name: Record what was done
  keepwell.fleet.backup_record:
"""

RETURN = r"""
tested:
  description: Whether a test of any backup of the host came to its end in this run, by whichever host.
  returned: success
  type: bool
outcome:
  description: What the host's tests came to.
  returned: when the host verifies something and the run acts
  type: str
  sample: done
msg:
  description: One sentence for a person.
  returned: always
  type: str
  sample: "done: 3 tests done: 3 proven."
"""
