#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: awx_apply
short_description: Make AWX what definitions say
description:
  - Calls the modules of C(awx.awx) for every object, in the order in which they need each other, and then takes away
    what carries O(mark) and is not in O(definitions) any more. What people made is left alone.
  - In check mode it says what differs, by the same modules in check mode.
  - What was found is kept in C(<state>/<client>/awx.json), so that runs can report it as a finding without asking AWX.
  - The address and the token of AWX come from the environment (C(CONTROLLER_HOST), C(CONTROLLER_OAUTH_TOKEN)) or from
    C(~/.tower_cli.cfg), as these modules read them.
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
options:
  definitions:
    description:
      - Lists of objects by kind, as M(keepwell.fleet.awx_definitions) returns them.
      - Without any of them everything with O(mark) but the organization is taken away.
    type: dict
    required: true
  mark:
    description: What the descriptions of these objects begin with.
    type: str
    required: true
  client:
    description: Identifier of the client, whose folder keeps what was found, for the check of later runs.
    type: str
    required: true
  written:
    description: Hash of what the definitions were made from.
    type: str
    required: true
extends_documentation_fragment:
  - keepwell.fleet.control
seealso:
  - module: keepwell.fleet.awx_definitions
"""

EXAMPLES = r"""
- name: Make AWX what is written
  keepwell.fleet.awx_apply:
    definitions: "{{ awx_written.definitions }}"
    mark: "{{ awx_written.mark }}"
    client: "{{ awx_written.client }}"
    written: "{{ awx_written.written }}"
"""

RETURN = r"""
made:
  description: What AWX did not have.
  returned: success
  type: list
  elements: str
changed_objects:
  description: What AWX had otherwise.
  returned: success
  type: list
  elements: str
removed:
  description: What is ours and was not written any more.
  returned: success
  type: list
  elements: str
as_written:
  description: How many calls found nothing to do.
  returned: success
  type: int
"""
