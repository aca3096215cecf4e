"""What a host is and has: plain values that tests set and models read and change."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

GIB = 1024**3


class Version(t.NamedTuple):
    """A release of Windows; what else its registry and CIM say of it is golden data."""

    caption: str
    build: int
    ubr: int
    """The update build revision that a host has to begin with."""
    server: bool

    @property
    def version(self) -> str:
        """As Win32_OperatingSystem has it."""
        return f"10.0.{self.build}"


# Microsoft's pages of release information for Windows Server, Windows 10 and Windows 11; revisions of late 2024 and 2025.
VERSIONS: dict[str, Version] = {
    "2016": Version("Microsoft Windows Server 2016 Standard", 14393, 7428, True),
    "2019": Version("Microsoft Windows Server 2019 Standard", 17763, 6414, True),
    "2022": Version("Microsoft Windows Server 2022 Standard", 20348, 2762, True),
    "2025": Version("Microsoft Windows Server 2025 Standard", 26100, 1742, True),
    "10-22H2": Version("Microsoft Windows 10 Pro", 19045, 5011, False),
    "11-24H2": Version("Microsoft Windows 11 Pro", 26100, 2033, False),
    "11-25H2": Version("Microsoft Windows 11 Pro", 26200, 6584, False),
}


@dataclass
class Update:
    """An update that the Windows Update Agent may offer."""

    id: str
    title: str
    kb: tuple[str, ...] = ()
    """Numbers without ``KB``."""
    categories: tuple[str, ...] = ("Security Updates",)
    severity: str = ""
    kind: str = "software"
    """``software`` or ``driver``."""
    revision: int = 1
    deployed: str = "2026-11-10"
    size: int = 50_000_000
    needs_reboot: bool = False
    eula_accepted: bool = True
    hidden: bool = False
    optional: bool = False
    """BrowseOnly: offered only to who looks for it."""
    after: tuple[str, ...] = ()
    """Offered only when these ids are in place: the second round."""
    supersedes: tuple[str, ...] = ()
    """Where this one is in place, those are no longer offered."""
    ubr: int | None = None
    """The host's build revision once it is in place."""
    download_fails: int | None = None
    install_fails: int | None = None
    """HRESULT, e.g. 0x80070070."""
    rolls_back: bool = False
    """Says it is installed, and is gone after the reboot."""
    downloaded: bool = False
    installed: bool = False
    pending_reboot: bool = False


@dataclass
class WindowsUpdate:
    """The Windows Update Agent and what policies tell it."""

    updates: list[Update] = field(default_factory=list)
    search_fails: int | None = None
    """HRESULT of every search, e.g. 0x8024402C."""
    wsus: str | None = None
    """The address of the server that policies name."""
    wsus_synced: bool = True
    """A server that has not synchronised offers nothing."""
    paused: bool = False
    """Updates are paused: nothing is offered."""
    reboot_required: bool = False
    history: list[dict[str, t.Any]] = field(default_factory=list)
    """Newest last: {title, id, kb, date, result_code, hresult, operation}."""

    def offered(self) -> list[Update]:
        """What a search finds: neither in place nor superseded, and its turn has come."""
        if self.paused or (self.wsus is not None and not self.wsus_synced):
            return []
        in_place = {update.id for update in self.updates if update.installed and not update.pending_reboot}
        replaced = {other for update in self.updates if update.installed for other in update.supersedes}
        return [
            update
            for update in self.updates
            if not update.installed and update.id not in replaced and set(update.after) <= in_place
        ]


@dataclass
class Service:
    """A Windows service."""

    name: str
    display_name: str = ""
    state: str = "started"
    """``started`` or ``stopped``, in the words of win_service."""
    start_mode: str = "auto"
    """``auto``, ``delayed``, ``manual``, ``disabled``."""
    triggers: bool = False
    """Started by a trigger: that it stands still is no fault."""
    path: str = ""
    username: str = "LocalSystem"
    start_fails: bool = False


@dataclass
class ScheduledTask:
    """A task of the scheduler: what win_scheduled_task was given, and how it ran last."""

    name: str
    path: str = "\\"
    definition: dict[str, t.Any] = field(default_factory=dict)
    last_result: int = 0
    last_run: float | None = None
    enabled: bool = True


@dataclass
class Volume:
    """A volume with a letter."""

    letter: str
    size: int
    free: int
    label: str = ""
    file_system: str = "NTFS"
    fixed: bool = True
    guid: str = ""


@dataclass
class Defender:
    """Microsoft Defender Antivirus, as Get-MpComputerStatus tells it."""

    mode: str = "Normal"
    """``Normal``, ``Passive Mode``, ``EDR Block Mode``, ``Not running``."""
    real_time: bool = True
    enabled: bool = True
    signature_version: str = "1.419.100.0"
    signature_age_h: float = 6.0
    update_fails: int | None = None
    last_quick_scan_age_h: float | None = 20.0
    """None: it never scanned."""
    last_full_scan_age_h: float | None = 12 * 24.0
    detections: list[dict[str, t.Any]] = field(default_factory=list)
