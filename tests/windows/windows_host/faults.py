"""What can be wrong with a host or the way to it; all off unless a test says so."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Faults:
    """Set these on ``host.faults`` at any time."""

    slow_s: float = 0.0
    """Every script takes this much longer."""
    drops: int = 0
    """So many requests from now on end with a closed connection and no answer."""
    unreachable: bool = False
    """Every connection is closed without an answer: the host is off, or a firewall is in between."""
    busy: bool = False
    """The service answers 503 to everything: WinRM is shutting down or has no resources."""
    server_error: bool = False
    """HTTP 500 without a word of WS-Management."""
    wrong_password: bool = False
    """The password was changed on the host: nobody gets in."""
    no_answer: frozenset[str] = frozenset()
    """Modules and operations (``"patching/install"``) whose answer never comes, as when a task limit strikes."""
    loses: dict[str, int] = field(default_factory=dict)
    """Modules and operations that do their work and whose answer is lost: so many times from now on."""
    garbage: frozenset[str] = frozenset()
    """Modules and operations that answer half a JSON document."""
    breaks: frozenset[str] = frozenset()
    """Modules and operations that fail with an exception of PowerShell."""
