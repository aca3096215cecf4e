# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What must hold for every comparison of a host with what it was."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks import _base, _registry
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching import fingerprint

STATES = {
    "unit": ("active", "active, on demand"),
    "failed_unit": ("failed",),
    "listener": ("listening",),
    "mount": ("mounted", "read-only"),
    "dns": ("answers", "silent"),
    "time": ("yes", "no"),
    "antivirus": ("stopped", "degraded", "running", "running, real-time", "not known"),
}
FACTS = st.fixed_dictionaries(
    {
        kind: st.none() | st.dictionaries(st.sampled_from(("one", "two")), st.sampled_from(states))
        for kind, states in STATES.items()
    }
)


def test_what_patching_moves_are_checks_that_exist():
    assert _registry
    assert set(fingerprint.MOVED_BY_PATCHING) <= set(_base.REGISTRY)


@given(FACTS)
def test_a_host_does_not_differ_from_itself(facts):
    assert fingerprint.compare(facts, facts, {}, {}) == []


@given(FACTS, FACTS)
def test_no_change_of_a_state_is_bad_in_both_directions(one, two):
    there = {
        (entry.kind, entry.name) for entry in fingerprint.compare(one, two, {}, {}) if entry.bad and entry.name != "all"
    }
    back = {
        (entry.kind, entry.name) for entry in fingerprint.compare(two, one, {}, {}) if entry.bad and entry.name != "all"
    }
    assert there.isdisjoint(back)


@given(FACTS, FACTS)
def test_the_bad_comes_first_and_what_was_told_before_is_never_lost_in_silence(one, two):
    found = fingerprint.compare(one, two, {}, {})
    assert [entry.bad for entry in found] == sorted((entry.bad for entry in found), reverse=True)
    for kind in STATES:
        if one[kind] is not None and two[kind] is None:
            assert any(entry.kind == kind and entry.bad for entry in found)
