# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role's variables: what Ansible hands over becomes typed, and every mistake one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching import options
from ansible_collections.keepwell.fleet.plugins.plugin_utils.settings import SettingsError

ROLE = Path(__file__).parents[5] / "roles" / "patching"


def problems(**variables):
    with pytest.raises(SettingsError) as refused:
        options.read({f"patching_{name}": value for name, value in variables.items()})
    return refused.value.problems


def test_the_defaults_of_the_role_are_the_defaults_here():
    defaults = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())
    assert options.read(defaults) == options.Options()
    assert {f"patching_{name}" for name in options.Options.model_fields} == set(defaults)


def test_text_from_the_command_line_becomes_what_it_means():
    chosen = options.read({"patching_act": "true", "patching_soak_days": "7", "patching_ring": "2"})
    assert (chosen.act, chosen.soak_days, chosen.ring) == (True, 7.0, 2)


def test_every_mistake_is_told_at_once_with_the_nearest_match():
    told = problems(polcy="all", soak_days=-1, reboot="always")
    assert any("patching_polcy: unknown variable. Did you mean 'patching_policy'?" in line for line in told)
    assert any("patching_soak_days" in line and "-1" in line for line in told)
    assert any("patching_reboot" in line and "never" in line for line in told)


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"exclusions": [{"package": "kw-*", "reason": "vendor", "approver": "Ada"}]}, "patching_exclusions.0.expires"),
        ({"emergency": {"reason": "exploited", "approver": "Ada"}}, "must name packages, advisories or cves"),
        ({"probes": [{"name": "shop"}]}, "one of tcp, http and command"),
        ({"probes": [{"name": "shop", "tcp": "h:80", "status": 200}]}, "status and contains belong to http"),
        ({"release": "vendor mended it"}, "patching_release needs patching_approver"),
        ({"approved_run": "yesterday"}, "patching_approved_run"),
        ({"rings": []}, "patching_rings"),
        ({"limits": {"runtime": 5}}, "patching_limits.runtime: unknown key"),
    ],
)
def test_a_mistake_says_where_it_is(variables, words):
    assert any(words in line for line in problems(**variables))


def test_the_last_rule_holds_for_all_rings_after_it():
    chosen = options.Options(rings=[{"soak_h": 1}, {"soak_h": 2}])
    assert [chosen.ring_rule(ring).soak_h for ring in (1, 2, 3, 9)] == [1, 2, 2, 2]
