#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: assess
short_description: Observe a host and judge what was seen
description:
  - Sends Keepwell's probes to a host in one round trip, judges what they observe on the control node, writes the host's
    evidence the moment it answers, and returns a short summary.
  - Reads only. It installs nothing, refreshes nothing, restarts nothing and writes nothing on the host.
  - On POSIX hosts the probes travel as one program over the host's own Ansible connection to the system's Python
    (3.6 or newer). Where that cannot work (a connection without pipelining) they run as an ordinary module, with the
    same result.
  - On Windows hosts they run as a module in Windows PowerShell 5.1, over C(psrp) or C(winrm). What they send is read on
    the control node, so that the same checks judge it.
  - What needs more rights than the user has is C(unknown) with the reason C(denied), never C(ok).
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
options:
  subset:
    description:
      - Probes to send, like C(gather_subset) of M(ansible.builtin.setup). V(all) for every probe, a name to add one,
        a name with C(!) before it to leave one out.
    type: list
    elements: str
    default: [all]
  parameters:
    description:
      - Settings for single probes, by the name of the probe. They are added to those in C(keepwell_probes).
    type: dict
    default: {}
  budget_s:
    description:
      - Seconds that all probes together may take on the host.
    type: float
    default: 45.0
  again:
    description:
      - The host was looked at in this run before. What was seen then stays in the evidence (C(before/)), and what is
        seen now takes its place.
    type: bool
    default: false
  once:
    description:
      - Where this run has looked at the host already, by all of these probes, return what it saw and do not ask the
        host again. A host that was not reached is not tried again either.
      - For steps that share a run; whoever changes a host looks at it again with O(again).
    type: bool
    default: false
extends_documentation_fragment:
  - keepwell.fleet.control
attributes:
  check_mode:
    support: full
    details: Reads the host just the same; the run is marked as partial.
  diff_mode:
    description: Will return details on what has changed when in diff_mode.
    support: none
notes:
  - M(keepwell.fleet.run_begin) must have begun a run in the same play.
  - Every probe has its own time limit within O(budget_s).
seealso:
  - module: keepwell.fleet.run_begin
  - module: keepwell.fleet.record
"""

EXAMPLES = r"""
- name: Assess every host
  hosts: all
  gather_facts: false
  tasks:
    - name: Begin the run
      keepwell.fleet.run_begin:
      run_once: true

    - name: Assess
      keepwell.fleet.assess:
      ignore_unreachable: true

- name: Look at disks and packages of every host
  hosts: all
  gather_facts: false
  tasks:
    - name: Begin a partial run
      keepwell.fleet.run_begin:
        subset: [disks, packages]
      run_once: true

    - name: Assess
      keepwell.fleet.assess:
        subset: [disks, packages]
      ignore_unreachable: true
"""

RETURN = r"""
host:
  description: Name of the host in the inventory.
  returned: success
  type: str
state:
  description: The worst state found; one of V(ok), V(accepted), V(watch), V(unknown), V(act), V(crit).
  returned: success
  type: str
  sample: watch
counts:
  description: Number of check results by state.
  returned: success
  type: dict
  sample: {ok: 41, watch: 2, act: 1}
evidence:
  description: The host's evidence file on the control node, with everything that was observed and judged.
  returned: success
  type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _registry, _runner


def main():
    """Run the probes and hand their document to the action plugin, which sends what else it takes to run them."""
    module = AnsibleModule(
        argument_spec={
            "subset": {"type": "list", "elements": "str", "default": ["all"]},
            "parameters": {"type": "dict", "default": {}},
            "budget_s": {"type": "float", "default": 45.0},
            "again": {"type": "bool", "default": False},
            "once": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    try:
        probes = _registry.select(module.params["subset"])
    except ValueError as exc:
        module.fail_json(msg="subset: unknown probe '%s'. Known: %s." % (exc, ", ".join(sorted(_registry.PROBES))))
    document = _runner.observe(probes, module.params["parameters"], module.params["budget_s"])
    module.exit_json(changed=False, observation=document)


if __name__ == "__main__":
    main()
