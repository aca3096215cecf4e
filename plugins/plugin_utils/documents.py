# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: JSON documents as files: one form, read back checked, there whole or not at all.

Runs on the control node.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import typing as t
import urllib.parse
from pathlib import Path

from pydantic import BaseModel, ValidationError

from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import Model
from ansible_collections.keepwell.fleet.plugins.plugin_utils.redact import redact

_NAME_LIMIT = 120
# Evidence names weak spots: for the owner and the group (monitoring reads status.json), nobody else.
FILE_MODE = 0o640
FOLDER_MODE = 0o750
ModelT = t.TypeVar("ModelT", bound=Model)


class EvidenceError(Exception):
    """Evidence that cannot be read or written; the message says what, where, why and what to do."""


def canonical(document: t.Any) -> bytes:
    """Return JSON with sorted keys and no spare spaces, as UTF-8 with a line end: the form that is hashed."""
    text = json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    # Lone surrogates (undecodable bytes of a host) have no UTF-8 form.
    return (text + "\n").encode("utf-8", "replace")


def dump(model: Model) -> bytes:
    """Return a document as canonical JSON, without values that equal their default."""
    return canonical(model.model_dump(mode="json", exclude_defaults=True) | _always(model))


def dump_redacted(model: Model) -> bytes:
    """Return a document as it becomes evidence: like ``dump``, without secrets that a tool or an address let slip."""
    return canonical(redact(model.model_dump(mode="json", exclude_defaults=True) | _always(model)))


def dump_part(part: BaseModel) -> str:
    """Return a part of a document as canonical JSON text, as an index keeps it."""
    return canonical(part.model_dump(mode="json", exclude_defaults=True)).decode().rstrip("\n")


def _always(model: Model) -> dict[str, t.Any]:
    return {"schema_version": model.schema_version} if "schema_version" in type(model).model_fields else {}  # type: ignore[attr-defined]


def host_file_name(host: str) -> str:
    """Return a safe, unique file name for any host name, without ``.json``.

    Letters, digits and ``._-`` stay; all else is percent-encoded; long names are cut and get a hash.
    """
    name = urllib.parse.quote(host, safe="._-", errors="replace")
    if name.startswith("."):
        name = "%2E" + name[1:]
    if len(name) <= _NAME_LIMIT:
        return name
    digest = hashlib.sha256(host.encode("utf-8", "replace")).hexdigest()[:16]
    return f"{name[: _NAME_LIMIT - 17]}-{digest}"


def make_folder(path: Path) -> None:
    """Make a folder and what is missing above it, all with FOLDER_MODE; what is there keeps its own mode.

    ``Path.mkdir`` gives the folders above the mode that the umask leaves, and evidence would be listed to everybody.
    """
    missing = [path, *path.parents]
    for folder in reversed(missing[: next((place for place, entry in enumerate(missing) if entry.exists()), None)]):
        folder.mkdir(mode=FOLDER_MODE, exist_ok=True)


def write_atomic(path: Path, content: bytes, mode: int = FILE_MODE) -> None:
    """Put ``content`` at ``path`` so that a reader, or a crash, sees the old file or the new one and nothing else."""
    make_folder(path.parent)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name[:40]}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def whole_lines(path: Path) -> list[bytes]:
    """Return the lines of a file without their ends; what a crash left unfinished behind the last one is none."""
    try:
        return path.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return []
    except OSError as exc:
        raise EvidenceError(f"{path} cannot be read: {exc.strerror}.") from exc


def append_line(path: Path, line: bytes) -> None:
    """Add a line, with its end, behind the last whole one of a file, and see it on disk. One process at a time."""
    make_folder(path.parent)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, FILE_MODE)
    with os.fdopen(descriptor, "r+b") as stream:
        end = stream.read().rfind(b"\n") + 1
        stream.seek(end)
        stream.truncate()
        stream.write(line)
        stream.flush()
        os.fsync(stream.fileno())


def load(model: type[ModelT], path: Path) -> ModelT:
    """Read a document of a known kind. Raises EvidenceError with one sentence when that is impossible."""
    try:
        text = path.read_bytes()
    except OSError as exc:
        raise EvidenceError(f"{path} cannot be read: {exc.strerror}.") from exc
    return checked(model, parsed(text, path), path)


def parsed(text: bytes, path: Path) -> t.Any:
    """Return what was read at ``path`` as JSON. Raises EvidenceError with one sentence."""
    try:
        return json.loads(text)
    except ValueError as exc:
        raise EvidenceError(
            f"{path} is not JSON ({exc}): it was damaged or edited. Restore it from a backup, or move its run away."
        ) from exc


def checked(model: type[ModelT], document: t.Any, path: Path) -> ModelT:
    """Return what was read at ``path`` as a document of a known kind. Raises EvidenceError with one sentence."""
    try:
        return model.model_validate(document)
    except ValidationError as exc:
        first = exc.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        raise EvidenceError(
            f"{path} is not a {model.__name__} of this version ({where}: {first['msg']}): "
            "it was made by another version of Keepwell, damaged or edited."
        ) from exc
