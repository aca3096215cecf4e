"""What unit and integration tests share."""

from __future__ import annotations

import pytest


# Before xdist reads the groups.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run tests that share a browser, or an sshd and its accounts, one after the other (``--dist loadgroup``)."""
    for item in items:
        for marker in ("browser", "ssh"):
            if item.get_closest_marker(marker):
                item.add_marker(pytest.mark.xdist_group(marker))
