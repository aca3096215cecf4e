#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: history
short_description: Make a client's history index anew from its evidence
description:
  - The history index (first sights, series, deltas) holds nothing that is not in the evidence. This makes it anew, with
    identical content.
  - A damaged index file is kept beside the new one.
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
options:
  client:
    description:
      - Identifier of the client. Default is the client of the inventory.
    type: str
extends_documentation_fragment:
  - keepwell.fleet.control
attributes:
  diff_mode:
    description: Will return details on what has changed when in diff_mode.
    support: none
"""

EXAMPLES = r"""
- name: Make the index anew
  keepwell.fleet.history:
"""

RETURN = r"""
client:
  description: Identifier of the client.
  returned: success
  type: str
runs:
  description: How many sealed runs are indexed.
  returned: success, outside check mode
  type: int
altered:
  description: Evidence that is not as it was when its run was sealed, one sentence each; also shown at the end.
  returned: success, outside check mode
  type: list
  elements: str
"""
