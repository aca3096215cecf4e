"""A security archive that a test publishes into while hosts are up: each host sees the new version at its next update."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from lab import apt_repository
from lab.apt_repository import Package

MOUNTED = "/srv/archive"
_SOURCE = f"""Types: deb
URIs: copy:{MOUNTED}
Suites: bookworm-security
Components: main
Signed-By: /usr/share/keyrings/keepwell-lab.gpg
"""


@dataclass(frozen=True)
class Archive:
    """``folder`` is mounted on hosts; ``keys`` is the home of the key that the lab's hosts know."""

    folder: Path
    keys: Path

    def options(self) -> tuple[str, ...]:
        """What podman is told for a host that uses it."""
        return ("--volume", f"{self.folder}:{MOUNTED}:ro")

    def script(self) -> str:
        """Makes it the only source of a host, as root."""
        return f"printf '%s' '{_SOURCE}' >/etc/apt/sources.list.d/lab.sources; apt-get -qq update"

    def publish(self, package: Package) -> None:
        """Offer one more version."""
        # The folder of a test is nobody's but root's, and apt reads as another user.
        self.folder.chmod(0o755)
        pool = self.folder / "pool" / "security"
        pool.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as tree:
            apt_repository._build(package, Path(tree), pool / f"{package.name}_{package.version}_all.deb")
        shutil.rmtree(self.folder / "dists", ignore_errors=True)
        apt_repository._index(self.folder, "security", "bookworm-security", "oldstable-security", "Debian-Security")
        release = self.folder / "dists" / "bookworm-security" / "Release"
        apt_repository._gpg(self.keys, "--clearsign", "--output", str(release.with_name("InRelease")), str(release))
        apt_repository._stop_agent(self.keys)
