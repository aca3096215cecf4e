# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: do the watched units run?

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import Unreadable
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._systemd import parse_blocks
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._units import UNIT_PROPERTIES, full_name, unit_facts

TIME_LIMIT_S = 8
ABSENT = {"load": "not-found", "active": "inactive", "sub": "dead"}


def collect(machine, parameters):
    """Return {"watched": names, "units": {id: facts}, "timers": {id: {"active"}}}, as the services probe has them.

    One question to systemd, about nothing but the units of ``parameters["watched"]``.
    """
    if not machine.exists("/run/systemd/system"):
        raise Unreadable("absent", "systemd does not run this host")
    watched = sorted(set(full_name(name) for name in parameters.get("watched") or []))
    shown = machine.run(["systemctl", "show", "-p", UNIT_PROPERTIES, "--"] + watched, source="services", timeout=6.0)
    if not shown.ok:
        raise Unreadable("error", "systemctl show gave no answer")
    try:
        facts = [unit_facts(block) for block in parse_blocks(shown.out) if block.get("Id")]
    except ValueError as exc:
        raise Unreadable("error", str(exc)) from exc
    if len(facts) != len(watched):
        raise Unreadable("error", "systemd answered for %d of %d units" % (len(facts), len(watched)))
    # Answers come in the order of the questions; an alias is answered for under the name of its unit.
    units = dict((name, facts[place]) for place, name in enumerate(watched))
    timers = dict((name, {"active": unit["active"]}) for name, unit in units.items() if name.endswith(".timer"))
    return {
        "watched": watched,
        "units": dict((name, dict(ABSENT) if unit["load"] == "not-found" else unit) for name, unit in units.items()),
        "timers": timers,
    }
