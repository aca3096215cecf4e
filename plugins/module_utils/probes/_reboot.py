# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: does this system wait for a reboot, and how sure is that?

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import re

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _dnf, _dnf_text
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._package_versions import debian_key, segments_key

# First builds without CVE-2024-48990, -48991, -48992 and -11003 (run as root, older ones hand root to local users):
# upstream 3.8, and the security updates of the distributions (their changelogs; DSA-5815-1, DLA-3957-1, USN-7117-1).
_NEEDRESTART_SAFE = "3.8"
_NEEDRESTART_FIXES = (
    (re.compile(r"^3\.6-4\+deb12u(\d+)$"), 2),
    (re.compile(r"^3\.5-4\+deb11u(\d+)$"), 4),
    (re.compile(r"^3\.6-7ubuntu4\.(\d+)"), 3),
    (re.compile(r"^3\.5-5ubuntu2\.(\d+)"), 2),
)
# dnf 4 and dnf 5 without the plugin.
_NO_SUBCOMMAND = re.compile(r"No such command: needs-restarting|Unknown argument \"needs-restarting\"")
_FLAGS = ("/run/reboot-required", "/var/run/reboot-required")
# Programs that a running system cannot restart: old code in them goes only with a reboot.
_CORE = re.compile(r"^(?:dbus(?:-broker|-daemon)?|init)(?:\.service)?$")
_BOOT_PACKAGES = re.compile(
    r"^(?:glibc|linux-firmware|systemd|dbus|dbus-broker|dbus-daemon|microcode_ctl|kernel|kernel-core|kernel-rt)$"
)


def needrestart_is_safe(version):
    """True when this build may be run as root."""
    for pattern, first_fixed in _NEEDRESTART_FIXES:
        match = pattern.match(version)
        if match:
            return int(match.group(1)) >= first_fixed
    return debian_key(version) >= debian_key(_NEEDRESTART_SAFE)


def parse_needrestart(text):
    """Parse ``needrestart -b``: {"KSTA": "1", "SVC": [...], ...}. Raises ValueError when no line is one of its own."""
    values = {"SVC": []}
    for line in text.splitlines():
        match = re.match(r"^NEEDRESTART-([A-Z]+): ?(.*)$", line)
        if match and match.group(1) == "SVC":
            values["SVC"].append(match.group(2))
        elif match:
            values[match.group(1)] = match.group(2)
    if "VER" not in values:
        raise ValueError("needrestart: unexpected answer %r" % text[:120])
    return values


def _needrestart(machine, packages):
    """needrestart's own answer as {"asked", "why_not", "kernel", "microcode"}; never run where that is a risk."""
    if machine.which("needrestart") is None:
        return {"asked": False, "why_not": "not installed", "kernel": None, "microcode": None}
    version = next((package["version"] for package in packages or [] if package["name"] == "needrestart"), None)
    if version is None or not needrestart_is_safe(version):
        why = "build %s has CVE-2024-48990" % version if version else "its version is not known"
        return {"asked": False, "why_not": why, "kernel": None, "microcode": None}
    if not machine.privileged:
        machine.note("needrestart", "denied", "needs root")
        return {"asked": False, "why_not": "needs root", "kernel": None, "microcode": None}
    # -k and -w: kernel and microcode only, the slow scan of processes is done elsewhere.
    output = machine.run(["needrestart", "-b", "-k", "-w"], timeout=5.0, accepted=(0, 1))
    if not output.ok:
        return {"asked": False, "why_not": "failed", "kernel": None, "microcode": None}
    try:
        values = parse_needrestart(output.out)
    except ValueError as exc:
        machine.note("needrestart", "error", str(exc))
        return {"asked": False, "why_not": str(exc), "kernel": None, "microcode": None}
    return {"asked": True, "why_not": None, "kernel": values.get("KSTA"), "microcode": values.get("UCSTA")}


def _tool_answer(machine, manager):
    """Answer of the package manager's own tool: (required True, False or None, package names)."""
    if manager in ("dnf4", "yum"):
        argv = _dnf.DNF4 + ["needs-restarting", "-r"] if manager == "dnf4" else ["needs-restarting", "-r"]
        request = {"argv": argv, "timeout": 6.0, "accepted": (0, 1), "source": "needs-restarting"}
        request["missing"] = _NO_SUBCOMMAND
        output = _dnf.run_all(machine, manager, [request])[0]
        if not output.ok:
            return None, []
        required, names = _dnf_text.parse_reboot_text(output.out)
        if required is None:
            last = (output.err or output.out).strip().splitlines()[-1:] or ["no answer"]
            machine.note("needs-restarting", "error", last[0])
        return required, names
    if manager == "dnf5":
        output = machine.run(
            ["dnf5", "-q", "-C", "needs-restarting", "--json"],
            timeout=6.0,
            accepted=(0, 1),
            source="needs-restarting",
            missing=_NO_SUBCOMMAND,
        )
        try:
            return _dnf_text.parse_reboot_json(output.out) if output.ok else (None, [])
        except (ValueError, AttributeError) as exc:
            machine.note("needs-restarting", "error", str(exc))
            return None, []
    if manager == "zypper":
        output = machine.run(
            ["zypper", "--non-interactive", "--no-refresh", "needs-rebooting"],
            timeout=6.0,
            accepted=(0, 102),
            source="needs-rebooting",
            env={"ZYPP_READONLY_HACK": "1"},
        )
        return (output.rc == 102 if output.ok else None), []
    return None, []


def _reason(kind, strength, detail, since=None):
    return {"kind": kind, "strength": strength, "detail": detail, "since": since}


def _flag(machine):
    for path in _FLAGS:
        info = machine.stat(path)
        if info:
            names = (machine.read(path + ".pkgs") or "").split()
            detail = "asked for by " + ", ".join(sorted(set(names))[:10]) if names else path + " exists"
            return _reason("requested", "strong", detail, info["mtime"])
    return None


def _boot_time(machine):
    match = re.search(r"^btime (\d+)$", machine.read("/proc/stat") or "", re.MULTILINE)
    return int(match.group(1)) if match else None


def collect(machine, manager, packages, kernel, groups):
    """Return the ``reboot`` part of the packages document.

    ``required`` is ``yes`` with reasons, ``no`` only when something that can tell has been asked, else ``unknown``:
    that no flag file exists proves nothing. ``groups`` are the programs on deleted libraries.
    """
    reasons = []
    flag = _flag(machine)
    if flag:
        reasons.append(flag)
    asked = []
    in_container = kernel["container"] is not None
    if not in_container and kernel["running"] and kernel["newest"]:
        asked.append("kernel packages")
        since = kernel["newest_installed_at"]
        if segments_key(kernel["newest"]) > segments_key(kernel["running"]):
            reasons.append(_reason("kernel", "strong", "%s is installed" % kernel["newest"], since))
        elif kernel["newer_build"]:
            reasons.append(_reason("kernel", "strong", "build %s is installed" % kernel["newer_build"], since))
    required, names = _tool_answer(machine, manager)
    if required is not None:
        asked.append("package manager")
    if required:
        boot = _boot_time(machine)
        times = [
            package["installed_at"]
            for package in packages or []
            if _BOOT_PACKAGES.match(package["name"]) and boot and package["installed_at"] > boot
        ]
        detail = "updated since boot: " + (", ".join(names) or "core packages")
        reasons.append(_reason("core_packages", "strong", detail, min(times) if times else None))
    answer = {"asked": False, "why_not": "not on this system", "kernel": None, "microcode": None}
    if manager == "apt" and not in_container:
        answer = _needrestart(machine, packages)
        if answer["kernel"] in ("1", "2", "3") or answer["microcode"] in ("1", "2"):
            asked.append("needrestart")
        if answer["kernel"] in ("2", "3") and not any(reason["kind"] == "kernel" for reason in reasons):
            words = {"2": ("weak", "a compatible newer build"), "3": ("strong", "a newer version")}[answer["kernel"]]
            reasons.append(_reason("kernel", words[0], "needrestart sees %s of the kernel" % words[1]))
        if answer["microcode"] == "2":
            reasons.append(_reason("microcode", "weak", "newer processor microcode is installed"))
    core = sorted(
        (group["unit"] or "").replace(".service", "") for group in groups or [] if _CORE.match(group["unit"] or "")
    )
    if core:
        reasons.append(_reason("core_programs", "weak", "runs replaced code: " + ", ".join(core)))
    strengths = [reason["strength"] for reason in reasons]
    return {
        "required": "yes" if reasons else ("no" if asked else "unknown"),
        "strength": "strong" if "strong" in strengths else ("weak" if strengths else None),
        "reasons": reasons,
        "asked": asked,
        "needrestart": answer,
        "container": kernel["container"],
    }
