# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what on this host updates or reboots it by itself?

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import re

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _rpm

_SETTING = re.compile(r'^(\S+) "(.*)";$')
_WANTS = "/etc/systemd/system/timers.target.wants/"
_TRUE = ("1", "true", "yes", "on", "enable", "with")


def parse_apt_config(text):
    """Parse ``apt-config dump``: {setting: value}, for lists {setting: [values]} with the setting's ``::`` kept.

    Raises ValueError with the line when one has another form.
    """
    settings = {}
    for line in text.splitlines():
        match = _SETTING.match(line)
        if not match:
            raise ValueError("apt-config: unexpected line %r" % line[:120])
        key, value = match.groups()
        if key.endswith("::"):
            settings.setdefault(key, []).append(value)
        else:
            settings[key] = value
    return settings


def _truth(value):
    return str(value or "").strip().lower() in _TRUE


def _timer(machine, name):
    """True when a timer is enabled and not masked."""
    return machine.exists(_WANTS + name) and machine.readlink("/etc/systemd/system/" + name) != "/dev/null"


def _stamp(machine, path):
    info = machine.stat(path)
    return info["mtime"] if info else None


def _updater(name, **facts):
    entry = {
        "name": name,
        "enabled": False,
        "applies": False,
        "reboots": False,
        "reboot_time": None,
        "scheduled": None,
        "blacklist": [],
        "kept_back": [],
        "last_run": None,
        "scope": [],
    }
    entry.update(facts)
    return entry


def _unattended_upgrades(machine):
    if machine.which("unattended-upgrade") is None and machine.which("unattended-upgrades") is None:
        return []
    output = machine.run(["apt-config", "dump"], timeout=4.0)
    if not output.ok:
        return []
    try:
        settings = parse_apt_config(output.out)
    except ValueError as exc:
        machine.note("apt-config", "error", str(exc))
        return []
    period = settings.get("APT::Periodic::Unattended-Upgrade", "0")
    master = settings.get("APT::Periodic::Enable", "1")
    enabled = period not in ("0", "") and master != "0"
    reboots = _truth(settings.get("Unattended-Upgrade::Automatic-Reboot"))
    kept = (machine.read("/var/lib/unattended-upgrades/kept-back") or "").split()
    scope = settings.get("Unattended-Upgrade::Origins-Pattern::", [])
    scope = scope + settings.get("Unattended-Upgrade::Allowed-Origins::", [])
    return [
        _updater(
            "unattended-upgrades",
            enabled=enabled,
            applies=enabled,
            reboots=reboots,
            reboot_time=settings.get("Unattended-Upgrade::Automatic-Reboot-Time", "now") if reboots else None,
            scheduled=_timer(machine, "apt-daily-upgrade.timer"),
            blacklist=settings.get("Unattended-Upgrade::Package-Blacklist::", []),
            kept_back=sorted(set(kept)),
            last_run=_stamp(machine, "/var/lib/apt/periodic/unattended-upgrades-stamp"),
            scope=scope,
        )
    ]


def _cron_apt(machine):
    if not machine.exists("/etc/cron.d/cron-apt"):
        return []
    applies = False
    for path in machine.glob("/etc/cron-apt/action.d/*"):
        for line in (machine.read(path) or "").splitlines():
            words = line.split("#", 1)[0].split()
            if ("dist-upgrade" in words or "upgrade" in words) and "-d" not in words:
                applies = True
    return [_updater("cron-apt", enabled=True, applies=applies, scheduled=True)]


def _dnf_automatic(machine):
    text = machine.read("/etc/dnf/automatic.conf")
    timers = ("dnf-automatic.timer", "dnf-automatic-install.timer", "dnf5-automatic.timer")
    active = [name for name in timers if _timer(machine, name)]
    if text is None and not active:
        return []
    try:
        commands = _rpm.parse_ini(text or "").get("commands", {})
    except ValueError as exc:
        machine.note("/etc/dnf/automatic.conf", "error", str(exc))
        commands = {}
    # The -install timer applies whatever the file says.
    applies = _truth(commands.get("apply_updates")) or "dnf-automatic-install.timer" in active
    reboot = (commands.get("reboot") or "never").strip()
    return [
        _updater(
            "dnf-automatic",
            enabled=bool(active),
            applies=bool(active) and applies,
            reboots=bool(active) and applies and reboot in ("when-changed", "when-needed"),
            reboot_time="after the update" if reboot in ("when-changed", "when-needed") else None,
            scheduled=bool(active),
            scope=[commands.get("upgrade_type") or "default"],
        )
    ]


def _yum_cron(machine):
    text = machine.read("/etc/yum/yum-cron.conf")
    if text is None:
        return []
    try:
        commands = _rpm.parse_ini(text).get("commands", {})
    except ValueError as exc:
        machine.note("/etc/yum/yum-cron.conf", "error", str(exc))
        commands = {}
    enabled = machine.exists("/etc/systemd/system/multi-user.target.wants/yum-cron.service")
    applies = enabled and _truth(commands.get("apply_updates"))
    return [_updater("yum-cron", enabled=enabled, applies=applies, scheduled=enabled)]


def _transactional_update(machine):
    if machine.which("transactional-update") is None:
        return []
    enabled = _timer(machine, "transactional-update.timer")
    reboots = machine.exists("/etc/systemd/system/multi-user.target.wants/rebootmgr.service")
    return [
        _updater(
            "transactional-update",
            enabled=enabled,
            applies=enabled,
            reboots=enabled and reboots,
            reboot_time="rebootmgr's window" if reboots else None,
            scheduled=enabled,
        )
    ]


def _yast_online_update(machine):
    jobs = machine.glob("/etc/cron.*/opensuse.org-online_update")
    return [_updater("yast online update", enabled=True, applies=True, scheduled=True)] if jobs else []


def collect(machine):
    """Return the ``auto_updaters`` of the packages document; empty when none is there."""
    found = []
    for look in (
        _unattended_upgrades,
        _cron_apt,
        _dnf_automatic,
        _yum_cron,
        _transactional_update,
        _yast_online_update,
    ):
        found += look(machine)
    return found
