# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Antivirus work on the control node: what is asked for, what is planned, and what a record keeps of it."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.keepwell.fleet.plugins.plugin_utils.antivirus import (
    announcement,
    guards,
    models,
    options,
    outcome,
    planning,
    telling,
    work,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores import duration
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows import decision
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import Client
from ansible_collections.keepwell.fleet.plugins.plugin_utils.settings import SettingsError

NOW = 1795399200.0
CLAMAV: dict[str, t.Any] = {
    "scanner": "clamd",
    "databases": {"daily": {"version": 27500, "built_at": NOW - 86400.0}},
    "loaded": "27500",
    "updater": False,
}
LOOK: dict[str, t.Any] = {
    "engines": {"clamav": CLAMAV, "mdatp": False},
    "stopped": {"clamav-daemon.service": "", "clamav-freshclam.service": "it is masked: somebody wants it never to run"},
    "quarantined": [],
    "lock": None,
    "open": [],
    "ledger": "",
    "targets": {
        "files": 3, "bytes": 5 << 20, "whole": False, "left_out": {"/srv/pg": "files of a database"}, "skipped": {},
        "largest_bytes": 1 << 20,
    },
}  # fmt: skip
RESTORE = "01M8E0PYRRTYM1VVGABTQZW279002"


def read(**chosen: t.Any) -> options.Options:
    return options.read({f"antivirus_{name}": value for name, value in chosen.items()})


def plan(
    look: dict[str, t.Any] | None = None, splay_s: float = 0.0, tags: t.Sequence[str] = (), **chosen: t.Any
) -> models.Plan:
    told = read(**chosen)
    return planning.build(
        client="acme", run_id="RUN", host="web1", now=NOW, look=look or LOOK, options=told, steps=told.steps(tags),
        splay_s=splay_s,
    )  # fmt: skip


def test_nothing_is_on_by_default() -> None:
    told = read()
    assert not told.act and told.steps() == []


@pytest.mark.parametrize(
    ("chosen", "tags", "steps"),
    [
        ({"update": "true"}, (), ["update"]),
        ({"scan": True}, (), ["scan", "rescan"]),
        ({"quarantine": True}, (), ["quarantine", "rescan"]),
        ({"repair": True, "update": True, "scan": True}, (), ["update", "repair", "scan", "rescan"]),
        ({"update": True}, ("clean",), ["scan", "quarantine", "rescan"]),
        ({"update": True}, ("all",), ["update"]),
        ({"scan": True, "restore": RESTORE, "approver": "J."}, ("clean",), ["restore"]),
    ],
)
def test_steps_are_those_that_are_asked_for(chosen: dict[str, t.Any], tags: tuple[str, ...], steps: list[str]) -> None:
    assert read(**chosen).steps(tags) == steps


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"quarantine_folders": ["/etc"]}, "/etc lies outside of what may ever be touched"),
        ({"quarantine_folders": ["/"]}, "lies outside"),
        ({"quarantine_folders": ["/home/../etc"]}, "no plain absolute path"),
        ({"scan_paths": ["home"]}, "no plain absolute path"),
        ({"scan_paths": []}, "at least 1"),
        ({"scan_limits": {"minute": 1}}, "unknown key"),
        ({"restore": "../../etc/passwd", "approver": "J."}, "pattern"),
        ({"restore": RESTORE}, "antivirus_approver"),
        ({"quarantin": True}, "antivirus_quarantine"),
        ({"window_for": ["reboot"]}, "window_for"),
    ],
)
def test_mistakes_stop_before_the_first_connection(chosen: dict[str, t.Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        read(**chosen)


def test_declared_repositories_of_backups_are_not_scanned() -> None:
    declared = [{"repository": "/srv/r/"}, {"repository": "file:///srv/b"}, {"repository": "sftp:x:/y"}, {}, "x"]
    assert options.backup_places(declared) == ["/srv/b", "/srv/r"]
    assert options.backup_places(None) == []


def test_a_host_always_has_the_same_turn_and_a_fleet_is_spread() -> None:
    class Named(work.Job):
        def __init__(self, host: str) -> None:
            self.host, self.options = host, read(splay_minutes=10)

    turns = [Named(f"web{number}").splay_s() for number in range(50)]
    assert turns == [Named(f"web{number}").splay_s() for number in range(50)]
    assert all(0 <= turn < 600 for turn in turns)
    assert min(turns) < 120 and max(turns) > 480


def test_a_plan_says_what_would_be_done_and_what_cannot() -> None:
    made = plan(update=True, repair=True, scan=True, quarantine=True, splay_s=90.0)
    words = {step.name: step.text for step in made.steps}
    assert "fetch with freshclam, after 1 minute" in words["update"]
    assert words["repair"].startswith("Start clamav-daemon.service; clamav-freshclam.service stays down: it is masked")
    assert words["scan"].startswith("Scan at least 3 files (5.0 MiB) below /home")
    assert made.possible == ["update", "repair", "scan", "quarantine", "rescan"]
    nothing = {**LOOK, "engines": {"clamav": None, "mdatp": False}}
    assert plan(nothing, update=True, scan=True).possible == []
    assert {step.code for step in plan(nothing, update=True, scan=True).steps} == {"no_engine", "no_scanner"}


def test_freshclams_daemon_is_asked_and_not_fought() -> None:
    busy = {**LOOK, "engines": {"clamav": {**CLAMAV, "updater": True}, "mdatp": True}}
    text = plan(busy, update=True).steps[0].text
    assert "ask freshclam's daemon to look now" in text and "mdatp definitions update" in text


def test_the_memory_of_a_scanner_without_a_daemon_is_told() -> None:
    lonely = {**LOOK, "engines": {"clamav": {**CLAMAV, "scanner": "clamscan"}, "mdatp": False}}
    assert "1.5 GB" in plan(lonely, scan=True).warnings[0]


def test_a_restore_is_planned_only_where_the_file_is() -> None:
    stored = {"id": RESTORE, "path": "/home/a/x", "signature": "Bad", "size": 5, "owner": "a"}
    there = plan({**LOOK, "quarantined": [stored]}, restore=RESTORE, approver="J.")
    assert there.possible == ["restore"] and "/home/a/x" in there.steps[0].text
    hidden = plan({**LOOK, "quarantined": [stored]}, restore=RESTORE, approver="J.", paths="hidden")
    assert "/home" not in hidden.steps[0].text
    assert [step.code for step in plan(restore=RESTORE, approver="J.").steps] == ["not_in_quarantine"]


def test_the_announcement_names_every_host_and_no_control_character() -> None:
    bad = plan({**LOOK, "lock": "patching \x1b[2J"}, scan=True)
    idle = plan().model_copy(update={"host": "web2"})
    text = announcement.client(Client(id="acme", name="Acme"), [bad, idle], ["web3"], "RUN", NOW, acting=False)
    assert "\x1b" not in text
    assert "left out /srv/pg: files of a database" in text
    assert "No step was asked for: web2" in text and "could not be judged: web3" in text
    assert "-e antivirus_act=true" in text


class FakeJob:
    """What the guards look at."""

    chore = "antivirus"

    def __init__(
        self, window: decision.Decision, monkeypatch: pytest.MonkeyPatch, bought: bool = True, **chosen: t.Any
    ) -> None:
        self.options = read(**chosen)
        stop = None if bought else guards.Stop("skipped", "not_bought", "x")
        monkeypatch.setattr(guards.guards, "allowed", lambda job: stop)
        needed = duration.Expected(900.0, "antivirus_reserve_minutes")
        monkeypatch.setattr(guards.guards, "expected", lambda job, work, reserve: needed)
        monkeypatch.setattr(guards.guards, "window", lambda job, what, needed_s: window)


OPEN = decision.Decision(True, "nights")
SHUT = decision.Decision(False, reason="No window is open.")


def test_steps_that_need_no_window_go_on_without(monkeypatch: pytest.MonkeyPatch) -> None:
    made = plan(update=True, scan=True, quarantine=True)
    found = guards.decide(FakeJob(SHUT, monkeypatch, update=True, scan=True, quarantine=True), made)  # type: ignore[arg-type]
    assert found.steps == ["update"] and found.stop is None and found.window is None
    assert {name: stop.code for name, stop in found.held.items()} == dict.fromkeys(
        ("scan", "quarantine", "rescan"), "window_closed"
    )


def test_a_closed_window_stops_what_needs_one(monkeypatch: pytest.MonkeyPatch) -> None:
    found = guards.decide(FakeJob(SHUT, monkeypatch, scan=True), plan(scan=True))  # type: ignore[arg-type]
    assert found.stop == guards.Stop("skipped", "window_closed", "No window is open.")
    found = guards.decide(FakeJob(OPEN, monkeypatch, scan=True), plan(scan=True))  # type: ignore[arg-type]
    assert found.steps == ["scan", "rescan"] and found.window == OPEN
    anytime = FakeJob(SHUT, monkeypatch, scan=True, window_for=[])
    assert guards.decide(anytime, plan(scan=True)).steps == ["scan", "rescan"]  # type: ignore[arg-type]


def test_nothing_bought_nothing_planned_nothing_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    found = guards.decide(FakeJob(OPEN, monkeypatch, bought=False, scan=True), plan(scan=True))  # type: ignore[arg-type]
    assert found.stop is not None and found.stop.code == "not_bought"
    found = guards.decide(FakeJob(OPEN, monkeypatch), None)  # type: ignore[arg-type]
    assert found.stop is not None and found.stop.code == "no_plan"
    found = guards.decide(FakeJob(OPEN, monkeypatch), plan())  # type: ignore[arg-type]
    assert found.stop is not None and found.stop.outcome == "nothing"


SCAN: dict[str, t.Any] = {
    "result": "done", "text": "x", "scanner": "clamd", "whole": False, "reached": "/home/anna/x", "files": 5, "bytes": 9,
    "found": 2, "errors": 1, "unanswered": 0, "skipped": {"large": 1}, "left_out": {}, "unreadable": ["/home/anna/y: z"],
    "large": [], "paths": ["/home"], "largest_bytes": 10, "resumed": False,
}  # fmt: skip
TAKEN = {
    "id": "Bad/1", "name": "Bad", "path": "/home/anna/x", "quarantine_id": RESTORE, "sha256": "0", "size": 3, "uid": 1,
    "gid": 1, "owner": "anna", "mode": "0644", "mtime_ns": 1, "folder": "/var/lib/keepwell/quarantine", "signature": "Bad",
}  # fmt: skip
STATE: dict[str, t.Any] = {
    "steps": ["update", "repair", "scan", "quarantine", "rescan"],
    "results": {
        "update": {"result": "done", "text": "x", "engines": [{
            "engine": "ClamAV", "result": "updated", "text": "newer", "before": {"disk": "1", "disk_built_at": 1.0, "loaded": "1"},
            "after": {"disk": "2", "disk_built_at": NOW, "loaded": "2"},
        }]},
        "repair": {"result": "done", "text": "x", "units": {
            "clamav-daemon.service": {"result": "started", "text": "started", "evidence": "$ systemctl status"},
        }},
        "scan": SCAN,
        "quarantine": {"result": "done", "text": "x", "taken": [TAKEN], "left": [
            {"id": "Bad/2", "name": "Bad", "path": "/home/anna/z", "code": "package", "text": "it belongs to the package foo"},
        ]},
        "rescan": {**SCAN, "whole": True, "reached": None, "closed": ["Bad/1"]},
    },
}  # fmt: skip


def record(state: dict[str, t.Any], shown: bool = True) -> ChangeRecord:
    return ChangeRecord(
        run_id="RUN", client="acme", host="web1", chore="antivirus", outcome="running", started_at="2026-11-23T00:00:00Z",
        antivirus=outcome.change(state, shown=shown),
    )  # fmt: skip


def test_a_record_tells_everything_that_was_done() -> None:
    made = record(STATE)
    assert outcome.sentence(made) == (
        "definitions of ClamAV updated; started clamav-daemon.service; 5 files scanned, 2 with finds; "
        "1 in quarantine, 1 left in place; 1 detection over"
    )
    assert outcome.residual(made) == [
        "/home/anna/z: Bad, left in place: it belongs to the package foo",
        "scan: the time was over at /home/anna/x; the next one goes on there",
    ]
    assert guards.has_changed(made)
    found = made.antivirus
    assert found is not None and found.scan is not None
    assert telling.definitions_line(found.definitions[0]) == "ClamAV updated: 1 -> 2 on disk, 1 -> 2 loaded; newer"
    assert "not all: the time was over at /home/anna/x" in telling.scan_line(found.scan)
    assert RESTORE in telling.detected_line(found.detections[0])
    assert ChangeRecord.model_validate_json(made.model_dump_json()) == made


def test_hidden_paths_are_nowhere_in_a_record() -> None:
    made = record(STATE, shown=False)
    assert "anna" not in made.model_dump_json()
    assert guards.has_changed(made)


def test_work_that_changed_nothing_is_no_change() -> None:
    current = {**STATE, "results": {"scan": SCAN}}
    assert not guards.has_changed(record(current))
    assert not guards.has_changed(record({"steps": [], "results": {}}))


def test_detections_of_an_observation_are_told_with_their_state() -> None:
    entries = [
        {"id": "a", "name": "Bad", "active": None, "first_seen": None},
        {"id": "b", "name": "Bad", "active": True, "acted": None, "first_seen": NOW, "why": "x"},
        {"id": "c", "name": "Bad", "active": True, "acted": "quarantined", "first_seen": NOW},
        {"id": "d", "name": "Bad", "active": False, "acted": "quarantined", "first_seen": NOW, "last_change": NOW},
    ]
    engine = {"product": "ClamAV", "detections": entries}
    found = list(outcome.states({"probes": {"antivirus": {"data": {"engines": [engine, {"detections": None}]}}}}))
    assert [entry.state for entry in found] == ["unknown", "open", "acted", "cleared"]
    assert list(outcome.states({"probes": {}})) == []


@pytest.mark.parametrize(("left_min", "seconds"), [(None, 3600.0), (240, 3600.0), (40, 1500.0), (16, 60.0), (5, 60.0)])
def test_a_scan_ends_early_enough_in_its_window(left_min: float | None, seconds: float) -> None:
    chosen = options.Options(splay_minutes=0, reserve_minutes=15)
    job = work.Job("antivirus", "web1", None, "run", None, chosen, NOW, {}, {}, ())  # type: ignore[arg-type]
    asked = job.scan_request(None if left_min is None else NOW + left_min * 60)
    assert asked["seconds"] == seconds
