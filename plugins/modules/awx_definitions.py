#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: awx_definitions
short_description: Make the definitions of what AWX has to have for a client
description:
  - Makes organization, execution environment, project, inventory, job templates with surveys, workflows and schedules
    of a client as data, from C(keepwell_awx), C(keepwell_schedule), the service plan and the maintenance windows.
  - They have the shapes that the roles of C(infra.aap_configuration) take.
  - Looks at them before AWX is asked. Told are recurrence rules that AWX refuses, or takes although they go wrong,
    surveys and the answers to them, slices with a limit, and fields that the modules of C(awx.awx) do not have.
  - With C(awx_state=absent) there are none. AWX is not asked, and no host is contacted.
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
options: {}
extends_documentation_fragment:
  - keepwell.fleet.control
seealso:
  - module: keepwell.fleet.awx_apply
"""

EXAMPLES = r"""
- name: Make the definitions
  keepwell.fleet.awx_definitions:
  register: awx_written
"""

RETURN = r"""
client:
  description: Identifier of the client.
  returned: success
  type: str
definitions:
  description: Lists of objects by kind, C(controller_templates), C(controller_schedules) and so on.
  returned: success
  type: dict
written:
  description: Hash of what the definitions were made from.
  returned: success
  type: str
mark:
  description: What the descriptions of all these objects begin with.
  returned: success
  type: str
"""
