#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: patch_verify
short_description: Compare a host with what it was before its change
description:
  - >-
    Observes the host and compares it with the observation from before: units, failed units, listeners, mounts,
    routes, name resolution, time, malware protection, and the probes that the role's variables name.
  - Lets the host settle and looks again until it is as before or the time is over. What is worse then makes the
    change C(failed), and is taken back where the role's variables ask for it and it can be.
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
extends_documentation_fragment:
  - keepwell.fleet.chore
  - keepwell.fleet.patching
"""

EXAMPLES = r"""
- name: Compare the host with what it was
  keepwell.fleet.patch_verify:
  timeout: 1800
"""

RETURN = r"""
outcome:
  description: How the host's change stands, as in its change record.
  returned: when the host has one
  type: str
  sample: running
msg:
  description: One sentence for a person.
  returned: always
  type: str
  sample: "as before, after 60 s"
"""
