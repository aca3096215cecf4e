# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the variables of the role ``scheduler``, typed. Pure."""

from __future__ import annotations

import re
import typing as t

from pydantic import AfterValidator, Field

from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.options import Setting, Text

NAME = "scheduler"
REGISTERED = ("scheduler_plan", "scheduler_account", "scheduler_files", "scheduler_verified")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def one_line(value: str) -> str:
    """Refuse what would begin a line of its own in a unit or a crontab."""
    if _CONTROL.search(value):
        raise ValueError("must not have line ends or other control characters")
    return value


def _absolute(value: str) -> str:
    if value and not value.startswith("/"):
        raise ValueError("should be a path from the root, like /etc/keepwell/acme.vault")
    return one_line(value)


Word = t.Annotated[str, AfterValidator(one_line)]


class Options(Setting):
    """meta/argument_specs.yml of the role says what they mean."""

    act: bool = False
    state: t.Literal["present", "absent"] = "present"
    kind: t.Literal["systemd", "cron"] = "systemd"
    user: str = Field("keepwell", pattern=r"^[a-z_][a-z0-9_-]{0,31}$")
    vault_file: t.Annotated[Text, AfterValidator(_absolute)] = ""
    local_sudo: bool = False
    alert_command: tuple[Word, ...] = ()
    alert_mail: str = Field("", pattern=r"^$|^[^@\s,\"'\\]+@[^@\s,\"'\\]+$")
