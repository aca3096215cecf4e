"""A simulated host: its state, the log of what it was asked, and its life from boot to boot."""

from __future__ import annotations

import threading
import time
import typing as t
import uuid

from windows_host import execution
from windows_host.calls import Call, Change
from windows_host.faults import Faults
from windows_host.filesystem import Files
from windows_host.shells import Reply
from windows_host.state import GIB, VERSIONS, Defender, ScheduledTask, Service, Update, Volume, WindowsUpdate
from windows_host.wsman import Service as WsmanService

State = t.TypeVar("State")


class WindowsHost:
    """One host. Tests set its state and faults before and while Ansible talks to it."""

    def __init__(self, name: str, version: str = "2022", **settings: t.Any) -> None:
        self.name = name
        self.version_name = version
        self.version = VERSIONS[version]
        self.ubr = self.version.ubr
        self.faults = Faults()
        self.files = Files()
        self.windows_update = WindowsUpdate()
        self.defender = Defender()
        self.services = {service.name.lower(): service for service in _services()}
        self.tasks: dict[str, ScheduledTask] = {}
        self.volumes = [Volume("C", 120 * GIB, 60 * GIB, "Windows", guid=str(uuid.uuid4()))]
        self.probes: dict[str, t.Any] = {}
        """Documents of probes that a test gives instead of those that models make."""
        self.parameters: dict[str, t.Any] = {}
        """By probe, what the plan told it in the assessment that is being answered."""
        self._more: dict[type[t.Any], t.Any] = {}
        self.jobs: dict[str, dict[str, t.Any]] = {}
        self.clock_offset_s = 0.0
        self.reboot_s: float | None = 0.5
        """How long a reboot takes; None: the host never comes back."""
        self.calls: list[Call] = []
        self.changes: list[Change] = []
        self.problems: list[str] = []
        """What nobody has modelled; a test with any of these has failed."""
        self.boots = 1
        self.boot_id = str(uuid.uuid4())
        self.booted_at = time.time() - 5 * 86400
        self.gone = threading.Event()
        """Set when the host ends: what would wait for ever stops waiting."""
        self.lock = threading.RLock()
        self._down_until = 0.0
        self.service = WsmanService(self._run_of(self.boot_id))
        for setting, value in settings.items():
            if not hasattr(self, setting):
                raise TypeError(f"A host has no {setting}.")
            setattr(self, setting, value)

    # The clock.

    def now(self) -> float:
        """Seconds of the epoch by the host's clock."""
        return time.time() + self.clock_offset_s

    # What it was asked.

    def called(self, name: str) -> list[Call]:
        """The requests with this name: a module, or ``patching/install``."""
        return [call for call in self.calls if call.name == name]

    def changed(self, kind: str) -> list[str]:
        """What was changed of this kind, in order."""
        return [change.what for change in self.changes if change.kind == kind]

    def change(self, kind: str, what: str) -> None:
        """Note a change; models call it when they change something."""
        self.changes.append(Change(kind, what))

    def problem(self, text: str) -> None:
        self.problems.append(f"{self.name}: {text}")

    def of(self, kind: type[State]) -> State:
        """State of a kind that one subject alone knows, made when it is first asked for."""
        with self.lock:
            made = self._more.setdefault(kind, kind())
        return t.cast(State, made)

    # Its life.

    def silent(self, *, count: bool = True) -> bool:
        """Whether a connection gets no answer now. ``count``: this is a request, which uses up a drop."""
        if self.faults.unreachable or time.monotonic() < self._down_until:
            return True
        if count and self.faults.drops > 0:
            self.faults.drops -= 1
            return True
        return False

    def reboot(self, after_s: float = 0.2) -> None:
        """Go down in a moment, and come back as a host that has booted again."""
        booting = self.boot_id

        def down() -> None:
            with self.lock:
                if self.boot_id == booting:
                    self._boot()

        timer = threading.Timer(after_s, down)
        timer.daemon = True
        timer.start()

    def _boot(self) -> None:
        lasts = float("inf") if self.reboot_s is None else self.reboot_s
        self._down_until = time.monotonic() + lasts
        self.boots += 1
        self.boot_id = str(uuid.uuid4())
        self.booted_at = self.now() + (0 if self.reboot_s is None else self.reboot_s)
        self.change("reboot", self.boot_id)
        self.service = WsmanService(self._run_of(self.boot_id))
        self.windows_update.reboot_required = False
        for update in self.windows_update.updates:
            if update.pending_reboot:
                update.pending_reboot = False
                if update.rolls_back:
                    update.installed = update.downloaded = False
                else:
                    self._in_place(update)
        for service in self.services.values():
            if service.start_mode in ("auto", "delayed") and not service.start_fails:
                service.state = "started"

    def install(self, update: Update) -> None:
        """Put an update in place, or leave it for the next boot."""
        update.downloaded = update.installed = True
        self.change("install", update.id)
        if update.needs_reboot:
            update.pending_reboot = self.windows_update.reboot_required = True
        else:
            self._in_place(update)

    def _in_place(self, update: Update) -> None:
        if update.ubr is not None:
            self.ubr = max(self.ubr, update.ubr)

    # What it runs.

    def _run_of(self, boot_id: str) -> t.Callable[[str, list[str]], Reply]:
        def run(script: str, lines: list[str]) -> Reply:
            return execution.run(self, script, lines)

        return run


def _services() -> list[Service]:
    """Services that every Windows has."""
    return [
        Service("wuauserv", "Windows Update", "stopped", "manual", triggers=True),
        Service("WinRM", "Windows Remote Management (WS-Management)"),
        Service("W32Time", "Windows Time"),
        Service("EventLog", "Windows Event Log"),
        Service("Spooler", "Print Spooler"),
        Service("WinDefend", "Microsoft Defender Antivirus Service"),
        Service("TrustedInstaller", "Windows Modules Installer", "stopped", "manual", triggers=True),
    ]
