# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the accounts of a host: who can log in, with what, who is administrator, who was there.

Password hashes are looked at only for their kind; they never leave the parser. Runs on managed hosts: standard
library only, Python 3.6 syntax.
"""

import calendar
import re
import time

NO_LOGIN = ("nologin", "false", "sync", "shutdown", "halt")
ADMIN_GROUPS = ("root", "sudo", "wheel", "adm", "admin", "docker", "lxd", "libvirt", "disk", "shadow")
ALGORITHMS = {
    "1": "md5",
    "2a": "bcrypt",
    "2b": "bcrypt",
    "2y": "bcrypt",
    "5": "sha256",
    "6": "sha512",
    "y": "yescrypt",
    "gy": "gost-yescrypt",
    "7": "scrypt",
}
DAY = 86400
ACCOUNT_CAP = 500
_LOGIN_TIME = re.compile(r"([A-Z][a-z]{2}) ([A-Z][a-z]{2}) +(\d{1,2}) (\d{2}:\d{2}:\d{2}) ([+-]\d{4}) (\d{4})\s*$")


def parse_passwd(text):
    """Parse /etc/passwd: a list of {name, uid, gid, home, shell, can_log_in}. Raises ValueError naming a bad line."""
    accounts = []
    for line in text.splitlines():
        # NIS entries ("+::::::") are no accounts of this host.
        if not line.strip() or line[0] in "+-#":
            continue
        fields = line.split(":")
        if len(fields) != 7 or not (fields[2].isdigit() and fields[3].isdigit()):
            raise ValueError("passwd: cannot read the line of %r" % fields[0][:40])
        shell = fields[6].strip()
        accounts.append(
            {
                "name": fields[0],
                "uid": int(fields[2]),
                "gid": int(fields[3]),
                "home": fields[5] or "/",
                "shell": shell,
                "can_log_in": shell.rsplit("/", 1)[-1] not in NO_LOGIN,
            }
        )
    return accounts[:ACCOUNT_CAP]


def parse_shadow(text):
    """Parse /etc/shadow: name -> {state, algorithm, changed_at, max_age_days, expires_at}; never the hash itself.

    ``state`` is ``empty`` (no password is asked for), ``locked``, ``unset`` (never had one) or ``set``.
    Raises ValueError naming the account whose line cannot be read.
    """
    found = {}
    for line in text.splitlines():
        if not line.strip():
            continue
        fields = line.split(":")
        if len(fields) < 8:
            raise ValueError("shadow: cannot read the line of %r" % fields[0][:40])
        found[fields[0]] = {
            "state": password_state(fields[1]),
            "algorithm": password_algorithm(fields[1]),
            "changed_at": _days(fields[2]),
            "max_age_days": int(fields[4]) if fields[4].isdigit() and int(fields[4]) < 99999 else None,
            "expires_at": _days(fields[7]),
        }
    return found


def password_state(field):
    """What a password field allows."""
    if field == "":
        return "empty"
    if field in ("*", "!*", "!!", "!", "x", "*LK*", "*NP*"):
        return "unset"
    return "locked" if field[0] in "!*" else "set"


def password_algorithm(field):
    """Name of the hash algorithm; None when there is no hash, ``des`` for the 13 characters of old."""
    match = re.match(r"^!*\$([0-9a-z]+)\$", field)
    if match:
        return ALGORITHMS.get(match.group(1), match.group(1))
    return "des" if re.match(r"^[A-Za-z0-9./]{13}$", field) else None


def _days(text):
    """Epoch seconds of a day number; 0 and nothing mean "not set" (0: must be changed at next login)."""
    return int(text) * DAY if text.isdigit() and int(text) > 0 else None


def parse_group(text):
    """Parse /etc/group: name -> (gid, members). Raises ValueError naming a bad line."""
    groups = {}
    for line in text.splitlines():
        if not line.strip() or line[0] in "+-#":
            continue
        fields = line.split(":")
        if len(fields) != 4 or not fields[2].isdigit():
            raise ValueError("group: cannot read the line of %r" % fields[0][:40])
        groups[fields[0]] = (int(fields[2]), [name for name in fields[3].strip().split(",") if name])
    return groups


def admin_groups(groups, accounts):
    """Members (also by primary group) of the groups that give power over the host; only groups with members."""
    found = {}
    for name in ADMIN_GROUPS:
        if name in groups:
            gid, members = groups[name]
            everybody = set(members) | set(one["name"] for one in accounts if one["gid"] == gid)
            # In groups of their own that nobody joined, root and system accounts say nothing.
            everybody.discard(name if name in ("root", "shadow", "disk") else "")
            if everybody:
                found[name] = sorted(everybody)
    return found


def last_logins(machine):
    """Account -> epoch of its last recorded login, None for "never"; None as a whole when nothing keeps a record."""
    for command in ("lastlog2", "lastlog"):
        if not machine.which(command):
            continue
        shown = machine.run([command], source="last logins", timeout=4.0)
        if not shown.ok:
            continue
        try:
            return parse_last_logins(shown.out.rpartition("\n")[0] if shown.truncated else shown.out)
        except ValueError as exc:
            machine.note("last logins", "error", str(exc))
            return None
    if "last logins" not in machine.sources:
        machine.note("last logins", "absent", "neither lastlog nor lastlog2 is installed")
    return None


def parse_last_logins(text):
    """Parse ``lastlog`` or ``lastlog2``. Raises ValueError naming the account whose line cannot be read."""
    found = {}
    for line in text.splitlines():
        if not line.strip() or line.startswith("Username"):
            continue
        name = line.split()[0]
        match = _LOGIN_TIME.search(line)
        if match:
            _weekday, month, day, clock, zone, year = match.groups()
            seconds = (int(zone[1:3]) * 3600 + int(zone[3:]) * 60) * (-1 if zone[0] == "-" else 1)
            text_time = "%s %s %s %s" % (month, day, year, clock)
            found[name] = calendar.timegm(time.strptime(text_time, "%b %d %Y %H:%M:%S")) - seconds
        elif "**Never logged in**" in line:
            found[name] = None
        else:
            raise ValueError("lastlog: cannot read the line of %r" % name[:40])
    return found
