"""What a cleanup finds on a host, and takes: the walk of disk_cleanup/walk.psm1 and its neighbours, over plain values."""

from __future__ import annotations

import hashlib
import ntpath
import re
import typing as t
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

if t.TYPE_CHECKING:
    from windows_host.host import WindowsHost

DAY = 86400.0
Word = Callable[[str, "Thing"], str | None]


@dataclass
class Thing:
    """A file. ``link`` is a reparse point, ``cloud`` a file whose data are elsewhere."""

    size: int
    age_days: float
    link: bool = False
    cloud: bool = False
    read_only: bool = False
    links: int = 1
    open: bool = False


@dataclass
class Store:
    """The component store, as DISM tells it."""

    recommended: bool = True
    packages: int = 6
    cache_bytes: int = 300 * 1024**2
    frees: int = 900 * 1024**2
    fails: int | None = None


@dataclass
class Disk:
    """What only disk cleanup knows of a host."""

    files: dict[str, Thing] = field(default_factory=dict)
    links: set[str] = field(default_factory=set)
    """Folders that are junctions."""
    servicing: str = ""
    """What is at work on the component store: TiWorker.exe."""
    transfers: bool = False
    unstoppable: set[str] = field(default_factory=set)
    store: Store = field(default_factory=Store)
    delivery_bytes: int | None = None
    """What Delivery Optimization keeps; None where Windows has no command for it."""
    previous: list[str] = field(default_factory=list)
    writes: int = 0
    """Bytes that others write while the work is done."""

    def add(self, path: str, size: int, age_days: float, **more: t.Any) -> None:
        self.files[path] = Thing(size, age_days, **more)


class StoppedError(Exception):
    """The walk of a rule ends here."""


@dataclass
class Target:
    """A volume that wants room."""

    mount: str
    percent: float | None
    size: int
    available: int

    def reached(self) -> bool:
        return self.percent is not None and self.available >= int(self.size * self.percent / 100)


@dataclass
class Account:
    """As New-KeepwellAccount."""

    id: str
    files: int = 0
    folders: int = 0
    bytes: int = 0
    rest_files: int = 0
    rest_bytes: int = 0
    times: list[float] = field(default_factory=list)
    skipped: dict[str, int] = field(default_factory=dict)
    stopped: str = ""
    notes: list[str] = field(default_factory=list)
    by_mount: dict[str, int] = field(default_factory=dict)
    taken: list[tuple[str, int, float]] = field(default_factory=list)

    def skip(self, word: str, count: int = 1) -> None:
        self.skipped[word] = self.skipped.get(word, 0) + count

    def document(self) -> dict[str, t.Any]:
        digest = hashlib.sha256(b"".join(f"{path}\0".encode() for path, _size, _when in self.taken)).hexdigest()
        top = sorted(self.taken, key=lambda entry: (-entry[1], entry[0]))[:20]
        return {
            "id": self.id,
            "files": self.files,
            "folders": self.folders,
            "bytes": self.bytes,
            "rest_files": self.rest_files,
            "rest_bytes": self.rest_bytes,
            "oldest": min(self.times, default=None),
            "newest": max(self.times, default=None),
            "skipped": self.skipped,
            "stopped": self.stopped,
            "notes": self.notes,
            "by_mount": self.by_mount,
            "top": [{"path": path, "bytes": size, "changed_at": when} for path, size, when in top],
            "list_sha256": digest if self.taken else "",
        }


class Walk:
    """One rule over one folder; without ``act`` it only sees."""

    def __init__(
        self, host: WindowsHost, account: Account, targets: dict[str, Target], budget: dict[str, t.Any], act: bool
    ) -> None:
        self.host, self.disk, self.account = host, host.of(Disk), account
        self.targets, self.budget, self.act = targets, budget, act

    def folder(
        self, base: str, days: float, *, pattern: str = "", recurse: bool = True, newest: int = 0, folders: bool = False
    ) -> None:
        """As Invoke-KeepwellWalk."""
        if base in self.disk.links:
            self.account.notes.append(f"{base} was left alone: link.")
            return
        try:
            self._below(base, days, pattern, recurse, newest, folders, top=True)
        except StoppedError as exc:
            self.account.stopped = str(exc)

    def _below(
        self, base: str, days: float, pattern: str, recurse: bool, newest: int, folders: bool, *, top: bool
    ) -> bool:
        """Return True when the folder itself went."""
        mine = [(path, thing) for path, thing in sorted(self.disk.files.items()) if ntpath.dirname(path) == base]
        inner = sorted({path for path in self._folders(base) if ntpath.dirname(path) == base})
        goes = []
        stay = len(mine) + len(inner)
        for path, thing in mine:
            word = self.verdict(path, thing, days, pattern)
            if word == "":
                goes.append((path, thing))
            elif word is not None:
                self.account.skip(word)
        goes.sort(key=lambda entry: -entry[1].age_days)
        if newest and goes:
            self.account.skip("newest", min(newest, len(goes)))
            goes = goes[: max(0, len(goes) - newest)]
        stay -= sum(self.take(path, thing) for path, thing in goes)
        for path in inner if recurse else ():
            if path in self.disk.links:
                if not pattern:
                    self.account.skip("reparse")
            elif self._below(path, days, pattern, recurse, newest, folders, top=False):
                stay -= 1
        if top or stay or not folders or not mine or self.target(base).reached():
            return False
        self.account.folders += 1
        return True

    def _folders(self, base: str) -> Iterator[str]:
        for path in [*self.disk.files, *(f"{link}\\x" for link in self.disk.links)]:
            above = ntpath.dirname(path)
            while above.startswith(base + "\\"):
                yield above
                above = ntpath.dirname(above)

    @staticmethod
    def verdict(path: str, thing: Thing, days: float, pattern: str) -> str | None:
        """As Get-KeepwellVerdict."""
        name = ntpath.basename(path)
        if pattern and not re.search(pattern, name, re.IGNORECASE):
            return None
        if re.match(r"(ntuser|usrclass)\.", name, re.IGNORECASE):
            return "kept"
        if thing.link:
            return "reparse"
        if thing.cloud:
            return "cloud"
        return "" if thing.age_days > days else "age"

    def target(self, path: str) -> Target:
        return self.targets[path[:3]]

    def take(self, path: str, thing: Thing) -> bool:
        """As Invoke-KeepwellTake and [Keepwell.FileTool]::Take."""
        for name in ("files", "bytes"):
            if self.budget.get(name) is not None and self.budget[name] <= 0:
                raise StoppedError(f"budget_{name}")
        target = self.target(path)
        reached = target.reached()
        if reached and self.act:
            raise StoppedError("target")
        word = "open" if thing.open else "hardlink" if thing.links > 1 else "immutable" if thing.read_only else ""
        if word:
            self.account.skip(word)
            return False
        if reached:
            self.account.stopped = "target"
            self.account.rest_files += 1
            self.account.rest_bytes += thing.size
            return False
        if self.act:
            del self.disk.files[path]
            self.host.change("delete", path)
        when = self.host.now() - thing.age_days * DAY
        self.account.files += 1
        self.account.times.append(when)
        self.account.taken.append((path, thing.size, when))
        self.freed(target, thing.size)
        return True

    def freed(self, target: Target, size: int) -> None:
        """Count bytes that go; those that really went are free on the host."""
        self.account.bytes += size
        self.account.by_mount[target.mount] = self.account.by_mount.get(target.mount, 0) + size
        target.available += size
        for name, amount in (("files", 1), ("bytes", size)):
            if self.budget.get(name) is not None:
                self.budget[name] -= amount
        if self.act:
            volume = next(each for each in self.host.volumes if f"{each.letter}:\\" == target.mount)
            volume.free += size
