# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: restart services that run on replaced code, and see that they are up again.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import re
import time

from ansible_collections.keepwell.fleet.plugins.module_utils.chores import _system
from ansible_collections.keepwell.fleet.plugins.module_utils.chores._errors import AgentError

# What ends sessions, desktops, containers, machines, clusters or the network, whoever asks: the list that needrestart
# ships, and Keepwell's own work.
NEVER = re.compile(
    r"^(?:dbus(?:-broker|-daemon)?|systemd-logind|elogind|user@.*|user-runtime-dir@.*|getty@.*|serial-getty@.*"
    r"|console-getty|autovt@.*|container-getty@.*|emergency|rescue|gdm\d*|kdm|lightdm|lxdm|mdm|nodm|sddm|slim|wdm|xdm"
    r"|display-manager|plymouth.*|docker|containerd|podman|crio|cri-o|kubelet|k3s.*|rke2.*|lxc.*|lxd.*|incus.*"
    r"|libvirt.*|virt(?:qemu|log|lock|lxc|network|storage|nodedev|proxy)d|qemu.*|systemd-machined|systemd-nspawn@.*"
    r"|xen.*|vz.*|pve.*|corosync|pacemaker|keepalived|heartbeat|drbd.*|multipathd|iscsid|open-iscsi|network|networking"
    r"|NetworkManager.*|systemd-networkd|wicked.*|dhcpcd.*|ifup@.*|wpa_supplicant.*|openvpn.*|wg-quick@.*|firewalld"
    r"|nftables|iptables|ip6tables|ebtables|cloud-.*|runlevel.*|apt-daily.*|unattended-upgrades|packagekit"
    r"|dnf-automatic.*|keepwell-.*)(?:@.*)?\.service$"
)
_NAME = re.compile(r"^[A-Za-z0-9@_.:\\-]+$")
_SHOWN = "LoadState,ActiveState,SubState,Type,RefuseManualStop,RefuseManualStart,Result,CanStart"
# A daemon that fails at once does so within this time.
_SETTLE_S = 2.0
_WAIT_S = 15.0
_SYSTEMD = "systemd-manager"


def restart(machine, units, timeout_s):
    """Restart units one after the other: {"units": {unit: {"result": restarted|failed|skipped, "text"}}}."""
    if not _system.has_systemd(machine):
        raise AgentError("no_systemd", "This host has no systemd: services have to be restarted by hand.")
    end = time.monotonic() + timeout_s
    answers = {}
    # systemd itself first: what it restarts then, it does with its new code.
    for unit in sorted(set(units), key=lambda unit: (unit != _SYSTEMD, unit)):
        answers[unit] = _one(machine, unit, end)
    asked = [unit for unit, answer in answers.items() if answer["result"] == "restarted" and unit != _SYSTEMD]
    if asked:
        time.sleep(_SETTLE_S)
    for unit in asked:
        answers[unit] = _judged(machine, unit)
    return {"units": answers}


def _one(machine, unit, end):
    left = end - time.monotonic()
    if left <= 0:
        return _answer("skipped", "there was no time left for it")
    if unit == _SYSTEMD:
        output = machine.run(["systemctl", "daemon-reexec"], timeout=left, source=unit)
        return _answer("restarted" if output.ok else "failed", "" if output.ok else _words(output))
    why = against(unit) or _unfit(show(machine, unit))
    if why:
        return _answer("skipped", why)
    # Not through Machine.remaining: a database may take its time to stop.
    output = machine.run(["systemctl", "restart", unit], timeout=left, source=unit)
    return _answer("restarted" if output.ok else "failed", "" if output.ok else _words(output))


def against(unit):
    """Why a unit is never restarted by its name; empty when it may be."""
    if not _NAME.match(unit) or unit.startswith("-"):
        return "that is no name of a unit"
    if not unit.endswith(".service"):
        return "only services are restarted"
    return "its restart would end more than itself" if NEVER.match(unit) else ""


def _unfit(shown):
    """Why a unit is not restarted as it is now; empty when it can be."""
    if shown.get("LoadState") != "loaded":
        return "it is not loaded (%s)" % (shown.get("LoadState") or "unknown")
    if shown.get("ActiveState") != "active":
        return "it does not run (%s)" % shown.get("ActiveState")
    if shown.get("Type") == "oneshot":
        return "it is a oneshot: a restart would do its work again"
    if shown.get("RefuseManualStop") == "yes" or shown.get("RefuseManualStart") == "yes":
        return "it refuses to be stopped by hand"
    return ""


def show(machine, unit):
    """Properties of a unit by name."""
    output = machine.run(["systemctl", "show", "--property=" + _SHOWN, unit], timeout=5.0, source="systemctl show")
    pairs = [line.partition("=") for line in output.lines()]
    return dict((key, value) for key, _equals, value in pairs)


def _judged(machine, unit):
    """Whether a unit is up after its restart; one that still starts is waited for a little."""
    end = time.monotonic() + _WAIT_S
    while True:
        shown = show(machine, unit)
        if shown.get("ActiveState") not in ("activating", "reloading", "deactivating") or time.monotonic() > end:
            break
        time.sleep(0.5)
    if shown.get("ActiveState") == "active":
        return _answer("restarted", "")
    state = "%s (%s)" % (shown.get("ActiveState"), shown.get("Result") or shown.get("SubState"))
    return _answer("failed", "it is %s after its restart" % state)


def _answer(result, text):
    return {"result": result, "text": text}


def _words(output):
    if output.status == "timeout":
        return "systemd did not end the restart in time"
    lines = [line.strip() for line in (output.err or output.out).splitlines() if line.strip()]
    return " ".join(lines)[:200] or "systemctl ended with return code %s" % output.rc
