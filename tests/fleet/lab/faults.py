"""What goes wrong on real hosts, made to order and undone afterwards."""

from __future__ import annotations

import contextlib
import datetime as dt
import shutil
import time
import typing as t
from pathlib import Path

from lab import mounts, podman
from lab.hosts import Host


@contextlib.contextmanager
def paused(host: Host) -> t.Iterator[None]:
    """Freeze the host: TCP connects, and nobody ever says a word."""
    for left in reversed(range(5)):
        # runc gives up when a busy machine does not stop all processes at once.
        if podman.run("podman", "pause", host.container, check=not left).returncode == 0:
            break
        time.sleep(1)
    try:
        yield
    finally:
        podman.podman("unpause", host.container)


@contextlib.contextmanager
def sshd_stopped(host: Host) -> t.Iterator[None]:
    """Stop sshd and its sessions: connections are refused."""
    host.run("systemctl stop ssh; pkill -x sshd; pkill -x sshd-session; true")
    try:
        yield
    finally:
        host.run("systemctl start ssh")


@contextlib.contextmanager
def port_dropped(host: Host, port: int = 22) -> t.Iterator[None]:
    """Drop what comes in for a port, as a firewall does: nobody answers at all."""
    with _filtered(host, "input", f"tcp dport {port} drop"):
        yield


@contextlib.contextmanager
def packets_lost(host: Host, percent: int) -> t.Iterator[t.Callable[[], int]]:
    """Lose that many of the packets that come in for sshd, at random; yields what tells how many it were so far."""
    with _filtered(host, "input", f"tcp dport 22 numgen random mod 100 < {percent} counter drop") as nft:
        yield lambda: int(podman.run(*nft, "list table inet lab").stdout.split("counter packets ")[1].split()[0])


def cut_connections(host: Host) -> int:
    """End all SSH sessions at once, without a word to the other end; return how many processes that took."""
    # By the names that the sshd of every Debian has for them.
    return len(host.run("pkill -e -KILL -f '^sshd(-session)?: ops'; true").stdout.splitlines())


@contextlib.contextmanager
def repository_unreachable(host: Host) -> t.Iterator[None]:
    """Refuse what the host sends to its package repository."""
    with _filtered(host, "output", "tcp dport 80 reject"):
        yield


@contextlib.contextmanager
def _filtered(host: Host, hook: str, rule: str) -> t.Iterator[tuple[str, ...]]:
    # In the host's network, from outside: the host needs neither the tool nor the right.
    nft = ("nsenter", "--target", str(host.pid()), "--net", "nft")
    chain = f"add chain inet lab {hook} {{ type filter hook {hook} priority 0; }}"
    for command in ("add table inet lab", chain, f"add rule inet lab {hook} {rule}"):
        podman.run(*nft, command)
    try:
        yield nft
    finally:
        podman.run(*nft, "delete table inet lab")


@contextlib.contextmanager
def apt_at_work(host: Host) -> t.Iterator[int]:
    """A living apt-get that holds the locks; yields its process id."""
    host.start_in_background("exec apt-get --yes -o DPkg::Pre-Invoke::='sleep 900' install kw-plain")
    # The lock is taken before the hook runs.
    pid = int(host.run("until pgrep -x sleep >/dev/null; do sleep 0.1; done; pgrep -o -x apt-get", timeout=20).stdout)
    try:
        yield pid
    finally:
        host.run(f"kill {pid}; pkill -x sleep; true")


def fill(host: Host, folder: str) -> None:
    """Fill the small filesystem at ``folder`` to the last byte."""
    host.run(f"dd if=/dev/zero of={folder}/big bs=64k 2>/dev/null; head -c 9999999 /dev/zero >{folder}/rest; true")


@contextlib.contextmanager
def aged_copy(host: Host, source: str, folder: Path, days: float) -> t.Iterator[Path]:
    """A copy of a folder of the host, every inode of it changed ``days`` ago; to be mounted over the same folder.

    The time of change is what tells how old apt's lists are, and no program can set it on a living filesystem; so
    the copy becomes an ext4 image, and debugfs sets the times in there.
    """
    tree, image = folder / "tree", folder / "image"
    tree.mkdir(parents=True)
    podman.podman("cp", f"{host.container}:{source}/.", str(tree))
    podman.run("mke2fs", "-q", "-F", "-t", "ext4", "-m", "0", "-d", str(tree), str(image), "16M")
    moment = dt.datetime.now(dt.UTC) - dt.timedelta(days=days)
    stamp = moment.strftime("%Y%m%d%H%M%S")
    names = ["/", *(f"/{path.relative_to(tree)}" for path in tree.rglob("*"))]
    commands = [f'sif "{name}" {field} {stamp}' for name in names for field in ("ctime", "mtime", "atime")]
    podman.run("debugfs", "-w", "-f", "-", str(image), text="\n".join(commands) + "\n")
    try:
        with mounts.mounted(image, parent=mounts.PLACE) as place:
            yield place
    finally:
        shutil.rmtree(tree)
        image.unlink()
