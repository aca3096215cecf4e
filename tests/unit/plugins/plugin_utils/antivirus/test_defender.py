# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is done with Defender on a Windows host, by the part that it has there, and what its record means."""

from __future__ import annotations

import typing as t

import pytest
from windows_host import golden
from windows_host.host import WindowsHost
from windows_host.models import antivirus as models_of_hosts
from windows_host.models import probes
from windows_host.models.antivirus import Protection

from ansible_collections.keepwell.fleet.plugins.plugin_utils.antivirus import defender, models, options, planning
from ansible_collections.keepwell.fleet.plugins.plugin_utils.windows_hosts import antivirus as windows_antivirus

NOW = 1795399200.0
DEFENDER: dict[str, t.Any] = {
    "mode": "normal",
    "error": "",
    "definitions": {"version": "1.419.1.0", "updated_at": NOW - 3600},
    "sources": ["MicrosoftUpdateServer", "MMPC"],
    "sources_by_policy": False,
    "wsus": None,
}
ENTRY: dict[str, t.Any] = {
    "id": "1/A", "threat": "1", "name": "X", "severity": 5, "active": False, "executed": False, "status": 3,
    "acted_well": True, "additional": 0, "error": 0, "first_at": NOW, "changed_at": NOW,
}  # fmt: skip
ASKED = {"antivirus_update": True, "antivirus_repair": True, "antivirus_scan": True, "antivirus_quarantine": True}


def look(mode: str | None = "normal", rival: str = "", on: bool = True, stopped: str | None = None) -> dict[str, t.Any]:
    """What a host says; ``stopped`` is what stands against starting the service that is down."""
    return {
        "system": "windows",
        "engines": {"clamav": None, "mdatp": False, "defender": {**DEFENDER, "mode": mode} if mode else None},
        "others": [{"product": rival, "active": on}] if rival else [],
        "stopped": {} if stopped is None else {"WinDefend": stopped},
        "detections": [],
        "quarantined": [],
        "open": [],
        "ledger": "",
        "lock": "",
        "targets": None,
    }


def plan(told: dict[str, t.Any], **chosen: t.Any) -> models.Plan:
    read = options.read({**ASKED, **chosen})
    return planning.build(
        client="c", run_id="R", host="w", now=NOW, look=told, options=read, steps=read.steps(), splay_s=0.0
    )


# domain: AMRunningMode, on clients and servers, with and without another engine.
@pytest.mark.parametrize(
    ("told", "possible", "codes"),
    [
        (look("normal"), ["repair", "update", "scan"], set()),
        (look("normal", "CrowdStrike Falcon"), ["repair", "update", "scan"], set()),
        (look("passive", "Sophos"), [], set()),
        (look("passive", "Sophos", on=False), ["repair", "update"], set()),
        (look("passive"), ["repair", "update"], set()),
        (look("edr_block", "Sophos"), ["repair", "update"], set()),
        (look("not_running", "ESET", stopped="ESET is the engine of this host"), [], set()),
        (look("not_running", stopped=""), ["repair", "update", "scan"], set()),
        (look("not_running", stopped="it is disabled"), ["repair"], {"defender_stopped"}),
        (look("unknown"), [], {"defender_unreadable"}),
        (look(None), [], {"no_engine"}),
        (look(None, "CrowdStrike Falcon"), [], set()),
        (look(None, "CrowdStrike Falcon", on=False), [], {"no_engine"}),
    ],
)
def test_what_is_possible_follows_from_the_part_that_defender_has(
    told: dict[str, t.Any], possible: list[str], codes: set[str]
) -> None:
    made = plan(told)
    assert made.possible == possible
    assert {step.code for step in made.steps if not step.ready} == codes
    assert "quarantine" in made.left and not any(step.name == "quarantine" for step in made.steps)


def test_a_service_that_is_down_is_started_before_it_is_asked_and_not_without_that_step() -> None:
    told = look("not_running", stopped="")
    assert plan(told, antivirus_repair=False).possible == []
    assert {step.code for step in plan(told, antivirus_repair=False).steps} == {"defender_stopped"}


def test_nothing_to_do_is_told_with_its_reason_once() -> None:
    told = plan(look("passive", "Sophos"))
    text = planning.headline(told)
    assert text.startswith("repair, update, scan: Sophos is the engine of this host; Defender is passive beside it")
    assert text.count("Sophos") == 1


def test_a_restore_names_the_place_where_it_is_done() -> None:
    told = plan(look(), antivirus_restore="01M8E0PYRRTYM1VVGABTQZW279002", antivirus_approver="J. Smit")
    (step,) = told.steps
    assert (step.code, "put it back there" in step.text) == ("not_in_quarantine", True)


@pytest.mark.parametrize(
    ("more", "outcome", "words"),
    [
        ({}, "quarantined", ""),
        ({"status": 2}, "cleaned", ""),
        ({"status": 4}, "removed", ""),
        ({"status": 6}, "blocked", ""),
        ({"status": 5}, "open", "somebody allowed it"),
        ({"status": 1, "acted_well": False}, "open", "has not acted"),
        ({"status": 0}, "open", "has not acted"),
        ({"status": 103, "acted_well": False, "error": -2142207965}, "open", "could not be quarantined (0x80508023)"),
        ({"status": 3, "acted_well": False}, "open", "could not be quarantined"),
        ({"status": 106, "acted_well": False}, "open", ""),
        ({"additional": 8}, "open", "restart"),
        ({"additional": 20}, "open", ""),
        ({"additional": 32768}, "open", "without Windows"),
    ],
)
def test_what_became_of_a_detection_is_what_defenders_record_says(
    more: dict[str, t.Any], outcome: str, words: str
) -> None:
    became, why = defender.became({**ENTRY, **more})
    assert became == outcome
    assert words in why


def test_detections_are_new_or_over_by_two_looks_at_the_record() -> None:
    waiting = {**ENTRY, "id": "1/B", "status": 1}
    new, over = defender.compare([waiting, ENTRY], [{**waiting, "status": 4}, ENTRY, {**ENTRY, "id": "1/C"}])
    assert [entry["id"] for entry in new] == ["1/C"]
    assert over == ["1/B"]
    assert defender.count_open({"detections": [waiting, ENTRY]}) == 1
    assert defender.count_open({"detections": None}) == 0


def test_options_at_their_defaults_are_not_called_meaningless() -> None:
    assert plan(look()).warnings == []
    assert plan(look(), antivirus_scan_paths=["/"]).warnings == []
    (line,) = plan(look(), antivirus_archives="quarantine", antivirus_scan_exclude=["/srv"]).warnings
    assert line.endswith("antivirus_scan_exclude, antivirus_archives")


def _host(mode: str, version: str, rival: tuple[str, bool] | None, stopped: bool, installed: bool) -> WindowsHost:
    host = WindowsHost("win01", version)
    host.defender.mode = mode
    told = host.of(Protection)
    told.installed = installed
    told.rivals = [rival] if rival else []
    host.services["windefend"].state = "stopped" if stopped else "started"
    return host


# What is planned and what is judged come from two looks at the same host: they may not see two different ones.
@pytest.mark.parametrize(
    ("host", "part", "protects"),
    [
        (_host("Normal", "2022", None, False, True), "engine", True),
        (_host("Normal", "11-24H2", None, False, True), "engine", True),
        (_host("Passive Mode", "11-24H2", ("Sophos Intercept X", True), False, True), "beside", True),
        (_host("Passive Mode", "2019", ("CrowdStrike Falcon", True), False, True), "beside", None),
        (_host("Passive Mode", "2022", None, False, True), "passive", False),
        (_host("EDR Block Mode", "11-24H2", ("Sophos Intercept X", True), False, True), "blocking", True),
        (_host("Normal", "2016", None, True, True), "stopped", False),
        (_host("Normal", "2016", None, False, False), "absent", False),
    ],
)
def test_the_part_that_is_planned_by_is_the_one_that_the_checks_see(
    host: WindowsHost, part: str, protects: bool | None
) -> None:
    assert defender.standing(models_of_hosts.look(host, {})).part == part
    raw = probes.antivirus(host, golden.data(host.version_name, "antivirus", host.now()))
    engines = windows_antivirus.read(raw, host.now())["engines"]
    on = [engine["product"] for engine in engines if engine["realtime"] == "on" and engine["running"]]
    unknown = [engine["product"] for engine in engines if engine["realtime"] == "unknown"]
    assert bool(on) is bool(protects)
    assert protects is not None or unknown
    own = [engine for engine in engines if engine["product"] == "Microsoft Defender Antivirus"]
    assert bool(own) == (part != "absent")
    if part in ("passive", "beside", "blocking"):
        assert own[0]["realtime"] == "passive"
