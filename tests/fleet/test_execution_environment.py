"""The execution environment is built as docs/awx.md says, and a playbook of Keepwell runs in it without a network."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from harness import PROJECT, need
from lab import images, needs, podman

pytestmark = [pytest.mark.lab, pytest.mark.long, pytest.mark.xdist_group("lab")]
PAGE = (PROJECT / "docs/awx.md").read_text(encoding="utf-8")
BASE, IMAGE = "localhost/keepwell-base:test", "localhost/keepwell-ee:test"


def command(first_words: str) -> list[str]:
    """A command of the page, with the names that this test uses, so that no image of a person is replaced."""
    lines = "\n".join(re.findall(r"^```console\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)).replace("\\\n", " ")
    [found] = [line.removeprefix("# ") for line in lines.splitlines() if line.startswith(f"# {first_words}")]
    for name, ours in (
        ("localhost/keepwell-base:12", BASE),
        ("localhost/keepwell-ee:0.1.0", IMAGE),
        ("$PWD", str(PROJECT)),
    ):
        found = found.replace(name, ours)
    return shlex.split(found)


def pip_settings() -> list[str]:
    """What pip of this machine is told, for the build alone: where packages come from, no image has to know."""
    return ["--volume=/etc/pip.conf:/etc/pip.conf:ro"] if Path("/etc/pip.conf").exists() else []


def nameless() -> set[str]:
    """Images that have no name."""
    told = podman.podman("images", "--all", "--format", "{{.ID}} {{.Repository}}")
    return {line.split()[0] for line in told.splitlines() if line.endswith(" <none>")}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[str]:
    lacking = needs.missing()
    need(not lacking, lacking)
    builder = shutil.which("ansible-builder", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
    need(builder, "ansible-builder (requirements-dev.txt)")
    context = tmp_path_factory.mktemp("ee")
    before = nameless()
    make = command("mmdebstrap")
    pipe = make.index("|")
    # From the archive of this machine's own apt, as the lab's hosts.
    made = subprocess.Popen(
        [*make[:pipe], "-", f"deb {images.mirror()} bookworm main"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        subprocess.run(make[pipe + 1 :], stdin=made.stdout, check=True, capture_output=True, env=podman.environment())
        _rest, errors = made.communicate()
        assert made.returncode == 0, errors.decode(errors="replace")[-2000:]
        create = command("ansible-builder create")
        podman.run(str(builder), *create[1:-1], str(context))
        build = command("podman --runtime runc build")
        podman.run(*build[:-1], f"--build-arg=EE_BASE_IMAGE={BASE}", *pip_settings(), str(context), timeout=1800)
        yield IMAGE
    finally:
        made.kill()
        # The stages of the build stay behind without a name.
        podman.podman("image", "rm", "--force", IMAGE, BASE, *(nameless() - before), check=False)


def inside(image: str, *argv: str) -> str:
    return podman.run(
        "podman", "run", "--rm", "--network", "none", "--volume", f"{PROJECT}:/runner/project:ro",
        "--workdir", "/runner/project", image, *argv, timeout=300,
    ).stdout  # fmt: skip


def test_it_has_every_pin(image: str) -> None:
    frozen = {
        line.lower().replace("_", "-") for line in inside(image, "python3", "-m", "pip", "freeze", "--all").splitlines()
    }
    pins = {
        line
        for line in (PROJECT / "requirements-ee.txt").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    }
    assert pins - frozen == set()


def test_a_playbook_runs_in_it(image: str) -> None:
    run = command("podman run")
    output = podman.run(*run, timeout=300).stdout
    assert "Example Bakery B.V.: 3 hosts, no mistake." in output


def test_it_knows_nothing_of_the_machine_that_built_it(image: str) -> None:
    settings = inside(image, "sh", "-c", "env; cat /etc/pip.conf 2>/dev/null || true")
    assert "index" not in settings
    assert "PIP_CONSTRAINT=/" not in settings
