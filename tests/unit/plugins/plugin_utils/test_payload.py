"""The payload: one program on standard input of a system Python, one checked document back."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _registry
from ansible_collections.keepwell.fleet.plugins.plugin_utils import observation, payload


def old_interpreters() -> list[str]:
    """Interpreters of old hosts, where the machine that runs the tests has any that work."""
    found = [shutil.which("python3.6"), *map(str, Path.home().glob(".pyenv/versions/3.6*/bin/python3.6"))]
    return [
        path
        for path in found
        if path and subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0
    ]


OLD = old_interpreters()


def run_with(interpreter: str, subset: list[str], **environment: str) -> dict:
    done = subprocess.run(
        [interpreter, "-I", "-"],
        input=payload.program(subset, {}, 20.0),
        capture_output=True,
        timeout=60,
        env={"PATH": os.defpath, **environment},
        check=False,
    )
    return payload.read_answer(done.stdout.decode(), done.stderr.decode(), done.returncode)


@pytest.mark.parametrize("interpreter", [sys.executable, *OLD])
def test_the_agent_answers_from_standard_input(interpreter: str) -> None:
    program = payload.agent("patching", {"operation": "nonsense"})
    done = subprocess.run([interpreter, "-I", "-"], input=program, capture_output=True, timeout=60, check=False)
    answer = payload.read_answer(done.stdout.decode(), done.stderr.decode(), done.returncode)
    assert answer == {"error": "bad_request", "text": "Unknown operation 'nonsense'."}


@pytest.mark.parametrize("interpreter", [sys.executable, *OLD])
def test_the_program_of_a_transaction_works_on_its_own_folder(interpreter: str, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(payload.work_program("patching"), encoding="ascii")
    (tmp_path / "request.json").write_text('{"manager": "pacman", "limits": {"runtime_s": 1, "lock_timeout_s": 1}}')
    done = subprocess.run([interpreter, "-I", str(program)], capture_output=True, timeout=60, check=False, text=True)
    assert "Keepwell cannot patch with pacman." in done.stderr


def test_a_request_of_patching_carries_no_probe_that_it_does_not_need() -> None:
    assert len(payload.agent("patching", {})) < len(payload.program([], {}, 1.0))


@pytest.mark.parametrize("interpreter", [sys.executable, *OLD])
def test_all_probes_run_from_standard_input(interpreter: str, tmp_path: Path) -> None:
    document = run_with(interpreter, ["all"], HOME=str(tmp_path))
    assert observation.check_shape(document) is None
    assert set(document["probes"]) == set(_registry.PROBES)
    broken = {name: record.get("trace") for name, record in document["probes"].items() if record.get("trace")}
    assert not broken
    assert list(tmp_path.iterdir()) == [], "nothing may be written on the host"


def test_a_subset_runs_only_what_it_names() -> None:
    assert set(run_with(sys.executable, ["system", "disks"])["probes"]) == {"system", "disks"}


def run_shell(command: str, folder: Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["/bin/sh", "-c", command],
        input=b"print('ran')",
        capture_output=True,
        env={"PATH": f"{folder}:/usr/bin:/bin"},
        timeout=20,
        check=False,
    )


def test_a_dead_shim_on_the_path_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payload, "INTERPRETERS", ("/nonexistent/python3",))
    for name in ("python3", "python3.13"):
        shim = tmp_path / name
        shim.write_text("#!/bin/sh\necho 'command not found' >&2\nexit 127\n")
        shim.chmod(0o755)
    real = tmp_path / "python3.12"
    real.symlink_to(sys.executable)
    assert run_shell(payload.command(), tmp_path).stdout == b"ran\n"


def test_a_host_without_python_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payload, "INTERPRETERS", ("/nonexistent/python3",))
    done = subprocess.run(
        ["/bin/sh", "-c", payload.command()],
        input=b"",
        capture_output=True,
        env={"PATH": str(tmp_path)},
        timeout=20,
        check=False,
    )
    with pytest.raises(payload.PayloadError, match=r"the host has no Python; Keepwell needs Python 3\.6"):
        payload.read_answer(done.stdout.decode(), done.stderr.decode(), done.returncode)


def test_an_interpreter_of_the_inventory_is_used_where_the_system_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payload, "INTERPRETERS", ("/nonexistent/python3",))
    assert run_shell(payload.command(sys.executable), tmp_path).stdout == b"ran\n"


def answer() -> str:
    done = subprocess.run(
        [sys.executable, "-I", "-"],
        input=payload.program(["timesync"], {}, 5.0),
        capture_output=True,
        timeout=30,
        check=True,
    )
    return done.stdout.decode()


def test_noise_around_the_document_does_no_harm() -> None:
    text = f"Welcome to web1\n** authorised use only **\n{answer()}logout\n"
    assert "timesync" in payload.read_answer(text, "", 0)["probes"]


def test_a_damaged_document_is_refused() -> None:
    text = answer()
    start = text.index(" ", text.index("DOCUMENT") + 10) + 20
    damaged = text[:start] + ("A" if text[start] != "A" else "B") + text[start + 1 :]
    with pytest.raises(payload.PayloadError, match="damaged on its way"):
        payload.read_answer(damaged, "", 0)
    with pytest.raises(payload.PayloadError, match="no observation"):
        payload.read_answer(text[: len(text) // 2], "Killed", 137)


@pytest.mark.parametrize(
    ("stdout", "stderr", "rc", "sentence"),
    [
        ("", "bash: line 1: cannot fork\n", 254, "gave no observation (return code 254): bash: line 1: cannot fork"),
        ("", "", 1, "gave no observation (return code 1)"),
        (f"{payload.NO_PYTHON} 3.4.10\n", "", 0, "only Python 3.4.10"),
    ],
)
def test_no_document_is_told_in_one_sentence(stdout: str, stderr: str, rc: int, sentence: str) -> None:
    with pytest.raises(payload.PayloadError) as caught:
        payload.read_answer(stdout, stderr, rc)
    assert sentence in str(caught.value)


def frame(text: bytes) -> str:
    body = base64.b64encode(zlib.compress(text, 9))
    return f"KEEPWELL-DOCUMENT {hashlib.sha256(body).hexdigest()} {body.decode()} KEEPWELL-END\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param(b" " * (payload.DOCUMENT_LIMIT + 1), "larger than 32 MiB", id="bomb"),
        pytest.param(b"[" * 200000, "cannot be read", id="deep"),
    ],
)
def test_a_document_made_to_hurt_is_refused(text: bytes, sentence: str) -> None:
    with pytest.raises(payload.PayloadError, match=sentence):
        payload.read_answer(frame(text), "", 0)


def test_what_is_no_number_is_not_determined() -> None:
    assert payload.read_answer(frame(b'{"a": NaN, "b": -Infinity, "c": 1}'), "", 0) == {"a": None, "b": None, "c": 1}


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ([], "no mapping"),
        ({"schema_version": "2.0"}, "schema_version"),
        ({"schema_version": "1.0", "probes": 3}, "no probes"),
        ({"schema_version": "1.0", "probes": {"x": {"status": "fine"}}}, "no known status"),
        ({"schema_version": "1.0", "probes": {"x": {"status": "ok", "data": []}}}, "no data"),
        ({"schema_version": "1.0", "probes": {}}, "when it was collected"),
        ({"schema_version": "1.0", "probes": {}, "collected_at": 1.0}, "how long that took"),
    ],
)
def test_what_is_no_observation_is_refused(document: object, reason: str) -> None:
    assert reason in (observation.check_shape(json.loads(json.dumps(document))) or "")


@pytest.mark.parametrize(
    ("rc", "error"),
    [(143, payload.EndedError), (137, payload.EndedError), (-15, payload.EndedError), (1, payload.PayloadError)],
)
def test_a_program_that_was_ended_by_a_signal_has_not_had_its_last_word(rc: int, error: type[Exception]) -> None:
    with pytest.raises(payload.PayloadError, match=f"return code {rc}") as raised:
        payload.read_answer("", "", rc)
    assert raised.type is error
