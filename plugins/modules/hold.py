#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: hold
short_description: Keep hosts or a whole client from being changed until a date
description:
  - Every chore asks for holds before it begins on a host and before each step that cannot be taken back. A hold that is
    placed while a run goes on stops its next step.
  - Looking at hosts is never held back.
  - A hold ends by itself. The next run says so, once.
  - What is held, by whom, until when and why stays in the client's state directory; nothing there is ever rewritten.
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
options:
  reason:
    description:
      - Why, for whoever finds the hold later. At least three characters.
    type: str
    required: true
  until:
    description:
      - The last day of the hold by the client's clock, as C(2026-12-05), or a time with its zone, as
        C(2026-12-05T18:00Z).
      - At most 90 days from now. Default is the seventh day from now.
    type: str
  hosts:
    description:
      - Hosts, groups or patterns. One that matches no host is refused.
      - Without them, and without C(--limit), the whole client is held, hosts that come later included.
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
  - module: keepwell.fleet.release
"""

EXAMPLES = r"""
- name: Secure the evidence of an incident first
  keepwell.fleet.hold:
    reason: break-in under investigation
    until: "2026-12-05"
    hosts: [web1]
  run_once: true
"""

RETURN = r"""
hold_id:
  description: Identifier of the hold; of the one that says the same, where there was one already.
  returned: success
  type: str
  sample: 01K9Y7C3M1T4R8Z0V5B2N6H9XQ
client:
  description: Identifier of the client.
  returned: success
  type: str
hosts:
  description: Whom it is about; empty for the whole client.
  returned: success
  type: list
  elements: str
until:
  description: When it ends (UTC).
  returned: success
  type: str
  sample: "2026-12-05T22:59:00Z"
"""
