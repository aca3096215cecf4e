# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: is this still the same start of the host?

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _boots

TIME_LIMIT_S = 3


def collect(machine, parameters):
    """Return {"boot": {"boot_id", "pid1_ticks", "uptime_s"}}; what cannot be read is None.

    In a container the boot id is that of the machine below it: there the start of process 1 tells of a restart.
    """
    return {
        "boot": {
            "boot_id": (machine.read("/proc/sys/kernel/random/boot_id") or "").strip() or None,
            "pid1_ticks": machine.parsed_file("/proc/1/stat", _boots.parse_start_ticks),
            "uptime_s": machine.parsed_file("/proc/uptime", _boots.parse_uptime),
        }
    }
