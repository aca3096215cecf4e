#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: antivirus_record
short_description: Close the antivirus change of a host
description:
  - >-
    Gives the change its outcome, writes where every detection of the host stands (C(detections/<host>.json) in the
    folder of the run), and lets the host know that its work is in evidence.
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
extends_documentation_fragment:
  - keepwell.fleet.chore
  - keepwell.fleet.antivirus
"""

EXAMPLES = r"""
- name: Record the change
  keepwell.fleet.antivirus_record:
"""

RETURN = r"""
outcome:
  description: How the change ended.
  returned: success
  type: str
  sample: done
msg:
  description: One sentence for a person.
  returned: always
  type: str
"""
