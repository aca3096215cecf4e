# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Windows hosts tell of their backups, as looks, plans and proofs."""

from __future__ import annotations

import base64
import json
import typing as t

import pytest

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import _canary
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification import options
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.datasets import Dataset
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.known import below
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.models import Look, Proof
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.plans import Told
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.windows_hosts import (
    looks,
    plans,
    proofs,
    restic,
    server_backup,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.settings import SettingsError

AT = 1795399200.0  # 2026-11-23 02:00 UTC
CANARY = r"D:\Data\canary"
WSB: dict[str, t.Any] = {
    "summary": {"last_at": AT, "last_hr": 0, "last_detailed_hr": 0, "last_success_at": AT, "next_at": None, "versions": 1},
    "sets": [
        {
            "id": "11/23/2026-02:00",
            "at": AT,
            "target": {"type": "Volume", "path": "E:", "label": "Backup"},
            "volumes": ["C:", "D:"],
            "applications": [],
        }
    ],
    "jobs": [
        {"version_id": "11/23/2026-02:00", "started_at": AT, "ended_at": AT + 60, "hr": 0, "detailed_hr": 0, "bytes": 9}
    ],
    "policy": {"volumes": ["C:", "D:"], "files": [], "excludes": []},
    "running": False,
    "free_bytes": 1 << 40,
}  # fmt: skip


def dataset(**more: t.Any) -> Dataset:
    told = {
        "id": "files",
        "protects": "x",
        "tool": "windows_server_backup",
        "repository": "E:",
        "sources": [r"D:\Data"],
    }
    return Dataset.model_validate({**told, **more})


def look(chosen: Dataset, facts: t.Any, status: str = "ok", detail: str = "") -> Look:
    return Look.model_validate(looks.of(chosen, {"status": status, "detail": detail, "tool": None, "facts": facts}))


def wsb(**more: t.Any) -> dict[str, t.Any]:
    return {**json.loads(json.dumps(WSB)), **more}


def test_a_version_of_windows_server_backup_is_a_snapshot() -> None:
    seen = look(dataset(expected_paths=[r"D:\Data\x"]), wsb())
    (snapshot,) = seen.snapshots
    assert (snapshot.id, snapshot.time, snapshot.end, snapshot.complete) == ("11/23/2026-02:00", AT, AT + 60, True)
    assert (seen.missing, seen.writer) == ([], "")
    assert seen.last_run is not None and seen.last_run.result == "success"
    assert seen.repository is not None and seen.repository.location == "local"
    assert seen.repository.same_device is False


def test_the_name_of_a_version_tells_its_time_in_utc_where_nothing_else_does() -> None:
    facts = wsb()
    facts["sets"][0]["at"] = None
    # The id has minutes; the run began at 02:00.
    assert look(dataset(), facts).snapshots[0].time == AT


@pytest.mark.parametrize(
    ("hr", "detailed", "result", "code", "complete"),
    [
        (0, 0, "success", "", True),
        (0, 2147942833, "warning", "0x800701b1", False),
        (2155348165, 2147942833, "failed", "0x807800c5", False),
        (-2139619131, 0, "failed", "0x807800c5", False),
    ],
)
def test_results_are_numbers_whatever_their_sign(
    hr: int, detailed: int, result: str, code: str, complete: bool
) -> None:
    facts = wsb()
    facts["summary"] |= {"last_hr": hr, "last_detailed_hr": detailed}
    facts["jobs"][0] |= {"hr": hr, "detailed_hr": detailed}
    seen = look(dataset(), facts)
    assert seen.last_run is not None
    assert (seen.last_run.result, seen.last_run.code) == (result, code)
    assert seen.snapshots[0].complete is complete


def test_only_versions_at_the_place_and_with_the_volumes_of_the_dataset_belong_to_it() -> None:
    assert look(dataset(repository="catalogue"), wsb()).snapshots
    assert look(dataset(repository="e:\\"), wsb()).snapshots
    assert not look(dataset(repository=r"\\nas\backup"), wsb()).snapshots
    assert not look(dataset(sources=[r"F:\Shop"]), wsb()).snapshots
    share = wsb()
    share["sets"][0]["target"] = {"type": "Network", "path": r"\\nas\backup", "label": ""}
    seen = look(dataset(repository=r"\\nas\backup"), share)
    assert seen.repository is not None and seen.repository.location == "mount"


def test_expected_paths_are_missing_where_the_schedule_leaves_them_out() -> None:
    wanted = dataset(expected_paths=[r"D:\Data\a", r"D:\Data\b", r"G:\x"])
    facts = wsb(policy={"volumes": ["C:"], "files": [r"D:\DATA"], "excludes": [r"D:\Data\b"]})
    assert look(wanted, facts).missing == [r"D:\Data\b", r"G:\x"]
    assert look(wanted, wsb(policy={"volumes": [], "files": [r"D:\Other"], "excludes": []})).missing == [
        r"D:\Data\a",
        r"D:\Data\b",
        r"G:\x",
    ]


def test_what_cannot_be_understood_is_an_error_and_no_good_look() -> None:
    assert look(dataset(), {"sets": []}).status == "error"
    assert look(dataset(), None, "denied", "no right").status == "denied"
    assert look(dataset(tool="borg", repository="/srv"), None).status == "absent"
    assert looks.of(dataset(), "nonsense") == "nonsense"


def test_sessions_of_veeam_that_made_a_point_are_snapshots() -> None:
    sessions = [
        {"id": "a", "job": "Daily", "started_at": AT - 60, "ended_at": AT, "result": "warning", "text": "low on space"},
        {"id": "b", "job": "Daily", "started_at": None, "ended_at": AT + 60, "result": "failed", "text": ""},
        {"id": "c", "job": "Other", "started_at": None, "ended_at": AT + 90, "result": "success", "text": ""},
    ]
    veeam = dataset(tool="veeam_agent", repository="daily", sources=[])
    seen = look(veeam, {"sessions": sessions, "running": True})
    assert [(entry.id, entry.time) for entry in seen.snapshots] == [("a", AT - 60)]
    assert seen.last_run is not None and (seen.last_run.result, seen.last_run.at) == ("failed", AT + 60)
    assert seen.writer == "Veeam Agent"
    none = look(dataset(tool="veeam_agent", repository="Weekly"), {"sessions": sessions, "running": False})
    assert (none.status, "Daily, Other" in none.detail) == ("no_repository", True)


def said(rc: int = 0, out: str = "", err: str = "") -> dict[str, t.Any]:
    return {"status": "ok", "rc": rc, "out": out, "err": err}


def test_what_restic_prints_is_understood_as_everywhere() -> None:
    entry = {"id": "ab", "time": "2026-11-23T02:00:00Z", "hostname": "win01", "paths": ["D:\\"], "tags": None}
    chosen = dataset(tool="restic", repository="E:\\repo", expected_paths=[r"D:\Data\A", r"D:\Data\B"])
    content = said(out=json.dumps({"struct_type": "node", "path": "/D/data/a"}))
    facts = {"snapshots": said(out=json.dumps([entry])), "content": content, "free_bytes": 7}
    seen = look(chosen, facts)
    assert ([snapshot.id for snapshot in seen.snapshots], seen.missing) == (["ab"], [r"D:\Data\B"])
    assert seen.repository is not None and (seen.repository.path, seen.repository.same_device) == ("E:\\repo", False)
    assert look(chosen, {**facts, "content": None}).missing is None
    wrong = {**facts, "snapshots": said(12, err="Fatal: wrong password or no key found")}
    assert look(chosen, wrong).status == "bad_password"
    assert not look(dataset(tool="restic", repository="E:\\repo", hosts=["win02"]), facts).snapshots


def test_paths_in_a_snapshot_of_restic_and_what_is_told_to_it() -> None:
    assert restic.inside(r"d:\Data\a [1].txt") == "/D/Data/a [1].txt"
    assert restic.includes([r"D:\a [1].txt"])[0]["include"] == r"/D/a \[1\].txt"


def test_wbadmin_gets_files_of_one_folder_at_a_time() -> None:
    wanted = [r"D:\a\1", r"D:\b\2", r"D:\a\3", *(rf"D:\c\{number}" for number in range(60))]
    made = server_backup.groups(wanted)
    assert [(group["folder"], len(group["names"])) for group in made] == [
        ("D:\\a", 2),
        ("D:\\b", 1),
        ("D:\\c", 50),
        ("D:\\c", 10),
    ]


def test_paths_of_windows_know_no_case_and_others_do() -> None:
    assert below(r"d:\DATA\x", "D:\\Data")
    assert below("D:\\Data", "D:\\")
    assert not below(r"D:\Database", r"D:\Data")
    assert not below("/srv/Data", "/srv/data")


ASKED: dict[str, t.Any] = {
    "kind": "sample",
    "sandbox": {"base": "/var/lib/keepwell/sandbox", "free_percent": 15.0},
    "sample": {"files": 2, "bytes": 1 << 20},
    "seed": "s",
    "dataset": {"canary": {"path": CANARY}},
}
ROOM: dict[str, t.Any] = {
    "base": r"C:\Keepwell", "free_bytes": 50 << 30, "total_bytes": 100 << 30, "code": "", "refused": ""
}  # fmt: skip


def answer(**more: t.Any) -> dict[str, t.Any]:
    files = [{"path": rf"D:\Data\{number}", "size": 10, "changed_at": AT - 99} for number in range(4)]
    files.append({"path": r"D:\Data\young", "size": 10, "changed_at": AT + 1})
    told = {"look": {"status": "ok", "facts": wsb()}, "files": files, "files_cut": False, "sandbox": ROOM}
    return {**told, **more}


def told(chosen: Dataset, asked: dict[str, t.Any] | None = None, **more: t.Any) -> Told:
    return Told.model_validate(plans.told(chosen, {**ASKED, **(asked or {})}, answer(**more)))


def test_a_sample_is_of_files_that_nobody_touched_since_the_backup_began() -> None:
    made = told(dataset())
    assert len(made.files) == 2 and r"D:\Data\young" not in made.files
    assert (made.snapshot, made.refused, made.target) == ("11/23/2026-02:00", "", r"C:\Keepwell")
    young = [{"path": r"D:\Data\young", "size": 10, "changed_at": AT + 1}]
    assert told(dataset(), files=young).code == "nothing_fits"
    assert told(dataset(), files_cut=True).notes


def test_everything_is_restored_only_where_there_is_room_for_it() -> None:
    entry = {"id": "ab", "time": "2026-11-23T02:00:00Z", "hostname": "win01", "paths": ["D:\\"], "tags": None}
    entry["summary"] = {"total_bytes_processed": 40 << 30}
    facts = {"snapshots": said(out=json.dumps([entry])), "content": None, "free_bytes": 7}
    chosen = dataset(tool="restic", repository="E:\\repo")
    look_ = {"status": "ok", "facts": facts}
    assert told(chosen, {"kind": "full"}, look=look_).code == "no_space"
    roomy = {**ROOM, "free_bytes": 90 << 30}
    made = told(chosen, {"kind": "full"}, look=look_, sandbox=roomy)
    assert (made.code, made.bytes, made.files) == ("", 40 << 30, [])
    assert plans.order(chosen, {**ASKED, "kind": "full"}, made)["need_bytes"] == int((40 << 30) * 1.2)


def test_the_canary_is_asked_for_even_where_a_newer_one_lies_there_or_none() -> None:
    chosen = dataset(canary={"path": CANARY})
    assert told(chosen, {"kind": "canary"}, files=[]).files == [CANARY]
    made = told(chosen)
    assert CANARY in made.files
    asked = {**ASKED, "kind": "sample"}
    assert plans.order(chosen, asked, made)["canary_path"] == CANARY
    without = plans.order(chosen, {**asked, "dataset": {}}, made)
    assert without["canary_path"] is None and CANARY not in without["wanted"]["paths"]


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"look": {"status": "absent", "detail": "not there", "facts": None}}, "absent"),
        ({"look": {"status": "ok", "facts": wsb(running=True)}}, "writer"),
        ({"look": {"status": "ok", "facts": wsb(sets=[])}}, "no_snapshot"),
        ({"sandbox": {**ROOM, "free_bytes": 10 << 30}}, "no_space"),
        ({"sandbox": {**ROOM, "free_bytes": None}}, "no_space"),
        ({"sandbox": {**ROOM, "code": "unsafe_path", "refused": "a link"}}, "unsafe_path"),
    ],
)
def test_what_stands_against_a_test_has_a_word(more: dict[str, t.Any], code: str) -> None:
    made = told(dataset(), **more)
    assert made.code == code
    assert made.refused


def test_a_sandbox_that_is_no_path_of_windows_is_the_hosts_own() -> None:
    assert plans.request(ASKED)["sandbox"]["base"] == ""
    chosen = plans.request({**ASKED, "sandbox": {"base": r"S:\scratch", "free_percent": 1}})
    assert chosen["sandbox"]["base"] == r"S:\scratch"


# -- proofs ------------------------------------------------------------------------------------------------------
TEXT = _canary.text_of("files", 1, int(AT) - 100, "0" * 32).encode()
COMPARED: dict[str, t.Any] = {
    "files": 1, "bytes": 5, "identical": 1, "unreferenced": 0, "changed": 0, "mismatches": [], "missing": [],
    "paths": [r"D:\Data\1"],
}  # fmt: skip
FACTS: dict[str, t.Any] = {
    "kind": "sample", "host": "win01", "snapshot": "11/23/2026-02:00", "snapshot_time": AT, "snapshot_end": None,
    "dataset_bytes": None, "part": None, "parts": None, "said": None, "codes": [0], "compared": COMPARED,
    "canary": None, "seconds": 1.0, "total_seconds": 2.0, "sandbox": r"C:\S\x", "left": "", "late": False,
    "full": False, "key_source": "",
}  # fmt: skip


def proof(code: str = "", text: str = "", chosen: Dataset | None = None, history: t.Any = (), **more: t.Any) -> Proof:
    state = {"id": "T1", "code": code, "text": text, "ended_at": AT + 600, "bounded": "", "facts": {**FACTS, **more}}
    return Proof.model_validate(proofs.ended(chosen or dataset(), state, history)["proof"])


def history(text: bytes = TEXT) -> list[dict[str, t.Any]]:
    import hashlib

    return [{"version": 1, "written_at": AT - 100, "sha256": hashlib.sha256(text).hexdigest()}]


def test_what_came_back_as_it_was_is_proven() -> None:
    made = proof()
    assert (made.outcome, made.identical, made.host, made.at) == ("proven", 1, "win01", AT + 600)
    assert len(made.digests) == 1


@pytest.mark.parametrize(
    ("data", "known", "outcome", "canary"),
    [
        (TEXT, history(), "proven", "proven"),
        (TEXT, history(b"other"), "failed", "wrong"),
        (b"garbage", history(), "failed", "wrong"),
        (None, history(), "failed", "missing"),
    ],
)
def test_the_canary_is_judged_by_the_control_nodes_record(
    data: bytes | None, known: list[dict[str, t.Any]], outcome: str, canary: str
) -> None:
    told_data = "" if data is None else base64.b64encode(data).decode()
    facts = {"path": CANARY, "data": told_data}
    made = proof(chosen=dataset(canary={"path": CANARY}), history=known, canary=facts)
    assert made.outcome == outcome
    assert made.canary is not None and made.canary.outcome == canary


@pytest.mark.parametrize(
    ("more", "outcome", "code"),
    [
        ({"compared": {**COMPARED, "mismatches": [{"path": "x", "why": "y"}]}}, "failed", "mismatch"),
        ({"compared": {**COMPARED, "missing": ["x"]}}, "failed", "missing"),
        ({"codes": [0, -3]}, "error", "restore_failed"),
        ({"codes": [None], "late": True}, "timeout", "timeout"),
        ({"codes": [], "said": said(1, err="Fatal: repository contains errors")}, "damaged", "damaged"),
        ({"kind": "structure", "said": said(0, '{"num_errors": 0}'), "compared": None}, "proven", ""),
        ({"kind": "data", "said": said(1, err="Fatal: repository contains errors")}, "damaged", "damaged"),
        ({"kind": "data", "said": said(0, "")}, "error", "error"),
    ],
)
def test_what_went_wrong_is_called_as_everywhere(more: dict[str, t.Any], outcome: str, code: str) -> None:
    made = proof(**more)
    assert (made.outcome, made.code) == (outcome, code)


def test_a_test_that_did_not_come_to_its_end_proves_nothing_and_tells_what_is_left() -> None:
    made = proof("interrupted", "The program was ended.", left=r"C:\S\x (IOException)", compared=None)
    assert (made.outcome, made.text, made.left) == ("error", "The program was ended.", r"C:\S\x (IOException)")


def test_datasets_of_windows_hosts_are_read_and_mistakes_in_them_told() -> None:
    chosen = dataset(restored_by_hand={"date": "2026-11-01", "by": "J. Smit"})
    assert chosen.restored_by_hand is not None
    assert chosen.shared_key("win01") != chosen.shared_key("win02")
    wrong = {"id": "x", "protects": "y", "tool": "windows_server_backup", "repository": "E:", "sources": ["Data"]}
    with pytest.raises(SettingsError, match="sources"):
        options.read({"backup_verification_datasets": [wrong]})
