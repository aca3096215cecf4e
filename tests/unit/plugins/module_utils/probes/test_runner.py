"""The runner: a probe that hangs, crashes or floods costs only itself."""

from __future__ import annotations

import faulthandler
import os
import signal
import time
import types

import pytest

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _machine, _runner


def probe(collect, limit: float = 5.0) -> types.SimpleNamespace:
    return types.SimpleNamespace(TIME_LIMIT_S=limit, collect=collect)


def hang(machine, parameters):
    machine.run(["sleep", "60"], timeout=60)
    time.sleep(60)


def crash(machine, parameters):
    faulthandler.disable()  # or pytest's own prints a fatal error into a passing run
    os.abort()


def flood(machine, parameters):
    return {"text": "x" * (_runner.DOCUMENT_CAP + 1)}


def fail(machine, parameters):
    raise RuntimeError("a bug")


def denied(machine, parameters):
    raise _machine.Unreadable("denied", "needs root")


def good(machine, parameters):
    return {"given": parameters.get("word")}


def test_one_bad_probe_costs_no_other() -> None:
    probes = {
        "hang": probe(hang, 1.0),
        "crash": probe(crash),
        "flood": probe(flood),
        "fail": probe(fail),
        "denied": probe(denied),
        "good": probe(good),
    }
    start = time.monotonic()
    document = _runner.observe(probes, {"good": {"word": "hello"}})
    assert time.monotonic() - start < 4
    records = document["probes"]
    assert {name: record["status"] for name, record in records.items()} == {
        "hang": "timeout", "crash": "error", "flood": "error", "fail": "error", "denied": "denied", "good": "ok",
    }  # fmt: skip
    assert records["good"]["data"] == {"given": "hello"}
    assert records["fail"]["detail"] == "RuntimeError: a bug"
    assert "without an answer" in records["crash"]["detail"]
    assert "stopped after 1.0 s" in records["hang"]["detail"]


def test_the_budget_ends_everything() -> None:
    start = time.monotonic()
    document = _runner.observe({"one": probe(hang, 30), "two": probe(hang, 30)}, None, budget_s=1.0)
    assert time.monotonic() - start < 3
    assert {record["status"] for record in document["probes"].values()} == {"timeout"}


def test_commands_of_a_stopped_probe_end_with_it() -> None:
    marker = f"60.{os.getpid()}"

    def waits(machine, parameters):
        machine.run(["sleep", marker], timeout=60)

    _runner.observe({"waits": probe(waits, 0.8)})
    left = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/cmdline", "rb") as stream:
                    left += [entry] if marker.encode() in stream.read().split(b"\0") else []
            except OSError:
                continue
    assert left == []


def test_what_outlives_a_probe_holds_neither_its_answer_nor_the_connection(tmp_path) -> None:
    pids = tmp_path / "pid"

    def leaves_a_child(machine, parameters):
        pid = os.fork()
        if pid == 0:
            os.setsid()  # beyond the reach of the runner, as a child stuck in the kernel is
            time.sleep(30)
            os._exit(0)
        pids.write_text(str(pid))
        return {"found": 1}

    read_end, write_end = os.pipe()
    carrier = os.fork()
    if carrier == 0:
        os.dup2(write_end, 1)  # the connection's channel: whoever holds it open keeps the caller waiting
        os.close(write_end)
        os.close(read_end)
        record = _runner.observe({"leaves": probe(leaves_a_child)})["probes"]["leaves"]
        os.write(1, f"{record['status']} {record['data']}".encode())
        os._exit(0)
    os.close(write_end)
    start = time.monotonic()
    with os.fdopen(read_end) as channel:
        told = channel.read()
    seconds = time.monotonic() - start
    os.waitpid(carrier, 0)
    os.kill(int(pids.read_text()), signal.SIGKILL)
    assert told == "ok {'found': 1}"
    assert seconds < 4


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}])
def test_what_is_no_json_costs_its_probe_alone(value: object) -> None:
    document = _runner.observe({"odd": probe(lambda machine, parameters: {"value": value}), "good": probe(good)})
    assert document["probes"]["odd"]["status"] == "error"
    assert "no JSON" in document["probes"]["odd"]["detail"]
    assert document["probes"]["good"]["status"] == "ok"


@pytest.fixture
def machine() -> _machine.Machine:
    return _machine.Machine(time.monotonic() + 30)


def test_commands_get_a_plain_environment_and_no_input(
    machine: _machine.Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("KEEPWELL_SECRET", "x")
    output = machine.run(["sh", "-c", "env; cat"])
    assert output.ok
    assert "LC_ALL=C" in output.lines()
    assert "SECRET" not in output.out


def test_a_slow_command_is_stopped_and_named(machine: _machine.Machine) -> None:
    start = time.monotonic()
    output = machine.run(["sleep", "30"], timeout=0.3)
    assert time.monotonic() - start < 2
    assert output.status == "timeout"
    assert machine.sources["sleep"] == {"status": "timeout", "detail": "no answer within 0.3 s"}


def test_a_flood_of_output_is_cut(machine: _machine.Machine) -> None:
    output = machine.run(["sh", "-c", "while :; do echo xxxxxxxxxxxxxxxxxxxxxxxx; done"], timeout=10)
    assert output.truncated
    assert machine.truncated
    assert len(output.out) == _machine.OUTPUT_CAP


def test_a_missing_command_is_absent(machine: _machine.Machine) -> None:
    assert machine.run(["keepwell-no-such-command"]).status == "absent"
    assert machine.sources["keepwell-no-such-command"]["status"] == "absent"


@pytest.mark.parametrize(
    ("rc", "err", "privileged", "status"),
    [
        (0, "", True, "ok"),
        (1, "Permission denied", False, "denied"),
        (1, "Permission denied", True, "error"),
        (5, "This command needs to be run by the superuser (root).", False, "denied"),
        (1, "no such unit", False, "error"),
    ],
)
def test_denied_is_told_from_error(rc: int, err: str, privileged: bool, status: str) -> None:
    assert _machine.classify(_machine.Output("ok", rc, "", err), (0,), privileged) == status


def test_a_pipe_in_place_of_a_file_does_not_hang(machine: _machine.Machine, tmp_path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert machine.read(str(tmp_path / "pipe")) is None


def test_a_hanging_call_in_a_child_is_left_behind(machine: _machine.Machine) -> None:
    start = time.monotonic()
    assert machine.in_child(lambda: time.sleep(30), 0.3) == ("timeout", None)
    assert time.monotonic() - start < 2
    assert machine.in_child(lambda: {"a": [1, None, "é"]}, 5) == ("ok", {"a": [1, None, "é"]})


def test_the_worst_status_of_a_source_wins(machine: _machine.Machine) -> None:
    for status in ("ok", "denied", "absent", "ok"):
        machine.note("source", status)
    assert machine.sources["source"]["status"] == "denied"
