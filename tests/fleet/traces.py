"""What looking at a host could leave behind, as one text per host to compare."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from lab.hosts import Host

# Nothing below these may change by being looked at, not even a time.
_WATCHED = (
    "/etc /var/lib/dpkg /var/lib/apt /var/lib/rpm /var/lib/dnf /var/lib/zypp /var/lib/keepwell /var/cache /var/tmp /tmp "
    "/var/log/apt /var/log/dpkg.log /home /root /boot /usr/local /opt /srv"
)
# Whose times change, and nothing else: what SQLite maps for every reader who is root, the folders in which dnf makes
# its lock, those in which systemd makes one for each service, the log that dnf's libraries keep for a plain user, and
# the lock of rpm: a container's filesystem copies what is opened for writing, whether or not anything is written.
_LIVING = (
    "/tmp /var/tmp */systemd-private-* /var/tmp/dnf-plain-* /var/cache/dnf /var/lib/rpm /var/lib/rpm/rpmdb.sqlite-??? "
    "/var/lib/rpm/.rpm.lock"
)
_FINGERPRINT = (
    f'set -f; skip=; for name in {_LIVING}; do skip="$skip ! -path $name"; done; '
    f"for place in {_WATCHED}; do [ ! -e $place ] || {{ "
    "find $place $skip -printf '%p %y %m %U:%G %s %T@ %C@ %l\\n'; "
    "find $place -type f ! -path */systemd-private-* ! -path /var/tmp/dnf-plain-* ! -name rpmdb.sqlite-shm "
    "-exec sha256sum {} +; }; done | sort"
)


def fingerprints(hosts: list[Host]) -> dict[str, str]:
    """Names, owners, times and contents of everything that must not change, by host."""
    with ThreadPoolExecutor(2) as pool:
        return dict(
            zip((host.name for host in hosts), pool.map(lambda h: h.run(_FINGERPRINT).stdout, hosts), strict=True)
        )


def differences(before: dict[str, str], after: dict[str, str]) -> dict[str, list[str]]:
    """Lines of the fingerprints that are not in both, by host; hosts without any are left out."""
    found = {name: sorted(set(text.splitlines()) ^ set(after[name].splitlines()))[:10] for name, text in before.items()}
    return {name: lines for name, lines in found.items() if lines}
