"""The canary: renewed in time, never over something else, and judged by the version that was there then."""

from __future__ import annotations

import json
import os
import stat
import typing as t
from pathlib import Path

import made_backup
import pytest

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import _agent, _canary
from ansible_collections.keepwell.fleet.plugins.module_utils.chores._errors import AgentError
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.models import CanaryProof

HOUR = 3600.0


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made_backup.install(tmp_path, monkeypatch.setattr)
    return Path(_canary.PLACE)


def renewed(path: Path, now: float, every: float = 168) -> dict[str, t.Any]:
    return _canary.renew("shop", str(path), every, now)


# --- writing


def test_it_is_written_and_left_until_it_is_old(place: Path) -> None:
    first = renewed(place / "shop", 1000.0)
    assert (first["written"], first["version"], first["written_at"]) == (True, 1, 1000.0)
    data = (place / "shop").read_bytes()
    assert _canary.read(data) == {
        "keepwell_canary": "shop",
        "version": 1,
        "written_at": 1000.0,
        "nonce": json.loads(data)["nonce"],
    }
    again = renewed(place / "shop", 1000.0 + 167 * HOUR)
    assert (again["written"], again["version"]) == (False, 1)
    assert (place / "shop").read_bytes() == data
    later = renewed(place / "shop", 1000.0 + 168 * HOUR)
    assert (later["written"], later["version"], len(later["history"])) == (True, 2, 2)
    assert (place / "shop").read_bytes() != data
    assert sorted(os.listdir(place)) == [".shop.history.json", "shop"]
    assert stat.S_IMODE((place / ".shop.history.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(place.stat().st_mode) == 0o700


def test_the_history_has_an_end(place: Path) -> None:
    for number in range(70):
        found = renewed(place / "shop", number * 200 * HOUR)
    assert (found["version"], len(found["history"]), found["history"][0]["version"]) == (70, 60, 11)


@pytest.mark.parametrize("damage", [b"", b"{}", b'{"keepwell_canary": "shop"'])
def test_a_damaged_one_in_our_own_place_is_written_anew(place: Path, damage: bytes) -> None:
    renewed(place / "shop", 1000.0)
    (place / "shop").write_bytes(damage)
    assert renewed(place / "shop", 1001.0)["version"] == 2
    (place / "shop").unlink()
    assert renewed(place / "shop", 1002.0)["version"] == 3


def test_nothing_else_is_ever_overwritten(place: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("stays")
    with pytest.raises(AgentError, match="is no canary of the dataset shop; it is not overwritten"):
        renewed(precious, 1000.0)
    assert precious.read_text() == "stays"
    link = tmp_path / "link"
    link.symlink_to(precious)
    with pytest.raises(AgentError, match="not overwritten"):
        renewed(link, 1000.0)
    _canary.renew("other", str(place / "x"), 168, 1000.0)
    with pytest.raises(AgentError, match="no canary of the dataset shop"):
        renewed(place / "x", 1000.0)


def test_elsewhere_no_folder_is_made(place: Path, tmp_path: Path) -> None:
    with pytest.raises(AgentError, match="does not exist"):
        renewed(tmp_path / "none" / "shop", 1000.0)
    assert renewed(tmp_path / "shop", 1000.0)["written"]
    assert not (tmp_path / "none").exists()


def test_a_link_that_others_can_make_is_not_followed(place: Path, tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "victim").mkdir()
    (tmp_path / "open" / "way").symlink_to(tmp_path / "victim")
    with pytest.raises(AgentError, match="symbolic link"):
        renewed(tmp_path / "open" / "way" / "shop", 1000.0)
    assert os.listdir(tmp_path / "victim") == []


def test_one_bad_canary_costs_no_other(place: Path, tmp_path: Path) -> None:
    asked = [
        {"id": "bad", "path": "/proc/none/x", "every_hours": 1},
        {"id": "shop", "path": str(place / "s"), "every_hours": 1},
    ]
    found = _agent.OPERATIONS["canary"](None, {"canaries": asked, "now": 5.0})["canaries"]
    assert (found["bad"]["error"], found["shop"]["written_at"]) == ("no_folder", 5.0)


# --- judging


def versions(*times: float) -> tuple[list[bytes], list[dict[str, t.Any]]]:
    """Contents written at these times, and their history."""
    import hashlib

    data = [_canary.text_of("shop", number + 1, when, f"n{number}").encode() for number, when in enumerate(times)]
    history = [
        {"version": number + 1, "written_at": when, "sha256": hashlib.sha256(data[number]).hexdigest()}
        for number, when in enumerate(times)
    ]
    return data, history


def judged(data: bytes | None, began: float, history: list[dict[str, t.Any]], end: float | None = None) -> str:
    found = _canary.proof("shop", "/c", data, {"time": began, "end": end}, history, 192)
    CanaryProof.model_validate(found)
    assert found["text"]
    return str(found["outcome"])


def test_the_version_of_the_moment_when_the_snapshot_began_is_wanted() -> None:
    (first, second, third), history = versions(0, 100 * HOUR, 200 * HOUR)
    # The previous one, in a snapshot that is older than the rewrite.
    assert judged(second, 150 * HOUR, history) == "proven"
    assert judged(third, 201 * HOUR, history) == "proven"
    assert judged(second, 201 * HOUR, history) == "stale"
    assert judged(first, 150 * HOUR, history) == "stale"
    assert judged(third, 150 * HOUR, history) == "wrong"
    # Written anew while the snapshot was made.
    assert judged(third, 199 * HOUR, history, 201 * HOUR) == "proven"
    assert judged(second, 199 * HOUR, history, 201 * HOUR) == "proven"


def test_what_is_older_than_it_may_be_is_stale() -> None:
    (first,), history = versions(0)
    assert judged(first, 192 * HOUR, history) == "proven"
    assert judged(first, 193 * HOUR, history) == "stale"


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b"[]", b"null", _canary.text_of("other", 1, 0, "n0").encode(), b"{}"], ids=repr
)
def test_anything_else_is_wrong(data: bytes) -> None:
    assert judged(data, 50.0, versions(0)[1]) == "wrong"
    assert judged(None, 50.0, versions(0)[1]) == "missing"


def test_a_version_that_was_never_written_is_wrong() -> None:
    forged = _canary.text_of("shop", 1, 0, "forged").encode()
    assert judged(forged, 50.0, versions(0)[1]) == "wrong"
    flipped = versions(0)[0][0].replace(b'"n0"', b'"n1"')
    assert judged(flipped, 50.0, versions(0)[1]) == "wrong"


def test_where_the_history_does_not_reach_the_own_checksum_has_to_do() -> None:
    (first, _second), history = versions(0, 100 * HOUR)
    found = _canary.proof("shop", "/c", first, {"time": 50.0}, history[1:], 192)
    assert (found["outcome"], "does not reach back" in found["text"]) == ("proven", True)
    assert judged(first, 50.0, []) == "proven"
