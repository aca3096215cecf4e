#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release
short_description: Let hosts or a whole client go before the end of a hold
description:
  - Ends what M(keepwell.fleet.hold) keeps back. Who released what, when and why is kept beside the hold.
  - With hosts, every hold lets these go and keeps the others. Without, all holds of the client end.
  - A hold that a role's variable declares (C(patching_hold) and its like) ends in the inventory alone.
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
options:
  reason:
    description:
      - Why, for whoever asks later. At least three characters.
    type: str
    required: true
  hosts:
    description:
      - Hosts, groups or patterns. One that matches no host is refused.
      - Without them, and without C(--limit), the whole client is meant.
    type: list
    elements: str
extends_documentation_fragment:
  - keepwell.fleet.control
attributes:
  diff_mode:
    description: Will return details on what has changed when in diff_mode.
    support: none
notes:
  - Touches no host. Writes below C(keepwell_state_dir) on the control node.
  - Use it once a play, with C(run_once).
seealso:
  - module: keepwell.fleet.hold
"""

EXAMPLES = r"""
- name: Go on
  keepwell.fleet.release:
    reason: the disk image is made
    hosts: [web1]
  run_once: true
"""

RETURN = r"""
client:
  description: Identifier of the client.
  returned: success
  type: str
released:
  description: Identifiers of the holds, and which of the hosts each has let go; no hosts where all of it ended.
  returned: success
  type: list
  elements: dict
  sample: [{"hold_id": "01K9Y7C3M1T4R8Z0V5B2N6H9XQ", "hosts": ["web1"]}]
"""
