# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: which package manager patches this host, and by which functions.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

from ansible_collections.keepwell.fleet.plugins.module_utils.chores._errors import AgentError
from ansible_collections.keepwell.fleet.plugins.module_utils.patching import _apt, _dnf, _zypper
from ansible_collections.keepwell.fleet.plugins.module_utils.probes.packages import find_manager

# dnf 5 and yum 3 are in _dnf's hands, which refuses them with a sentence.
_BY_NAME = {"apt": _apt, "dnf4": _dnf, "dnf5": _dnf, "yum": _dnf, "zypper": _zypper}
# needrestart's hook in apt would restart services in the middle of the work.
ENVIRONMENT = {
    "DEBIAN_FRONTEND": "noninteractive",
    "NEEDRESTART_MODE": "l",
    "NEEDRESTART_SUSPEND": "1",
    "APT_LISTCHANGES_FRONTEND": "none",
    "UCF_FORCE_CONFFOLD": "1",
}
# Where fetched packages lie until they are installed.
_CACHES = {"apt": _apt.ARCHIVES, "zypper": "/var/cache/zypp"}


def find(machine, manager):
    """(name, backend) for a name from the request; found out by itself when that is empty."""
    name = manager or find_manager(machine)
    if name not in _BY_NAME:
        raise AgentError("no_manager", "Keepwell cannot patch with %s." % (name or "the package manager of this host"))
    return name, _BY_NAME[name]


def cache(manager):
    """Folder into which a package manager fetches packages."""
    return _CACHES.get(manager, "/var/cache/dnf")
