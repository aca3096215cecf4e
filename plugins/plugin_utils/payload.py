# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: make the payload that carries the probes to a POSIX host, and read what comes back.

The same way goes whatever a chore asks of a host. The payload is one Python program for standard input: it unpacks
the sources of the needed modules into memory, imports them from there and prints one framed document. Nothing is
written on the host. Runs on the control node.
"""

from __future__ import annotations

import ast
import base64
import functools
import hashlib
import json
import re
import shlex
import typing as t
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

_MODULE_UTILS = "ansible_collections.keepwell.fleet.plugins.module_utils"
_PACKAGE = f"{_MODULE_UTILS}.probes"
_FRAME = re.compile(r"KEEPWELL-DOCUMENT (?P<sha256>[0-9a-f]{64}) (?P<body>[A-Za-z0-9+/=]+) KEEPWELL-END")
NO_PYTHON = "KEEPWELL-NO-PYTHON"
# Far above what all probes together may send; a few bytes can unpack to any size.
DOCUMENT_LIMIT = 32 * 1024 * 1024
# System interpreters first: they have the host's own libraries, and absolute paths cannot be dead shims.
INTERPRETERS = ("/usr/bin/python3", "/usr/libexec/platform-python")

# Probes live for seconds in a dozen processes that share their memory until one of them writes to it: collecting
# garbage would cost more than it frees. importlib.abc would bring twenty modules that nothing else needs.
# A return code above that tells of a signal, as a shell says it.
_SIGNALLED = 128
_IMPORTER = """\
import sys
if sys.version_info < (3, 6):
    sys.stdout.write("{no_python} %s\\n" % sys.version.split()[0]); sys.exit(0)
import base64, gc, hashlib, importlib.util, json, os, zlib
gc.disable()
sources = json.loads(zlib.decompress(base64.b64decode("{sources}")).decode("utf-8"))
class Finder(object):
    def find_spec(self, name, path=None, target=None):
        if name in sources or any(known.startswith(name + ".") for known in sources):
            return importlib.util.spec_from_loader(name, self, is_package=name not in sources)
    def create_module(self, spec):
        return None
    def exec_module(self, module):
        name = module.__spec__.name
        if name in sources:
            exec(compile(sources[name], name, "exec"), module.__dict__)
        else:
            module.__path__ = []
sys.meta_path.insert(0, Finder())
sys.dont_write_bytecode = True
sys.path = [entry for entry in sys.path if entry]
os.chdir("/")
"""
_ANSWER = """\
body = base64.b64encode(zlib.compress(json.dumps(document).encode("utf-8"), 6))
sys.stdout.write("KEEPWELL-DOCUMENT %s %s KEEPWELL-END\\n" % (hashlib.sha256(body).hexdigest(), body.decode("ascii")))
sys.stdout.flush()
os._exit(0)
"""
_PROGRAM = (
    _IMPORTER
    + """\
from {package} import _registry, _runner
request = json.loads(base64.b64decode("{request}").decode("utf-8"))
document = _runner.observe(_registry.select(request["subset"]), request["parameters"], request["budget_s"])
"""
    + _ANSWER
)
_AGENT = (
    _IMPORTER
    + """\
from {package}.{chore} import _agent
document = _agent.answer(json.loads(base64.b64decode("{request}").decode("utf-8")))
"""
    + _ANSWER
)
# Runs from its own folder, in which the request and all that comes of it are.
_WORK = (
    _IMPORTER
    + """\
gc.enable()
from {package}.{chore} import _work
_work.run(os.path.dirname(os.path.realpath(__file__)))
"""
)


class PayloadError(Exception):
    """The host's answer is no observation; the message says why, in words for a report."""


class EndedError(PayloadError):
    """The program was ended by a signal before it could answer, as when the host goes down in that moment."""


def _packed(sources: Mapping[str, str]) -> str:
    return base64.b64encode(zlib.compress(json.dumps(sources).encode("utf-8"), 9)).decode("ascii")


@functools.cache
def _sources() -> str:
    """Return the probes' sources, packed. Asked for once in Ansible's main process, its workers have them ready."""
    folder = Path(__file__).parents[1] / "module_utils" / "probes"
    return _packed(
        {f"{_PACKAGE}.{path.stem}": path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.py"))}
    )


@functools.cache
def _sources_of(entry: str) -> str:
    """Return one module of ``module_utils`` and all that it imports."""
    sources: dict[str, str] = {}
    wanted = [f"{_MODULE_UTILS}.{entry}"]
    while wanted:
        name = wanted.pop()
        path = Path(__file__).parents[1].joinpath("module_utils", *name.removeprefix(_MODULE_UTILS + ".").split("."))
        if name in sources or not path.with_suffix(".py").is_file():
            continue
        sources[name] = path.with_suffix(".py").read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(sources[name])):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(_MODULE_UTILS):
                wanted += [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]
    return _packed(sources)


def prepare() -> None:
    """Do now what all programs have in common."""
    _sources()


def program(subset: Sequence[str], parameters: Mapping[str, t.Any], budget_s: float) -> bytes:
    """Return the program for the host's standard input."""
    return _filled(
        _PROGRAM, _PACKAGE, _sources(), {"subset": list(subset), "parameters": parameters, "budget_s": budget_s}
    ).encode("ascii")


def agent(chore: str, request: Mapping[str, t.Any]) -> bytes:
    """Return the program for the host's standard input that answers a request of a chore."""
    return _filled(_AGENT, _MODULE_UTILS, _sources_of(f"{chore}._agent"), request, chore).encode("ascii")


def work_program(chore: str) -> str:
    """Return the program that does a chore's work: it lies in a folder of its own on the host."""
    return _filled(_WORK, _MODULE_UTILS, _sources_of(f"{chore}._work"), {}, chore)


def _filled(text: str, package: str, sources: str, request: Mapping[str, t.Any], chore: str = "") -> str:
    for name, value in (
        ("no_python", NO_PYTHON),
        ("chore", chore),
        ("package", package),
        ("sources", sources),
        ("request", base64.b64encode(json.dumps(request).encode("utf-8")).decode("ascii")),
    ):
        text = text.replace("{" + name + "}", value)
    return text


def command(configured: str | None = None) -> str:
    """Return the shell line that feeds standard input to the system's Python.

    ``configured`` is an interpreter from the inventory: used where the system has none of its own. After it come
    the names on the path, each tried first, because a name on a path can be a dead shim.
    """
    own = [configured] if configured and configured.startswith("/") and configured not in INTERPRETERS else []
    absolute = "; ".join(
        f"[ -x {shlex.quote(path)} ] && exec {shlex.quote(path)} -I -" for path in [*INTERPRETERS, *own]
    )
    named = 'for p in python3 python3.13 python3.12 python3.11 python3.9; do "$p" -c "" </dev/null 2>/dev/null'
    return f'{absolute}; {named} && exec "$p" -I -; done; echo {NO_PYTHON}'


def read_answer(stdout: str, stderr: str, rc: int) -> dict[str, t.Any]:
    """Return the document that the program printed. Raises PayloadError when there is none or it was damaged."""
    found = _FRAME.search(stdout)
    if not found:
        if NO_PYTHON in stdout:
            version = stdout.split(NO_PYTHON, 1)[1].split()
            have = f"only Python {version[0]}" if version else "no Python"
            raise PayloadError(f"the host has {have}; Keepwell needs Python 3.6 or newer there")
        last = [line.strip() for line in (stderr or stdout).splitlines() if line.strip()]
        error = EndedError if rc > _SIGNALLED or rc < 0 else PayloadError
        raise error(f"the host gave no observation (return code {rc}){': ' + last[-1][:200] if last else ''}")
    body = found["body"].encode("ascii")
    if hashlib.sha256(body).hexdigest() != found["sha256"]:
        raise PayloadError("the observation was damaged on its way")
    try:
        text = zlib.decompressobj().decompress(base64.b64decode(body), DOCUMENT_LIMIT)
        if len(text) == DOCUMENT_LIMIT:
            raise PayloadError(f"the observation is larger than {DOCUMENT_LIMIT >> 20} MiB")
        # NaN and Infinity are no JSON and no numbers: not determined.
        document = json.loads(text, parse_constant=lambda _name: None)
    except (ValueError, RecursionError, zlib.error) as exc:
        raise PayloadError(f"the observation cannot be read: {exc}") from exc
    return t.cast("dict[str, t.Any]", document)
