# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what the agent on a host expects to go wrong.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""


class AgentError(Exception):
    """Something expected: a stable word, and one sentence for a person."""

    def __init__(self, code, text):
        super(AgentError, self).__init__(text)
        self.code = code
        self.text = text
