# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which chores are done on which host, and which of them may act."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores import choosing
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.options import Options
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.registry import CHORES
from ansible_collections.keepwell.fleet.plugins.plugin_utils.plan import ServicePlan
from ansible_collections.keepwell.fleet.plugins.plugin_utils.settings import SettingsError

CARE = ServicePlan(name="Care", services=["monitoring", "patching", "disk_cleanup"])
LOOK = ServicePlan(name="Look", services=["monitoring"])


def acts(value: t.Any, **own: bool) -> dict[str, list[str]]:
    """What may act on web1 (Care) and web2 (nothing to act on); ``own`` are web1's own ``<chore>_act``."""
    options = {
        "web1": {chore: Options(act=own[chore]) if chore in own else Options() for chore in CHORES},
        "web2": {chore: Options() for chore in CHORES},
    }
    wish = choosing.read({} if value is None else {"maintain_act": value})
    bought = choosing.bought({"web1": CARE, "web2": LOOK, "web3": None})
    assert bought == {"patching": ["web1"], "disk_cleanup": ["web1"]}
    return choosing.acting({"web1": wish, "web2": wish}, options, bought)


@pytest.mark.parametrize("value", [None, False, "false", []])
def test_nothing_acts_that_nobody_asked_for(value: t.Any) -> None:
    assert acts(value) == {}


@pytest.mark.parametrize("value", [True, "true", "yes"])
def test_true_means_every_chore_that_is_bought(value: t.Any) -> None:
    assert acts(value) == {"patching": ["web1"], "disk_cleanup": ["web1"]}


def test_a_list_means_some() -> None:
    assert acts(["patching"]) == {"patching": ["web1"]}


def test_where_nothing_is_given_the_chores_own_variable_says_it() -> None:
    assert acts(None, patching=True) == {"patching": ["web1"]}
    assert acts(None, patching=False) == {}


def test_a_chore_that_is_not_to_act_does_not_whatever_is_maintained() -> None:
    assert acts(True, patching=False) == {"disk_cleanup": ["web1"]}
    assert acts(["patching"], patching=False) == {}


@pytest.mark.parametrize("value", [["disk_cleanup"], [], False, "false"])
def test_what_is_given_is_the_most_that_acts_whatever_files_say(value: t.Any) -> None:
    assert "patching" not in acts(value, patching=True)
    assert acts(True, patching=True) == acts(True)


def test_a_chore_that_is_named_and_bought_for_nobody_is_a_mistake() -> None:
    with pytest.raises(SettingsError, match="maintain_act names antivirus, and no service plan here has it"):
        acts(["antivirus"])


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"maintain_act": ["patchin"]}, "maintain_act: 'patchin' is no chore. Did you mean 'patching'?"),
        ({"maintain_act": "patching"}, "maintain_act: should be true, false or a list of chores"),
        ({"maintain_act": {"patching": True}}, "maintain_act: should be true, false or a list of chores"),
        ({"maintain_acts": True}, "maintain_acts: unknown variable. Did you mean 'maintain_act'?"),
    ],
)
def test_a_mistake_is_one_sentence(variables: dict[str, t.Any], sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        choosing.read(variables)
    assert len(caught.value.problems) == 1
    assert caught.value.problems[0].startswith(sentence)


def test_what_the_playbook_registers_is_no_setting() -> None:
    assert choosing.read({"maintain_run": {"run_id": "x"}, "maintain_act": True}) == choosing.Wish(every=True)


def test_a_chore_that_only_hosts_out_of_the_run_bought_has_no_part_in_it() -> None:
    wish = choosing.read({"maintain_act": ["patching", "antivirus"]})
    asked = ({"web1": wish}, {"web1": {chore: Options() for chore in CHORES}}, choosing.bought({"web1": CARE}))
    assert choosing.acting(*asked, {"patching", "antivirus"}) == {"patching": ["web1"]}
    with pytest.raises(SettingsError, match="maintain_act names antivirus, and no service plan here has it"):
        choosing.acting(*asked, {"patching"})
