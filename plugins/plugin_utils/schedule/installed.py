# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what of schedules is on this control node.

Reads, and needs no more rights than anybody has.
"""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import load
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows.times import find_zone
from ansible_collections.keepwell.fleet.plugins.plugin_utils.schedule import cron, drift, jobs, systemd
from ansible_collections.keepwell.fleet.plugins.plugin_utils.schedule.drift import File, Found, Installed, Standing
from ansible_collections.keepwell.fleet.plugins.plugin_utils.schedule.model import Schedule

_PATTERNS = (
    f"{systemd.FOLDER[1:]}/keepwell-*.timer",
    f"{systemd.FOLDER[1:]}/keepwell-*.service",
    f"{cron.FOLDER[1:]}/keepwell-*",
)
_ZONES = "/zoneinfo/"
_CRON_PIDS = ("/run/crond.pid", "/var/run/crond.pid", "/run/cron.pid")
_LIMIT_S = 10


def record_path(client_folder: Path) -> Path:
    """Return where it is kept what was installed for a client."""
    return client_folder / "schedule.json"


def look(timers: Sequence[str]) -> Found:
    """Return what there is: files of all clients, and the state of these timers."""
    files = {}
    for pattern in _PATTERNS:
        for path in sorted(Path("/").glob(pattern)):
            files[str(path)] = _file(path)
    return Found(files, _timers(timers), _cron_runs())


def standing(client: str, folder: Path, schedule: Schedule, zone: str) -> Standing | None:
    """Return how a client's schedule stands here; None where this node never installed it.

    Raises EvidenceError when the record of it cannot be read.
    """
    path = record_path(folder)
    if not path.exists():
        return None
    installed = load(Installed, path)
    if installed.node != node():
        return None
    return drift.standing(installed, look(installed.timers), client, drift.digest(schedule, zone))


def node() -> str:
    """Return the name of this control node."""
    return socket.gethostname()


def local_zone() -> ZoneInfo | None:
    """Return the zone of this machine's clock, or None where it cannot be told."""
    target = os.path.realpath("/etc/localtime")
    return find_zone(target.split(_ZONES, 1)[1]) if _ZONES in target else None


def runs_systemd() -> bool:
    """True when systemd is this machine's first process (sd_booted(3))."""
    return Path("/run/systemd/system").is_dir()


def _file(path: Path) -> File:
    try:
        content = path.read_bytes()
    except OSError:
        return File(None, "")
    return File(jobs.owner(content.decode("utf-8", "replace")), hashlib.sha256(content).hexdigest())


def _timers(names: Sequence[str]) -> dict[str, tuple[bool, bool]] | None:
    if not names or not runs_systemd():
        return {}
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments and checked names, no shell
            ["systemctl", "show", "--property=Id,UnitFileState,ActiveState", "--", *names],  # noqa: S607
            capture_output=True,
            text=True,
            timeout=_LIMIT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    found = {}
    for block in done.stdout.split("\n\n"):
        told = dict(line.partition("=")[::2] for line in block.splitlines())
        if "Id" in told:
            found[told["Id"]] = (told.get("UnitFileState") == "enabled", told.get("ActiveState") == "active")
    return found


def _cron_runs() -> bool:
    for path in _CRON_PIDS:
        try:
            if Path(f"/proc/{int(Path(path).read_text(encoding='ascii'))}").exists():
                return True
        except (OSError, ValueError):
            continue
    return False
