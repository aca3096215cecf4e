"""Properties of what the pressure probe parses: names of processes may hold anything."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _processes, pressure

FIELDS = "S 7 1 1 0 -1 4194560 1 2 3 4 50 25 0 0 20 0 3 0 4711 1000 99 18446744073709551615 1 1"
NAMES = st.text(st.characters(blacklist_categories=("Cs",)), max_size=15)


@given(pid=st.integers(1, 4194304), name=NAMES)
def test_any_name_leaves_the_numbers_alone(pid: int, name: str) -> None:
    process = _processes.parse_stat(f"{pid} ({name}) {FIELDS}\n")
    assert (process["pid"], process["comm"], process["start"]) == (pid, name, 4711)
    assert (process["state"], process["parent"], process["ticks"], process["threads"]) == ("S", 7, 75, 3)


@pytest.mark.parametrize("text", ["", "77", "77 (x", "77 (x) S 1", "x (y) " + FIELDS])
def test_a_damaged_line_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="cannot read"):
        _processes.parse_stat(text)


@given(st.lists(st.integers(0, 255), min_size=1, unique=True))
def test_cpu_lists_are_counted(cpus: list[int]) -> None:
    assert pressure.parse_cpu_list(",".join(str(cpu) for cpu in cpus) + "\n") == len(cpus)


@pytest.mark.parametrize("text", ["", "0-", "a", "0,,1"])
def test_a_damaged_cpu_list_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="cpu list"):
        pressure.parse_cpu_list(text)


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (pressure.parse_psi, "some avg10=x"),
        (pressure.parse_meminfo, "MemFree: 12 kB"),
        (pressure.parse_meminfo, "MemTotal 12"),
        (pressure.parse_vmstat, "oom_kill"),
        (pressure.parse_loadavg, "1.0 2.0"),
        (pressure.parse_events, "oom_kill many"),
    ],
)
def test_what_cannot_be_read_is_an_error(parse, text: str) -> None:
    with pytest.raises(ValueError, match=r"cannot read|no MemTotal"):
        parse(text)


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("0::/system.slice/shop.service\n", "shop.service"),
        ("0::/user.slice/user-0.slice/session-3.scope\n", "session-3.scope"),
        ("1:name=systemd:/system.slice/shop.service/sub\n", "shop.service"),
        ("0::/\n", None),
    ],
)
def test_unit_of_a_process(text: str, unit: str | None) -> None:
    assert _processes.parse_unit(text) == unit
