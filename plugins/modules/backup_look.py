#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_look
short_description: Look at the backups that a host verifies, and find out what is due
description:
  - >-
    Asks the host what is in the repositories of the datasets that it verifies, those of other hosts included, and what
    each due test would do. For copies that only SFTP reaches it looks from the control node. The host reads metadata
    and writes nothing but scratch in memory.
  - Writes C(backups/<host>.<dataset>.json) for every dataset and the plan of the host into the run's folder. Where the
    host is not reached, the datasets are not seen, which is never well.
  - With C(backup_verification_act) it first removes what a crash left behind and takes up tests that an earlier run
    began.
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
extends_documentation_fragment:
  - keepwell.fleet.chore
  - keepwell.fleet.backup_verification
"""

EXAMPLES = r"""
- name: Look
  keepwell.fleet.backup_look:
"""

RETURN = r"""
looked:
  description: Status of each dataset, by C(<protected host>/<dataset>).
  returned: when the host verifies something
  type: dict
  sample: {web1/files: ok}
due:
  description: Tests that this run would do, or does.
  returned: when the host verifies something
  type: list
  elements: str
msg:
  description: One sentence for a person.
  returned: always
  type: str
  sample: "3 datasets, 0 of them not seen; 2 of 5 tests"
"""
