"""podman as the lab uses it: with runc, and with errors that say what was asked and what was answered."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

_CONFIGURATION = Path(__file__).with_name("containers.conf")


class LabError(Exception):
    """Something in the lab did not work; the text says what, and what the tool answered."""


def environment() -> dict[str, str]:
    """The environment in which podman, and whatever calls it, finds its configuration."""
    return {**os.environ, "CONTAINERS_CONF": str(_CONFIGURATION), "LC_ALL": "C.UTF-8"}


def run(
    *argv: str, check: bool = True, text: str | None = None, timeout: float = 600
) -> subprocess.CompletedProcess[str]:
    """Run a command on this machine. Raise LabError with the end of its output when it fails."""
    done = subprocess.run(
        argv,
        env=environment(),
        input=text,
        stdin=subprocess.DEVNULL if text is None else None,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    if check and done.returncode:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        raise LabError(f"{' '.join(argv)[:300]}: return code {done.returncode}\n{tail}")
    return done


def podman(*arguments: str, check: bool = True, text: str | None = None, timeout: float = 600) -> str:
    """Run podman and return what it printed, without the last newline."""
    return run("podman", *arguments, check=check, text=text, timeout=timeout).stdout.strip()


def image_exists(tag: str) -> bool:
    """Is there an image of this name?"""
    return run("podman", "image", "exists", tag, check=False).returncode == 0


def containers(prefix: str) -> list[str]:
    """Names of all containers, running or not, that begin with ``prefix``."""
    return podman("ps", "--all", "--filter", f"name=^{prefix}", "--format", "{{.Names}}").split()


def remove(names: list[str]) -> None:
    """Remove containers at once, without asking their systemd."""
    if names:
        podman("rm", "--force", "--time", "0", "--ignore", *names)
