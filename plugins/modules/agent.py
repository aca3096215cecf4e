#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: agent
short_description: Answer one question of a chore on a host
description:
  - What the steps of a chore ask of a host, for connections over which no program can be streamed. The steps call it
    by themselves; there is no use in calling it from a playbook.
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
options:
  chore:
    description: Whose question it is.
    type: str
    choices: [antivirus, backup_verification, disk_cleanup, patching, watch]
    required: true
  request:
    description: The question, with C(operation) and what that operation needs.
    type: dict
    required: true
  secrets:
    description: The part of the question that nobody may write down.
    type: dict
    default: {}
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying target.
    support: full
    details: In check mode, operations that change the host are refused.
  diff_mode:
    description: Will return details on what has changed when in diff_mode.
    support: none
seealso:
  - module: keepwell.fleet.patch_plan
  - module: keepwell.fleet.patch_apply
  - module: keepwell.fleet.backup_verify
  - module: keepwell.fleet.disk_cleanup
  - module: keepwell.fleet.watch
"""

EXAMPLES = r"""
- name: Ask when the host was booted
  keepwell.fleet.agent:
    chore: patching
    request:
      operation: boot
"""

RETURN = r"""
answer:
  description: What the host answers.
  returned: success
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.keepwell.fleet.plugins.module_utils.antivirus import _agent as antivirus
from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import _agent as backup_verification
from ansible_collections.keepwell.fleet.plugins.module_utils.disk_cleanup import _agent as disk_cleanup
from ansible_collections.keepwell.fleet.plugins.module_utils.patching import _agent as patching
from ansible_collections.keepwell.fleet.plugins.module_utils.watch import _agent as watch

CHORES = {
    "antivirus": antivirus,
    "backup_verification": backup_verification,
    "disk_cleanup": disk_cleanup,
    "patching": patching,
    "watch": watch,
}


def main():
    """Answer the request."""
    module = AnsibleModule(
        argument_spec={
            "chore": {"type": "str", "required": True, "choices": sorted(CHORES)},
            "request": {"type": "dict", "required": True},
            "secrets": {"type": "dict", "default": {}, "no_log": True},
        },
        supports_check_mode=True,
    )
    chore, request = CHORES[module.params["chore"]], dict(module.params["request"])
    if module.params["secrets"]:
        request["secrets"] = module.params["secrets"]
    reads = request.get("operation") in chore.READING
    if module.check_mode and not reads:
        module.fail_json(msg="%s changes the host, and this is check mode." % request.get("operation"))
    module.exit_json(changed=not reads, answer=chore.answer(request))


if __name__ == "__main__":
    main()
