#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_canary
short_description: Write a host's canaries anew
description:
  - Writes the canaries of the host's datasets anew where they are missing or older than
    C(backup_verification_canary_days), when C(backup_verification_act) and C(backup_verification_canary_upkeep) are
    true and the service plan has backup verification. Nothing but a canary of the dataset is ever overwritten.
  - What was written when is kept in the run's folder (C(canaries/<host>.json)); a restored canary has to be the version
    that was there when its snapshot began.
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
extends_documentation_fragment:
  - keepwell.fleet.chore
  - keepwell.fleet.backup_verification
"""

EXAMPLES = r"""
- name: Keep the canaries fresh
  keepwell.fleet.backup_canary:
"""

RETURN = r"""
written:
  description: Datasets whose canary was written.
  returned: when canaries were looked after
  type: list
  elements: str
msg:
  description: One sentence for a person.
  returned: always
  type: str
  sample: "written anew: files"
"""
