# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the one entry to what the watch asks of a host: is it up, what runs, is there room?

A small part of what an assessment asks, in the same shape, so that the same checks judge it. It needs no root rights.
Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _runner
from ansible_collections.keepwell.fleet.plugins.module_utils.watch import _boot, _room, _watched

# By the names of the probes whose data they give a part of.
PARTS = {"disks": _room, "services": _watched, "system": _boot}
READING = ("look",)


def answer(request):
    """Return an observation document, or {"error": stable word, "text": one sentence}.

    ``parts`` of the request are names in PARTS, ``parameters`` what each is told, ``budget_s`` seconds for all.
    """
    unknown = [name for name in request.get("parts", ()) if name not in PARTS]
    if request.get("operation") not in READING or unknown or "budget_s" not in request:
        return {"error": "bad_request", "text": "The watch does not understand this request."}
    parts = dict((name, PARTS[name]) for name in request["parts"])
    return _runner.observe(parts, request.get("parameters"), request["budget_s"])
