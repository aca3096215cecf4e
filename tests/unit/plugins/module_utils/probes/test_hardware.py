"""Parsers of the hardware probe: templates, kinds, and JSON that is no answer."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _kernel_log, _smart, hardware


@given(st.integers(0, 10**12), st.integers(0, 10**12))
def test_messages_that_differ_in_numbers_are_one_template(one: int, other: int) -> None:
    text = "I/O error, dev sda, sector {} op {:#x}"
    assert _kernel_log.template_of(text.format(one, one)) == _kernel_log.template_of(text.format(other, other))


@pytest.mark.parametrize("name", ["sda1", "dm-0", "nvme0n1", "CPU3", "md127"])
def test_names_stay_in_a_template(name: str) -> None:
    assert name in _kernel_log.template_of(f"error on {name} at 17")


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 7), st.text(max_size=20)), max_size=30))
def test_counts_add_up(entries: list[tuple[int, int, str]]) -> None:
    lines = [{"at": float(at), "priority": p, "kind": "other", "message": m} for at, p, m in entries]
    found = _kernel_log.summarise(lines)
    assert sum(entry["count"] for entry in found) == len(lines)
    assert all(entry["first_at"] <= entry["last_at"] for entry in found)


@given(st.text(max_size=80))
def test_the_journal_parser_reads_or_refuses(text: str) -> None:
    try:
        _kernel_log.parse_journal(text)
    except ValueError as exc:
        assert "not an entry" in str(exc)


@given(st.text(max_size=80))
def test_smart_answers_that_are_no_json_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        _smart.parse_health(text, "/dev/sda", "sat")


@given(st.integers(0, 255))
def test_the_exit_bits_of_a_disk_that_did_not_answer(bits: int) -> None:
    disk = _smart.parse_health(json.dumps({"smartctl": {"exit_status": bits}}), "/dev/sda", "sat")
    assert (disk["status"] == "unreadable") is bool(bits & 0b111)


def test_a_refused_optional_command_is_still_an_answer() -> None:
    text = json.dumps({"smartctl": {"exit_status": 4}, "smart_status": {"passed": True}})
    assert _smart.parse_health(text, "/dev/sda", "sat")["status"] == "ok"


def test_a_path_line_of_another_form_is_named() -> None:
    with pytest.raises(ValueError, match="four fields expected in 'mpatha sda'"):
        hardware.parse_multipath("mpatha sda\n")
