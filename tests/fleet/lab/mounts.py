# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filesystem images that are mounted outside of pytest's folders: there nobody could remove what a killed session left."""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
import typing as t
from pathlib import Path

from lab import podman

# Nobody but a session that has the lock of the lab mounts anything here, so it can clear what an earlier one left.
PLACE = Path(__file__).parents[3] / ".lab" / "mounts"


@contextlib.contextmanager
def mounted(image: Path, *options: str, parent: Path | None = None) -> t.Iterator[Path]:
    """Mount an image in a new folder (below ``parent``, else the system's place for such) and take both away again."""
    if parent is not None:
        parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="keepwell-mount-", dir=parent))
    try:
        podman.run("mount", "-o", ",".join(["loop", *options]), str(image), str(folder))
        try:
            yield folder
        finally:
            if podman.run("umount", str(folder), check=False).returncode:
                # A container holds it for a moment longer.
                podman.run("umount", "--lazy", str(folder))
    finally:
        folder.rmdir()


def clear() -> None:
    """Unmount whatever a session that was killed left in the lab's place, and remove it."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        place = Path(re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), line.split(" ")[4]))
        if place.is_relative_to(PLACE):
            podman.run("umount", "--lazy", str(place))
    shutil.rmtree(PLACE, ignore_errors=True)
