"""Which process a run belongs to."""

from __future__ import annotations

import pytest
from fleet_runs import NOW, header

from ansible_collections.keepwell.fleet.plugins.plugin_utils import processes


def test_a_process_is_told_from_another_with_the_same_pid() -> None:
    mine = processes.this_process()
    assert processes.is_alive(header("01K0000000000000000000000A", process=mine), NOW)
    assert not processes.is_alive(header("01K0000000000000000000000A", process={**mine, "started": 1}), NOW)
    foreign = header("01K0000000000000000000000A", process={**mine, "controller": "elsewhere"})
    assert processes.is_alive(foreign, NOW + 3600)
    assert not processes.is_alive(foreign, NOW + 2 * 86400)


@pytest.mark.parametrize(
    ("machine", "namespace", "lives"),
    [
        ("3d12", "pid:[4026531836]", False),
        # Two machines whose containers were given one name, with no identifier or with that of their image: the run on
        # the other one may be in the middle of its work.
        ("", "pid:[4026532201]", None),
        ("3d12", "pid:[4026532201]", None),
        ("", "pid:[4026531836]", None),
        ("3d12", "", None),
    ],
)
def test_another_boot_has_ended_a_process_where_it_is_certain_to_be_of_this_machine(
    monkeypatch: pytest.MonkeyPatch, machine: str, namespace: str, lives: bool | None
) -> None:
    here = {"controller": "keepwell", "boot_id": "now", "machine": machine, "namespace": namespace}
    monkeypatch.setattr(processes, "_here", lambda: here)
    assert processes.look({**here, "boot_id": "before", "pid": 4711, "started": 1}) is lives
    # Of its own boot it can say more, in a container as well.
    assert processes.look({**here, "pid": 0, "started": 1}) is False
