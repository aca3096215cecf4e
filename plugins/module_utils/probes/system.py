# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is this host: distribution, kernel, boot, virtualisation, Python, and whose extended support does it have?

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import re

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _boots, _entitlements

TIME_LIMIT_S = 12
PYTHONS = (
    "/usr/bin/python3",
    "/usr/libexec/platform-python",
    "/usr/local/bin/python3",
    "/usr/bin/python2",
)
# Answers of systemd-detect-virt that mean a container; every other answer but "none" is a virtual machine.
CONTAINERS = (
    "openvz",
    "lxc",
    "lxc-libvirt",
    "systemd-nspawn",
    "docker",
    "podman",
    "rkt",
    "wsl",
    "proot",
    "pouch",
    "container-other",
)
# What DMI vendors and products of virtual machines begin with (systemd, src/basic/virt.c, detect_vm_dmi).
DMI_MACHINES = (
    ("KVM", "kvm"),
    ("OpenStack", "kvm"),
    ("KubeVirt", "kvm"),
    ("Amazon EC2", "amazon"),
    ("QEMU", "qemu"),
    ("VMware", "vmware"),
    ("VMW", "vmware"),
    ("innotek GmbH", "oracle"),
    ("VirtualBox", "oracle"),
    ("Oracle Corporation", "oracle"),
    ("Xen", "xen"),
    ("Bochs", "bochs"),
    ("Parallels", "parallels"),
    ("BHYVE", "bhyve"),
    ("Hyper-V", "microsoft"),
    ("Virtual Machine", "microsoft"),
    ("Google Compute Engine", "google"),
)
_ASSIGNMENT = re.compile(r"^([A-Z][A-Z0-9_]*)=(.*)$")
_VERSION = re.compile(r"^Python (\d+\.\d+\.\d+)")


def collect(machine, parameters):
    """Return the facts that other probes' findings are read against; see the keys below."""
    pid1 = (machine.read("/proc/1/comm") or "").strip() or None
    return {
        "os": _release(machine),
        "kernel": {
            "name": _line(machine, "/proc/sys/kernel/ostype"),
            "release": _line(machine, "/proc/sys/kernel/osrelease"),
            "version": _line(machine, "/proc/sys/kernel/version"),
            "architecture": machine.run(["uname", "-m"]).out.strip() or None,
        },
        "hostname": _line(machine, "/proc/sys/kernel/hostname"),
        "fqdn": _full_name(machine),
        "boot": _boots.collect(machine, pid1 == "systemd"),
        "virtualisation": _virtualisation(machine),
        "hardware": {
            "vendor": _line(machine, "/sys/class/dmi/id/sys_vendor"),
            "model": _line(machine, "/sys/class/dmi/id/product_name"),
        },
        "cpu_count": machine.parsed_file("/proc/cpuinfo", parse_cpu_count),
        "memory_total_bytes": machine.parsed_file("/proc/meminfo", parse_memory_total),
        "pythons": _pythons(machine),
        "init": {"pid1": pid1, "systemd": None if pid1 is None else pid1 == "systemd"},
        "timezone": _timezone(machine),
        "entitlement": _entitlements.collect(machine),
    }


def _line(machine, path):
    """First line of a file, or None."""
    text = machine.read(path)
    return None if text is None else text.strip().split("\n")[0].strip() or None


def _release(machine):
    for path in ("/etc/os-release", "/usr/lib/os-release"):
        if machine.exists(path):
            return machine.parsed_file(path, parse_os_release)
    machine.note("os-release", "absent", "neither /etc/os-release nor /usr/lib/os-release exists")
    return None


def parse_os_release(text):
    """Parse os-release (freedesktop.org: shell assignments without expansion).

    Returns {"id", "version_id", "pretty", "codename", "id_like": [..], "support_end" (ISO date), "variant_id",
    "build_id"}; what the file does not say is None. Raises ValueError with a line that is no assignment.
    """
    values = {}
    for line in text.splitlines():
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        match = _ASSIGNMENT.match(line)
        if not match:
            raise ValueError("os-release: no assignment in %r" % line[:120])
        value = match.group(2).strip()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
            value = re.sub(r"\\([\"'$`\\])", r"\1", value[1:-1])
        values[match.group(1)] = value
    # The specification: an os-release without ID means "linux".
    return {
        "id": values.get("ID") or "linux",
        "version_id": values.get("VERSION_ID") or None,
        "pretty": values.get("PRETTY_NAME") or None,
        "codename": values.get("VERSION_CODENAME") or None,
        "id_like": values.get("ID_LIKE", "").split(),
        "support_end": values.get("SUPPORT_END") or None,
        "variant_id": values.get("VARIANT_ID") or None,
        "build_id": values.get("BUILD_ID") or values.get("IMAGE_VERSION") or None,
    }


def _full_name(machine):
    """Full name from the host's own files only: a name server that does not answer must not cost the probe."""
    name = _line(machine, "/proc/sys/kernel/hostname")
    if not name or "." in name:
        return name
    for line in (machine.read("/etc/hosts") or "").splitlines():
        names = line.split("#")[0].split()[1:]
        if name in names:
            for candidate in names:
                if candidate.startswith(name + "."):
                    return candidate
    return None


def parse_cpu_count(text):
    """Number of online processors in /proc/cpuinfo; raises ValueError when no line names one."""
    count = len(re.findall(r"(?m)^processor\s*(?:\d+)?\s*:", text))
    if not count:
        raise ValueError("cpuinfo: no processor line in %r" % text[:80])
    return count


def parse_memory_total(text):
    """Bytes of memory in /proc/meminfo (given in KiB); raises ValueError when the line is missing."""
    match = re.search(r"(?m)^MemTotal:\s+(\d+) kB$", text)
    if not match:
        raise ValueError("meminfo: no MemTotal in %r" % text[:80])
    return int(match.group(1)) * 1024


def _virtualisation(machine):
    """{"kind": vm|container|physical|unknown, "technology", "source"}; a container on a VM counts as container."""
    output = machine.run(["systemd-detect-virt"], accepted=(0, 1))
    word = output.out.strip()
    if output.ok and word:
        return {"kind": kind_of(word), "technology": word, "source": "systemd-detect-virt"}
    for path, technology in (("/.dockerenv", "docker"), ("/run/.containerenv", "podman")):
        if machine.exists(path):
            return {"kind": "container", "technology": technology, "source": path}
    environment = machine.read("/proc/1/environ", source="/proc/1/environ")
    for entry in (environment or "").split("\0"):
        if entry.startswith("container="):
            return {"kind": "container", "technology": entry[10:] or "container-other", "source": "/proc/1/environ"}
    known = False
    for name in ("product_name", "sys_vendor", "board_vendor", "bios_vendor"):
        value = _line(machine, "/sys/class/dmi/id/" + name)
        known = known or bool(value)
        for prefix, technology in DMI_MACHINES:
            if value and value.startswith(prefix):
                return {"kind": "vm", "technology": technology, "source": "dmi"}
    if re.search(r"(?m)^flags\s*:.*\bhypervisor\b", machine.read("/proc/cpuinfo") or ""):
        return {"kind": "vm", "technology": "vm-other", "source": "/proc/cpuinfo"}
    if known:
        return {"kind": "physical", "technology": "none", "source": "dmi"}
    return {"kind": "unknown", "technology": None, "source": None}


def kind_of(word):
    """Kind of machine for an answer of systemd-detect-virt."""
    if word == "none":
        return "physical"
    return "container" if word in CONTAINERS else "vm"


def _pythons(machine):
    """Versions of the interpreters found, by path; None for one that did not say."""
    found = {}
    for path in PYTHONS:
        if machine.exists(path):
            output = machine.run([path, "--version"], timeout=2, source=path)
            match = _VERSION.match(output.out or output.err)
            found[path] = match.group(1) if match else None
    return found


def _timezone(machine):
    """Name of the time zone, from /etc/timezone or the target of /etc/localtime; None when neither tells."""
    target = machine.readlink("/etc/localtime") or ""
    if "zoneinfo/" in target:
        return target.split("zoneinfo/", 1)[1]
    return _line(machine, "/etc/timezone")
