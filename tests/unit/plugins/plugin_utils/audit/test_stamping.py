"""Time stamps by a real authority: asked for once a day, kept when they count, waited for when it is down."""

from __future__ import annotations

import socket
import typing as t
from pathlib import Path

import pytest
from fleet_runs import NOW
from sealed_client import DAY, Authority, authority, prepared, signed_runs

from ansible_collections.keepwell.fleet.plugins.plugin_utils.audit import stamping, verify
from ansible_collections.keepwell.fleet.plugins.plugin_utils.audit.options import AuditOptions
from ansible_collections.keepwell.fleet.plugins.plugin_utils.evidence import Store


@pytest.fixture
def tsa(tmp_path: Path) -> t.Iterator[Authority]:
    with authority(tmp_path / "tsa") as there:
        yield there


def told(tmp_path: Path, tsa: Authority, **more: t.Any) -> AuditOptions:
    return prepared(tmp_path / "client", timestamp_url=tsa.url, timestamp_ca=str(tsa.certificate), **more)


def look(store: Store, options: AuditOptions) -> verify.Verification:
    place = verify.Folder(str(store.root))
    return verify.Verification(place, options.allowed_signers, options.timestamp_ca).look()


def test_a_run_is_stamped_and_the_stamp_can_be_checked(tmp_path: Path, tsa: Authority) -> None:
    store, options = Store(tmp_path / "state", "acme"), told(tmp_path, tsa)
    [run_id] = signed_runs(store, options, 1)
    assert stamping.stamp(store, options, run_id) == []
    assert stamping.pending(store) == []
    seen = look(store, options)
    assert seen.holds, seen.sentences
    assert any(f"by the newest, run {run_id} and all before it existed on 2" in one.text for one in seen.sentences)


def test_one_stamp_a_day_is_enough(tmp_path: Path, tsa: Authority) -> None:
    store, options = Store(tmp_path / "state", "acme"), told(tmp_path, tsa)
    for run_id in signed_runs(store, options, 3, step=3600):
        assert stamping.stamp(store, options, run_id) == []
    assert len(tsa.asked) == 1
    [run_id] = signed_runs(store, options, 1, at=NOW + DAY)
    stamping.stamp(store, options, run_id)
    assert len(tsa.asked) == 2


def test_an_authority_that_is_down_is_asked_again_by_the_next_run(tmp_path: Path, tsa: Authority) -> None:
    store, options = Store(tmp_path / "state", "acme"), told(tmp_path, tsa)
    first, second = signed_runs(store, options, 2)
    tsa.status = 503
    wrong = stamping.stamp(store, options, first)
    assert wrong == [
        f"The time stamp authority {tsa.url} refused: HTTP status 503.",
        "1 run waits for a time stamp; the next run asks again.",
    ]
    seen = look(store, options)
    assert seen.holds
    assert any(one.text.startswith(f"A time stamp of run {first} was asked for and has not") for one in seen.sentences)
    tsa.status = 200
    assert stamping.stamp(store, options, second) == []
    assert stamping.pending(store) == []
    assert any("Time stamps that hold: 2" in one.text for one in look(store, options).sentences)


def test_nobody_there_and_nobody_answering_cost_seconds(tmp_path: Path, tsa: Authority, monkeypatch) -> None:
    monkeypatch.setattr(stamping, "_TIMEOUT_S", 0.3)
    store, options = Store(tmp_path / "state", "acme"), told(tmp_path, tsa)
    [run_id] = signed_runs(store, options, 1)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        down = options.model_copy(update={"timestamp_url": url})
        assert "does not answer" in stamping.stamp(store, down, run_id)[0]
        silent.listen()
        assert "does not answer" in stamping.stamp(store, down, run_id)[0]
    assert stamping.pending(store) == [run_id]


@pytest.mark.parametrize("reply", [b"", b"<html>not found</html>", b"\x30\x03\x02\x01\x02"])
def test_a_reply_that_is_no_stamp_is_not_kept(tmp_path: Path, tsa: Authority, reply: bytes) -> None:
    store, options = Store(tmp_path / "state", "acme"), told(tmp_path, tsa)
    [run_id] = signed_runs(store, options, 1)
    wrong = stamping.stamp(store, options, run_id, ask=lambda _url, _query: reply)
    assert "is not kept: the reply of the time stamp authority was damaged, or is none." in wrong[0]
    assert stamping.pending(store) == [run_id]


def test_a_stamp_of_something_else_and_of_somebody_else_is_not_kept(tmp_path: Path, tsa: Authority) -> None:
    store, options = Store(tmp_path / "state", "acme"), told(tmp_path, tsa)
    first, second = signed_runs(store, options, 2)
    stamping.stamp(store, options, first)
    other = (store.run_dir(first) / verify.TOKEN).read_bytes()
    [wrong, _waiting] = stamping.stamp(store, options, second, ask=lambda _url, _query: other)
    assert "the time stamp is of something else" in wrong
    with authority(tmp_path / "other") as stranger:
        there = options.model_copy(update={"timestamp_url": stranger.url})
        [wrong, _waiting] = stamping.stamp(store, there, second)
    assert "is by no authority that ca.pem vouches for" in wrong
    assert stamping.stamp(store, options, second) == []


def test_without_an_address_nothing_is_asked(tmp_path: Path) -> None:
    store, options = Store(tmp_path / "state", "acme"), prepared(tmp_path / "client")
    [run_id] = signed_runs(store, options, 1)
    assert stamping.stamp(store, options, run_id) == []
    assert not (store.run_dir(run_id) / verify.QUERY).exists()


def test_missing_certificates_are_said_and_the_run_waits_for_nothing(tmp_path: Path, tsa: Authority) -> None:
    store = Store(tmp_path / "state", "acme")
    options = told(tmp_path, tsa).model_copy(update={"timestamp_ca": str(tmp_path / "none.pem")})
    [run_id] = signed_runs(store, options, 1)
    assert stamping.stamp(store, options, run_id) == [f"keepwell_timestamp_ca: {tmp_path}/none.pem does not exist."]
    assert tsa.asked == []
