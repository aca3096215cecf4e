"""Ask an agent, that of patching unless told, on a host of the lab, as the steps of patching do: a program over standard input."""

from __future__ import annotations

import time
import typing as t

from lab import podman
from lab.hosts import Host

from ansible_collections.keepwell.fleet.plugins.plugin_utils import payload

LIMITS = {"runtime_s": 120, "lock_timeout_s": 2, "nice": 10}


def ask(
    machine: Host, operation: str, *, user: str = "", chore: str = "patching", **request: t.Any
) -> dict[str, t.Any]:
    """Return what the host answers."""
    program = payload.agent(chore, {"operation": operation, **request}).decode("ascii")
    as_user = ("--user", user) if user else ()
    done = podman.run(
        "podman", "exec", "-i", *as_user, machine.container, "/usr/bin/python3", "-I", "-", text=program, check=False
    )
    return payload.read_answer(done.stdout, done.stderr, done.returncode)


def items(versions: dict[str, str]) -> list[dict[str, str]]:
    """What the policy wants, as a plan has it."""
    return [{"name": name, "version": version, "kind": "package", "arch": ""} for name, version in versions.items()]


def look(host: Host, versions: dict[str, str]) -> dict[str, t.Any]:
    """Return how the host is, and what it would do for these versions."""
    return ask(host, "look", manager="", items=items(versions))


def start(host: Host, identifier: str, versions: dict[str, str], **more: t.Any) -> dict[str, t.Any]:
    """Start the transaction that the host itself announces; ``more`` replaces fields of the request."""
    seen = look(host, versions)
    request = {
        "id": identifier,
        "run_id": "run-of-" + identifier,
        "client": "acme",
        "host": host.name,
        "plan_hash": "hash",
        "manager": seen["manager"],
        "items": items(versions),
        "moves": seen["simulation"]["moves"],
        "limits": LIMITS,
        "keep_days": 14,
        "reserve_bytes": 1024 * 1024,
        "program": payload.work_program("patching"),
        **more,
    }
    return ask(host, "start", **request)


def follow(host: Host, identifier: str, limit_s: float = 180.0) -> dict[str, t.Any]:
    """Return the end of a transaction."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        state = ask(host, "status", id=identifier)
        if state.get("phase") == "ended":
            return state
        time.sleep(0.2)
    raise AssertionError(f"{identifier} did not end: {state}")


def until(host: Host, identifier: str, phase: str, limit_s: float = 60.0) -> dict[str, t.Any]:
    """Return the state of a transaction once it is in a phase."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        state = ask(host, "status", id=identifier)
        if state.get("phase") == phase:
            return state
        time.sleep(0.1)
    raise AssertionError(f"{identifier} did not come to {phase}: {state}")


def carry_out(host: Host, identifier: str, versions: dict[str, str], **more: t.Any) -> dict[str, t.Any]:
    """Start a transaction and return its end."""
    started = start(host, identifier, versions, **more)
    assert started.get("started"), started
    return follow(host, identifier)
