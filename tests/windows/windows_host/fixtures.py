"""What tests call: ``windows(...)`` starts hosts, and at the end nothing may have come that nobody has modelled."""

from __future__ import annotations

import contextlib
import typing as t

import pytest

if t.TYPE_CHECKING:
    from windows_host.host import WindowsHost
    from windows_host.world import World


@pytest.fixture
def windows() -> t.Iterator[t.Callable[..., World]]:
    """Start hosts: ``world = windows(WindowsHost("win01"), ...)`` or ``world = windows(20)``."""
    # Most tests have nothing to do with Windows, and need not wait for these imports.
    from windows_host.world import running, several

    worlds: list[World] = []
    with contextlib.ExitStack() as stack:

        def start(*hosts: WindowsHost | int) -> World:
            made = [host for wanted in hosts for host in (several(wanted) if isinstance(wanted, int) else [wanted])]
            worlds.append(stack.enter_context(running(*made)))
            return worlds[-1]

        yield start
        unknown = [problem for world in worlds for problem in world.problems()]
    assert not unknown, "The simulated hosts were asked what nobody has modelled:\n" + "\n".join(unknown)
