# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: which kernel runs, which are installed, which one comes up at the next boot?

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import re

from ansible_collections.keepwell.fleet.plugins.module_utils.probes._package_versions import debian_key, segments_key

_DEBIAN_IMAGE = re.compile(r"^linux-image-(?:unsigned-)?(\d.*?)(?:-unsigned|-dbg)?$")
_RPM_IMAGE = re.compile(r"^(kernel(?:-core|-uek|-uek-core|-rt|-rt-core|-64k-core|-default|-lt|-ml)?)$")
# The package version that Debian builds into the kernel: "... Debian 6.1.140-1 (2025-05-22)".
_DEBIAN_BUILD = re.compile(r"Debian (\d\S+) \(")
_UBUNTU_BUILD = re.compile(r"^Ubuntu (\S+)-[a-z]")


def container(machine):
    """Name of the container technology this system runs in, or None on real and virtual machines."""
    name = (machine.read("/run/systemd/container") or "").strip()
    if name:
        return name
    if machine.exists("/run/.containerenv"):
        return "podman"
    # Virtual machines made from a container image keep this file, but not the overlay.
    if machine.exists("/.dockerenv") and re.search(
        r"^\S+ / overlay ", machine.read("/proc/mounts") or "", re.MULTILINE
    ):
        return "docker"
    environment = machine.read("/proc/1/environ", source="/proc/1/environ") or ""
    match = re.search(r"(?:^|\0)container=([^\0]+)", environment)
    return match.group(1) if match else None


def flavour(release):
    """What kind of kernel a release is: ``cloud-amd64``, ``generic``, ``default``, ``x86_64+rt``, ``uek.x86_64``.

    Only kernels of one flavour are versions of each other.
    """
    match = re.search(r"(uek)?\.((?:x86_64|aarch64|ppc64le|s390x|i686|noarch)(?:[+_.-].+)?)$", release)
    if match:
        return (match.group(1) + "." if match.group(1) else "") + match.group(2)
    match = re.search(r"-([a-z][a-z0-9-]*)$", release)
    return match.group(1) if match else ""


def installed(manager, packages):
    """Installed kernel images from the package list: [{"release", "flavour", "version", "package", "installed_at"}]."""
    kernels = {}
    for package in packages or []:
        if manager == "apt":
            match = _DEBIAN_IMAGE.match(package["name"])
            if match and package["state"] in ("i", "t", "W") and re.search(r"\d[.-].*-[a-z]", match.group(1)):
                version, release, moment = package["version"], match.group(1), None
            else:
                continue
        else:
            if not _RPM_IMAGE.match(package["name"]):
                continue
            version, moment = package["evr"].split(":", 1)[1], package["installed_at"]
            arch = "" if package["name"] == "kernel-default" else "." + package["arch"]
            release = version + arch
            if "-rt" in package["name"] and arch:
                release += "+rt"
            if package["name"] == "kernel-default":
                # SUSE: the release of the running kernel lacks the last number of the package's release.
                release = re.sub(r"\.\d+$", "", version) + "-default"
        known = kernels.get(release)
        if known is None or package["name"].endswith("-core"):
            kernels[release] = {
                "release": release,
                "flavour": flavour(release),
                "version": version,
                "package": package["name"],
                "installed_at": moment,
            }
    return sorted(kernels.values(), key=lambda kernel: segments_key(kernel["release"]))


def running_build(machine):
    """Package version of the running kernel where it says so (Debian, Ubuntu), else None."""
    signature = machine.read("/proc/version_signature") or ""
    match = _UBUNTU_BUILD.match(signature)
    if match:
        return match.group(1)
    match = _DEBIAN_BUILD.search(machine.read("/proc/version") or "")
    return match.group(1) if match else None


def default_boot(machine):
    """What the boot loader is told to start: {"pinned", "entry", "release", "source"}; None when nothing says.

    ``pinned`` is True when the entry stays the same after an update: a fixed number other than 0, a fixed title, or
    a saved entry. ``release`` is the kernel in that entry, where its name tells.
    """
    text = machine.read("/etc/default/grub")
    wanted = None
    for line in (text or "").splitlines():
        match = re.match(r"^\s*GRUB_DEFAULT=(.*)$", line)
        if match:
            wanted = match.group(1).split("#")[0].strip().strip("\"'")
    environment = machine.read("/boot/grub/grubenv") or machine.read("/boot/grub2/grubenv") or ""
    match = re.search(r"^saved_entry=(.*)$", environment, re.MULTILINE)
    saved = match.group(1).strip() if match else None
    if machine.which("grubby"):
        output = machine.run(["grubby", "--default-kernel"], timeout=3.0)
        match = re.search(r"vmlinuz-(\S+)", output.out) if output.ok else None
        if match:
            # Here every installation of a kernel sets the default anew: it is pinned when it is not the newest.
            return {"pinned": None, "entry": output.out.strip(), "release": match.group(1), "source": "grubby"}
    if wanted is None:
        return None
    if wanted == "saved":
        pinned = bool(saved) and saved != "0"
        return {"pinned": pinned, "entry": saved, "release": release_in(saved), "source": "grubenv saved_entry"}
    return {"pinned": wanted != "0", "entry": wanted, "release": release_in(wanted), "source": "/etc/default/grub"}


def release_in(entry):
    """Kernel release named in a boot entry (title or id), or None."""
    match = re.search(r"(?:[Ll]inux |gnulinux-|vmlinuz-|-)(\d+\.\d+\.[\w.+~-]*[A-Za-z0-9])", entry or "")
    release = match.group(1) if match else None
    return re.sub(r"-(?:advanced|recovery)-[0-9a-f-]{36}$", "", release) if release else None


def live_patches(machine):
    """Names of active kernel live patches; None when the kernel has no support for them."""
    if not machine.exists("/sys/kernel/livepatch"):
        return None
    names = machine.listdir("/sys/kernel/livepatch")
    return [name for name in names if (machine.read("/sys/kernel/livepatch/%s/enabled" % name) or "").strip() == "1"]


def collect(machine, manager, packages):
    """Return the ``kernel`` part of the packages document.

    ``newest`` is the newest installed kernel of the running one's flavour (None: none is installed by packages);
    ``newer_build`` names a newer package of the very release that runs.
    """
    release = (machine.read("/proc/sys/kernel/osrelease") or "").strip() or None
    kernels = installed(manager, packages)
    mine = [kernel for kernel in kernels if release and kernel["flavour"] == flavour(release)]
    for kernel in mine:
        image = machine.stat("/boot/vmlinuz-" + kernel["release"])
        if kernel["installed_at"] is None and image:
            kernel["installed_at"] = image["ctime"]
    build = running_build(machine)
    same = next((kernel for kernel in mine if kernel["release"] == release), None)
    newer_build = None
    if manager == "apt" and same and build and debian_key(same["version"]) > debian_key(build):
        newer_build = same["version"]
    return {
        "running": release,
        "running_build": build,
        "flavour": flavour(release or ""),
        "newest": mine[-1]["release"] if mine else None,
        "newest_installed_at": mine[-1]["installed_at"] if mine else None,
        "newer_build": newer_build,
        "installed": kernels,
        "default_boot": default_boot(machine),
        "livepatch": live_patches(machine),
        "container": container(machine),
    }
