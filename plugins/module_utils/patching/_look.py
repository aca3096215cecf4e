# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: everything that has to be known before a host is patched or rebooted. Changes nothing.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import os
import re

from ansible_collections.keepwell.fleet.plugins.module_utils.chores import _jobs, _system
from ansible_collections.keepwell.fleet.plugins.module_utils.patching import (
    _backends,
    _boot,
    _control,
    _fsck,
    _locks,
    _space,
)

_UPDATERS = (
    "apt-daily.service",
    "apt-daily-upgrade.service",
    "dnf-automatic.service",
    "dnf-automatic-install.service",
    "packagekit.service",
    "transactional-update.service",
)
_NOT_ASKED = ("noauto", "tpm2-device=", "fido2-device=", "pkcs11-uri=", "keyscript=")


def look(machine, manager, items):
    """The host as patching has to know it; see the keys. Without a manager it is found out."""
    name, backend = _backends.find(machine, manager)
    cache = _backends.cache(name)
    simulation = backend.simulate(machine, items)
    possible = getattr(backend, "offered", None)
    busy = _jobs.busy(machine)
    return {
        "manager": name,
        "refused": backend.refused(machine),
        "simulation": simulation,
        # Former versions that can be had or are kept: what a way back needs.
        "offered_before": possible(machine, simulation["moves"]) if possible and simulation["moves"] else [],
        "state": backend.state(machine),
        "locks": _locks.held(machine, name),
        "space": _space.look(machine, cache),
        "newest_boot_bytes": _space.newest_boot_bytes(machine),
        "users": _users(machine),
        "fsck_pending": _fsck.due(machine),
        "luks_at_boot": _luks(machine),
        "pacemaker": _active(machine, ["pacemaker.service"]) == ["pacemaker.service"],
        "offline_update": bool(machine.readlink("/system-update") or machine.readlink("/etc/system-update")),
        "apt_timers_running": _active(machine, _UPDATERS),
        "keepwell_lock": {"held": bool(busy), "holder": busy},
        "transactions": _control.unfinished(machine)["transactions"],
        "boot": _boot.boot(machine),
        "systemd": _system.has_systemd(machine),
    }


def _active(machine, units):
    """Which of these units are at work; empty without systemd."""
    if not _system.has_systemd(machine):
        return []
    output = machine.run(["systemctl", "is-active"] + list(units), timeout=5.0, accepted=None)
    pairs = zip(units, output.lines())  # noqa: B905 - not in Python 3.6
    return [unit for unit, state in pairs if state in ("active", "activating", "reloading")]


def _users(machine):
    """People at a terminal, whoever asks left out: [{"user", "tty", "from"}]; None when nobody can say.

    logind does not know of sessions that were opened without it, ``who`` not of those without a record.
    """
    known = [_logged_in(machine), _who(machine)]
    if known == [None, None]:
        return None
    own = _own_terminals(machine)
    users = {}
    for user in [user for found in known for user in found or []]:
        if user["tty"] not in own:
            users.setdefault(user["tty"], user)
    return [users[tty] for tty in sorted(users)]


def _logged_in(machine):
    if not machine.which("loginctl") or not _system.has_systemd(machine):
        return None
    listed = machine.run(["loginctl", "list-sessions", "--no-legend"], timeout=5.0)
    if not listed.ok:
        return None
    numbers = [line.split()[0] for line in listed.lines() if re.match(r"^ *\w+ ", line)]
    if not numbers:
        return []
    argv = ["loginctl", "show-session", "--property=Name,TTY,RemoteHost,Class,State"] + numbers
    return parse_sessions(machine.run(argv, timeout=5.0, accepted=None).out)


def _own_terminals(machine):
    """Terminals of this process and those it came from: sudo may put one of its own between."""
    found = set()
    pid = str(os.getpid())
    while pid not in ("0", "1"):
        fields = (machine.read("/proc/%s/stat" % pid) or "").rpartition(")")[2].split()
        if len(fields) < 5:
            break
        pid, number = fields[1], int(fields[4])
        major, minor = (number >> 8) & 0xFFF, (number & 0xFF) | ((number >> 12) & 0xFFF00)
        # Majors of pseudo terminals; of others nobody connects from afar.
        if 136 <= major <= 143:
            found.add("pts/%d" % (minor + 256 * (major - 136)))
    return found


def parse_sessions(text):
    """Parse ``loginctl show-session``: people at a terminal that are not on their way out."""
    users = []
    for block in text.split("\n\n"):
        fields = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if fields.get("Class") == "user" and fields.get("TTY") and fields.get("State") != "closing":
            users.append({"user": fields.get("Name", ""), "tty": fields["TTY"], "from": fields.get("RemoteHost", "")})
    return users


def _who(machine):
    output = machine.run(["who"], timeout=5.0)
    if not output.ok:
        return None
    rows = [line.split() for line in output.lines() if len(line.split()) >= 2]
    return [{"user": row[0], "tty": row[1], "from": row[-1].strip("()") if "(" in row[-1] else ""} for row in rows]


def _luks(machine):
    """Names in /etc/crypttab for which somebody has to type a passphrase at boot."""
    return parse_crypttab(machine.read("/etc/crypttab") or "")


def parse_crypttab(text):
    """Parse crypttab: names that are opened at boot with neither a key file nor a device that knows the key."""
    names = []
    for line in text.splitlines():
        fields = line.split("#", 1)[0].split()
        if len(fields) < 2:
            continue
        key = fields[2] if len(fields) > 2 else "none"
        options = fields[3] if len(fields) > 3 else ""
        if key in ("none", "-") and not any(word in options for word in _NOT_ASKED):
            names.append(fields[0])
    return names
