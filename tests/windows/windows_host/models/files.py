"""Files: what Ansible needs to copy to a host, look at it and fetch from it."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import ntpath
import re
import typing as t
import zipfile

from windows_host.filesystem import expand
from windows_host.manifest import Request
from windows_host.registry import ModuleFailure, Result, command, helper, module
from windows_host.shells import Reply

if t.TYPE_CHECKING:
    from windows_host.host import WindowsHost

_WINDOWS = "ansible.windows 3.3.0, plugins/modules/"
_CORE = "ansible-core 2.19.14, executor/powershell/"


@helper("powershell_mkdtemp.ps1", source=_CORE)
def mkdtemp(host: WindowsHost, request: Request) -> Reply:
    path = expand(f"{request.arguments['Directory']}\\{request.arguments['Name']}")
    host.files.make_folder(path)
    return Reply([path])


@helper("powershell_expand_user.ps1", source=_CORE)
def expand_user(host: WindowsHost, request: Request) -> Reply:
    path = str(request.arguments["Path"])
    return Reply([r"C:\Users\keepwell" + path[1:] if path == "~" or path.startswith("~\\") else path])


@helper("winrm_put_file.ps1", "psrp_put_file.ps1", source=_CORE)
def put_file(host: WindowsHost, request: Request) -> Reply:
    content = b"".join(base64.b64decode(line) for line in request.input)
    host.files.write(request.arguments["Path"], content)
    return Reply([json.dumps({"sha1": hashlib.sha1(content).hexdigest()})])


@helper("winrm_fetch_file.ps1", source=_CORE)
def winrm_fetch_file(host: WindowsHost, request: Request) -> Reply:
    path, offset = request.arguments["Path"], int(request.arguments["Offset"])
    if host.files.is_folder(path):
        return Reply(["[DIR]"])
    if not host.files.is_file(path):
        return Reply(errors=f"{path} does not exist", rc=1)
    piece = host.files.read(path)[offset : offset + int(request.arguments["BufferSize"])]
    return Reply([base64.b64encode(piece).decode()] if piece else [])


@helper("psrp_fetch_file.ps1", source=_CORE)
def psrp_fetch_file(host: WindowsHost, request: Request) -> Reply:
    path, size = request.arguments["Path"], int(request.arguments["BufferSize"])
    if host.files.is_folder(path):
        return Reply(["[DIR]"])
    if not host.files.is_file(path):
        return Reply(errors=f"{path} does not exist", rc=1)
    content = host.files.read(path)
    pieces = [content[start : start + size] for start in range(0, len(content), size)]
    return Reply(["[FILE]", *(base64.b64encode(piece).decode() for piece in pieces)])


@command(
    r"Remove-Item '?(?P<path>(?:[^']|'')+?)'? -Force(?: -Recurse)?;?",
    source="ansible-core 2.19.14, plugins/shell/powershell.py, remove(); 2.21 leaves the quotes out",
)
def remove_item(host: WindowsHost, matched: re.Match[str]) -> Reply:
    path = matched["path"].replace("''", "'")
    if host.files.remove(path):
        return Reply()
    return Reply(errors=f"Cannot find path '{path}' because it does not exist.", rc=1)


@module("ansible.windows.win_stat", source=_WINDOWS + "win_stat.ps1")
def win_stat(host: WindowsHost, request: Request) -> Result:
    told = request.arguments
    path = expand(told["path"])
    folder = host.files.is_folder(path)
    if not folder and not host.files.is_file(path):
        return {"stat": {"exists": False}}
    stat: Result = {
        "exists": True,
        "attributes": "Directory" if folder else "Archive",
        "isdir": folder,
        "isreg": not folder,
        "islnk": False,
        "isjunction": False,
        "ishidden": False,
        "isreadonly": False,
        "isshared": False,
        "isarchive": not folder,
        "hlnk_targets": [],
        "nlink": 1,
        "owner": "BUILTIN\\Administrators",
        "path": path,
        "filename": ntpath.basename(path),
        "creationtime": host.booted_at,
        "lastaccesstime": host.booted_at,
        "lastwritetime": host.booted_at,
    }
    if not folder:
        content = host.files.read(path)
        stat["extension"] = ntpath.splitext(path)[1]
        if told["get_size"]:
            stat["size"] = len(content)
        if told["get_checksum"]:
            stat["checksum"] = hashlib.new(told["checksum_algorithm"], content).hexdigest()
    return {"stat": stat}


@module("ansible.windows.slurp", source=_WINDOWS + "slurp.ps1")
def slurp(host: WindowsHost, request: Request) -> Result:
    path = str(request.arguments.get("src") or request.arguments.get("path"))
    if host.files.is_folder(path):
        raise ModuleFailure(f"Path {path} is a directory")
    if not host.files.is_file(path):
        raise ModuleFailure(f"Path {path} is not found")
    return {"content": base64.b64encode(host.files.read(path)).decode(), "encoding": "base64"}


@module("ansible.windows.win_file", source=_WINDOWS + "win_file.ps1")
def win_file(host: WindowsHost, request: Request) -> Result:
    told = request.arguments
    path = expand(str(told.get("path") or told.get("dest") or told.get("name")))
    state = told.get("state") or ("directory" if host.files.is_folder(path) else "file")
    there = host.files.is_file(path) or host.files.is_folder(path)
    if state == "file":
        if not host.files.is_file(path):
            raise ModuleFailure(f"path {path} will not be created")
        return {}
    if state == "directory" and host.files.is_file(path):
        raise ModuleFailure(f"path {path} is not a directory")
    changed = there if state == "absent" else not there or state == "touch"
    if changed and not request.check_mode:
        if state == "absent":
            host.files.remove(path)
        elif state == "directory":
            host.files.make_folder(path)
        elif not there:
            host.files.write(path, b"")
        host.change("file", path)
    return {"changed": changed}


@module("ansible.windows.win_copy", source=_WINDOWS + "win_copy.ps1")
def win_copy(host: WindowsHost, request: Request) -> Result:
    """Its four modes, by which the action plugin of the same name works."""
    mode = request.arguments["_copy_mode"]
    if mode == "query":
        return _query(host, request.arguments)
    source, dest = expand(request.arguments["src"]), str(request.arguments["dest"])
    if not host.files.is_file(source):
        raise ModuleFailure(f"Cannot copy src file: '{source}' as it does not exist")
    if mode == "explode":
        _explode(host, host.files.read(source), dest)
        return {"changed": True}
    name = request.arguments.get("_original_basename") or ntpath.basename(source)
    into = dest.endswith(("/", "\\")) or host.files.is_folder(dest)
    target = expand(f"{dest}\\{name}" if into else dest)
    if not into and not host.files.is_folder(ntpath.dirname(target)):
        raise ModuleFailure(f"Destination directory '{ntpath.dirname(target)}' does not exist")
    content = host.files.read(source)
    same = host.files.is_file(target) and host.files.read(target) == content
    if mode == "remote" and same:
        return {"dest": target, "operation": "file_copy"}
    if not request.check_mode:
        host.files.write(target, content)
        host.change("file", target)
    return {"changed": True, "dest": target, "checksum": hashlib.sha1(content).hexdigest(), "size": len(content)}


def _query(host: WindowsHost, told: Result) -> Result:
    """Which files and folders a host lacks, or has otherwise."""
    dest = told["dest"]
    force = str(told.get("force", True)).lower() != "false"
    files = []
    for file in told.get("files") or []:
        path = f"{dest}\\{file['dest']}"
        if host.files.is_folder(path):
            path = f"{path}\\{ntpath.basename(file['src'].replace('/', chr(92)))}"
        if not host.files.is_file(path) or (force and host.files.sha1(path) != file["checksum"]):
            files.append(file)
    folders = [found for found in told.get("directories") or [] if not host.files.is_folder(f"{dest}\\{found['dest']}")]
    return {"files": files, "directories": folders, "symlinks": []}


def _explode(host: WindowsHost, archive: bytes, dest: str) -> None:
    with zipfile.ZipFile(io.BytesIO(archive)) as packed:
        for entry in packed.infolist():
            name = base64.b64decode(entry.filename.rstrip("/")).decode()
            path = expand(f"{dest}\\{name}")
            if entry.is_dir():
                host.files.make_folder(path)
            else:
                host.files.write(path, packed.read(entry))
            host.change("file", path)
