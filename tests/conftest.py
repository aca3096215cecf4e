"""What unit, integration and fleet tests share."""

from __future__ import annotations

import collections

import pytest
from windows_host.fixtures import windows

__all__ = ["windows"]

# What these need is nowhere in CI, so what they skip is said each time.
NOT_RUN = ("pwsh", "windows_host")


# Before xdist reads the groups.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run tests that share a browser, an sshd and its accounts, or the lab, one after the other (``--dist loadgroup``)."""
    for item in items:
        for marker in ("browser", "ssh", "lab"):
            if item.get_closest_marker(marker):
                item.add_marker(pytest.mark.xdist_group(marker))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how much of the PowerShell was not run, and why."""
    reasons: collections.Counter[str] = collections.Counter()
    for report in terminalreporter.stats.get("skipped", []):
        if any(marker in report.keywords for marker in NOT_RUN) and isinstance(report.longrepr, tuple):
            reasons[str(report.longrepr[2]).removeprefix("Skipped: ")] += 1
    if reasons:
        terminalreporter.section("PowerShell that was not run")
        for reason, count in sorted(reasons.items()):
            terminalreporter.write_line(f"{count} skipped: {reason}")
