# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the probes by name. The imports are static so that Ansible ships them with the module."""

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import (
    access,
    antivirus,
    backups,
    certificates,
    disks,
    hardware,
    network,
    packages,
    pressure,
    services,
    system,
    timesync,
)

PROBES = {
    "access": access,
    "antivirus": antivirus,
    "backups": backups,
    "certificates": certificates,
    "disks": disks,
    "hardware": hardware,
    "network": network,
    "packages": packages,
    "pressure": pressure,
    "services": services,
    "system": system,
    "timesync": timesync,
}


def select(subset):
    """Return the probes that ``subset`` names, like ``setup``'s gather_subset.

    ``["all"]`` or an empty list means all, a name adds that probe, ``!name`` takes it away again.
    Raises ValueError with the offending name and what is allowed.
    """
    chosen = set()
    removed = set()
    for word in subset or ["all"]:
        target = removed if word.startswith("!") else chosen
        name = word.lstrip("!")
        if name == "all":
            target.update(PROBES)
        elif name in PROBES:
            target.add(name)
        else:
            raise ValueError(name)
    if removed and not chosen:
        chosen.update(PROBES)
    return dict((name, PROBES[name]) for name in sorted(chosen - removed))
