"""Small filesystems that are nearly full of things of a known age, as images to be mounted into a host."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import typing as t
from pathlib import Path

from lab import mounts, podman

MIB = 1024 * 1024
FULL_PERCENT = 97.0


class Thing(t.NamedTuple):
    """A file in a filesystem: its path there, its size and its age."""

    path: str
    size: int
    days: float


def image(folder: Path, name: str, things: t.Sequence[Thing], filler: str, size: str = "64M") -> Path:
    """Make an ext4 image without a reserve that is 97 % full: the things, and ``filler`` grown to the rest.

    The time of change is what tells how old a file is, and no program can set it on a living filesystem: debugfs does.
    """
    tree, made = folder / f"{name}.tree", folder / f"{name}.img"
    tree.mkdir(parents=True)
    for thing in things:
        path = tree / thing.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(4096) * (thing.size // 4096))
    podman.run("mke2fs", "-q", "-F", "-t", "ext4", "-m", "0", "-d", str(tree), str(made), size)
    commands = []
    for thing in things:
        moment = dt.datetime.now(dt.UTC) - dt.timedelta(days=thing.days)
        stamp = moment.strftime("%Y%m%d%H%M%S")
        commands += [f'sif "/{thing.path}" {field} {stamp}' for field in ("ctime", "mtime", "atime", "crtime")]
    podman.run("debugfs", "-w", "-f", "-", str(made), text="\n".join(commands) + "\n")
    shutil.rmtree(tree)
    with mounts.mounted(made) as place:
        numbers = os.statvfs(place)
        size_bytes = numbers.f_blocks * numbers.f_frsize
        wanted = numbers.f_bavail * numbers.f_frsize - int(size_bytes * (100.0 - FULL_PERCENT) / 100.0)
        path = place / filler
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(MIB) * (wanted // MIB) + os.urandom(wanted % MIB))
    return made


# What a log filesystem of a busy host holds: five things may go, the others have to stay.
LOGS = (
    *(Thing(f"app/app.log.{number}.gz", 2 * MIB, 100 + number) for number in range(2, 7)),
    *(Thing(f"app/app.log.{number}.gz", 2 * MIB, 10 + number) for number in range(7, 9)),
    Thing("app/app.log", 4 * MIB, 200),
    Thing("audit/audit.log.1", 3 * MIB, 400),
    Thing("wtmp.1", 1 * MIB, 400),
    Thing("mysql/binlog.000001", 3 * MIB, 400),
    Thing("journal/0123456789abcdef0123456789abcdef/system.journal", 2 * MIB, 400),
    Thing(
        "journal/0123456789abcdef0123456789abcdef/"
        "system@0123456789abcdef0123456789abcdef-0000000000000001-0005aabbccddeeff.journal",
        2 * MIB,
        120,
    ),
    Thing(
        "journal/0123456789abcdef0123456789abcdef/"
        "system@0123456789abcdef0123456789abcdef-0000000000000002-0005aabbccddeeff.journal",
        2 * MIB,
        30,
    ),
)
GOES = {thing.path for thing in LOGS if thing.days >= 90 and (thing.path.endswith(".gz") or "@" in thing.path)}
# What nobody but its owner may delete.
DATA = (Thing("customers/orders.db", 20 * MIB, 300), Thing("customers/photos/a.raw", 5 * MIB, 300))
