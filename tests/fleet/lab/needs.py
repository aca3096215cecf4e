"""What the lab needs of the machine it runs on."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

# Program -> Debian package.
TOOLS = {
    "podman": "podman",
    "runc": "runc",
    "iptables": "iptables",
    "nft": "nftables",
    "nsenter": "util-linux",
    "mmdebstrap": "mmdebstrap",
    "dpkg-deb": "dpkg",
    "apt-ftparchive": "apt-utils",
    "gpg": "gnupg",
    "rpmbuild": "rpm",
    "createrepo_c": "createrepo-c",
    "mke2fs": "e2fsprogs",
    "ssh-keygen": "openssh-client",
}
_PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
_INSTANCES = Path("/proc/sys/fs/inotify/max_user_instances")
_INSTANCES_WANTED = 1024


def missing() -> str:
    """What this machine lacks, as one sentence; empty when it has everything."""
    if os.geteuid() != 0:
        return "the lab needs root"
    packages = sorted({package for tool, package in TOOLS.items() if shutil.which(tool, path=_PATH) is None})
    return f"the lab needs the Debian packages {' '.join(packages)}" if packages else ""


def prepare() -> str:
    """Raise the kernel's limit that many systemds meet first; return what was changed.

    With the default of 128 inotify instances the 27th host boots, but its sshd never answers.
    """
    before = int(_INSTANCES.read_text())
    if before >= _INSTANCES_WANTED:
        return ""
    _INSTANCES.write_text(str(_INSTANCES_WANTED))
    return f"fs.inotify.max_user_instances raised from {before} to {_INSTANCES_WANTED} until the next boot"
