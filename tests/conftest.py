"""What unit, integration and fleet tests share."""

from __future__ import annotations

import pytest
from windows_host.fixtures import windows

__all__ = ["windows"]


# Before xdist reads the groups.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run tests that share a browser, an sshd and its accounts, or the lab, one after the other (``--dist loadgroup``)."""
    for item in items:
        for marker in ("browser", "ssh", "lab"):
            if item.get_closest_marker(marker):
                item.add_marker(pytest.mark.xdist_group(marker))
