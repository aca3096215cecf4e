# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the kind of a system, by whose updates it gets: a canary speaks for its own kind. Pure.

A kind is no version and no edition: in a small fleet nearly every host would be the only one of its kind, and be
patched in the first night, for the sake of nobody.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence

from ansible_collections.keepwell.fleet.plugins.plugin_utils import observation
from ansible_collections.keepwell.fleet.plugins.plugin_utils.observation import WINDOWS

UNKNOWN: t.Final = "unknown"
# Names of os-release by whose updates they get. Oracle Linux calls itself like Fedora and rebuilds RHEL; Amazon Linux
# calls itself like both and makes its own.
_KINDS = {
    WINDOWS: WINDOWS,
    "ubuntu": "ubuntu",
    "debian": "debian",
    "amzn": "amzn",
    "fedora": "fedora",
    **dict.fromkeys(("rhel", "rocky", "almalinux", "centos", "ol"), "rhel"),
    **dict.fromkeys(("opensuse-tumbleweed", "opensuse-microos", "opensuse-slowroll"), "opensuse-tumbleweed"),
    **dict.fromkeys(("sles", "sled", "suse", "opensuse", "opensuse-leap"), "suse"),
}
_TITLES = {
    WINDOWS: "Windows",
    "ubuntu": "Ubuntu",
    "debian": "Debian",
    "amzn": "Amazon Linux",
    "fedora": "Fedora",
    "rhel": "RHEL-like",
    "opensuse-tumbleweed": "Tumbleweed",
    "suse": "SUSE",
}
_WINDOWS_CONNECTIONS = ("psrp", "winrm")
_WINDOWS_SHELLS = ("powershell", "cmd")


class Known(t.NamedTuple):
    """What is known of a host's system without asking it once more.

    ``seen`` and ``earlier`` are its names (see ``observation.system_names``) by this run and by the last one that saw
    it; ``connection`` and ``shell`` are what the inventory says.
    """

    seen: Sequence[str] = ()
    earlier: Sequence[str] = ()
    connection: str = ""
    shell: str = ""


def seen(document: Mapping[str, t.Any]) -> Known:
    """Return what this run's observation tells."""
    return Known(seen=observation.system_names(document))


def of(known: Known) -> str:
    """Return the kind of a host: what was seen holds over what is written down, and that over what was seen before.

    A host whose system nobody has seen yet is UNKNOWN: no canary speaks for it.
    """
    if known.seen:
        return _named(known.seen)
    if known.connection.rpartition(".")[2] in _WINDOWS_CONNECTIONS or known.shell in _WINDOWS_SHELLS:
        return WINDOWS
    if known.earlier:
        return _named(known.earlier)
    return UNKNOWN


def _named(names: Sequence[str]) -> str:
    return next((_KINDS[name] for name in names if name in _KINDS), names[0])


def title(kind: str) -> str:
    """Return the name of a kind as people write it."""
    return "unknown system" if kind == UNKNOWN else _TITLES.get(kind, kind)


def host(kind: str) -> str:
    """Return "Windows host" and the like."""
    return f"host of {title(kind)}" if kind == UNKNOWN else f"{title(kind)} host"


def hosts(kind: str) -> str:
    """Return "Windows hosts" and the like."""
    return f"hosts of {title(kind)}" if kind == UNKNOWN else f"{title(kind)} hosts"
