"""A client with Linux and Windows hosts, as a folder below inventories/: what a user writes, over hosts of a test."""

from __future__ import annotations

import itertools
import json
import typing as t
from pathlib import Path

from windows_host.world import TRANSPORTS, Transport, World


def client(
    folder: Path,
    world: World,
    linux: t.Mapping[str, t.Mapping[str, t.Any]],
    *,
    transports: t.Sequence[Transport] = TRANSPORTS,
    **variables: t.Any,
) -> Path:
    """Write the client and return its folder, whose name is the client's id.

    Windows hosts take the transports in turn. What all hosts of a system have in common stands in group_vars, as in
    a real client: connections and credentials for ``windows``, become for ``linux``. ``variables`` are those of all.
    """
    shared = {"ansible_become_method", "ansible_user", "ansible_password"}
    windows: dict[str, dict[str, t.Any]] = {}
    common: dict[str, t.Any] = {}
    for (name, _host), transport in zip(world.hosts.items(), itertools.cycle(transports), strict=False):
        told = world.variables(name, transport)
        common |= {variable: told.pop(variable) for variable in shared & set(told)}
        windows[name] = told
    _write(
        folder / "hosts.yml",
        {"all": {"children": {"linux": {"hosts": {**linux}}, "windows": {"hosts": windows}}}},
    )
    _write(folder / "group_vars" / "all.yml", variables)
    _write(folder / "group_vars" / "windows.yml", common)
    return folder


def _write(path: Path, document: t.Mapping[str, t.Any]) -> None:
    """JSON is YAML."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1) + "\n")
