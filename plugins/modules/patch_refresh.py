#!/usr/bin/python
# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: patch_refresh
short_description: Bring a host's lists of packages up to date
description:
  - Lets the package manager fetch its lists anew. Every repository that does not answer is an error, also where the
    package manager itself calls that success.
  - In check mode it does nothing.
version_added: 0.1.0
author: The Keepwell authors (@keepwell)
extends_documentation_fragment:
  - keepwell.fleet.chore
  - keepwell.fleet.patching
"""

EXAMPLES = r"""
- name: Refresh the lists of packages
  keepwell.fleet.patch_refresh:
"""

RETURN = r"""
msg:
  description: One sentence for a person.
  returned: always
  type: str
  sample: "all repositories were read"
"""
