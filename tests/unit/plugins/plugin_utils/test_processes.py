"""Which process a run belongs to."""

from __future__ import annotations

from fleet_runs import NOW, header

from ansible_collections.keepwell.fleet.plugins.plugin_utils import processes


def test_a_process_is_told_from_another_with_the_same_pid() -> None:
    mine = processes.this_process()
    assert processes.is_alive(header("01K0000000000000000000000A", process=mine), NOW)
    assert not processes.is_alive(header("01K0000000000000000000000A", process={**mine, "started": 1}), NOW)
    assert not processes.is_alive(header("01K0000000000000000000000A", process={**mine, "boot_id": "x"}), NOW)
    foreign = header("01K0000000000000000000000A", process={**mine, "controller": "elsewhere"})
    assert processes.is_alive(foreign, NOW + 3600)
    assert not processes.is_alive(foreign, NOW + 2 * 86400)
