"""Verifying does no harm: repositories stay as they are, nothing restored is left, no secret is told, nobody waits."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

import backup_hosts
import pytest
from backup_agent import BORG_PASSWORD, RESTIC_PASSWORD, STORE, dataset
from backup_hosts import ACT, CLIENT, CONTENT, LIVE, Verifying, of_files
from harness import PROJECT, Project
from lab.hosts import Host

pytestmark = [pytest.mark.lab, pytest.mark.long, pytest.mark.xdist_group("lab")]

# A restore that takes a while: restic reads slowly, borg begins late.
SLOW = "/srv/slow"
_SLOW_TOOLS = f"""
mkdir -p {SLOW}
printf '#!/bin/sh\\nexec /usr/bin/restic --limit-download 12000 "$@"\\n' >{SLOW}/restic
printf '#!/bin/sh\\n[ "$1" != extract ] || sleep 6\\nexec /usr/bin/borg "$@"\\n' >{SLOW}/borg
chmod 755 {SLOW}/restic {SLOW}/borg
"""
_STATES = "cat /var/lib/keepwell/backup_verification/*/state.json 2>/dev/null; true"
_SAMPLER = (
    "touch /srv/sampling; while [ -e /srv/sampling ]; do for p in /proc/[0-9]*; do "
    "tr '\\0' ' ' <$p/cmdline 2>/dev/null; echo; done >>/srv/sampled; sleep 0.1; done"
)
_TOUCHABLE = "/var/lib/keepwell /root /tmp /var/tmp /srv/store /srv/live /etc"
_LIMIT_S = 120.0


@dataclass(frozen=True)
class Wanted:
    """A backup and the tests of it."""

    declared: dict[str, t.Any]
    tests: tuple[str, ...]


SLOW_RESTIC = Wanted(
    of_files("large", "restic", "large", f"{LIVE}/large", options={"program": f"{SLOW}/restic"}), ("full",)
)
SLOW_BORG = Wanted(
    of_files("large-borg", "borg", "large-borg", f"{LIVE}/large", options={"program": f"{SLOW}/borg"}), ("full",)
)
TAR = Wanted(of_files("tar", "archive", "tar"), ("full",))


@pytest.fixture(scope="module")
def vault(vaults: dict[str, Host]) -> Host:
    """The host of the older tools, with slow ones besides."""
    vaults["vault"].run(_SLOW_TOOLS)
    return vaults["vault"]


@pytest.fixture
def verifying(tmp_path: Path) -> Verifying:
    return Verifying(Project(tmp_path / "state"), tmp_path / f"{CLIENT}.yml")


@pytest.fixture(autouse=True)
def _unchanged(vault: Host) -> t.Iterator[None]:
    """Whatever a test does, the repositories are the same afterwards, and nothing restored is anywhere."""
    before = backup_hosts.tree(vault)
    yield
    assert backup_hosts.tree(vault) == before
    assert backup_hosts.found_on(vault, CONTENT) == []
    assert vault.run("ls -A /var/lib/keepwell/sandbox 2>/dev/null || true").stdout == ""


def states(host: Host) -> list[dict[str, t.Any]]:
    """The states of all tests that the host knows."""
    text, found, decoder = host.run(_STATES).stdout.strip(), [], json.JSONDecoder()
    while text:
        document, end = decoder.raw_decode(text)
        found.append(document)
        text = text[end:].strip()
    return found


@contextlib.contextmanager
def running(verifying: Verifying, log: Path) -> t.Iterator[subprocess.Popen[bytes]]:
    """An acting run in a group of its own."""
    command = verifying.project.command("backup_verify", verifying.file, "-vvv", *ACT)
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command,
            cwd=PROJECT,
            env=verifying.project.environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
    ):
        try:
            yield process
        finally:
            kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a control node as a power cut does: its workers are in groups of their own and would go on."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    pairs = [tuple(map(int, line.split())) for line in listed.splitlines()]
    family = [process.pid]
    for parent in family:
        family += [pid for pid, its_parent in pairs if its_parent == parent]
    if process.poll() is None:
        for pid in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def restoring(host: Host, process: subprocess.Popen[bytes]) -> dict[str, t.Any]:
    """The state of the test that restores now, once its tool runs."""
    end = time.monotonic() + _LIMIT_S
    while time.monotonic() < end:
        for state in states(host):
            if state["phase"] == "restoring" and state["command"]:
                return state
        assert process.poll() is None, "the run was over before anything was restored"
        time.sleep(0.2)
    raise AssertionError("nothing was ever restored")


def _everything(host: Host) -> set[str]:
    """What is where a verification could write, with its times.

    Not what belongs to services that systemd gives a /tmp of their own, nor the times of the folders that this changes:
    timedated is started by whoever asks for the time.
    """
    script = (
        f"find {_TOUCHABLE} -name 'systemd-private-*' -prune -o \\( -path /tmp -o -path /var/tmp \\) -printf '%p %y %m\\n' "
        "-o -printf '%p %y %m %s %T@ %C@\\n'"
    )
    # Not every folder is there from the beginning.
    return set(host.run(script, check=False).stdout.splitlines())


def test_the_announcement_says_what_is_done_and_touches_nothing(vault: Host, verifying: Verifying) -> None:
    fast = Wanted(of_files("large", "restic", "large", f"{LIVE}/large"), ("subset", "sample"))
    pg = Wanted(dataset("pg", "pg_dump", "pg", queries=[{"sql": "SELECT 1"}]), ("database",))
    verifying.write((vault, [fast, TAR, pg]))
    before = _everything(vault)
    announced = verifying.run("--check")
    assert announced.outcome.rc == 0, announced.outcome.output
    assert _everything(vault) ^ before == set()
    text = " ".join((announced.folder / "announcement.txt").read_text().split())
    assert "This is an announcement: nothing has been read for a test, restored or written." in text
    assert f"- Read part 1 of 9 of the data in the repository {STORE}/large." in text
    assert (
        "Load the dump shop.dump into a throw-away server below /var/lib/keepwell/sandbox, without a network." in text
    )
    assert "Restore 36 files" in text
    due = {test["kind"]: test for test in announced.document(vault.name, "large")["due"]}
    done = verifying.run(*ACT)
    assert done.outcome.rc == 0, done.outcome.output
    proofs = done.proofs(vault.name, "large")
    assert sorted(proofs["sample"]["paths"]) == sorted(due["sample"]["files"])
    assert (proofs["subset"]["part"], proofs["subset"]["parts"]) == (due["subset"]["part"], due["subset"]["parts"])
    assert proofs["sample"]["snapshot"] == due["sample"]["snapshot"]


def test_every_process_is_killed_while_restoring(vault: Host, verifying: Verifying, tmp_path: Path) -> None:
    verifying.write((vault, [SLOW_RESTIC]))
    with running(verifying, tmp_path / "log") as process:
        state = restoring(vault, process)
        vault.run(f"kill -9 {state['process']['pid']} -{state['command']['pid']}")
        process.wait(timeout=_LIMIT_S)
    seen = backup_hosts.Seen.newest(verifying)
    proof = seen.proofs(vault.name, "large")["full"]
    assert (proof["outcome"], proof["code"]) == ("error", "interrupted")
    assert "What was restored is removed." in proof["text"]
    assert proof.get("left", "") == ""
    assert (process.returncode, seen.change(vault.name)["outcome"]) == (2, "failed")
    assert seen.states(vault.name, "large")["restorability"] == "act"
    assert "The full restore" in seen.words(vault.name, "large", "restorability")


def test_the_control_node_dies_while_restoring(
    vault: Host, verifying: Verifying, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    verifying.write((vault, [SLOW_RESTIC]))
    vault.start_in_background(_SAMPLER)
    request.addfinalizer(lambda: vault.run("rm -f /srv/sampling /srv/sampled"))
    with running(verifying, tmp_path / "log") as process:
        state = restoring(vault, process)
        told = _kept(vault, state["process"]["pid"])
        kill(process)
    vault.lab.forget_connections()
    # The next run takes up what became of it, and proves it to be well.
    verifying.write((vault, [Wanted(SLOW_RESTIC.declared, ())]))
    seen = verifying.run(*ACT)
    assert seen.outcome.rc == 0, seen.outcome.output
    proof = seen.proofs(vault.name, "large")["full"]
    assert (proof["id"], proof["outcome"], proof["identical"]) == (state["id"], "proven", 404)
    _is_bounded(proof["bounded"], told)
    # Nobody who looked at the processes of the host or into what was written down has seen a password.
    said = (tmp_path / "log").read_text() + seen.outcome.output
    sampled = vault.run("cat /srv/sampled").stdout
    assert "--limit-download" in sampled
    for secret in (RESTIC_PASSWORD, BORG_PASSWORD):
        assert secret not in said
        assert secret not in sampled


_KEPT = (
    ("CPUQuota 50%", "cpu*$group/cpu.cfs_quota_us", "cpu.max", "-1"),
    ("MemoryMax", "memory*$group/memory.limit_in_bytes", "memory.max", "9223372036854771712"),
)


def _kept(host: Host, pid: int) -> list[str]:
    """Which limits the kernel keeps for a process's groups."""
    found = []
    for words, first, second, none in _KEPT:
        script = (
            f"for group in $(cut -d: -f3 /proc/{pid}/cgroup | sort -u); do "
            f"cat /sys/fs/cgroup/{first} /sys/fs/cgroup$group/{second} 2>/dev/null; done"
        )
        limits = [line.split()[0] for line in host.run(script, check=False).stdout.splitlines()]
        if any(limit not in (none, "max") for limit in limits):
            found.append(words)
    return found


def _is_bounded(text: str, kept: list[str]) -> None:
    """The record says what holds: read back from systemd and the kernel."""
    if not text.startswith("by systemd:"):
        assert text == "not bounded: this host has no systemd; only the program's own time limit holds"
        return
    held, _semicolon, lost = text.partition("; not bounded: the kernel has no ")
    assert held.startswith("by systemd: at most 2h 12min, nice 19")
    for words, *_files in _KEPT:
        assert (f", {words}" in held, words.split()[0] in lost) == (words in kept, words not in kept), text


@pytest.mark.parametrize(
    ("wanted", "script", "undo"),
    [
        pytest.param(
            SLOW_RESTIC,
            f"RESTIC_PASSWORD={RESTIC_PASSWORD} restic --no-cache --repo {STORE}/large backup --host other /etc/passwd",
            "",
            id="restic",
        ),
        pytest.param(
            SLOW_BORG,
            f"BORG_BASE_DIR=/srv/borg BORG_PASSPHRASE={BORG_PASSWORD} borg create --lock-wait 1 "
            f"{STORE}/large-borg::during /etc/passwd",
            "rm -rf /srv/borg",
            id="borg",
        ),
    ],
)
def test_a_backup_that_starts_meanwhile_succeeds(
    vault: Host, verifying: Verifying, tmp_path: Path, wanted: Wanted, script: str, undo: str
) -> None:
    repository = wanted.declared["repository"]
    # What the backup adds is taken away again, so that the next test meets the same repository.
    vault.run(f"cp -a {repository} {repository}.kept")
    try:
        verifying.write((vault, [wanted]))
        with running(verifying, tmp_path / "log") as process:
            restoring(vault, process)
            vault.run(script)
            process.wait(timeout=_LIMIT_S)
        assert process.returncode == 0, (tmp_path / "log").read_text()
        proof = backup_hosts.Seen.newest(verifying).proofs(vault.name, wanted.declared["id"])["full"]
        assert (proof["outcome"], proof["identical"]) == ("proven", 404), proof
    finally:
        vault.run(f"rm -rf {repository}; mv {repository}.kept {repository}; {undo or 'true'}")


@pytest.mark.parametrize(
    ("sandbox", "code", "words"),
    [
        pytest.param("/srv/small", "no_space", "has too little room", id="full"),
        pytest.param("/srv/readonly/sandbox", "read_only", "read-only", id="read-only"),
        pytest.param("/srv/link", "unsafe_path", "symbolic link", id="link"),
    ],
)
def test_a_sandbox_that_will_not_do_is_refused(
    vault: Host, verifying: Verifying, sandbox: str, code: str, words: str
) -> None:
    vault.run("mkdir -p /srv/aim; ln -sfn /srv/aim /srv/link; head -c 3500000 /dev/zero >/srv/small/filled")
    verifying.write((vault, [TAR]), backup_verification_sandbox=sandbox)
    seen = verifying.run(*ACT)
    assert seen.outcome.rc == 2
    change = seen.change(vault.name)
    assert (change["outcome"], change["code"]) == ("refused", code)
    assert words in change["text"]
    assert sandbox in change["text"]
    assert seen.document(vault.name, "tar").get("proofs", []) == []
    assert vault.run("ls -A /srv/aim /srv/small").stdout.split() == ["/srv/aim:", "/srv/small:", "filled"]
