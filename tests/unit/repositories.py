"""Real backup tools of two generations for the tests of their drivers, small repositories, and ways to harm them."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification._tools import FORBIDDEN, Tools
from ansible_collections.keepwell.fleet.plugins.module_utils.chores._commands import Commands
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import Machine

PROJECT = Path(__file__).parents[2]
# tools/backup_tools.sh puts the newer generation here; the older one is the system's own.
NEWER = Path(os.environ.get("KEEPWELL_BACKUP_TOOLS", PROJECT / ".backup-tools"))
GENERATIONS = ("system", "newer")
PASSWORD = "correct horse"
# Every command that a driver issued in a test.
ISSUED: list[list[str]] = []


def program(name: str, generation: str) -> str:
    """The path of a backup tool; skips with a notice where it is missing, in CI that is a failure."""
    path = shutil.which(name) if generation == "system" else shutil.which(NEWER / "bin" / name)
    if path is None:
        what = name if generation == "system" else f"{name} of tools/backup_tools.sh"
        if os.environ.get("CI"):
            pytest.fail(f"CI must have {what}")
        pytest.skip(f"needs {what}")
    return str(path)


class SpiedTools(Tools):
    """Tools that note what is run, and that nothing forbidden is in it."""

    def learn(self, secrets: t.Iterable[str]) -> None:
        self.learnt = list(secrets)

    def _checked(self, argv: list[str]) -> list[str]:
        ISSUED.append(list(argv))
        options = {word.split("=")[0] for word in argv[1:] if word.startswith("-")}
        assert not FORBIDDEN.intersection({argv[1], *options}), argv
        return t.cast("list[str]", super()._checked(argv))


def tools(folder: Path, driver: t.Any, secrets: dict[str, str], machine: Machine | None = None) -> SpiedTools:
    """The Tools of a driver class with a scratch folder, and five minutes."""
    for name in ("words", "scratch"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    commands = Commands(machine or Machine(time.monotonic() + 300), str(folder / "words"), time.monotonic() + 300)
    return SpiedTools(commands, driver.ALLOWED, secrets, str(folder / "scratch"))


def run(argv: list[str], env: dict[str, str], **more: t.Any) -> subprocess.CompletedProcess[str]:
    """Run a backup tool as its owner does."""
    kept = {"PATH": os.environ["PATH"], "TZ": "UTC", "LC_ALL": "C", **env}
    return subprocess.run(argv, env=kept, text=True, capture_output=True, check=False, timeout=120, **more)


def tree(folder: Path) -> dict[str, tuple[t.Any, ...]]:
    """What a folder is made of: names, kinds, modes, times of change and contents."""
    found = {}
    for path in [folder, *sorted(folder.rglob("*"))]:
        info = path.lstat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if stat.S_ISREG(info.st_mode) else ""
        found[str(path.relative_to(folder))] = (info.st_mode, info.st_size, info.st_mtime_ns, info.st_ctime_ns, content)
    return found


def flip(path: Path) -> None:
    """Flip one bit in the middle of a file."""
    path.chmod(0o600)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def largest(folder: Path) -> Path:
    """The largest file below a folder."""
    return max((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)


def source(folder: Path) -> Path:
    """A few hundred KB to save, with names that patterns and terminals trip over."""
    folder.mkdir()
    for number in range(4):
        (folder / f"data{number}").write_bytes(os.urandom(150_000))
    (folder / "cache").mkdir()
    (folder / "cache" / "one").write_text("x")
    odd = folder / "dir a" / "[x]*"
    odd.mkdir(parents=True)
    (odd / "f?.txt").write_text("question")
    (odd / "f1.txt").write_text("one")
    (folder / "back\\slash").write_text("backslash")
    (folder / "new\nline").write_text("line")
    Path(os.fsdecode(os.fsencode(folder) + b"/bad\xff\xfe")).write_text("bytes")
    (folder / "link").symlink_to("data0")
    return folder


def same_content(original: Path, restored: Path) -> bool:
    """True when two folders hold the same files with the same content."""

    def contents(folder: Path) -> dict[str, bytes]:
        return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}

    return contents(original) == contents(restored)
