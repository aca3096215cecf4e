# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What updates are offered, what is withheld and by whom, what is installed but not running?

Reads what the package managers already know: nothing is refreshed, downloaded, locked or installed.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import (
    _apt,
    _deleted_libraries,
    _dnf,
    _kernels,
    _package_locks,
    _reboot,
    _updaters,
    _zypper,
)
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import Unreadable

# A package manager needs this long on a small server with a cold cache; an answer that is late is worth more than none.
TIME_LIMIT_S = 40


def find_manager(machine):
    """The package manager that rules this host: apt, dnf5, dnf4, zypper, yum or None.

    A manager counts only with its own database or configuration: Debian offers dnf and zypper as packages, too.
    """
    if (
        machine.which("apt-get")
        and machine.exists("/var/lib/dpkg/status")
        and not machine.exists("/etc/redhat-release")
    ):
        return "apt"
    if machine.which("zypper") and machine.exists("/etc/zypp"):
        return "zypper"
    if machine.which("dnf5"):
        return "dnf5"
    if machine.which("dnf"):
        return "dnf4"
    return "yum" if machine.which("yum") else None


def collect(machine, parameters):
    """Return the packages document.

    {"manager", "metadata": {"configured", "sources", "errors", "checked_at", "stamp_at"}, "pending", "plan",
    "excluded", "not_offered", "not_running", "broken_state", "kernel", "reboot", "services_restart",
    "services_seen", "auto_updaters", "locks"}; a part that could not be determined is None.
    """
    manager = find_manager(machine)
    if manager is None:
        raise Unreadable("absent", "no package manager that Keepwell knows (apt, dnf, yum, zypper)")
    if manager == "apt":
        document = _apt.collect(machine)
    elif manager == "zypper":
        document = _zypper.collect(machine)
    else:
        document = _dnf.collect(machine, manager)
    packages = document.pop("packages")
    document["installed_count"] = None if packages is None else len(packages)
    seen = _deleted_libraries.collect(machine)
    document["services_restart"] = seen["groups"]
    document["services_seen"] = {"read": seen["read"], "unread": seen["unread"]}
    document["kernel"] = _kernels.collect(machine, manager, packages)
    document["reboot"] = _reboot.collect(machine, manager, packages, document["kernel"], seen["groups"])
    document["auto_updaters"] = _updaters.collect(machine)
    document["locks"] = _package_locks.collect(machine, manager)
    return document
