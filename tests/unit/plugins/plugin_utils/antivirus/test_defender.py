# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is done with Defender on a Windows host, by the part that it has there, and what its record means."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.keepwell.fleet.plugins.plugin_utils.antivirus import defender, models, options, planning

NOW = 1795399200.0
DEFENDER: dict[str, t.Any] = {
    "mode": "normal",
    "error": "",
    "definitions": {"version": "1.419.1.0", "updated_at": NOW - 3600},
    "sources": ["MicrosoftUpdateServer", "MMPC"],
    "sources_by_policy": False,
    "wsus": None,
}
ENTRY: dict[str, t.Any] = {"id": "1/A", "name": "X", "status_id": 3, "action_ok": True, "additional": 0, "error": 0}
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
        ({"status_id": 2}, "cleaned", ""),
        ({"status_id": 4}, "removed", ""),
        ({"status_id": 6}, "blocked", ""),
        ({"status_id": 5}, "allowed", ""),
        ({"status_id": 1, "action_ok": False}, "open", "has not acted"),
        ({"status_id": 0}, "open", "has not acted"),
        ({"status_id": 103, "action_ok": False, "error": -2142207965}, "open", "could not be quarantined (0x80508023)"),
        ({"status_id": 3, "action_ok": False}, "open", "could not be quarantined"),
        ({"status_id": 106}, "open", "nobody said"),
        ({"additional": 8}, "open", "quarantined, and it needs a restart"),
        ({"additional": 20}, "open", "a full scan and work by hand"),
        ({"additional": 32768}, "open", "an offline scan"),
    ],
)
def test_what_became_of_a_detection_is_what_defenders_record_says(
    more: dict[str, t.Any], outcome: str, words: str
) -> None:
    became, why = defender.became({**ENTRY, **more})
    assert became == outcome
    assert words in why


def test_detections_are_new_or_over_by_two_looks_at_the_record() -> None:
    waiting = {**ENTRY, "id": "1/B", "status_id": 1}
    new, over = defender.compare([waiting, ENTRY], [{**waiting, "status_id": 4}, ENTRY, {**ENTRY, "id": "1/C"}])
    assert [entry["id"] for entry in new] == ["1/C"]
    assert over == ["1/B"]
    assert defender.count_open({"detections": [waiting, ENTRY]}) == 1
    assert defender.count_open({"detections": None}) == 0


def test_options_at_their_defaults_are_not_called_meaningless() -> None:
    assert plan(look()).warnings == []
    assert plan(look(), antivirus_scan_paths=["/"]).warnings == []
    (line,) = plan(look(), antivirus_archives="quarantine", antivirus_scan_exclude=["/srv"]).warnings
    assert line.endswith("antivirus_scan_exclude, antivirus_archives")
