# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the names of running processes (never their arguments).

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import re

_CONTAINER = re.compile(r"libpod-|docker[-/]|kubepods|/lxc|machine-.*\.scope|crio-|containerd")


def running_names(machine):
    """Return process name (15 characters at most) -> how many run; None when /proc hides the processes of others."""
    names = {}
    numbers = [entry for entry in machine.listdir("/proc") if entry.isdigit()]
    own = machine.readlink("/proc/self/ns/pid")
    contained = _CONTAINER.search(machine.read("/proc/self/cgroup", source="processes") or "") is not None
    for number in numbers:
        # What runs in a container is that container's business, although the host sees the process, too.
        space = machine.readlink("/proc/%s/ns/pid" % number)
        if space not in (None, own):
            continue
        if space is None and not contained and _in_container(machine, number):
            continue
        text = machine.read("/proc/%s/comm" % number, limit=64, source="processes")
        if text:
            name = text.strip()
            names[name] = names.get(name, 0) + 1
    # With hidepid= a user sees only processes of his own; the first process is then missing from the list.
    if "1" not in numbers:
        machine.note("processes", "denied", "the processes of other users are hidden")
        return None
    return names


def _in_container(machine, number):
    return bool(_CONTAINER.search(machine.read("/proc/%s/cgroup" % number, limit=4096, source="processes") or ""))
