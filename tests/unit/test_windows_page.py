# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""docs/windows.md is true: its variables are those of the connections, its PowerShell exists on Windows."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible.plugins.loader import connection_loader
from powershell import allowed, balance, language, tables
from powershell.commands import Commands
from powershell.source import parse

from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching import options
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.wua import preflight

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/windows.md").read_text(encoding="utf-8")
EXAMPLES = [yaml.safe_load(text) for text in re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.M | re.S)]
CONNECTIONS = [example for example in EXAMPLES if "ansible_connection" in example]
# Every connection has these.
COMMON = {"ansible_connection", "ansible_port", "ansible_user", "ansible_password", "ansible_become"}


def variables(connection: str) -> set[str]:
    """What may be set for a connection, by its own documentation."""
    path = connection_loader.find_plugin(f"ansible.builtin.{connection}") or connection_loader.find_plugin(connection)
    text = Path(path).read_text(encoding="utf-8")
    documentation = yaml.safe_load(text.partition('DOCUMENTATION = """')[2].partition('"""')[0])
    found = {entry["name"] for option in documentation["options"].values() for entry in option.get("vars") or []}
    # Of winrm: whatever pywinrm takes, with this before it.
    return found | {"ansible_winrm_server_cert_validation", "ansible_winrm_operation_timeout_sec",
                    "ansible_winrm_read_timeout_sec", "ansible_winrm_ca_trust_path"}  # fmt: skip


def test_both_connections_have_an_example() -> None:
    assert [example["ansible_connection"] for example in CONNECTIONS] == ["psrp", "winrm"]


@pytest.mark.parametrize("example", CONNECTIONS, ids=lambda example: example["ansible_connection"])
def test_every_variable_of_a_connection_exists(example: dict[str, t.Any]) -> None:
    assert set(example) - COMMON <= variables(example["ansible_connection"])


@pytest.mark.parametrize("example", CONNECTIONS, ids=lambda example: example["ansible_connection"])
def test_certificates_are_checked(example: dict[str, t.Any]) -> None:
    assert example["ansible_port"] == 5986
    assert "validate" in example.values() and "ignore" not in example.values()


@pytest.mark.parametrize("example", CONNECTIONS, ids=lambda example: example["ansible_connection"])
def test_nobody_asks_windows_for_sudo(example: dict[str, t.Any]) -> None:
    assert example["ansible_become"] is False


def test_the_role_takes_its_examples() -> None:
    patching = [example for example in EXAMPLES if example not in CONNECTIONS]
    assert patching
    for example in patching:
        options.read(example)


def test_the_numbers_are_those_of_the_code() -> None:
    assert f"{preflight.FREE_BYTES >> 30} GiB free" in PAGE


def test_its_powershell_exists_on_windows() -> None:
    [text] = re.findall(r"^```powershell\n(.*?)^```$", PAGE, re.M | re.S)
    source = parse(ROOT / "docs/windows.ps1", text.encode())
    for check in (language.encoding, balance.check, language.grammar, language.newer):
        assert not list(check(source))
    try:
        systems = tables.load()
    except tables.NoTableError as exc:
        pytest.skip(f"the lists of commands of Windows cannot be had: {exc}")
    assert not [str(problem) for problem in Commands(systems, allowed.load(), ROOT).check(source)]
