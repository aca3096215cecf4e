"""All package repositories of a lab in one folder, built once for what their recipe says."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from lab import apt_repository, rpm_repository

_RECIPE = (apt_repository, rpm_repository)


@dataclass(frozen=True)
class Repositories:
    """``folder`` holds apt/ and rpm/; ``digest`` names the recipe of the packages."""

    folder: Path
    digest: str

    @property
    def key(self) -> Path:
        """The public key of the apt repository."""
        return self.folder / "apt" / "keepwell-lab.gpg"


def digest() -> str:
    """Hash of the recipe: the modules that build the packages."""
    together = hashlib.sha256()
    for module in _RECIPE:
        together.update(Path(str(module.__file__)).read_bytes())
    return together.hexdigest()[:12]


def ensure(state: Path) -> Repositories:
    """Return the repositories below ``state``, building them when they are missing or of another recipe."""
    made = Repositories(state / f"repositories-{digest()}", digest())
    if made.folder.exists():
        return made
    for old in state.glob("repositories-*"):
        shutil.rmtree(old)
    home = state / "gnupg"
    if not home.exists():
        apt_repository.make_key(home)
    # Renamed when whole: a killed build leaves nothing that looks finished.
    scratch = state / "repositories.new"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    apt_repository.build(scratch / "apt", home)
    rpm_repository.build(scratch / "rpm")
    scratch.rename(made.folder)
    return made
