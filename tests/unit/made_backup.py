# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A backup tool that does as a test says, and a host of its own for it below a folder of the test."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import typing as t
from collections.abc import Callable
from pathlib import Path

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import (
    _canary,
    _driver,
    _drivers,
    _locks,
    _memory,
    _sandbox,
    _work,
)
from ansible_collections.keepwell.fleet.plugins.module_utils.chores import _folder, _jobs, _system, _unit
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import Output

ROOT = Path(__file__).parents[2]
ID = "01VERIFICATION0"
KEY = "0123456789abcdef"
SECRET = 'wren-Lark\'77 "owl"'


class Made(_driver.Driver):
    """Snapshots are folders; how.json in the repository says what goes wrong."""

    NAME = "restic"
    ALLOWED: t.ClassVar[dict[str, tuple[str, ...]]] = {"sh": ("*",)}
    PARTS = True

    @property
    def repository(self) -> Path:
        return Path(self.dataset["repository"])

    @property
    def how(self) -> dict[str, t.Any]:
        path = self.repository / "how.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def list(self) -> dict[str, t.Any]:
        self._say("list")
        if self.how.get("status"):
            return _driver.look(self.how["status"], self.how.get("detail", ""))
        snapshots = [
            _driver.snapshot(path.name, float(path.name), paths=["/srv"])
            for path in sorted(self.repository.glob("[0-9]*"))
        ]
        return _driver.look(
            "ok",
            self.how.get("detail", ""),
            snapshots=snapshots,
            writer=self.how.get("writer", ""),
            repository={"id": "made", "location": "local", "path": str(self.repository)},
        )

    def pick(self, snapshot: str, take: Callable[[str, int, float | None], None]) -> Output:
        self._say("pick")
        if self.how.get("pick"):
            return Output("ok", 1, "", self.how["pick"])
        root = os.fsencode(self.repository / snapshot)
        for folder, _folders, names in os.walk(root):
            for name in sorted(names):
                path = os.path.join(folder, name)
                if not os.path.islink(path):
                    info = os.lstat(path)
                    take(os.fsdecode(path[len(root) :]), info.st_size, info.st_mtime)
        return Output("ok", 0, "", "")

    def check(self, method: str, part: int | None, parts: int | None, snapshot: str) -> dict[str, t.Any]:
        self._say("check")
        return _driver.checked(**{"outcome": "ok", "read_bytes": 7, **self.how.get("check", {})})

    def restore(self, snapshot: str, paths: list[str] | None, target: str) -> dict[str, t.Any]:
        root = os.fsencode(self.repository / snapshot)
        if paths is None:
            shutil.copytree(root, os.fsencode(target), symlinks=True, dirs_exist_ok=True)
        for path in paths or []:
            copy = os.fsencode(target) + os.fsencode(path)
            os.makedirs(os.path.dirname(copy), exist_ok=True)
            shutil.copy2(root + os.fsencode(path), copy)
        said = self._say("restore")
        outcome = "timeout" if said.status == "timeout" else "ok"
        errors = [said.err.strip()] if said.err.strip() else []
        return _driver.restored(**{"outcome": outcome, "errors": errors, **self.how.get("restore", {})})

    def _say(self, what: str) -> Output:
        """Run the command that the test wants here: it may quote the secret, or take long."""
        script = self.how.get("say", {}).get(what)
        return Output("ok", 0, "", "") if script is None else self.tools.run(["sh", "-c", script])


def install(root: Path, setattr_: Callable[[t.Any, str, t.Any], None]) -> None:
    """Make this process see the host that is below ``root``: everything of Keepwell is there, and no systemd."""
    memory = root / "memory"
    for folder in (root, memory, root / "run", root / "keepwell"):
        folder.mkdir(mode=0o700, exist_ok=True)
    setattr_(_folder, "ROOT", str(root / "keepwell"))
    setattr_(_folder, "LOCK", str(root / "run" / "lock"))
    setattr_(_locks, "FOLDER", str(root / "run"))
    setattr_(_locks, "_PAUSE_S", 0.02)
    setattr_(_work, "_PAUSE_S", 0.02)
    setattr_(_sandbox, "BASE", str(root / "keepwell" / "sandbox"))
    setattr_(_sandbox, "_FREE_PERCENT", 0.0)
    setattr_(_canary, "PLACE", str(root / "keepwell" / "canary"))
    setattr_(_memory, "place", lambda _machine: str(memory))
    setattr_(_drivers, "DRIVERS", {"restic": Made})
    setattr_(_jobs, "_STARTING_S", 0.0)
    setattr_(_system, "identity", lambda _machine: {"boot_id": "b", "pid1_started": 7})
    setattr_(_system, "has_systemd", lambda _machine: False)
    setattr_(_unit, "start", lambda *_: None)


def dataset(root: Path, **more: t.Any) -> dict[str, t.Any]:
    return {"id": "shop", "tool": "restic", "repository": str(root / "repository"), "options": {}, **more}


def request(root: Path, kind: str = "sample", **more: t.Any) -> dict[str, t.Any]:
    return {
        "id": ID,
        "run_id": "run",
        "client": "acme",
        "host": "web1",
        "dataset": dataset(root, **more.pop("dataset", {})),
        "kind": kind,
        "repository_key": KEY,
        "program": "pass",
        "local": False,
        "limits": {"runtime_s": 60, "lock_timeout_s": 0},
        **more,
    }


def snapshot(root: Path, files: dict[str, bytes], began: float) -> Path:
    """A snapshot with these files below /srv."""
    made = root / "repository" / f"{began:.1f}"
    for name, data in files.items():
        path = os.fsencode(made / "srv") + b"/" + os.fsencode(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as stream:
            stream.write(data)
    return made


def how(root: Path, **what: t.Any) -> None:
    (root / "repository").mkdir(exist_ok=True)
    (root / "repository" / "how.json").write_text(json.dumps(what))


def tree(folder: Path) -> dict[str, t.Any]:
    """All that is below a folder, with content and times."""
    return {
        str(path.relative_to(folder)): (path.read_bytes() if path.is_file() else None, path.lstat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
    }


def start_apart(root: Path) -> subprocess.Popen[bytes]:
    """Start the program of the work as a process of its own, as systemd would."""
    script = (
        f"import sys; sys.path[:0] = [{str(ROOT / 'collections')!r}, {str(Path(__file__).parent)!r}]\n"
        "from pathlib import Path\nimport made_backup\n"
        f"made_backup.install(Path({str(root)!r}), setattr)\n"
        f"made_backup._work.run(made_backup._folder.path('backup_verification', {ID!r}))\n"
    )
    return subprocess.Popen([sys.executable, "-c", script])


def wait_for(condition: Callable[[], t.Any], seconds: float = 20.0) -> t.Any:
    """What the condition says once it is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("it did not come true in time")
