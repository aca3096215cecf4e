# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: this boot and how the one before it ended (part of the system probe).

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import json
import re

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _kernel_log

# USER_HZ: what /proc shows to programs has been fixed at 100 on Linux, whatever the kernel's own tick.
TICKS_PER_S = 100.0
# systemd, src/systemd/sd-messages.h: shutdown has been asked for, the journal has been closed.
SHUTDOWN_MESSAGES = ("98268866d1d54a499c4e98921d93bc40", "d93fb3c9c24d451a97cea615ce59c00b")
_SHUTDOWN_TEXTS = re.compile(
    r"^(?:Journal stopped|Shutting down\.|System is (?:rebooting|powering down)"
    r"|Reached target (?:\S+ - )?(?:System )?(?:Shutdown|Reboot|Power[ -]?Off|Final Step|Late Shutdown Services))"
)
_BOOT_LINE = re.compile(r"^\s*(-?\d+)\s+([0-9a-f]{32})\s")
_LAST_ENTRIES = 200


def collect(machine, systemd):
    """Return {"boot_id", "booted_at", "uptime_s", "pid1_started_at", "previous"}.

    Times are epoch seconds. ``previous`` is {"boot_id", "clean", "ended_at"} of the boot before, or None when no
    journal tells; ``clean`` is True when its journal ends with a shutdown.
    """
    booted_at = machine.parsed_file("/proc/stat", parse_boot_time)
    started = machine.parsed_file("/proc/1/stat", parse_start_ticks)
    uptime = machine.parsed_file("/proc/uptime", parse_uptime)
    return {
        "boot_id": (machine.read("/proc/sys/kernel/random/boot_id") or "").strip() or None,
        "booted_at": booted_at,
        "uptime_s": uptime,
        "pid1_started_at": None if None in (booted_at, started) else booted_at + started / TICKS_PER_S,
        "previous": _previous(machine) if systemd else None,
    }


def parse_boot_time(text):
    """Epoch seconds of the boot in /proc/stat; raises ValueError when the line is missing."""
    match = re.search(r"(?m)^btime (\d+)$", text)
    if not match:
        raise ValueError("/proc/stat: no btime line in %r" % text[:80])
    return float(match.group(1))


def parse_start_ticks(text):
    """Start of a process in ticks after boot, from /proc/PID/stat; the name may hold blanks and brackets."""
    fields = text.rpartition(")")[2].split()
    if len(fields) < 20 or not fields[19].isdigit():
        raise ValueError("/proc/PID/stat: no start time in %r" % text[:120])
    return int(fields[19])


def parse_uptime(text):
    """Seconds since boot, the first number of /proc/uptime."""
    try:
        return float(text.split()[0])
    except (IndexError, ValueError) as exc:
        raise ValueError("/proc/uptime: no number in %r" % text[:80]) from exc


def _previous(machine):
    listed = machine.run(["journalctl", "--list-boots", "--no-pager"], timeout=3, accepted=(0, 1), source="journalctl")
    if _kernel_log.system_journal_hidden(listed):
        machine.note("journalctl", "denied", "the system journal may not be read by this user")
        return None
    boots = parse_boots(listed.out) if listed.ok else []
    before = [boot_id for index, boot_id in boots if index == -1]
    if not before:
        return None
    command = ["journalctl", "-b", "-1", "-n", str(_LAST_ENTRIES), "-o", "json", "--no-pager"]
    entries = machine.run(command, timeout=3, source="journalctl")
    if not entries.ok:
        return None
    try:
        end = parse_end(entries.out)
    except ValueError as exc:
        machine.note("journalctl", "error", str(exc))
        return None
    boot_id = before[0]
    groups = (boot_id[:8], boot_id[8:12], boot_id[12:16], boot_id[16:20], boot_id[20:])
    return {"boot_id": "-".join(groups), "clean": end["clean"], "ended_at": end["ended_at"]}


def parse_boots(text):
    """(index, boot id) of every line of ``journalctl --list-boots``; 0 is this boot; a heading is skipped."""
    return [(int(match.group(1)), match.group(2)) for match in map(_BOOT_LINE.match, text.splitlines()) if match]


def parse_end(text):
    """{"clean", "ended_at"} from the last entries of a boot (``journalctl -o json``, one document a line).

    ``clean`` is None when there are no entries. Raises ValueError with a line that is no JSON object.
    """
    clean = None
    ended_at = None
    for line in text.splitlines():
        if not line.strip() or line.startswith("-- "):
            continue
        try:
            entry = json.loads(line)
            ended_at = int(entry["__REALTIME_TIMESTAMP"]) / 1e6
        except (ValueError, KeyError, TypeError) as exc:
            raise ValueError("journalctl: not an entry: %r" % line[:120]) from exc
        message = entry.get("MESSAGE")
        speaker = entry.get("SYSLOG_IDENTIFIER") or entry.get("_COMM")
        told = entry.get("MESSAGE_ID") in SHUTDOWN_MESSAGES
        wrote = speaker in ("systemd", "systemd-journald", "systemd-logind", "systemd-shutdown")
        clean = bool(clean or told or (wrote and isinstance(message, str) and _SHUTDOWN_TEXTS.match(message)))
    return {"clean": clean, "ended_at": ended_at}
