# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The line an engineer pastes must do what the check meant, on the hosts that are named, and nothing else."""

from __future__ import annotations

import json
import shlex

import pytest
from ansible.parsing.splitter import parse_kv
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment

from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.command import HOSTS_PER_COMMAND, fleet_command


def understood(argument: str) -> str:
    """What the shell module gets from ``-a``: split or JSON, then templated, as the ad-hoc command does it."""
    if argument.startswith("{") and argument.endswith("}"):
        text = json.loads(argument)["cmd"]
    else:
        options = parse_kv(argument, check_raw=True)
        assert set(options) == {"_raw_params"}
        text = str(options["_raw_params"])
    return Environment().from_string(text).render()


def argument_of(command: str) -> str:
    line = fleet_command(command, ["web01"], ["inventories/demolen"])
    assert line is not None
    words = shlex.split(line.line)
    assert words[:-1] == ["ansible", "-i", "inventories/demolen", "web01", "-b", "-m", "ansible.builtin.shell", "-a"]
    return words[-1]


@pytest.mark.parametrize(
    "command",
    [
        "uptime",
        "df -h /",
        "systemctl status php8.2-fpm.service --no-pager",
        "docker ps --format '{{.Names}} {{.Status}}'",
        "awk '{print $1}' /etc/passwd | sort | uniq -c",
        "journalctl -u x --since '1 hour ago' | grep -c \"it's\"",
        "grep -E '^\\s*Port' /etc/ssh/sshd_config",
        "echo a  b",
        "{ date; uptime; }",
        "dd if=/dev/sda of=/dev/null count=1",
        "env creates=x chdir=/ true",
        "printf '%s\\n' \"${HOME}\"",
        "echo {# no comment #} {% raw",
        "ls -1t /boot/vmlinuz-* | head -n 3",
        "echo 'half",
    ],
)
def test_ansible_makes_the_same_command_of_it_again(command):
    assert understood(argument_of(command)) == command


@given(
    st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1).filter(
        lambda t: t.strip() and "endraw" not in t
    )
)
def test_any_printable_command_survives(command):
    assert understood(argument_of(command)) == command


def test_the_simple_case_reads_as_one_would_write_it():
    line = fleet_command("uptime", ["a", "b"], ["inventories/demolen", "other file"])
    assert line is not None
    assert line.line == "ansible -i inventories/demolen -i 'other file' 'a,b' -b -m ansible.builtin.shell -a 'uptime'"
    assert (line.covered, line.total, line.left_out) == (2, 2, 0)


@pytest.mark.parametrize(
    "host",
    [
        "-e",
        "all:!web",
        "a b",
        "~.*",
        "web*",
        "*",
        "!x",
        "&x",
        "x,y",
        "'",
        "$(id)",
        "@file",
        "a\n",
        "",
        "x[1:9]",
        "../x",
    ],
)
def test_a_name_that_ansible_or_the_shell_would_read_otherwise_is_left_out(host):
    line = fleet_command("uptime", ["web01", host], [])
    assert line is not None
    assert "'web01'" in line.line
    assert (line.covered, line.left_out) == (1, 1)
    assert fleet_command("uptime", [host], []) is None


def test_a_line_stays_short_enough_to_be_looked_at():
    line = fleet_command("uptime", [f"web{n}" for n in range(1000)], [])
    assert line is not None
    assert (line.covered, line.total) == (HOSTS_PER_COMMAND, 1000)


@pytest.mark.parametrize("command", ["", "  ", "id␊rm -rf /", "id⟨U+202E⟩", "{% endraw %}{{ lookup('pipe', 'id') }}"])
def test_there_is_no_line_for_what_is_not_safe_to_paste(command):
    assert fleet_command(command, ["web01"], []) is None
