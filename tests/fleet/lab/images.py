"""Images of hosts: an operating system by mmdebstrap, then the lab's packages on top. Built once, named by their recipe.

A changed recipe gives another name, so an image is never out of date. The packages are a layer of their own: changing
one of them takes seconds, not a new system.
"""

from __future__ import annotations

import hashlib
import re
import shlex
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from lab import podman
from lab.podman import LabError

PREFIX = "localhost/keepwell-lab"
_COMMON = "systemd,systemd-sysv,openssh-server,python3,iproute2,dbus,sudo,procps"
_LAYERS = Path(__file__).with_name("layers")
_COMPONENTS = "main"
_AT_ONCE = 3
# A system needs less than a GiB while it is built.
_MEMORY_BYTES = 2 << 30

# Two users, one of them without sudo; keys and host keys come with the container.
_HOOKS = (
    'chroot "$1" useradd -m -s /bin/bash ops',
    'chroot "$1" useradd -m -s /bin/bash plain',
    'echo "ops ALL=(ALL) NOPASSWD:ALL" >"$1/etc/sudoers.d/ops"; chmod 440 "$1/etc/sudoers.d/ops"',
    'rm -f "$1"/etc/ssh/ssh_host_*',
    'echo "AuthorizedKeysFile /etc/ssh/lab_authorized_keys" >"$1/etc/ssh/sshd_config.d/lab.conf"',
    'chroot "$1" systemctl mask getty.target console-getty.service',
)


@dataclass(frozen=True)
class System:
    """An operating system made from the packages of a Debian release."""

    suite: str
    name: str
    packages: str = ""
    # What is done to it at the end, besides what is done to all.
    hooks: tuple[str, ...] = ()

    def arguments(self) -> list[str]:
        """What mmdebstrap is told, up to the mirror."""
        include = ",".join(part for part in (_COMMON, self.packages) if part)
        hooks = [f"--customize-hook={hook}" for hook in (*_HOOKS, *self.hooks)]
        return [
            "mmdebstrap",
            "--quiet",
            "--variant=minbase",
            '--aptopt=Acquire::Languages "none"',
            "--include=" + include,
            *hooks,
            self.suite,
            "-",
        ]

    def tag(self) -> str:
        """Name of the image, with a hash of the recipe."""
        return f"{PREFIX}/system-{self.name}:{_hash(shlex.join(self.arguments()))}"


@dataclass(frozen=True)
class Kind:
    """A kind of host: a system and the script that makes it one."""

    name: str
    system: System
    layer: str
    # Folder below the repositories whose packages the script installs.
    packages: str
    emulation: bool = False


# Backup tools and databases of the release itself; the databases are enabled and run.
_BACKUP = "restic,borgbackup,postgresql,mariadb-server,zstd"
# real dnf and real zypper, but Debian's userland: an emulation, and always called so.
# Two systems, because Debian's dnf-plugins-core refuses to live beside zypper.
_DNF = System("bookworm", "dnf", "dnf,python3-dnf,dnf-plugins-core,rpm")
_ZYPPER = System("bookworm", "zypper", "zypper,rpm")
# ClamAV as Debian has it, without databases; freshclam would go to the vendor's servers as soon as it can.
_CLAMAV = System(
    "bookworm",
    "clamav",
    "clamav,clamav-daemon,clamav-freshclam,clamdscan,dnsmasq-base,attr",
    ('chroot "$1" systemctl mask clamav-freshclam.service',),
)
KINDS = {
    kind.name: kind
    for kind in (
        Kind("debian-11", System("bullseye", "bullseye"), "debian", "apt"),
        Kind("debian-12", System("bookworm", "bookworm"), "debian", "apt"),
        Kind("debian-13", System("trixie", "trixie"), "debian", "apt"),
        Kind("debian-12-control", System("bookworm", "control", "cron"), "debian", "apt"),
        Kind("debian-12-clamav", _CLAMAV, "debian", "apt"),
        Kind("debian-12-backup", System("bookworm", "bookworm-backup", _BACKUP), "debian", "apt"),
        Kind("debian-13-backup", System("trixie", "trixie-backup", _BACKUP), "debian", "apt"),
        Kind("el9-emulation", _DNF, "el9-emulation", "rpm", emulation=True),
        Kind("suse-emulation", _ZYPPER, "suse-emulation", "rpm", emulation=True),
    )
}


def mirror() -> str:
    """The archive that this machine's own apt uses for its release."""
    done = podman.run("apt-get", "indextargets", "--format", "$(RELEASE) $(REPO_URI)", "Created-By: Packages")
    for line in done.stdout.splitlines():
        release, _space, uri = line.partition(" ")
        if "-" not in release and release in ("bullseye", "bookworm", "trixie", "forky"):
            return uri
    raise LabError("apt of this machine has no Debian archive: `apt-get indextargets` names none")


def ensure(kinds: list[Kind], repositories: Path, digest: str) -> dict[str, str]:
    """Return the image of every kind, building what is missing. ``digest`` names the contents of the repositories."""
    systems = {kind.system.tag(): kind.system for kind in kinds}
    wanted = [system for tag, system in systems.items() if not podman.image_exists(tag)]
    # More at once than processors: each waits for the network and the disk as well. The largest take longest.
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        if wanted:
            source = mirror()
            wanted.sort(key=lambda system: len(system.packages), reverse=True)
            list(pool.map(lambda system: _build_system(system, source), wanted))
        tags = pool.map(lambda kind: _layer(kind, repositories, digest), kinds)
        return dict(zip((kind.name for kind in kinds), tags, strict=True))


def _available_bytes() -> int:
    found = re.search(r"^MemAvailable: +(\d+) kB$", Path("/proc/meminfo").read_text(encoding="ascii"), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def _in_memory(command: list[str]) -> list[str]:
    """Let a command have its temporary files in memory, where there is enough: dpkg waits for a disk at every file."""
    if _available_bytes() < 2 * _AT_ONCE * _MEMORY_BYTES:
        return command
    # Seen by the command alone, and gone with it.
    mount = f'mount -t tmpfs -o size={_MEMORY_BYTES} tmpfs "$TMPDIR" && exec "$@"'
    return ["unshare", "--mount", "/bin/sh", "-c", mount, "sh", *command]


def _build_system(system: System, source: str) -> None:
    with tempfile.TemporaryDirectory(prefix="keepwell-lab-") as folder:
        Path(folder).chmod(0o755)
        _make_system(system, source, {**podman.environment(), "TMPDIR": folder})


def _make_system(system: System, source: str, environment: dict[str, str]) -> None:
    print(f"Building {system.tag()}, about half a minute", flush=True)
    command = _in_memory([*system.arguments(), f"deb {source} {system.suite} {_COMPONENTS}"])
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as made:
        imported = subprocess.run(
            ["podman", "import", "--quiet", "-", system.tag()],
            stdin=made.stdout,
            capture_output=True,
            env=podman.environment(),
            check=False,
        )
        _rest, errors = made.communicate()
    if made.returncode or imported.returncode:
        podman.podman("image", "rm", "--force", system.tag(), check=False)
        tail = "\n".join((errors + imported.stderr).decode(errors="replace").strip().splitlines()[-15:])
        raise LabError(f"mmdebstrap {system.suite}: return code {made.returncode}\n{tail}")


def _layer(kind: Kind, repositories: Path, digest: str) -> str:
    script = (_LAYERS / f"{kind.layer}.sh").read_text(encoding="utf-8")
    tag = f"{PREFIX}/{kind.name}:{_hash(kind.system.tag(), script, digest)}"
    if podman.image_exists(tag):
        return tag
    name = f"keepwell-lab-layer-{_hash(tag)}"
    podman.remove([name])
    try:
        podman.podman(
            *("run", "--interactive", "--name", name, "--network", "none"),
            *("--volume", f"{repositories}/{kind.packages}:/srv/lab:ro", kind.system.tag()),
            *("/bin/bash", "-e", "-s", kind.system.suite),
            text=script,
        )
        podman.podman("commit", "--quiet", name, tag)
    finally:
        podman.remove([name])
    return tag


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]
