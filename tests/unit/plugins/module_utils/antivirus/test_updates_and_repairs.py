# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Updates that are believed by versions alone, and services that are started only when that is wanted."""

from __future__ import annotations

import signal
import typing as t

import pytest

from ansible_collections.keepwell.fleet.plugins.module_utils.antivirus import (
    _definitions,
    _engine,
    _ledger,
    _repair,
)
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._sources import Output

START = "Fri Nov 27 08:09:57 2026 -> ClamAV update process started at Fri Nov 27 08:09:57 2026\n"
LINE = "Fri Nov 27 08:09:58 2026 -> --------------------------------------\n"
UPDATED = "Fri Nov 27 08:09:57 2026 -> daily.cud updated (version: custom database, sigs: 3)\n"
CURRENT = "Fri Nov 27 08:09:57 2026 -> daily.cud is up-to-date (version: custom database)\n"
REFUSED = "ERROR: downloadFile: Unexpected response (429) from https://database.clamav.net/daily.cvd\n"


class Host:
    """A host whose versions change when the test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, daemon: bool = False, alive: bool = True) -> None:
        self.disk, self.loaded, self.said, self.daemon, self.alive = 1, "1", "", daemon, alive
        self.loads = True
        self.signals: list[tuple[int, int]] = []
        self.ran: list[str] = []
        self.answer = Output("ok", 0, CURRENT, "")
        self.on_run: t.Callable[[], None] = lambda: None
        monkeypatch.setattr(_engine, "clamav", lambda machine: self.look())
        monkeypatch.setattr(_engine, "loaded", lambda machine, where: self.loaded if self.alive else None)
        monkeypatch.setattr(_engine, "reload", self.reload)
        monkeypatch.setattr(_definitions, "_pids", lambda machine: [77])
        monkeypatch.setattr(_definitions.os, "kill", self.kill)
        for name in ("_PAUSE_S", "_LOAD_S", "_ANSWER_S"):
            monkeypatch.setattr(_definitions, name, 0.01 if name == "_PAUSE_S" else 0.1)

    def look(self) -> dict[str, t.Any]:
        return {
            "scanner": "clamd", "alive": self.alive, "socket": "/x", "loaded": self.loaded if self.alive else None,
            "folder": "/db", "updater": self.daemon, "fingerprint": {"daily.cud": [self.disk, 0]},
            "databases": {"daily": {"version": self.disk, "built_at": 1.0}},
        }  # fmt: skip

    def reload(self, machine: t.Any, where: str) -> bool:
        if self.loads:
            self.loaded = str(self.disk)
        return self.loads

    def kill(self, pid: int, number: int) -> None:
        self.signals.append((pid, number))
        self.on_run()

    # what a machine and commands have
    def which(self, name: str) -> str:
        return f"/usr/bin/{name}"

    def read(self, path: str, source: str = "") -> str | None:
        return None

    def stat(self, path: str) -> dict[str, int]:
        return {"size": len(self.said)}

    def tail(self, path: str, size: int) -> str:
        return self.said[-size:] if size else ""

    def run(self, argv: list[str], timeout: float) -> Output:
        self.ran.append(argv[0])
        self.on_run()
        return self.answer

    def update(self) -> dict[str, t.Any]:
        return _definitions.update(self, self)


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(monkeypatch)


def bring(host: Host, version: int, said: str = "") -> t.Callable[[], None]:
    def arrive() -> None:
        host.disk = version
        host.said += said

    return arrive


def test_a_new_version_that_is_loaded_is_an_update(host: Host) -> None:
    host.on_run = bring(host, 2)
    host.answer = Output("ok", 0, START + UPDATED, "")
    answer = host.update()
    assert (answer["result"], answer["before"]["loaded"], answer["after"]["loaded"]) == ("updated", "1", "2")


def test_a_new_version_counts_whatever_the_return_code_is(host: Host) -> None:
    host.on_run = bring(host, 2)
    host.answer = Output("ok", 11, UPDATED, "ERROR: Update failed for database: bytecode\n")
    answer = host.update()
    assert answer["result"] == "updated" and "yet: ERROR: Update failed" in answer["text"]


def test_a_new_version_that_is_not_loaded_is_a_failure(host: Host) -> None:
    host.on_run, host.loads = bring(host, 2), False
    answer = host.update()
    assert answer["result"] == "failed" and "version 2 is on disk, and clamd still works with 1" in answer["text"]


def test_return_code_0_without_a_change_is_believed_only_with_the_word_for_it(host: Host) -> None:
    assert host.update()["result"] == "current"
    host.answer = Output("ok", 0, START, "")
    assert host.update()["result"] == "failed"


def test_a_server_that_refuses_is_named(host: Host) -> None:
    host.answer = Output("ok", 17, START + REFUSED, "")
    answer = host.update()
    assert answer["result"] == "failed" and "(429, too many requests)" in answer["text"]


def test_without_a_daemon_there_is_nobody_to_load(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(monkeypatch, alive=False)
    host.on_run = bring(host, 2)
    answer = host.update()
    assert answer["result"] == "updated" and "no daemon runs to load it" in answer["text"]


@pytest.mark.parametrize(
    ("version", "said", "result"),
    [(2, START + UPDATED + LINE, "updated"), (1, START + CURRENT + LINE, "current"), (1, START + REFUSED + LINE, "failed"), (1, "", "failed")],
)  # fmt: skip
def test_freshclams_own_daemon_is_asked_by_its_signal(
    monkeypatch: pytest.MonkeyPatch, version: int, said: str, result: str
) -> None:
    host = Host(monkeypatch, daemon=True)
    host.said = START + CURRENT + LINE
    host.on_run = bring(host, version, said)
    assert host.update()["result"] == result
    assert host.signals == [(77, signal.SIGUSR1)] and host.ran == []


class Systemd:
    """systemd with units in a state, which a start may change."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **units: str) -> None:
        self.units = {f"{name.replace('_', '-')}.service": text for name, text in units.items()}
        self.ran: list[list[str]] = []
        self.after: dict[str, str] = {}
        for name in ("_PAUSE_S", "_SETTLE_S"):
            monkeypatch.setattr(_repair, name, 0.0)

    def exists(self, path: str) -> bool:
        return True

    def now(self) -> float:
        return 1000.0

    def run(self, argv: list[str], **options: t.Any) -> Output:
        self.ran.append(argv)
        if argv[:2] == ["systemctl", "start"]:
            self.units[argv[2]] = self.after.get(argv[2], self.units[argv[2]])
        if argv[:2] == ["systemctl", "show"]:
            shown = [f"Id={name}\n{self.units[name]}\n" for name in argv[4:] if name in self.units]
            return Output("ok", 0, "\n".join(shown), "")
        return Output("ok", 0, "words of the host", "")

    def repair(self, ledger: dict[str, t.Any]) -> dict[str, t.Any]:
        return _repair.repair(self, self, ledger, {"attempts": 2, "per_day": 3})

    def starts(self) -> int:
        return sum(argv[:2] == ["systemctl", "start"] for argv in self.ran)


def unit(active: str = "inactive", enabled: str = "enabled", load: str = "loaded", condition: str = "yes") -> str:
    return f"LoadState={load}\nActiveState={active}\nUnitFileState={enabled}\nConditionResult={condition}"


def test_only_what_is_meant_to_run_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    systemd = Systemd(
        monkeypatch, clamav_daemon=unit("failed"), clamav_freshclam=unit(enabled="masked", load="masked"),
        clamonacc=unit(enabled="disabled"), mdatp=unit("active"),
    )  # fmt: skip
    systemd.after = {"clamav-daemon.service": unit("active")}
    ledger = _ledger.empty()
    answers = systemd.repair(ledger)
    assert {name: answer["result"] for name, answer in answers.items()} == {
        "clamav-daemon.service": "started", "clamav-freshclam.service": "left", "clamonacc.service": "left",
    }  # fmt: skip
    assert "masked" in answers["clamav-freshclam.service"]["text"]
    assert "words of the host" in answers["clamav-daemon.service"]["evidence"]
    assert systemd.starts() == 1 and len(ledger["repairs"]) == 1


def test_a_condition_that_is_not_met_is_told_and_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    systemd = Systemd(monkeypatch, clamav_daemon=unit(condition="no"))
    answer = systemd.repair(_ledger.empty())["clamav-daemon.service"]
    assert answer["result"] == "failed" and "no signature database yet" in answer["text"]
    assert systemd.starts() == 1


def test_what_does_not_stay_up_is_tried_so_often_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    systemd = Systemd(monkeypatch, clamav_daemon=unit("failed"))
    answer = systemd.repair(_ledger.empty())["clamav-daemon.service"]
    assert answer["result"] == "failed" and "after 2 attempts" in answer["text"]
    assert systemd.starts() == 2


def test_what_falls_over_again_and_again_is_left_to_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    systemd = Systemd(monkeypatch, clamav_daemon=unit("failed"))
    ledger = _ledger.empty()
    for moment in (900.0, 950.0, 999.0):
        _ledger.repaired(ledger, "clamav-daemon.service", moment, "started")
    answer = systemd.repair(ledger)["clamav-daemon.service"]
    assert answer["result"] == "limit" and systemd.starts() == 0
