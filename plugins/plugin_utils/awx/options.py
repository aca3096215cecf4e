# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the variables of the role ``awx``, typed. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.options import Setting, Text

NAME = "awx"
REGISTERED = ("awx_written", "awx_applied")


class Options(Setting):
    """meta/argument_specs.yml of the role says what they mean."""

    act: bool = False
    state: t.Literal["present", "absent"] = "present"
    definitions_file: Text = ""
    fail_on_difference: bool = False
