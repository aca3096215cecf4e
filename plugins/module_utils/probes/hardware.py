# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Does the hardware report damage: memory, disks, heat, paths to storage, and the kernel's own complaints?

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import errno

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _kernel_log, _smart

TIME_LIMIT_S = 18
# What drivers answer while a device sleeps or a fan stands still (amdgpu: EPERM); sensors beside it tell all the same.
_ASLEEP = (errno.ENODATA, errno.EAGAIN, errno.EPERM)
EDAC = "/sys/devices/system/edac/mc"
_UPS = (("/etc/nut/ups.conf", "nut"), ("/etc/apcupsd/apcupsd.conf", "apcupsd"))


def collect(machine, parameters):
    """Return memory controllers, disks, throttling, temperatures, paths and kernel messages.

    What the machine does not have a sensor or a tool for is None; an empty list means looked and found none.
    """
    return {
        "memory_controllers": _memory_controllers(machine),
        "block_disks": _smart.block_disks(machine),
        "smart": _smart.collect(machine),
        "throttle_counts": _throttle_counts(machine),
        "temperatures": _temperatures(machine),
        "multipath": _multipath(machine),
        "kernel_log": _kernel_log.collect(machine),
        "ipmi_device": machine.exists("/dev/ipmi0"),
        "ups": next((name for path, name in _UPS if machine.exists(path)), None),
    }


def _count(machine, path, asleep=()):
    """A counter from /sys; None when it is not there, its device sleeps or it holds no number (then noted)."""
    text = machine.read(path, asleep=asleep)
    if text is None:
        return None
    if not text.strip().lstrip("-").isdigit():
        machine.note(path, "error", "no number: %r" % text[:40])
        return None
    return int(text)


def _memory_controllers(machine):
    """Corrected and uncorrected errors by memory controller; None when the kernel counts none (no EDAC driver)."""
    names = [name for name in machine.listdir(EDAC) if name.startswith("mc") and name[2:].isdigit()]
    if not names:
        machine.note("edac", "absent", "the kernel counts no memory errors here")
        return None
    return [
        {
            "name": name,
            "corrected": _count(machine, "%s/%s/ce_count" % (EDAC, name)),
            "uncorrected": _count(machine, "%s/%s/ue_count" % (EDAC, name)),
            "counting_for_s": _count(machine, "%s/%s/seconds_since_reset" % (EDAC, name)),
        }
        for name in names
    ]


def _throttle_counts(machine):
    """How often heat slowed processors down since boot: {"core": sum, "package": worst}; None without a counter."""
    pattern = "/sys/devices/system/cpu/cpu*/thermal_throttle/%s_throttle_count"
    core = [_count(machine, path) for path in machine.glob(pattern % "core")]
    package = [_count(machine, path) for path in machine.glob(pattern % "package")]
    if not core and not package:
        return None
    return {"core": sum(filter(None, core)), "package": max([count or 0 for count in package] or [0])}


def _temperatures(machine):
    """Sensors that name a critical temperature: [{"sensor", "celsius", "critical_celsius"}]; None without any."""
    found = []
    for path in machine.glob("/sys/class/hwmon/hwmon*/temp*_crit"):
        stem = path[: -len("_crit")]
        folder, _slash, sensor = stem.rpartition("/")
        critical = _count(machine, path, _ASLEEP)
        value = _count(machine, stem + "_input", _ASLEEP)
        if not critical or critical < 0 or value is None:
            continue
        chip = (machine.read(folder + "/name") or "").strip()
        label = (machine.read(stem + "_label") or sensor).strip()
        found.append(
            {"sensor": "%s %s" % (chip, label), "celsius": value / 1000.0, "critical_celsius": critical / 1000.0}
        )
    return found or None


def _multipath(machine):
    """Paths to multipathed storage: [{"map", "device", "state", "checker"}]; None without a running multipathd."""
    if not machine.which("multipathd") or not machine.exists("/run/multipathd.pid"):
        return None
    argv = ["multipathd", "show", "paths", "raw", "format", "%m|%d|%t|%T"]
    output = machine.run(argv, timeout=3)
    if not output.ok:
        return None
    try:
        return parse_multipath(output.out)
    except ValueError as exc:
        machine.note("multipathd", "error", str(exc))
        return None


def parse_multipath(text):
    """Parse ``multipathd show paths raw format "%m|%d|%t|%T"``: map, device, kernel's state, checker's state.

    Paths that belong to no map ("[orphan]") are left out. Raises ValueError with a line of another form.
    """
    found = []
    for line in text.splitlines():
        fields = [field.strip() for field in line.split("|")]
        if len(fields) != 4:
            raise ValueError("multipathd: four fields expected in %r" % line[:120])
        if fields[0] and not fields[0].startswith("["):
            found.append({"map": fields[0], "device": fields[1], "state": fields[2], "checker": fields[3]})
    return found
