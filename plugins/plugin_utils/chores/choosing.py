# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: which chores ``maintain.yml`` does on which host, and which of them may act. Pure.

A chore is done where the plan buys it. ``maintain_act``, where it is given, is the most that may act: true for every
chore, or a list of some; less where a chore's own ``<chore>_act`` is false. Where it is not given, ``<chore>_act`` says
alone what acts.
"""

from __future__ import annotations

import typing as t
from collections.abc import Collection, Mapping

from pydantic import TypeAdapter, ValidationError

from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.options import Options
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.registry import CHORES
from ansible_collections.keepwell.fleet.plugins.plugin_utils.plan import ServicePlan
from ansible_collections.keepwell.fleet.plugins.plugin_utils.policy import nearest
from ansible_collections.keepwell.fleet.plugins.plugin_utils.settings import SettingsError

PREFIX = "maintain_"
ACT = "maintain_act"
# Names that the playbook registers; results, not settings.
REGISTERED = ("maintain_run", "maintain_broken")
_BOOLEAN = TypeAdapter(bool)


class Wish(t.NamedTuple):
    """What ``maintain_act`` says: every chore, or those that are named; nothing where it is not ``given``."""

    every: bool = False
    named: tuple[str, ...] = ()
    given: bool = True

    def includes(self, chore: str) -> bool:
        """True when the chore may act as far as this says."""
        return self.every or chore in self.named


def read(variables: Mapping[str, t.Any]) -> Wish:
    """Return the wish that a host's ``maintain_*`` variables make. Raises SettingsError with every mistake."""
    problems = [
        f"{name}: unknown variable.{nearest(name, (ACT,))}"
        for name in sorted(variables)
        if name != ACT and name not in REGISTERED
    ]
    value = variables.get(ACT)
    wish = Wish(given=False)
    if value is None:
        pass
    elif isinstance(value, list):
        named = tuple(dict.fromkeys(str(word) for word in value))
        problems += [f"{ACT}: '{word}' is no chore.{nearest(word, CHORES)}" for word in named if word not in CHORES]
        wish = Wish(named=named)
    else:
        try:
            wish = Wish(every=_BOOLEAN.validate_python(value))
        except ValidationError:
            problems.append(
                f'{ACT}: should be true, false or a list of chores, as in -e \'{{"{ACT}": ["patching"]}}\' '
                f"(given: {value!r})."
            )
    if problems:
        raise SettingsError(problems)
    return wish


def bought(plans: Mapping[str, ServicePlan | None]) -> dict[str, list[str]]:
    """Return chore -> hosts whose service plan has it, without chores that nobody bought."""
    found = {
        chore: sorted(host for host, plan in plans.items() if plan is not None and plan.buys(chore)) for chore in CHORES
    }
    return {chore: hosts for chore, hosts in found.items() if hosts}


def acting(
    wishes: Mapping[str, Wish],
    options: Mapping[str, Mapping[str, Options]],
    buyers: Mapping[str, Collection[str]],
    services: Collection[str] = (),
) -> dict[str, list[str]]:
    """Return chore -> hosts on which it may act, without chores that act nowhere.

    ``options`` are those of each host by chore, ``services`` what some host of the client has, in this run or not.
    Raises SettingsError for a chore that is named and that nobody bought.
    """
    named = sorted({chore for wish in wishes.values() for chore in wish.named} - buyers.keys() - {*services})
    if named:
        raise SettingsError(
            [
                f"{ACT} names {chore}, and no service plan here has it. Add '{chore}' to keepwell_plan.services of "
                f"this client, or leave it out of {ACT}."
                for chore in named
            ]
        )
    found = {
        chore: sorted(host for host in hosts if _acts(chore, wishes[host], options[host][chore]))
        for chore, hosts in buyers.items()
    }
    return {chore: hosts for chore, hosts in found.items() if hosts}


def _acts(chore: str, wish: Wish, options: Options) -> bool:
    own = options.act if "act" in options.model_fields_set else None
    # What somebody approved for this run is not made more by what a file says for all runs.
    return wish.includes(chore) and own is not False if wish.given else own is True
