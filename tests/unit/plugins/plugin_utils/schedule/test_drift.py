"""What is installed and what is written: every difference has its sentence, and another's file is never ours."""

from __future__ import annotations

import hashlib
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ansible_collections.keepwell.fleet.plugins.plugin_utils import assessment, policy
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import dump
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import Contact
from ansible_collections.keepwell.fleet.plugins.plugin_utils.schedule import drift, installed, jobs, model

SERVICE, TIMER = "/etc/systemd/system/keepwell-acme-x.service", "/etc/systemd/system/keepwell-acme-x.timer"
HASH = hashlib.sha256(b"text").hexdigest()
WANTED = drift.Installed(node="control", files={SERVICE: HASH, TIMER: HASH}, timers=["keepwell-acme-x.timer"])
RUNS = {"keepwell-acme-x.timer": (True, True)}


def found(**files: tuple[str | None, str]) -> dict[str, drift.File]:
    places = {"service": SERVICE, "timer": TIMER, "old": SERVICE.replace("-x", "-old")}
    return {places[name]: drift.File(*file) for name, file in files.items()}


def told(there: drift.Found, wanted: drift.Installed = WANTED) -> list[tuple[str, str]]:
    return [(entry.kind, entry.object) for entry in drift.differences(wanted, there, "acme")]


def test_what_is_as_written_is_no_difference() -> None:
    files = found(service=("acme", HASH), timer=("acme", HASH))
    assert told(drift.Found(files, RUNS)) == []


@pytest.mark.parametrize(
    ("files", "timers", "expected"),
    [
        ({"timer": ("acme", HASH)}, RUNS, [("missing", "keepwell-acme-x.service")]),
        ({"service": ("acme", "other"), "timer": ("acme", HASH)}, RUNS, [("changed", "keepwell-acme-x.service")]),
        (
            {"service": ("acme", HASH), "timer": ("acme", HASH), "old": ("acme", HASH)},
            RUNS,
            [("left_over", "keepwell-acme-old.service")],
        ),
        ({"service": ("acme", HASH), "timer": ("acme", HASH), "old": ("other", HASH)}, RUNS, []),
        ({"service": ("acme", HASH), "timer": ("acme", HASH)}, {}, [("not_running", "keepwell-acme-x.timer")]),
        (
            {"service": ("acme", HASH), "timer": ("acme", HASH)},
            {"keepwell-acme-x.timer": (False, True)},
            [("not_running", "keepwell-acme-x.timer")],
        ),
        ({"service": ("acme", HASH), "timer": ("acme", HASH)}, None, [("unknown", "")]),
    ],
)
def test_a_difference_is_told(files: dict, timers: dict | None, expected: list[tuple[str, str]]) -> None:
    assert told(drift.Found(found(**files), timers)) == expected


def test_cron_that_does_not_run_is_a_difference() -> None:
    wanted = drift.Installed(kind="cron", files={"/etc/cron.d/keepwell-acme": HASH})
    files = {"/etc/cron.d/keepwell-acme": drift.File("acme", HASH)}
    assert told(drift.Found(files, {}, cron_runs=True), wanted) == []
    assert told(drift.Found(files, {}, cron_runs=False), wanted) == [("not_running", "cron")]


def test_what_another_made_is_in_the_way() -> None:
    files = found(service=("acme", HASH), timer=("other", HASH), old=(None, HASH))
    there = drift.Found(files)
    assert drift.foreign([SERVICE], there, "acme") == []
    assert drift.foreign([TIMER], there, "acme")[0].startswith(f"{TIMER} belongs to client other.")
    assert "was not made by Keepwell" in drift.foreign([SERVICE.replace("-x", "-old")], there, "acme")[0]


def test_a_schedule_that_was_changed_has_to_be_installed_anew() -> None:
    entries = {"x": model.Entry.model_validate({"playbook": "assess", "every": "1h"})}
    written = drift.digest(entries, "UTC")
    assert written == drift.digest(dict(entries), "UTC")
    assert written != drift.digest(entries, "Europe/Amsterdam")
    there = drift.Found(found(service=("acme", HASH), timer=("acme", HASH)), RUNS)
    standing = drift.standing(WANTED.model_copy(update={"written": written}), there, "acme", written)
    assert (standing.files, standing.differences) == (2, [])
    standing = drift.standing(WANTED, there, "acme", written)
    assert [entry.kind for entry in standing.differences] == ["not_installed"]


def test_only_the_node_that_installed_it_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = {"x": model.Entry.model_validate({"playbook": "assess", "every": "1h"})}
    assert installed.standing("acme", tmp_path, entries, "UTC") is None
    record = drift.Installed(node="control", kind="systemd", written=drift.digest(entries, "UTC"))
    (tmp_path / "schedule.json").write_bytes(dump(record))
    monkeypatch.setattr(installed, "node", lambda: "elsewhere")
    assert installed.standing("acme", tmp_path, entries, "UTC") is None
    monkeypatch.setattr(installed, "node", lambda: "control")
    standing = installed.standing("acme", tmp_path, entries, "UTC")
    assert standing is not None
    assert standing.differences == []


def test_files_are_found_with_their_owners(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "keepwell-acme-x.timer").write_text(f"{jobs.mark('acme')}\n[Timer]\n")
    (tmp_path / "keepwell-mine.timer").write_text("[Timer]\n")
    (tmp_path / "keepwell-lost.timer").symlink_to("nowhere")
    monkeypatch.setattr(installed, "_PATTERNS", (f"{str(tmp_path)[1:]}/keepwell-*.timer",))
    there = installed.look([])
    assert {Path(path).name: file.owner for path, file in there.files.items()} == {
        "keepwell-acme-x.timer": "acme",
        "keepwell-lost.timer": None,
        "keepwell-mine.timer": None,
    }
    assert there.owned("acme") == [str(tmp_path / "keepwell-acme-x.timer")]
    assert isinstance(installed.local_zone(), ZoneInfo | None)


SCHEDULE = "availability.schedule"


def test_a_silent_host_says_nothing_of_the_schedule_but_the_control_node_does() -> None:
    def states(standing: drift.Standing | None) -> dict[str, str]:
        judging = assessment.Judging("r", "acme", "web1", (), 1795780800.0, policy.build([]), schedule=standing)
        evidence = assessment.judge_silence(judging, Contact(reached=False, reason="no answer"))
        assert (SCHEDULE in evidence.result.not_applicable) == (standing is None)
        return {result.check: result.state for result in evidence.result.results}

    assert SCHEDULE not in states(None)
    assert states(drift.Standing(kind="systemd", files=3))[SCHEDULE] == "ok"
