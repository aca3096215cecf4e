# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: an off-site copy, listed by SFTP from the control node: is it there, and how old is it?

Whether a copy elsewhere exists must not be asked of the host that makes it. Only names, sizes and times are read;
nothing is ever written, and no content is fetched. The host's key has to be known.

``repository`` is sftp://user@host:port/folder. Options: ``pattern`` (shell pattern of the names, or for folders of
dates), ``time_format`` and ``utc`` as of the drivers for files on hosts, ``depth`` (folders below each name that are
counted, default 0), ``known_hosts`` (file, default the user's own), ``key_file``. Credentials: SFTP_PASSWORD,
SFTP_KEY_PASSPHRASE.
"""

from __future__ import annotations

import contextlib
import fnmatch
import stat
import time
import typing as t
import urllib.parse
from pathlib import Path

from paramiko import __version__ as paramiko_version
from paramiko.client import RejectPolicy, SSHClient
from paramiko.sftp import CMD_EXTENDED
from paramiko.ssh_exception import AuthenticationException, BadHostKeyException, SSHException

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import _driver, _place

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from paramiko.sftp_attr import SFTPAttributes
    from paramiko.sftp_client import SFTPClient

_PORT = 22
_CONNECT_S = 20.0
_LIST_S = 120.0
_ENTRY_CAP = 100_000
# Names that programs give to what is not complete yet, and what lies beside a backup.
_UNFINISHED = (".part", ".partial", ".filepart", ".tmp", ".incomplete", "~")
_BESIDE = (".sha256", ".md5", ".log", ".txt", ".asc", ".sig")


class Place(t.NamedTuple):
    """Where a copy is."""

    user: str | None
    host: str
    port: int
    folder: str


class Entry(t.NamedTuple):
    """One file or folder there; size and files of a folder are of what was counted below it, None if nothing was."""

    name: str
    size: int | None
    mtime: float
    is_folder: bool = False
    files: int | None = 1


class TooMuch(Exception):
    """More is there than can be listed in time."""


def place(repository: str) -> Place:
    """Read a repository's address. Raises ValueError."""
    try:
        parts = urllib.parse.urlsplit(repository)
        port = parts.port or _PORT
    except ValueError as exc:
        raise ValueError(f"{repository} is no address of an SFTP copy: {exc}.") from exc
    if parts.scheme != "sftp" or not parts.hostname or not parts.path or parts.password or parts.query:
        raise ValueError(f"{repository} is no address of an SFTP copy; write sftp://user@host:port/folder.")
    return Place(parts.username, parts.hostname, port, urllib.parse.unquote(parts.path))


def summary(entries: Iterable[Entry], options: Mapping[str, t.Any], now: float) -> dict[str, t.Any]:
    """What a list of a folder tells: the look of a driver, without the repository. Pure."""
    pattern = options.get("pattern") or "*"
    found = []
    for entry in entries:
        finished = not entry.name.startswith(".") and not entry.name.endswith(_UNFINISHED + _BESIDE)
        if not finished or not fnmatch.fnmatchcase(entry.name, pattern):
            continue
        moment = _place.time_of(entry.name, entry.mtime, options.get("time_format"), bool(options.get("utc")))
        if moment is not None:
            found.append((moment, entry))
    found.sort(key=lambda item: (item[0], item[1].name))
    snapshots = [
        _driver.snapshot(
            entry.name,
            moment,
            end=None if entry.is_folder else entry.mtime,
            bytes=entry.size,
            files=entry.files,
            complete=False if entry.size == 0 else None,
        )
        for moment, entry in found[-_driver.SNAPSHOT_CAP :]
    ]
    detail = "" if found else f"Nothing in it has a name like {pattern}."
    if found and found[-1][0] > now:
        detail = f"{found[-1][1].name} is from the future: a clock is wrong."
    groups = [{"host": None, "paths": [], "latest": found[-1][0], "count": len(found)}] if found else []
    cut = len(found) > len(snapshots)
    answer: dict[str, t.Any] = _driver.look(
        "ok", detail, tool=_tool(), snapshots=snapshots, snapshots_cut=cut, groups=groups
    )
    return answer


def look(
    repository: str, options: Mapping[str, t.Any], secrets: Mapping[str, str], now: float, patience: float = _LIST_S
) -> dict[str, t.Any]:
    """List a copy: the look of a driver. What the other side does is told in it, and never raised.

    Raises ValueError for a wrong declaration alone.
    """
    where = place(repository)
    known = Path(options.get("known_hosts") or "~/.ssh/known_hosts").expanduser()
    client = SSHClient()
    if known.exists():
        client.load_host_keys(str(known))
    client.set_missing_host_key_policy(RejectPolicy())
    try:
        with client:
            _connect(client, where, options, secrets)
            with contextlib.closing(client.open_sftp()) as sftp:
                sftp.get_channel().settimeout(_CONNECT_S)
                entries = _entries(sftp, where.folder, int(options.get("depth", 0)), time.monotonic() + patience)
                answer = summary(entries, options, now)
                free = _free_bytes(sftp, where.folder)
    except BadHostKeyException:
        return _failed("error", f"{where.host} has another key than {known} says. Look whether it was exchanged.")
    except AuthenticationException as exc:
        return _failed("denied", f"{where.host} does not let us in: {exc}")
    except SSHException as exc:
        hint = f" Add its key to {known}." if "not found in known_hosts" in str(exc) else ""
        return _failed("error", f"{where.host}: {exc}.{hint}")
    except TooMuch as exc:
        return _failed("timeout", str(exc))
    except TimeoutError:
        return _failed("timeout", f"{where.host} does not answer.")
    except FileNotFoundError:
        return _failed("no_repository", f"{where.folder} is not there on {where.host}.")
    except PermissionError:
        return _failed("denied", f"{where.folder} on {where.host} may not be read.")
    except OSError as exc:
        return _failed("error", f"{where.host} port {where.port}: {exc.strerror or exc}.")
    repository_facts = {"id": None, "location": "sftp", "path": None, "encrypted": None, "append_only": None}
    answer["repository"] = {**repository_facts, "object_lock": None, "free_bytes": free, "keyfile": None}
    return answer


def _tool() -> dict[str, t.Any]:
    return {"name": "sftp", "version": str(paramiko_version), "path": None}


def _failed(status: str, detail: str) -> dict[str, t.Any]:
    answer: dict[str, t.Any] = _driver.look(status, detail, tool=_tool())
    return answer


def _connect(client: SSHClient, where: Place, options: Mapping[str, t.Any], secrets: Mapping[str, str]) -> None:
    """Log in with what is declared, and with nothing else when something is."""
    password, key = secrets.get("SFTP_PASSWORD"), options.get("key_file")
    client.connect(
        where.host,
        where.port,
        username=where.user,
        password=password,
        key_filename=str(Path(key).expanduser()) if key else None,
        passphrase=secrets.get("SFTP_KEY_PASSPHRASE"),
        allow_agent=not (password or key),
        look_for_keys=not (password or key),
        timeout=_CONNECT_S,
        banner_timeout=_CONNECT_S,
        auth_timeout=_CONNECT_S,
    )


def _entries(sftp: SFTPClient, folder: str, depth: int, end: float) -> list[Entry]:
    """What is in a folder; links are left out, so that nothing outside of it is counted."""
    seen = 0

    def listed(path: str) -> list[SFTPAttributes]:
        nonlocal seen
        found = []
        # To its end before the next: paramiko asks for more of it ahead.
        for attributes in sftp.listdir_iter(path):
            seen += 1
            if seen > _ENTRY_CAP or time.monotonic() > end:
                raise TooMuch(f"{folder} holds more than can be listed; choose a smaller depth, or a folder below it.")
            found.append(attributes)
        return found

    return [entry for attributes in listed(folder) for entry in _entry(listed, folder, attributes, depth)]


def _entry(
    listed: Callable[[str], list[SFTPAttributes]],
    folder: str,
    attributes: SFTPAttributes,
    depth: int,
) -> list[Entry]:
    mode, mtime = attributes.st_mode or 0, float(attributes.st_mtime or 0)
    if stat.S_ISREG(mode):
        return [Entry(_name(attributes), attributes.st_size or 0, mtime)]
    if not stat.S_ISDIR(mode):
        return []
    if depth <= 0:
        return [Entry(_name(attributes), None, mtime, True, None)]
    path = f"{folder.rstrip('/')}/{_name(attributes)}"
    below = [entry for inner in listed(path) for entry in _entry(listed, path, inner, depth - 1)]
    size, files = sum(entry.size or 0 for entry in below), sum(entry.files or 0 for entry in below)
    return [Entry(_name(attributes), size, mtime, True, files)]


def _name(attributes: SFTPAttributes) -> str:
    """Of an entry in a list; those of single files have none, which paramiko's type says of all."""
    return str(getattr(attributes, "filename", ""))


def _free_bytes(sftp: SFTPClient, folder: str) -> int | None:
    """Room on the other side, where its server tells (OpenSSH does); None otherwise."""
    try:
        _kind, answer = sftp._request(CMD_EXTENDED, "statvfs@openssh.com", folder)
        _bsize, frsize, _blocks, _bfree, available = (answer.get_int64() for _number in range(5))
    except (OSError, AttributeError, SSHException):
        return None
    return int(frsize * available)
