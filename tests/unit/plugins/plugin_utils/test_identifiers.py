"""Names of runs and findings."""

from __future__ import annotations

import hashlib

from ansible_collections.keepwell.fleet.plugins.plugin_utils import identifiers


def test_run_ids_sort_by_time_and_do_not_repeat() -> None:
    ids = [identifiers.new_run_id(1_700_000_000 + second) for second in range(50)]
    assert ids == sorted(ids)
    assert len({identifiers.new_run_id(1_700_000_000) for _ in range(1000)}) == 1000
    assert all(len(run_id) == 26 for run_id in ids)


def test_finding_key_is_the_hash_of_a_canonical_array() -> None:
    expected = hashlib.sha256('["acme","wéb1","capacity.space","/"]'.encode()).hexdigest()[:16]
    assert identifiers.finding_key("acme", "wéb1", "capacity.space", "/") == expected
    # A separator inside a name must not make two different things equal.
    assert identifiers.finding_key("a", "b|c", "d", "") != identifiers.finding_key("a", "b", "c|d", "")
