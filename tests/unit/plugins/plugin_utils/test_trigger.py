"""Who or what started a run."""

from __future__ import annotations

import pytest

from ansible_collections.keepwell.fleet.plugins.plugin_utils import trigger

SCHEDULERS = ("AWX_HOST", "TOWER_HOST", "JOB_ID", "INVOCATION_ID", "JOURNAL_STREAM")


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SCHEDULERS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(trigger, "_has_terminal", lambda pid: False)
    monkeypatch.setenv("LOGNAME", "ops")


def test_a_timer_is_told_by_its_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (trigger.here({}).origin, trigger.here({}).user) == ("unattended", "ops")
    monkeypatch.setenv("INVOCATION_ID", "abc")
    monkeypatch.setenv("JOURNAL_STREAM", "9:1")
    assert (trigger.here({}).origin, trigger.here({}).reference) == ("timer", "abc")
    monkeypatch.setattr(trigger, "_has_terminal", lambda pid: True)
    assert trigger.here({}).origin == "terminal"


def test_awx_says_who_pressed_the_button(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWX_HOST", "https://awx")
    monkeypatch.setenv("JOB_ID", "17")
    found = trigger.here({"awx_user_name": "maria"})
    assert (found.origin, found.reference, found.user) == ("awx", "17", "maria")
    # A schedule has no user: that of the container is told.
    assert trigger.here({"awx_user_name": ""}).user == "ops"
    # Nobody else may call himself so.
    monkeypatch.delenv("AWX_HOST")
    assert trigger.here({"awx_user_name": "maria"}).user == "ops"
