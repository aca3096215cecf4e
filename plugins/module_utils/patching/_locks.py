# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: wait for others who work on the packages; never take their locks away.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import re
import time

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _package_locks

_PAUSE_S = 1.0


def held(machine, manager):
    """Locks that are held, not files that exist: [{"path", "pid", "process", "unit"}]."""
    return [
        {
            "path": entry["path"],
            "pid": entry["pid"],
            "process": entry["program"],
            "unit": _unit(machine, entry["pid"]) if entry["pid"] else None,
        }
        for entry in _package_locks.collect(machine, manager) or []
    ]


def _unit(machine, pid):
    text = machine.read("/proc/%d/cgroup" % pid) or ""
    found = re.findall(r"([^/\n]+\.(?:service|scope))$", text, re.MULTILINE)
    return found[-1] if found else None


def wait(machine, manager, seconds):
    """Wait until nobody holds a lock; return "" or a sentence on who still does."""
    end = time.monotonic() + seconds
    while True:
        found = held(machine, manager)
        if not found:
            return ""
        if time.monotonic() + _PAUSE_S > end:
            return words(found, seconds)
        time.sleep(_PAUSE_S)


def words(found, seconds):
    """A sentence on held locks."""
    entry = found[0]
    who = entry["process"] or "another process"
    if entry["pid"]:
        who += " (process %d%s)" % (entry["pid"], ", " + entry["unit"] if entry["unit"] else "")
    return "%s holds %s and did not end within %d s. Keepwell leaves other people's locks alone." % (
        who,
        entry["path"],
        seconds,
    )
