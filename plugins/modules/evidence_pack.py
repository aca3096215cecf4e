#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: evidence_pack
short_description: Make an evidence pack for an auditor
description:
  - Puts the evidence of a period into one zip file, with manifests, signatures, time stamps, the list of keys, an
    explanation, and C(verify.py), which says what holds of it without Keepwell.
  - The same evidence makes the same bytes.
  - The pack is verified before it is put into place. When something does not hold it is there all the same, and the
    task fails and says what.
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
options:
  client:
    description:
      - Identifier of the client. Default is the client of the inventory.
    type: str
  first_day:
    description:
      - First day (UTC) of the period, such as V(2026-07-01). A run belongs to the day on which it ended. Default is
        the first run.
    type: str
    default: ""
  last_day:
    description:
      - Last day (UTC) of the period. Default is the newest run.
    type: str
    default: ""
  destination:
    description:
      - Folder for the pack. Default is C(packs) in the client's folder of the state directory.
    type: path
extends_documentation_fragment:
  - keepwell.fleet.control
attributes:
  diff_mode:
    description: Will return details on what has changed when in diff_mode.
    support: none
seealso:
  - module: keepwell.fleet.verify
"""

EXAMPLES = r"""
- name: Make a pack of a quarter
  keepwell.fleet.evidence_pack:
    first_day: "2026-07-01"
    last_day: "2026-09-30"
"""

RETURN = r"""
pack:
  description: Path of the pack.
  returned: always
  type: str
sha256:
  description: Hash of the pack.
  returned: always
  type: str
client:
  description: Identifier of the client.
  returned: always
  type: str
runs:
  description: Runs whose evidence is in it.
  returned: always
  type: list
  elements: str
sentences:
  description: What was found, each with C(holds), which is true, false, or null for what is only to be known.
  returned: always
  type: list
  elements: dict
holds:
  description: Whether nothing was found that does not hold.
  returned: always
  type: bool
head:
  description: Hash of the newest manifest.
  returned: always
  type: str
"""
