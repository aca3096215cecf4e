"""Parsers of the system probe: every value survives, and a line of another form is named."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _boots, _entitlements, system

words = st.text(st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp"), blacklist_characters="\x85"), max_size=30)


@given(words)
def test_a_quoted_value_of_os_release_survives(value: str) -> None:
    escaped = "".join("\\" + char if char in "\"'$`\\" else char for char in value)
    assert system.parse_os_release(f'ID=x\nPRETTY_NAME="{escaped}"\n')["pretty"] == (value or None)


def test_a_line_of_os_release_that_is_no_assignment_is_named() -> None:
    with pytest.raises(ValueError, match="no assignment in 'rm -rf'"):
        system.parse_os_release("ID=x\nrm -rf\n")


@given(st.text(max_size=15), st.integers(0, 10**9))
def test_a_process_name_may_hold_anything(name: str, ticks: int) -> None:
    rest = " ".join(["S"] + ["0"] * 18 + [str(ticks), "0"])
    assert _boots.parse_start_ticks(f"1 ({name}) {rest}") == ticks


def test_the_name_that_looks_like_the_end_of_a_name() -> None:
    rest = " ".join(["S"] + ["0"] * 18 + ["77", "0"])
    assert _boots.parse_start_ticks(f"1 ((sd-pam) x)) {rest}") == 77


@pytest.mark.parametrize(
    "parse",
    [
        _boots.parse_boot_time,
        _boots.parse_start_ticks,
        _boots.parse_uptime,
        system.parse_cpu_count,
        system.parse_memory_total,
    ],
)
def test_an_empty_file_is_an_error_and_not_zero(parse) -> None:
    with pytest.raises(ValueError):
        parse("")


@pytest.mark.parametrize(
    ("message", "speaker", "message_id", "clean"),
    [
        ("Journal stopped", "systemd-journald", "", True),
        ("Journal stopped", "evil", "", False),
        ("System is rebooting.", "systemd-logind", "", True),
        ("anything", "systemd-logind", "98268866d1d54a499c4e98921d93bc40", True),
        ("Reached target reboot.target - System Reboot.", "systemd", "", True),
        ("Reached target Multi-User System.", "systemd", "", False),
    ],
)
def test_a_clean_end_is_what_systemd_says(message: str, speaker: str, message_id: str, clean: bool) -> None:
    entry = {"__REALTIME_TIMESTAMP": "1795399200000000", "MESSAGE": message, "SYSLOG_IDENTIFIER": speaker}
    found = _boots.parse_end(json.dumps({**entry, "MESSAGE_ID": message_id}) + "\n-- No entries --\n")
    assert found == {"clean": clean, "ended_at": 1795399200.0}


def test_no_entry_tells_nothing() -> None:
    assert _boots.parse_end("-- No entries --\n") == {"clean": None, "ended_at": None}


def test_boots_of_both_forms_of_journalctl() -> None:
    old = "-1 0123456789abcdef0123456789abcdef Mon 2026-11-23 02:31:03 UTC\u2014Mon 2026-11-23 02:35:48 UTC\n"
    new = "IDX BOOT ID FIRST ENTRY LAST ENTRY\n  0 a123456789abcdef0123456789abcdef Mon 2026-11-23 02:31:04 UTC\n"
    assert _boots.parse_boots(old + new) == [
        (-1, "0123456789abcdef0123456789abcdef"),
        (0, "a123456789abcdef0123456789abcdef"),
    ]


@pytest.mark.parametrize(
    ("attached", "status", "enabled"), [(True, "enabled", True), (True, "disabled", False), (False, "enabled", False)]
)
def test_pro_counts_when_attached_and_enabled(attached: bool, status: str, enabled: bool) -> None:
    text = json.dumps(
        {"attached": attached, "expires": "2027-01-01", "services": [{"name": "esm-infra", "status": status}]}
    )
    assert _entitlements.parse_pro_status(text)["esm_infra"] is enabled


def test_repositories_are_on_unless_they_say_no() -> None:
    text = "[a]\nname = A\n[rhel-7-server-els-rpms]\nenabled = 0\n[c]\nenabled=1\n"
    assert _entitlements.parse_repositories(text) == [("a", True), ("rhel-7-server-els-rpms", False), ("c", True)]


@pytest.mark.parametrize(
    ("word", "kind"), [("none", "physical"), ("kvm", "vm"), ("lxc", "container"), ("podman", "container")]
)
def test_kinds_of_machines(word: str, kind: str) -> None:
    assert system.kind_of(word) == kind
