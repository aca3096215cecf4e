#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_proof
short_description: Ask whether the backups of a host are proven
description:
  - Answers whether somebody may rely on the backups of a host, for example before work that may lose data.
  - Proven means that every dataset of the host (C(backup_verification_datasets)) is fresh, that something of it was
    restored and compared within the agreed time, and that no later test speaks against it. A job that ended well is no
    proof.
  - The answer comes from the evidence of earlier runs and of the run under way. Neither the host nor a repository is
    contacted.
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
options:
  max_age_days:
    description:
      - How old the proof of a restore may be, in days.
      - Default is C(backup.restore_max_days) of the host's policy.
    type: float
  fail:
    description:
      - Fail when the backups are not proven, but never for a host that by its policy needs no backup.
    type: bool
    default: false
extends_documentation_fragment:
  - keepwell.fleet.control
attributes:
  diff_mode:
    description: Will return details on what has changed when in diff_mode.
    support: none
seealso:
  - module: keepwell.fleet.assess
"""

EXAMPLES = r"""
- name: Go on only with a proven backup of the last month
  keepwell.fleet.backup_proof:
    max_age_days: 30
    fail: true

- name: Ask
  keepwell.fleet.backup_proof:
  register: backup

- name: Take a snapshot of the machine where no backup is proven
  ansible.builtin.include_tasks: snapshot.yml
  when: not backup.proven
"""

RETURN = r"""
proven:
  description: Whether every dataset of the host is fresh and proven. A host without datasets is not.
  returned: always
  type: bool
needed:
  description: Whether the host needs a backup; false where its policy says with a reason that it needs none.
  returned: always
  type: bool
reason:
  description: Why, in one sentence.
  returned: always
  type: str
  sample: "shop: the last proven restore (sample) was 41 days ago, 30 days are agreed."
datasets:
  description: The answer for every dataset, by id.
  returned: always
  type: list
  elements: dict
  contains:
    id:
      description: The dataset.
      type: str
    proven:
      description: Whether it is fresh and proven.
      type: bool
    reason:
      description: Why, in one sentence.
      type: str
"""
