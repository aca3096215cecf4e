# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: why a filesystem is not made larger.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""


class Refused(Exception):
    """It is not made larger: a stable word and one sentence."""

    def __init__(self, code, text):
        super(Refused, self).__init__(text)
        self.code = code
        self.text = text
