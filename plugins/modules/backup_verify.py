#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_verify
short_description: Test backups that are due by reading, restoring and comparing
description:
  - >-
    Does the tests that M(keepwell.fleet.backup_look) planned for these datasets on the verifying host, one after the
    other, each in a unit of its own with limits: reads the repository or a part of it, or restores into a fresh folder,
    compares by checksum or asks the restored database, and removes everything again.
  - A test begins only with C(backup_verification_act), when the service plan has it, nothing holds the host, a window
    is open (C(backup_verification_slot)), and the host says that there is room.
  - A connection that breaks is made again; when it stays away the test goes on by itself, and the next run takes up
    what became of it. Nothing on a host stays changed.
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
options:
  datasets:
    description: Datasets that may be tested now, each as C(<protected host>/<dataset>). Others are left alone.
    type: list
    elements: str
    required: true
extends_documentation_fragment:
  - keepwell.fleet.chore
  - keepwell.fleet.backup_verification
"""

EXAMPLES = r"""
- name: Prove what is due
  keepwell.fleet.backup_verify:
    datasets: [web1/files, db1/shop]
"""

RETURN = r"""
tested:
  description: Tests that were done.
  returned: when tests were due
  type: list
  elements: str
outcome:
  description: The worst that the host's tests came to in this run.
  returned: when tests were due
  type: str
  sample: done
msg:
  description: One sentence for a person.
  returned: always
  type: str
  sample: "web1/files sample: proven: 20 files came back: 20 identical."
"""
