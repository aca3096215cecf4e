"""What the watch asks of a host: little, in the shape of an assessment, and without root rights."""

from __future__ import annotations

import typing as t

import pytest
from replay import ReplayMachine

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _units
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import Unreadable
from ansible_collections.keepwell.fleet.plugins.module_utils.watch import _agent, _boot, _room, _watched
from ansible_collections.keepwell.fleet.plugins.plugin_utils import observation, payload, policy
from ansible_collections.keepwell.fleet.plugins.plugin_utils.assessment import Judging
from ansible_collections.keepwell.fleet.plugins.plugin_utils.watch import judging

NOW = 1795780800.0
SHOW = f"systemctl show -p {_units.UNIT_PROPERTIES} -- "
GIB = 2**30


def block(name: str, active: str, load: str = "loaded", **more: str) -> str:
    told = {"Id": name, "Type": "simple", "LoadState": load, "ActiveState": active, "SubState": "x", **more}
    return "\n".join(f"{key}={value}" for key, value in told.items()) + "\n"


def machine(out: str = "", asked: str = "", **more: t.Any) -> ReplayMachine:
    files = {"/run/systemd/system": None, **more.pop("files", {})}
    return ReplayMachine({"files": files, "commands": {SHOW + asked: {"out": out}} if asked else {}, **more})


def services(*names: str, out: str) -> dict[str, t.Any]:
    asked = " ".join(sorted(name if "." in name else f"{name}.service" for name in names))
    return _watched.collect(machine(out, asked), {"watched": list(names)})


def test_one_question_about_the_watched_units_and_no_others() -> None:
    out = "\n".join([block("backup.timer", "active"), block("nginx.service", "failed", Result="exit-code")])
    found = services("nginx", "backup.timer", out=out)
    assert found["watched"] == ["backup.timer", "nginx.service"]
    assert found["units"]["nginx.service"]["active"] == "failed"
    assert found["timers"] == {"backup.timer": {"active": "active"}}


def test_an_alias_is_told_under_the_name_that_was_asked_for() -> None:
    found = services("mysql", out=block("mariadb.service", "active"))
    assert found["units"]["mysql.service"]["active"] == "active"


def test_fewer_answers_than_questions_are_no_answer() -> None:
    with pytest.raises(Unreadable):
        services("nginx", "php-fpm", out=block("nginx.service", "active"))


def test_a_host_without_systemd_says_so() -> None:
    with pytest.raises(Unreadable) as caught:
        _watched.collect(ReplayMachine({"files": {}}), {"watched": ["nginx"]})
    assert caught.value.status == "absent"


def test_filesystems_that_this_user_may_not_see_are_left_to_an_assessment() -> None:
    mounts = "26 1 254:0 / / rw - ext4 /dev/vda rw\n27 26 254:1 / /secret rw - ext4 /dev/vdb rw\n"
    numbers = {
        "bsize": 4096, "frsize": 4096, "blocks": 1000, "bfree": 500, "bavail": 400, "files": 10, "ffree": 5, "favail": 5,
    }  # fmt: skip
    replayed = machine(
        files={"/proc/self/mountinfo": mounts},
        privileged=False,
        stats={"/": {"kind": "dir"}, "/secret": {"kind": "dir"}},
        statvfs={"/": numbers, "/secret": None},
    )
    assert [entry["mount"] for entry in _room.collect(replayed, {})["filesystems"]] == ["/"]


def test_a_container_is_another_start_when_its_first_process_is_another() -> None:
    stat = "1 (systemd) S " + " ".join(["0"] * 18) + " 4711 0 0"
    files = {"/proc/sys/kernel/random/boot_id": "abc\n", "/proc/1/stat": stat, "/proc/uptime": "100.0 1.0\n"}
    assert _boot.collect(machine(files=files), {})["boot"] == {"boot_id": "abc", "pid1_ticks": 4711, "uptime_s": 100.0}


@pytest.mark.parametrize(
    "request_", [{}, {"operation": "look"}, {"operation": "look", "parts": ["apt"], "budget_s": 1}]
)
def test_a_request_that_makes_no_sense_is_refused(request_: dict[str, t.Any]) -> None:
    assert _agent.answer(request_)["error"] == "bad_request"


def test_this_machine_answers_in_the_shape_of_an_observation() -> None:
    document = _agent.answer({"operation": "look", "parts": ["disks", "system"], "parameters": {}, "budget_s": 10})
    assert observation.check_shape(document) is None
    assert set(document["probes"]) == {"disks", "system"}


def test_the_program_is_a_fraction_of_an_assessments() -> None:
    assert len(payload.agent("watch", {})) * 3 < len(payload.program(["all"], {}, 20.0))


def document(active: str = "active", avail: int = 50 * GIB, **disks: t.Any) -> dict[str, t.Any]:
    """What a host answers a beat."""
    filesystem = {
        "mount": "/",
        "kind": "disk",
        "read_only": False,
        "status": "ok",
        "size_bytes": 100 * GIB,
        "used_bytes": 100 * GIB - avail,
        "avail_bytes": avail,
        "inodes_total": None,
        "inodes_free": None,
    }
    unit = {"type": "simple", "load": "loaded", "active": active, "sub": "dead", "result": "exit-code"}
    data = {
        "disks": {"filesystems": [filesystem], **disks},
        "services": {"watched": ["nginx.service"], "units": {"nginx.service": unit}, "timers": {}},
        "system": {"boot": {"boot_id": "0f1e2d3c-4b5a", "pid1_ticks": 22}},
    }
    probes = {name: {"status": "ok", "data": entry, "sources": {}} for name, entry in data.items()}
    return {"schema_version": "1.0", "collected_at": NOW, "duration_s": 0.1, "python": "3.11", "probes": probes}


def seen(what: dict[str, t.Any], room: judging.Room | None = None, **more: t.Any) -> dict[tuple[str, str], str]:
    facts = Judging("", "acme", "web1", (), NOW, policy.build([]), **more)
    sample, findings = judging.observed(facts, what, ["nginx"], None, room or {})
    assert sample.answer == "ok"
    assert sample.watched == ["nginx.service"]
    assert sample.boot == "0f1e2d3c-4b5a/22"
    assert {(entry.check, entry.object) for entry in sample.findings} == set(findings)
    return {(entry.check, entry.object): entry.state for entry in sample.findings}


def test_the_checks_of_assessments_judge_a_beat() -> None:
    assert seen(document()) == {}
    assert seen(document("failed")) == {("services.watched", "nginx.service"): "crit"}
    assert seen(document(avail=GIB)) == {("capacity.space", "/"): "crit"}


def test_a_disk_that_is_full_within_hours_is_found_from_the_beats_before() -> None:
    # 8 GiB an hour over the last two hours, and 15 GiB are left.
    room = {
        "/": [
            (NOW - minutes * 60, [85 * GIB - minutes * 8 * GIB // 60, 15 * GIB + minutes * 8 * GIB // 60, 100 * GIB])
            for minutes in range(120, 0, -5)
        ]
    }
    assert seen(document(avail=15 * GIB), room) == {("capacity.burst", "/"): "crit"}
    assert seen(document(avail=15 * GIB)) == {}


def test_a_service_that_could_not_be_asked_for_is_unknown() -> None:
    what = document()
    what["probes"]["services"] = {"status": "error", "detail": "no answer", "data": {}, "sources": {}}
    assert seen(what) == {("services.watched", ""): "unknown"}
