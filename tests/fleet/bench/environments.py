"""Throw-away Python environments for the other contenders: nothing of theirs comes into the project's own."""

from __future__ import annotations

import importlib.metadata
import shutil
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

from lab import podman

_HERE = Path(__file__).parent


def ensure(state: Path, name: str) -> Path:
    """Return the folder of the environment that ``requirements-<name>.txt`` describes, making it when it is not so."""
    wanted = (_HERE / f"requirements-{name}.txt").read_text(encoding="utf-8") + sys.version
    folder = state / name
    stamp = folder / "installed"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return folder
    print(f"Installing {name} into {folder}", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=True)
    requirements = str(_HERE / f"requirements-{name}.txt")
    podman.run(
        *(str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
        *("--requirement", requirements),
    )
    stamp.write_text(wanted, encoding="utf-8")
    return folder


def packages(folder: Path) -> Path:
    """The folder of an environment that its packages lie in."""
    return next((folder / "lib").glob("python3*/site-packages"))


def versions(path: Path | None, names: Sequence[str]) -> dict[str, str]:
    """Return the versions of installed packages; ``path`` is another environment's folder of packages."""
    found = importlib.metadata.distributions(path=[str(path)]) if path else importlib.metadata.distributions()
    return {entry.name: entry.version for entry in found if entry.name in names}
