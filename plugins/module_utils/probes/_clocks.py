# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: read what chrony, ntpd, OpenNTPD and systemd-timesyncd say of the clock.

All return ``synchronised``, ``offset_s`` (seconds; positive: the clock is behind), ``stratum``, ``leap``,
``reference`` and, chrony aside, ``sources``.
A source is ``address``, ``state`` (selected, combined, usable, unusable), ``stratum``, ``reachable``, ``offset_s``.
Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import re

from ansible_collections.keepwell.fleet.plugins.module_utils.probes._systemd import parse_span

_CHRONY_STATES = {"*": "selected", "+": "combined", "-": "usable", "?": "unusable", "x": "unusable", "~": "unusable"}
_NTPQ_STATES = {"*": "selected", "o": "selected", "+": "combined", "#": "usable", "-": "usable", " ": "unusable"}
_NTPQ_STATES.update({"x": "unusable", ".": "unusable"})
# Reference clocks that stand for "I take my own clock for the truth".
_OWN_CLOCK = ("7F7F0101", "LOCL", "LOCAL", ".LOCL.")


def parse_chrony_tracking(text):
    """Parse one line of ``chronyc -c tracking``.

    Field 5 is the correction still to be made in seconds (positive: the clock is slow), the last one the leap status.
    Raises ValueError with the line when it has another form.
    """
    fields = text.strip().split(",")
    if len(fields) != 14:
        raise ValueError("chronyc tracking: 14 fields expected in %r" % text.strip()[:120])
    synchronised = fields[13] != "Not synchronised" and fields[0] not in ("00000000",) + _OWN_CLOCK
    return {
        "synchronised": synchronised,
        # "System time" of a clock that nobody corrects is 0, which would read as perfect.
        "offset_s": _number(fields[4], text) if synchronised else None,
        "stratum": int(_number(fields[2], text)),
        "leap": fields[13],
        "reference": fields[1] or fields[0],
    }


def parse_chrony_sources(text):
    """Parse ``chronyc -c sources``: mode, state, address, stratum, poll, reach (octal), last rx, offsets, error."""
    sources = []
    for line in text.splitlines():
        if not line.strip():
            continue
        fields = line.split(",")
        if len(fields) != 10 or fields[1] not in _CHRONY_STATES:
            raise ValueError("chronyc sources: cannot read %r" % line[:120])
        reachable = _octal(fields[5], line) > 0
        sources.append(
            {
                "address": fields[2],
                "state": _CHRONY_STATES[fields[1]],
                "stratum": int(_number(fields[3], line)),
                "reachable": reachable,
                # chrony counts the other way round here: positive when the local clock is ahead.
                "offset_s": -_number(fields[7], line) if reachable else None,
            }
        )
    return sources


def parse_ntpq_peers(text):
    """Parse ``ntpq -pn``: tally character and address, refid, st, t, when, poll, reach, delay, offset (ms), jitter."""
    sources = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("===") or line.split()[:2] == ["remote", "refid"]:
            continue
        fields = line[1:].split()
        if len(fields) != 10 or line[0] not in _NTPQ_STATES:
            raise ValueError("ntpq: cannot read %r" % line[:120])
        if fields[1] == ".POOL.":
            continue
        reachable = _octal(fields[6], line) > 0
        sources.append(
            {
                "address": fields[0],
                "state": _NTPQ_STATES[line[0]],
                "stratum": int(_number(fields[2], line)),
                "reachable": reachable,
                "offset_s": _number(fields[8].rstrip("+-"), line) / 1000 if reachable else None,
                "_refid": fields[1],
            }
        )
    chosen = next((source for source in sources if source["state"] == "selected"), None)
    own = chosen is not None and (chosen["_refid"] in _OWN_CLOCK or chosen["address"].startswith("127.127.1."))
    for source in sources:
        del source["_refid"]
    synchronised = chosen is not None and not own
    return {
        "synchronised": synchronised,
        "offset_s": chosen["offset_s"] if synchronised else None,
        "stratum": chosen["stratum"] + 1 if chosen else 16,
        "leap": None,
        "reference": chosen["address"] if chosen else None,
        "sources": sources,
    }


def parse_ntpctl(text):
    """Parse ``ntpctl -s all`` of OpenNTPD: a status line, then two lines a peer (address; weights and figures)."""
    status = re.search(r"clock (un)?synced(?:, stratum (\d+))?", text)
    if not status:
        raise ValueError("ntpctl: no clock status in %r" % text.strip()[:120])
    sources = []
    lines = text.splitlines()
    address = ""
    inside = False
    for line in lines:
        if not line.strip():
            inside = False
        elif line.startswith("peer"):
            inside = True
        elif line.startswith("sensor"):
            inside = False
        elif inside and not line.startswith((" ", "\t")):
            address = line.split()[0]
        elif inside and "wt tl st" not in line:
            sources.append(_ntpctl_peer(address, line))
    chosen = next((source for source in sources if source["state"] == "selected"), None)
    synchronised = status.group(1) is None
    return {
        "synchronised": synchronised,
        "offset_s": chosen["offset_s"] if synchronised and chosen else None,
        "stratum": int(status.group(2)) if status.group(2) else None,
        "leap": None,
        "reference": chosen["address"] if chosen else None,
        "sources": sources,
    }


def _ntpctl_peer(address, line):
    figures = re.match(r"^\s+(\*)?\s*(\d+)\s+(\d+)\s+(\d+|-)\s+\S+\s+\S+\s+(.*)$", line)
    if not figures or not address:
        raise ValueError("ntpctl: cannot read %r" % line[:120])
    valid = "not valid" not in figures.group(5)
    return {
        "address": address,
        "state": "selected" if figures.group(1) else "usable" if valid else "unusable",
        "stratum": None if figures.group(4) == "-" else int(figures.group(4)),
        # A peer's trust level starts at 2 and rises with every reply.
        "reachable": valid or int(figures.group(3)) > 2,
        "offset_s": _number(figures.group(5).split("ms")[0], line) / 1000 if valid else None,
    }


def parse_timesync_status(text):
    """Parse ``timedatectl timesync-status``: ``Name: value`` lines; without a packet yet there is no offset."""
    values = {}
    for line in text.splitlines():
        if line.strip():
            name, colon, value = line.partition(":")
            if not colon:
                raise ValueError("timesync-status: cannot read %r" % line[:120])
            values[name.strip()] = value.strip()
    if "Server" not in values:
        raise ValueError("timesync-status: no server in %r" % text.strip()[:120])
    server = values["Server"].split()[0] if values["Server"] not in ("", "n/a") else None
    offset = parse_span(values["Offset"]) if "Offset" in values else None
    synchronised = server is not None and values.get("Packet count", "0") != "0" and "Stratum" in values
    sources = []
    if server:
        sources.append(
            {
                "address": server,
                "state": "selected" if synchronised else "unusable",
                "stratum": int(values["Stratum"]) if "Stratum" in values else None,
                "reachable": synchronised,
                "offset_s": offset,
            }
        )
    return {
        "synchronised": synchronised,
        "offset_s": sources[0]["offset_s"] if sources and synchronised else None,
        "stratum": int(values["Stratum"]) + 1 if "Stratum" in values else None,
        "leap": values.get("Leap"),
        "reference": server,
        "sources": sources,
    }


def _number(text, line):
    try:
        return float(text)
    except ValueError:
        raise ValueError("not a number: %r in %r" % (text[:20], line.strip()[:120])) from None


def _octal(text, line):
    try:
        return int(text, 8)
    except ValueError:
        raise ValueError("not an octal number: %r in %r" % (text[:20], line.strip()[:120])) from None
