#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: fleet_overview
short_description: Show all clients of a state directory on one page
description:
  - Makes one page for the provider from the newest whole run of each client in the state directory. Clients whose
    newest run is old, or whose evidence cannot be read or was changed, are named.
  - It is the only page that holds more than one client, and it lies in no client's folder.
  - Works on the control node and connects to no host.
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
options:
  destination:
    description: Folder for the page. By default C(_fleet) in the state directory.
    type: path
  templates:
    description: Folders to look for templates in before the collection's own, the first hit wins.
    type: list
    elements: path
    default: []
  brand:
    description: Whose page it is, as for M(keepwell.fleet.render).
    type: dict
    default: {}
  language:
    description:
      - Language of the page. V(client) is English here, for there is not one client.
    type: str
    choices: [en, nl, de, it, client]
    default: en
extends_documentation_fragment:
  - keepwell.fleet.control
attributes:
  diff_mode:
    description: Will return details on what has changed when in diff_mode.
    support: none
seealso:
  - module: keepwell.fleet.period_report
"""

EXAMPLES = r"""
- name: How are all clients
  keepwell.fleet.fleet_overview:
"""

RETURN = r"""
page:
  description: Path of the page.
  returned: success
  type: str
  sample: /var/lib/keepwell/_fleet/overview.html
clients:
  description: The clients that have evidence here.
  returned: success
  type: list
  elements: str
msg:
  description: What was done, in one sentence.
  returned: success
  type: str
"""
