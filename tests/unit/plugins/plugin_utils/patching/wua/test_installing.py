# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A round of updates of Windows that something stops between two of its turns."""

from __future__ import annotations

import re
import typing as t
from types import SimpleNamespace

import pytest
from fleet_runs import change

from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord, Reboot, Step, Version
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.guards import Stop
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import iso
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching import guards
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.models import Item
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.options import Options
from ansible_collections.keepwell.fleet.plugins.plugin_utils.patching.wua import installing, outcome

NOW = 1_764_000_000.0
HELD = Stop("skipped", "held", "On hold until Friday: an audit.")
CLOSED = Stop("skipped", "window_closed", "Window 'night' closes in 12 minutes, 40 are needed.")
NO_LEASE = Stop("refused", "no_lease", "This run has given back its lease to change hosts.")
BRAKE = Stop("skipped", "brake", "The brake holds patching for the rest of this run.")
# A host that is busy is not waited for.
OPTIONS = Options.model_validate({"limits": {"lock_timeout_s": 0}})
LOCKED = "Another installation is at work: TiWorker.exe."


def item(name: str, *, alone: bool = False) -> Item:
    return Item(
        name=name, kind="update", version="200", update_class="security", update_id=f"id-{name}",
        title=f"Update ({name})", alone=alone,
    )  # fmt: skip


# The servicing stack by itself, then the others at once: two turns.
ITEMS = (item("KB1", alone=True), item("KB2"), item("KB3"))


class Host:
    """A host that installs what it is told to; ``fails`` cannot be installed, ``unfetched`` not be fetched.

    ``offers`` are the names that its own search finds; ``busy``: something else is being installed.
    """

    def __init__(
        self,
        fails: t.Collection[str] = (),
        unfetched: t.Collection[str] = (),
        offers: t.Collection[str] = ("KB1", "KB2", "KB3"),
        busy: bool = False,
    ) -> None:
        self.fails, self.unfetched, self.offers, self.busy = fails, unfetched, offers, busy
        self.installed: list[str] = []

    def ask_until(self, _request: t.Any, _variables: t.Any, _patience_s: float) -> dict[str, t.Any]:
        if self.busy:
            return {"started": False, "attached": False, "code": "locked", "text": LOCKED}
        return {"started": True, "started_at": NOW}

    def upstream(self, _module: str, arguments: t.Mapping[str, t.Any], _variables: t.Any) -> dict[str, t.Any]:
        wanted = [
            entry
            for entry in ITEMS
            if entry.name in self.offers
            and any(re.search(pattern, entry.title) for pattern in arguments["accept_list"])
        ]
        told: dict[str, t.Any] = {entry.update_id: {"installed": False} for entry in wanted}
        unfetched = [entry for entry in wanted if entry.name in self.unfetched]
        for entry in unfetched:
            told[entry.update_id]["failure_hresult_code"] = 0x80244022
        for entry in wanted if not unfetched else []:
            if entry.name in self.fails:
                told[entry.update_id]["failure_hresult_code"] = 0x80070643
            else:
                told[entry.update_id]["installed"] = True
                self.installed.append(entry.name)
        return {"updates": told, "failed": bool(unfetched)}


class Job(SimpleNamespace):
    """A job that keeps what is saved of its change."""

    def step(self, record: ChangeRecord, name: str, outcome: str, text: str, since: float) -> None:
        record.steps.append(
            Step.model_validate(
                {"name": name, "outcome": outcome, "text": text, "started_at": iso(since), "ended_at": iso(NOW)}
            )
        )


def carry_out(
    monkeypatch: pytest.MonkeyPatch, host: Host, *stops: Stop | None, record: ChangeRecord | None = None
) -> tuple[ChangeRecord, list[bool], list[list[str]]]:
    """Return the record after a round whose turns meet these stops, whether time was asked for, and what was saved."""
    left, asked, saved = list(stops), [], []

    def further(_job: t.Any, what: str, reserve: bool = True) -> Stop | None:
        assert what == "turn"
        asked.append(reserve)
        return left.pop(0) if left else None

    monkeypatch.setattr(guards, "further", further)
    job = Job(
        host="win01", run_id="R" * 26, task_vars={}, simulated_now=None, options=OPTIONS, now=lambda: NOW,
        store=SimpleNamespace(client_id="acme"),
        save=lambda entry: saved.append([step.text for step in entry.steps if step.name == "install"]),
    )  # fmt: skip
    found = record or change("win01", "planned")
    installing.carry_out(t.cast(t.Any, host), t.cast(t.Any, job), found, ITEMS, 0)
    return found, asked, saved


@pytest.mark.parametrize("stop", [HELD, CLOSED, BRAKE, NO_LEASE])
def test_what_stops_a_change_stops_it_before_its_next_turn(monkeypatch: pytest.MonkeyPatch, stop: Stop) -> None:
    host = Host()
    record, asked, _saved = carry_out(monkeypatch, host, None, stop)
    assert host.installed == ["KB1"]
    # What is in place is compared and recorded; what kept the rest back is told.
    assert (record.outcome, record.code, record.stopped) == ("running", stop.code, stop.text)
    assert [entry.name for entry in record.versions] == ["KB1"]
    last = record.steps[-1]
    assert (last.name, last.outcome) == ("apply", "done")
    assert last.text == f"1 update installed; 2 updates not begun: {stop.text}"
    # The first turn's time was asked for right before.
    assert asked == [False, True]


def test_what_comes_before_the_first_turn_leaves_the_host_untouched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Minutes may have gone by while the host waited for another installation."""
    host = Host()
    record, _asked, _saved = carry_out(monkeypatch, host, HELD)
    assert host.installed == []
    assert (record.outcome, record.code, record.text) == ("skipped", "held", HELD.text)
    assert not record.stopped and not record.versions
    assert record.transaction, "the host has noted it, and has to hear that its end is in evidence"


@pytest.mark.parametrize("stop", [CLOSED, NO_LEASE])
def test_a_later_round_that_is_kept_back_leaves_the_earlier_one_to_be_compared(
    monkeypatch: pytest.MonkeyPatch, stop: Stop
) -> None:
    earlier = change("win01", "running", versions=[Version(name="KB0", after="1", update_id="id-KB0")])
    host = Host()
    record, _asked, _saved = carry_out(monkeypatch, host, stop, record=earlier)
    assert host.installed == []
    assert (record.outcome, record.code, record.stopped) == ("running", stop.code, stop.text)
    assert (record.steps[-1].name, record.steps[-1].outcome) == ("apply", "skipped")


def rebooted() -> ChangeRecord:
    """A change whose first step was the reboot that was due, and that has installed nothing yet."""
    return change("win01", "running", reboot=Reboot(required="yes", done=True, boot_before="one", boot_after="two"))


@pytest.mark.parametrize("stop", [HELD, CLOSED, BRAKE, NO_LEASE])
def test_what_stops_a_change_after_its_reboot_leaves_the_host_to_be_compared(
    monkeypatch: pytest.MonkeyPatch, stop: Stop
) -> None:
    record, _asked, _saved = carry_out(monkeypatch, Host(), stop, record=rebooted())
    assert (record.outcome, record.code, record.stopped) == ("running", stop.code, stop.text)
    assert (record.steps[-1].name, record.steps[-1].outcome) == ("apply", "skipped")


def test_a_host_that_is_busy_after_its_reboot_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servicing is at work for minutes after a boot."""
    record, _asked, _saved = carry_out(monkeypatch, Host(busy=True), record=rebooted())
    assert (record.outcome, record.code, record.stopped) == ("running", "locked", LOCKED)
    assert record.transaction == ""
    untouched, _asked, _saved = carry_out(monkeypatch, Host(busy=True))
    assert (untouched.outcome, untouched.code, untouched.stopped) == ("refused", "locked", "")


@pytest.mark.parametrize("versions", [[], [Version(name="KB0", after="1", update_id="id-KB0")]])
def test_a_host_that_was_touched_and_is_offered_nothing_any_more_is_compared(
    monkeypatch: pytest.MonkeyPatch, versions: list[Version]
) -> None:
    earlier = rebooted()
    earlier.versions = versions
    record, _asked, _saved = carry_out(monkeypatch, Host(offers=()), record=earlier)
    assert (record.outcome, record.code) == ("running", "plan_changed")
    assert record.stopped.startswith("Windows Update does not offer the chosen updates any more")
    untouched, _asked, _saved = carry_out(monkeypatch, Host(offers=()))
    assert (untouched.outcome, untouched.code, untouched.stopped) == ("refused", "plan_changed", "")


def test_the_turn_of_those_that_could_be_fetched_asks_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(unfetched=("KB2",))
    record, asked, _saved = carry_out(monkeypatch, host, None, None, HELD)
    assert (host.installed, asked) == (["KB1"], [False, True, True])
    assert list(record.failures) == ["KB2"]
    assert record.steps[-1].text.endswith(f"1 update not begun: {HELD.text}")


def test_what_failed_before_the_stop_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    record, _asked, _saved = carry_out(monkeypatch, Host(fails=("KB1",)), None, HELD)
    assert (record.outcome, record.code) == ("failed", "apply_failed")
    assert record.text.endswith(f"2 updates not begun: {HELD.text}")


def test_each_turn_is_written_down_when_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    record, _asked, saved = carry_out(monkeypatch, Host(fails=("KB3",)))
    assert [(step.text, step.outcome) for step in record.steps if step.name == "install"] == [
        ("KB1", "done"),
        ("KB2, KB3", "failed"),
    ]
    assert ["KB1"] in saved
    assert (record.outcome, record.stopped, record.code) == ("running", "", "")


def test_the_last_words_say_what_was_not_begun_and_why() -> None:
    versions = [Version(name="KB1", after="200", update_id="id-KB1")]
    record = change("win01", "done", versions=versions, stopped=HELD.text)
    outcome.close(record, f"2 left, not begun: {HELD.text}")
    assert record.text == f"1 update in place; 2 left, not begun: {HELD.text}"
    record.failures = {"KB9": "0x80070643 (ERROR_INSTALL_FAILURE): no."}
    outcome.close(record, "3 left")
    assert (record.outcome, record.text.endswith(f"Not begun: {HELD.text}")) == ("failed", True)
