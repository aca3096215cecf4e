"""The lease of an acting run: one holder, whoever races; taken over from the dead alone, and never from the living."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest
from fleet_runs import NOW, header

from ansible_collections.keepwell.fleet.plugins.plugin_utils import documents, evidence, lease, processes, runs
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import RunHeader

FIRST, SECOND, THIRD = (f"01K000000000000000000000{letter}" for letter in "ABC")
TESTS = Path(__file__).parents[2]
FOREIGN = {"pid": 4711, "started": 5, "boot_id": "other", "controller": "elsewhere"}
# Takes the lease, tells its own process, and works on until it is killed.
HOLDER = """
import os, sys, time
sys.path[:0] = [sys.argv[2], sys.argv[3]]
from fleet_runs import NOW, header
from ansible_collections.keepwell.fleet.plugins.plugin_utils import evidence, processes, runs
me = {**processes.this_process(), "pid": os.getpid(), "started": processes._start_ticks(os.getpid())}
store = evidence.Store(sys.argv[1], "acme")
runs.begin(store, header(sys.argv[4], process=me).model_copy(update={"acting": ["patching"]}), NOW)
print("holds", flush=True)
time.sleep(60)
"""


@pytest.fixture
def store(tmp_path: Path) -> evidence.Store:
    return evidence.Store(tmp_path, "acme")


def acting(run_id: str, process: dict[str, t.Any] | None = None) -> RunHeader:
    return header(run_id, process=process).model_copy(update={"acting": ["patching"]})


def living(run_id: str) -> RunHeader:
    return acting(run_id, processes.this_process())


def holder(store: evidence.Store, run_id: str) -> subprocess.Popen[bytes]:
    """A real process that holds the lease."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(store.root.parent), str(TESTS.parents[1] / "collections"), str(TESTS), run_id],
        stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == b"holds\n"
    return process


def age(store: evidence.Store, number: int, seconds: float) -> None:
    """Make a heartbeat as old as that."""
    at = time.time() - seconds
    os.utime(store.root / "lease" / f"{number:08d}.json", (at, at))


def race(state: Path, number: int, start: t.Any, won: t.Any) -> None:
    start.wait()
    try:
        runs.begin(evidence.Store(state, "acme"), living(f"01K0000000000000000000{number:04d}"), NOW)
    except documents.EvidenceError as exc:
        assert "are being changed (patching) by run" in str(exc), exc
    else:
        won.put(number)


@pytest.mark.parametrize("before", ["nothing", "dead", "released"])
def test_of_many_that_want_it_at_the_same_moment_exactly_one_gets_it(store: evidence.Store, before: str) -> None:
    if before != "nothing":
        lease.Leases(store).take(acting(FIRST))
    if before == "released":
        lease.Leases(store).release(FIRST, NOW)
    context = multiprocessing.get_context("fork")
    start, won = context.Event(), context.Queue()
    racers = [context.Process(target=race, args=(store.root.parent, n, start, won)) for n in range(12)]
    for racer in racers:
        racer.start()
    start.set()
    for racer in racers:
        racer.join(60)
    assert [racer.exitcode for racer in racers] == [0] * 12
    winner = won.get(timeout=5)
    assert won.empty()
    newest = lease.Leases(store).newest()
    assert newest is not None
    assert newest.run_id == f"01K0000000000000000000{winner:04d}"
    assert (newest.taken_over is not None) == (before == "dead")
    assert not [path for path in (store.root / "lease").iterdir() if path.name.startswith(".")]


def test_a_killed_holder_is_taken_over_at_once_and_the_run_says_so(store: evidence.Store) -> None:
    process = holder(store, FIRST)
    with pytest.raises(documents.EvidenceError, match=rf"stop process {process.pid} there\.$"):
        runs.begin(store, living(SECOND), NOW)
    # Who only looks is not kept waiting.
    runs.begin(store, header(THIRD, process=processes.this_process()), NOW)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert runs.begin(store, living(SECOND), NOW) == [FIRST]
    runs.conclude(store, SECOND, NOW + 60)
    taken = store.read_run(SECOND).header.taken_over
    assert taken is not None
    assert (taken.run_id, taken.holder) == (FIRST, "ops on control")
    assert taken.why == f"Its process {process.pid} is gone."


def test_a_holder_that_was_killed_and_not_yet_buried_is_dead(store: evidence.Store) -> None:
    process = holder(store, FIRST)
    os.kill(process.pid, signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    runs.begin(store, living(SECOND), NOW)
    process.wait()


def test_killed_between_the_lease_and_the_run_nothing_is_left_in_the_way(store: evidence.Store) -> None:
    lease.Leases(store).take(acting(FIRST))
    assert store.run_ids() == []
    runs.begin(store, living(SECOND), NOW)
    assert lease.Leases(store).lost(SECOND) == ""


def test_what_is_given_back_is_free_and_no_takeover(store: evidence.Store) -> None:
    runs.begin(store, living(FIRST), NOW)
    runs.conclude(store, FIRST, NOW)
    assert lease.Leases(store).lost(FIRST) == "This run has given back its lease to change hosts."
    runs.begin(store, living(SECOND), NOW)
    assert store.read_run(SECOND).header.taken_over is None


def test_a_run_that_cannot_begin_gives_it_back(store: evidence.Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(store, "begin", lambda header: (_ for _ in ()).throw(documents.EvidenceError("disk full")))
        with pytest.raises(documents.EvidenceError, match="disk full"):
            runs.begin(store, living(FIRST), NOW)
    runs.begin(store, living(SECOND), NOW)


def test_a_holder_elsewhere_is_taken_over_after_its_heartbeat_has_stopped(store: evidence.Store) -> None:
    runs.begin(store, acting(FIRST, FOREIGN), NOW)
    age(store, 1, lease.HEARTBEAT_LIMIT_S - 60)
    with pytest.raises(documents.EvidenceError) as caught:
        runs.begin(store, living(SECOND), NOW)
    assert str(caught.value).endswith(
        "Wait for its end, or stop process 4711 there. Its last sign of life is 29 minutes old; after 30 minutes "
        "without one the next run takes over."
    )
    age(store, 1, lease.HEARTBEAT_LIMIT_S + 600)
    assert runs.begin(store, living(SECOND), NOW) == [FIRST]
    taken = store.read_run(SECOND).header.taken_over
    assert taken is not None
    assert taken.why == "It gave no sign of life for 40 minutes, and its process cannot be looked at from here."


def test_a_sign_of_life_keeps_the_lease(store: evidence.Store) -> None:
    runs.begin(store, acting(FIRST, FOREIGN), NOW)
    age(store, 1, lease.HEARTBEAT_LIMIT_S * 3)
    lease.Leases(store).renew(FIRST)
    with pytest.raises(documents.EvidenceError, match="last sign of life is 0 minutes old"):
        runs.begin(store, living(SECOND), NOW)
    # A file system whose clock is ahead of ours is no reason to fall silent.
    age(store, 1, -3600)
    lease.Leases(store).renew(FIRST)
    assert abs((store.root / "lease" / "00000001.json").stat().st_mtime - time.time()) < 60


def test_whoever_lost_the_lease_is_told_and_revives_nothing(store: evidence.Store) -> None:
    runs.begin(store, acting(FIRST, FOREIGN), NOW)
    age(store, 1, lease.HEARTBEAT_LIMIT_S * 2)
    runs.begin(store, living(SECOND), NOW)
    leases = lease.Leases(store)
    assert leases.lost(FIRST).startswith(f"Run {SECOND}, started by ops on control, has taken over the lease")
    leases.renew(FIRST)
    leases.release(FIRST, NOW)
    runs.conclude(store, FIRST, NOW)
    assert leases.lost(SECOND) == ""


def test_a_run_that_only_looks_has_none(store: evidence.Store) -> None:
    runs.begin(store, header(FIRST, process=processes.this_process()), NOW)
    assert lease.Leases(store).lost(FIRST).startswith("This run did not begin as one that changes hosts")
    lease.Leases(store).renew(FIRST)
    assert lease.Leases(store).newest() is None


def test_one_on_this_machine_in_another_container_cannot_be_looked_at(store: evidence.Store) -> None:
    mine = processes.this_process()
    runs.begin(store, acting(FIRST, {**mine, "pid": 2**22, "namespace": "pid:[1]"}), NOW)
    with pytest.raises(documents.EvidenceError, match="last sign of life"):
        runs.begin(store, living(SECOND), NOW)


def test_old_leases_are_forgotten_and_the_last_is_kept(store: evidence.Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "_KEPT", 3)
    leases = lease.Leases(store)
    for number in range(8):
        run_id = f"01K000000000000000000000{number:02d}"
        assert leases.take(living(run_id)).number == number + 1
        leases.release(run_id, NOW)
    assert sorted(path.name for path in (store.root / "lease").glob("????????.json")) == [
        f"{number:08d}.json" for number in range(5, 9)
    ]


def test_a_sleeper_that_links_a_forgotten_number_does_not_win(
    store: evidence.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looked at number 1 and slept while 2 and 3 came, and 1 and 2 were forgotten."""
    leases = lease.Leases(store)
    old = leases.take(acting(FIRST))
    for run_id in (SECOND, THIRD):
        leases.take(acting(run_id)) if run_id == SECOND else leases.take(living(run_id))
    for number in (1, 2):
        (store.root / "lease" / f"{number:08d}.json").unlink()
    looks = iter([old])
    seen = leases.newest
    monkeypatch.setattr(leases, "newest", lambda: next(looks, None) or seen())
    with pytest.raises(documents.EvidenceError, match=f"by run {THIRD}"):
        leases.take(living("01K0000000000000000000000D"))
    assert [path.name for path in (store.root / "lease").iterdir()] == ["00000003.json"]


def test_a_damaged_lease_stops_who_acts_and_not_who_looks(store: evidence.Store) -> None:
    runs.begin(store, acting(FIRST, FOREIGN), NOW)
    (store.root / "lease" / "00000001.json").write_text("{")
    runs.begin(store, header(SECOND, process=processes.this_process()), NOW)
    with pytest.raises(documents.EvidenceError, match=r"00000001\.json is not JSON"):
        runs.begin(store, living(THIRD), NOW)
