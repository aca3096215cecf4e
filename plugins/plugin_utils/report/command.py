# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: one line an engineer can paste to look at a problem on all its hosts. Pure."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.visible import has_signs

# Longer lines are no longer something one looks at before pressing Enter.
HOSTS_PER_COMMAND = 40
# What Ansible takes for a host and nothing else: no pattern characters, no separators, no leading dash.
_PLAIN_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
# Free-form arguments are split and unescaped by Ansible; words like these would be read as options of the module.
_OPTION = re.compile(r"(^|[\s'\"])(creates|removes|chdir|executable|warn|stdin|stdin_add_newline|strip_empty_ends)=")


@dataclass(frozen=True, slots=True)
class FleetCommand:
    """``line`` runs on the control node. ``covered`` hosts of ``total`` are in it, ``left_out`` cannot be written."""

    line: str
    covered: int
    total: int
    left_out: int


def fleet_command(command: str, hosts: Sequence[str], inventory: Sequence[str]) -> FleetCommand | None:
    """Return the ad-hoc Ansible command for ``command`` on ``hosts``; None where there is nothing safe to paste."""
    plain = [host for host in hosts if _PLAIN_HOST.fullmatch(host)]
    if not command.strip() or has_signs(command) or "endraw" in command or not plain:
        return None
    named = plain[:HOSTS_PER_COMMAND]
    words = ["ansible"]
    for source in inventory:
        words += ["-i", shlex.quote(source)]
    pattern = ",".join(named)
    # Quoted even where the shell would not need it: the eye finds the hosts, and editing stays safe.
    words += [f"'{pattern}'", "-b", "-m", "ansible.builtin.shell", "-a", _argument(command)]
    return FleetCommand(" ".join(words), len(named), len(hosts), len(hosts) - len(plain))


def _argument(command: str) -> str:
    """Return the quoted value of ``-a`` from which Ansible makes exactly ``command`` again.

    Free-form text does for most; JSON where Ansible would split, unescape or template it.
    """
    template = any(mark in command for mark in ("{{", "{%", "{#"))
    plain = command == " ".join(command.split()) and _balanced(command) and "\\" not in command
    if template or not plain or command.startswith("{") or _OPTION.search(command):
        text = "{% raw %}" + command + "{% endraw %}" if template else command
        return shlex.quote(json.dumps({"cmd": text}, ensure_ascii=False))
    if "'" not in command:
        return f"'{command}'"
    # Inside double quotes a shell still reads these; without them they are easier on the eye.
    return shlex.quote(command) if any(mark in command for mark in '"$`!') else f'"{command}"'


def _balanced(text: str) -> bool:
    try:
        shlex.split(text)
    except ValueError:
        return False
    return True
