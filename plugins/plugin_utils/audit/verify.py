# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Say what holds of Keepwell's evidence, and what does not, in plain sentences.

This one file is what the verify playbook uses, and it lies in every evidence pack, so that an auditor needs nothing of
Keepwell: Python 3.6 or newer, ssh-keygen (OpenSSH 8.7) for signatures, openssl for time stamps. It changes
nothing::

    python3 verify.py                        the pack it lies in
    python3 verify.py PACK.zip               a pack as it came
    python3 verify.py --head HASH ...        compare with a head that was noted elsewhere

Exit code 0: everything that was checked holds. 2: something does not, or could not be checked.
"""

import argparse
import base64
import binascii
import bisect
import datetime
import hashlib
import json
import lzma
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile
import zlib
from typing import IO, Any, Collection, Dict, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

# Signed into every signature: what was signed for another purpose does not count here.
NAMESPACE = "keepwell-evidence"
MANIFEST, SIGNATURE, QUERY, TOKEN = "manifest.json", "manifest.json.sig", "manifest.json.tsq", "manifest.json.tsr"
# Files about the manifest, which it cannot hold the hash of.
SEALS = (MANIFEST, SIGNATURE, QUERY, TOKEN)
SIGNERS, AUTHORITY = "allowed_signers", "timestamp_ca.pem"
PACK, SUMS = "pack.json", "SHA256SUMS"
# What reading damaged or hostile files raises; RuntimeError: encrypted, or of a kind that zipfile does not know.
BROKEN = (OSError, EOFError, ValueError, RuntimeError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)
_LIMIT = 200 * 1024 * 1024
_SHOWN = 20
_HASH = re.compile(r"[0-9a-f]{64}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


class Sentence(NamedTuple):
    """``holds`` is True, False, or None for what a reader should only know."""

    holds: Optional[bool]
    text: str


class Unreadable(Exception):
    """A file that cannot be read, or is not what its name says; the message is a whole sentence."""


class Link(NamedTuple):
    """One run of the chain: its manifest and the hash of it."""

    run_id: str
    manifest: Dict[str, Any]
    sha256: str


# --- where evidence lies


class Folder:
    """Evidence in a folder: a client's in the state directory, or a pack that was unpacked."""

    def __init__(self, root: str) -> None:
        self.root = root

    def where(self, name: str) -> str:
        """Return a file's name as a person would look for it."""
        return os.path.join(self.root, name)

    def names(self, below: str = "") -> List[str]:
        """Return all files below a folder, links included, as paths from the root; not hidden ones."""
        found = []
        for folder, folders, files in os.walk(os.path.join(self.root, below)):
            linked = [name for name in folders if os.path.islink(os.path.join(folder, name))]
            folders[:] = [name for name in folders if not name.startswith(".") and name not in linked]
            for name in files + linked:
                if not name.startswith("."):
                    found.append(os.path.relpath(os.path.join(folder, name), self.root).replace(os.sep, "/"))
        return sorted(found)

    def open(self, name: str) -> IO[bytes]:
        """Open a file for reading. Raises Unreadable."""
        path = self.where(name)
        if os.path.islink(path) or not os.path.isfile(path):
            raise Unreadable(f"{path} is no plain file")
        try:
            return open(path, "rb")
        except OSError as exc:
            raise Unreadable(f"{path} cannot be read: {exc.strerror}") from exc


class Archive:
    """Evidence in a zip file, read where it lies; nothing is unpacked."""

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile) as exc:
            raise Unreadable(f"{path} is no whole zip file: {exc}") from exc
        names = [entry.filename for entry in self._zip.infolist() if not entry.filename.endswith("/")]
        if len(set(names)) < len(names):
            raise Unreadable(f"{path} holds files of the same name: it was put together by somebody else")
        tops = {name.split("/", 1)[0] for name in names}
        self._top = tops.pop() + "/" if len(tops) == 1 else ""
        self._names = sorted(name[len(self._top) :] for name in names)

    def where(self, name: str) -> str:
        """Return a file's name in the archive."""
        return self._top + name

    def names(self, below: str = "") -> List[str]:
        """Return all files below a folder, as paths from the root."""
        start = below.rstrip("/") + "/" if below else ""
        first, last = bisect.bisect_left(self._names, start), bisect.bisect_left(self._names, start + chr(0x10FFFF))
        return self._names[first:last]

    def open(self, name: str) -> IO[bytes]:
        """Open a file for reading. Raises Unreadable."""
        try:
            return self._zip.open(self._top + name)
        except (KeyError, *BROKEN) as exc:
            raise Unreadable(f"{self.where(name)} cannot be read: {exc}") from exc


def read(place: Any, name: str) -> bytes:
    """Return the content of a file. Raises Unreadable."""
    with place.open(name) as stream:
        try:
            content = bytes(stream.read(_LIMIT))
        except BROKEN as exc:
            raise Unreadable(f"{place.where(name)} cannot be read: {exc}") from exc
    return content


def digest(place: Any, name: str) -> str:
    """Return the SHA-256 of a file. Raises Unreadable."""
    made = hashlib.sha256()
    with place.open(name) as stream:
        try:
            for block in iter(lambda: stream.read(1 << 20), b""):
                made.update(block)
        except BROKEN as exc:
            raise Unreadable(f"{place.where(name)} cannot be read: {exc}") from exc
    return made.hexdigest()


# --- the chain of manifests


def read_link(place: Any, run_id: str) -> Link:
    """Return a run's manifest. Raises Unreadable when it is none."""
    name = f"runs/{run_id}/{MANIFEST}"
    content = read(place, name)
    wrong = Unreadable(f"{place.where(name)} was damaged or edited: it is no manifest of run {run_id}")
    try:
        manifest = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as exc:
        raise wrong from exc
    if not _is_manifest(manifest) or manifest["run_id"] != run_id or canonical(manifest) != content:
        raise wrong
    return Link(run_id, manifest, hashlib.sha256(content).hexdigest())


def canonical(document: Any) -> bytes:
    """Return the one form in which Keepwell writes JSON."""
    text = json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return (text + "\n").encode("utf-8", "replace")


def _is_manifest(document: Any) -> bool:
    if not isinstance(document, dict):
        return False
    before = (document.get("previous_run_id"), document.get("previous_manifest_sha256"))
    files, deleted = document.get("files"), document.get("deleted", {})
    return (
        all(isinstance(document.get(name), str) for name in ("run_id", "client", "started_at", "ended_at"))
        and bool(_TIME.fullmatch(document["ended_at"]))
        and isinstance(document.get("seq"), int)
        and document["seq"] >= 1
        and (before == (None, None) or all(isinstance(part, str) for part in before))
        and isinstance(files, dict)
        and all(isinstance(entry, dict) and isinstance(entry.get("sha256"), str) for entry in files.values())
        and isinstance(document.get("signed_by", None), (str, type(None)))
        and isinstance(deleted, dict)
        and all(_are_names(names) for names in deleted.values())
    )


def _are_names(document: Any) -> bool:
    return isinstance(document, list) and all(isinstance(name, str) for name in document)


def link_problems(chain: Sequence[Link], place: Any) -> List[str]:
    """Return where a chain, in order, does not hold: a run is missing, or a manifest was changed."""
    found = []
    for before, after in zip(chain, chain[1:]):
        follows = after.manifest["seq"] == before.manifest["seq"] + 1
        if not follows or after.manifest["previous_run_id"] != before.run_id:
            found.append(
                "between runs {} and {} of {} a run is missing".format(
                    before.run_id, after.run_id, after.manifest["client"]
                )
            )
        elif after.manifest["previous_manifest_sha256"] != before.sha256:
            path = place.where(f"runs/{before.run_id}/{MANIFEST}")
            found.append(f"{path} was changed after the next run was sealed")
    return found


def deleted_files(chain: Sequence[Link]) -> Dict[str, Set[str]]:
    """Return what later runs recorded as deleted when its time was over: run id -> names of files."""
    gone = {}  # type: Dict[str, Set[str]]
    for link in chain:
        for run_id, names in link.manifest.get("deleted", {}).items():
            gone.setdefault(run_id, set()).update(names)
    return gone


def file_problems(place: Any, manifest: Mapping[str, Any], deleted: Collection[str] = ()) -> List[str]:
    """Return what no longer is as it was when the run was sealed: files changed, missing or added."""
    folder = "runs/{}/".format(manifest["run_id"])
    there = {name[len(folder) :] for name in place.names(folder)}
    found = []
    for name, entry in sorted(manifest["files"].items()):
        if name not in there:
            if name not in deleted:
                found.append(f"{place.where(folder + name)} is missing")
            continue
        try:
            if digest(place, folder + name) != entry["sha256"]:
                found.append(f"{place.where(folder + name)} was changed after the run was sealed")
        except Unreadable as exc:
            found.append(str(exc))
    added = sorted(there - set(manifest["files"]) - set(SEALS))
    return found + [f"{place.where(folder + name)} was added after the run was sealed" for name in added]


# --- signatures


def fingerprint(signature: bytes) -> Tuple[str, str]:
    """Return (fingerprint of the key, namespace) of a signature of ssh-keygen. Raises ValueError for anything else.

    The form is that of OpenSSH's PROTOCOL.sshsig. A signature that is written in any other way than ssh-keygen does
    is refused, so that no byte of it can be changed unnoticed.
    """
    first, last = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"
    try:
        lines = signature.decode("ascii").split("\n")
        blob = base64.b64decode("".join(lines[1:-2]), validate=True)
        text = base64.b64encode(blob).decode("ascii")
        wrapped = [text[start : start + 70] for start in range(0, len(text), 70)]
        if lines != [first, *wrapped, last, ""] or blob[:10] != b"SSHSIG\0\0\0\1":
            raise ValueError("not as ssh-keygen writes it")
        key, rest = _string(blob[10:])
        namespace, rest = _string(rest)
    except (UnicodeDecodeError, binascii.Error, struct.error) as exc:
        raise ValueError("no signature") from exc
    print_of_key = base64.b64encode(hashlib.sha256(key).digest()).decode("ascii").rstrip("=")
    return "SHA256:" + print_of_key, namespace.decode("utf-8", "replace")


def _string(data: bytes) -> Tuple[bytes, bytes]:
    (length,) = struct.unpack(">I", data[:4])
    if len(data) < 4 + length:
        raise ValueError("cut off")
    return data[4 : 4 + length], data[4 + length :]


def signature_problem(content: bytes, signature: bytes, identity: str, signers: str, at: str) -> str:
    """Return why a signature of ``content`` does not count, "" when it does.

    ``signers`` is the path of an allowed_signers file, ``at`` the time (ISO, UTC) for which the key must be allowed.
    """
    try:
        key, namespace = fingerprint(signature)
    except ValueError:
        return "the signature was damaged: it is none of ssh-keygen's"
    if namespace != NAMESPACE:
        return f"the signature was made for '{namespace}', not for '{NAMESPACE}'"
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "signature")
        with open(path, "wb") as stream:
            stream.write(signature)
        fits = ["ssh-keygen", "-Y", "check-novalidate", "-n", NAMESPACE, "-s", path]
        if run_tool(fits, content)[0] != 0:
            return "the signature does not fit: it, or what it signs, was changed"
        time = "verify-time=" + re.sub(r"\D", "", at)
        counts = ["ssh-keygen", "-Y", "verify", "-n", NAMESPACE, "-s", path, "-f", signers, "-I", identity, "-O", time]
        if run_tool(counts, content)[0] != 0:
            who = f"which {os.path.basename(signers)} does not allow for {identity} at {at}"
            return f"the signature is by key {key}, {who}"
    return ""


def run_tool(command: Sequence[str], content: bytes = b"") -> Tuple[int, str]:
    """Return (exit code, output) of a tool. The times in an allowed_signers file count as UTC."""
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
    try:
        done = subprocess.run(
            list(command),
            input=content,
            stdout=subprocess.PIPE,
            check=False,
            stderr=subprocess.STDOUT,
            env=environment,
            timeout=60,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        return 127, str(exc)
    return done.returncode, done.stdout.decode("utf-8", "replace")


# --- time stamps


def stamp_time(token: str) -> Optional[datetime.datetime]:
    """Return the time (UTC, without zone) that a time stamp states, None when it is none; ``token`` is a path."""
    code, text = run_tool(["openssl", "ts", "-reply", "-in", token, "-text"])
    found = re.search(r"^Time stamp: (\w{3}) +(\d+) (\d\d:\d\d:\d\d)[.\d]* (\d{4}) GMT", text, re.M)
    if code != 0 or not found:
        return None
    return datetime.datetime.strptime(" ".join(found.groups()), "%b %d %H:%M:%S %Y")


def stamp_problem(content: str, query: Optional[str], token: str, authority: str) -> str:
    """Return why a time stamp (RFC 3161) does not count, "" when it does. All are paths."""
    at = stamp_time(token)
    if at is None:
        return "the reply of the time stamp authority was damaged, or is none"
    seconds = str(int((at - datetime.datetime(1970, 1, 1)).total_seconds()))
    for what in (["-data", content],) + ((["-queryfile", query],) if query else ()):
        command = ["openssl", "ts", "-verify", *what, "-in", token, "-CAfile", authority, "-attime", seconds]
        code, text = run_tool(command)
        if code != 0:
            if "message imprint mismatch" in text or "nonce" in text:
                return "the time stamp is of something else: it, or what it stamps, was changed"
            return f"the time stamp is by no authority that {os.path.basename(authority)} vouches for, or was changed"
    return ""


# --- all of it


class Verification:
    """One look at evidence. ``sentences`` says what came of it; what does not hold comes first."""

    def __init__(self, place: Any, signers: Optional[str] = None, authority: Optional[str] = None) -> None:
        self.place = place
        self._signers = signers
        self._authority = authority
        self._found = []  # type: List[Sentence]
        self._names = set()  # type: Set[str]
        self.chain = []  # type: List[Link]

    @property
    def sentences(self) -> List[Sentence]:
        """All sentences: what does not hold, what does, what to know."""
        order = {False: 0, True: 1, None: 2}
        return sorted(self._found, key=lambda sentence: order[sentence.holds])

    @property
    def holds(self) -> bool:
        """True when nothing was found that does not hold."""
        return all(sentence.holds is not False for sentence in self._found)

    def _fails(self, text: str) -> None:
        self._found.append(Sentence(False, text))

    def _is_so(self, text: str) -> None:
        self._found.append(Sentence(True, text))

    def _know(self, text: str) -> None:
        self._found.append(Sentence(None, text))

    def look(self, run: str = "", since: str = "", heads: Sequence[str] = ()) -> "Verification":
        """Check everything, or the files of one run, or of the runs that ended on or after a day."""
        names = self.place.names()
        self._names = set(names)
        pack = self._pack(names)
        self._read_chain(names, pack)
        if not self.chain:
            self._fails("There is no sealed run here: nothing can be verified.")
            return self
        wanted = [link for link in self.chain if run in ("", link.run_id) and link.manifest["ended_at"] >= since]
        if run and not wanted:
            self._fails(f"Run {run} is not here.")
        elif not wanted:
            self._fails(f"No run here ended on or after {since}.")
        bare = set(pack.get("links", ()))
        self._bare(bare)
        self._files(wanted, bare)
        last_signed = [link for link in self.chain if link.manifest.get("signed_by")][-1:]
        self._signatures(wanted + [link for link in last_signed if link not in wanted])
        self._stamps(wanted)
        self._heads(heads)
        return self

    def _pack(self, names: Sequence[str]) -> Dict[str, Any]:
        """Check that a pack is as it was made, and return what it says of itself; {} for evidence that is no pack."""
        if not {PACK, SUMS, "verify.py"} & set(names):
            return {}
        wrong = []
        try:
            lines = read(self.place, SUMS).decode("ascii").split("\n")
            listed = dict(line.split("  ", 1)[::-1] for line in lines[:-1])
            if lines[-1] or sorted(listed) != [line.split("  ", 1)[1] for line in lines[:-1]]:
                raise ValueError("cut off")
        except (Unreadable, ValueError):
            listed = {}
            wrong.append(f"{self.place.where(SUMS)} is missing or was changed")
        for name in sorted(set(names) - {SUMS} | set(listed)):
            if name not in names:
                wrong.append(f"{self.place.where(name)} is missing from the pack")
            elif name not in listed:
                wrong.append(f"{self.place.where(name)} does not belong to the pack: {SUMS} does not have it")
            else:
                try:
                    if digest(self.place, name) != listed[name]:
                        wrong.append(f"{self.place.where(name)} is not as {SUMS} has it")
                except Unreadable as exc:
                    wrong.append(str(exc))
        self._several(wrong)
        if not wrong:
            self._is_so(f"The pack is as it was made: {len(listed)} files.")
        try:
            pack = json.loads(read(self.place, PACK).decode("utf-8"))
            if not isinstance(pack, dict) or not all(_are_names(pack.get(name)) for name in ("runs", "links")):
                raise ValueError("no pack")
        except (Unreadable, ValueError, RecursionError):
            self._fails(f"{self.place.where(PACK)} is missing or was changed.")
            return {}
        return pack

    def _several(self, texts: Sequence[str]) -> None:
        for text in texts[:_SHOWN]:
            self._fails(text[:1].upper() + text[1:] + ".")
        if len(texts) > _SHOWN:
            self._fails(f"And {len(texts) - _SHOWN} more like these.")

    def _read_chain(self, names: Sequence[str], pack: Mapping[str, Any]) -> None:
        folders = {}  # type: Dict[str, Set[str]]
        for name in names:
            parts = name.split("/", 2)
            if parts[0] == "runs" and len(parts) == 3:
                folders.setdefault(parts[1], set()).add(parts[2])
        found = []
        for run_id in sorted(set(folders) | set(pack.get("runs", ())) | set(pack.get("links", ()))):
            there = folders.get(run_id, set())
            if MANIFEST in there:
                try:
                    found.append(read_link(self.place, run_id))
                except Unreadable as exc:
                    self._fails(f"{exc}.")
            elif pack or set(SEALS) & there:
                self._fails(f"The manifest of run {run_id} is missing.")
            else:
                self._know(f"Run {run_id} is not sealed: it is under way, or was cut off; the next run seals it.")
        self.chain = sorted(found, key=lambda link: (link.manifest["seq"], link.run_id))
        if not self.chain:
            return
        first, newest = self.chain[0].manifest, self.chain[-1].manifest
        clients = sorted({link.manifest["client"] for link in self.chain})
        broken = link_problems(self.chain, self.place)
        if len(clients) > 1:
            broken.append("runs of several clients are mixed: {}".format(", ".join(clients)))
        if first["seq"] > 1 and not pack:
            broken.append("the runs before {} are missing: it is number {}".format(first["run_id"], first["seq"]))
        elif first["seq"] > 1:
            self._know("The pack begins with run number {} of the client.".format(first["seq"]))
        elif first["previous_run_id"] is not None:
            broken.append("run {} says that it is the first, and names one before".format(first["run_id"]))
        self._several(broken)
        if not broken:
            number = "1 run" if len(self.chain) == 1 else f"{len(self.chain)} runs"
            self._is_so(
                "The chain of {} is whole: {}, the first begun {}, the last ended {}; each names the hash of "
                "the one before.".format(clients[0], number, first["started_at"], newest["ended_at"])
            )

    def _bare(self, bare: Set[str]) -> None:
        """Check that runs of which a pack has the manifest alone are those that it needs, and tell of them.

        Which they are says the pack's own list, and nobody signs that: whoever takes files out could say so there.
        """
        there = [place for place, link in enumerate(self.chain) if link.run_id in bare]
        if not there:
            return
        first, last = self.chain[there[0]].run_id, self.chain[there[-1]].run_id
        self._know(
            "Of {} the pack has the manifest alone, from {} to {}: what was recorded in them is not here.".format(
                "1 run" if len(there) == 1 else f"{len(there)} runs", first, last
            )
        )
        end = there[0] - 1
        inside = {link.run_id for link in self.chain[: end + 1]}
        deleting = [
            place
            for place, link in enumerate(self.chain)
            if place > end and inside & set(link.manifest.get("deleted", {}))
        ]
        stop = max([end, *deleting])
        signed = [place for place, link in enumerate(self.chain) if place >= stop and link.manifest.get("signed_by")]
        needed = list(range(end + 1, (signed[0] if signed else stop) + 1))
        if end < 0 or there != needed:
            self._fails(
                "The pack lacks what was recorded in {}, and needs none of their manifests without it: "
                "files were taken out, and {} was changed to say so.".format(
                    "run " + first if first == last else f"runs {first} to {last}", self.place.where(PACK)
                )
            )

    def _files(self, wanted: Sequence[Link], bare: Set[str]) -> None:
        gone = deleted_files(self.chain)
        wrong = []  # type: List[str]
        files = runs = 0
        for link in wanted:
            here = set(link.manifest["files"]) - gone.get(link.run_id, set())
            if link.run_id in bare:
                here = set()
            # What is gone may be gone; what is still there must be as it was.
            wrong += file_problems(self.place, link.manifest, set(link.manifest["files"]) - here)
            files += len(here)
            runs += bool(here)
        self._several(wrong)
        if files and not wrong:
            self._is_so(f"Files as they were when their run was sealed: {files}, of runs: {runs}.")
        for link in self.chain:
            deleted = link.manifest.get("deleted", {})
            if deleted:
                self._know(
                    "Run {} recorded on {} that the files of runs whose time was over were deleted: {} runs. Their "
                    "manifests are kept: what was deleted can be recognised, and not replaced.".format(
                        link.run_id, link.manifest["ended_at"], len(deleted)
                    )
                )

    def _signatures(self, wanted: Sequence[Link]) -> None:
        signers = self._own(SIGNERS, self._signers)
        wrong = []
        by_key = {}  # type: Dict[Tuple[str, str], List[str]]
        with tempfile.TemporaryDirectory() as folder:
            path = _put(folder, SIGNERS, signers) if signers is not None else ""
            can = shutil.which("ssh-keygen") is not None
            for link in wanted:
                name = f"runs/{link.run_id}/{SIGNATURE}"
                there = name in self._names
                identity = link.manifest.get("signed_by")
                if not identity:
                    if there:
                        wrong.append(f"run {link.run_id} was sealed without a signature, and has one")
                    continue
                if not there:
                    wrong.append(f"the signature of run {link.run_id} is missing")
                elif not path or not can:
                    what = "there is no allowed_signers file" if can else "ssh-keygen is not installed"
                    wrong.append(f"the signature of run {link.run_id} was not checked: {what}")
                else:
                    problem = self._signature(link, name, identity, path)
                    if problem:
                        wrong.append(f"run {link.run_id}: {problem}")
                    else:
                        key = fingerprint(read(self.place, name))[0]
                        by_key.setdefault((identity, key), []).append(link.run_id)
        self._several(wrong)
        for (identity, key), run_ids in sorted(by_key.items()):
            self._is_so(
                f"Runs signed by {identity} with key {key}: {len(run_ids)}; the newest of them is {run_ids[-1]}."
            )
        if by_key:
            whose = "came with the evidence" if self._signers is None else "is your own"
            self._know(f"The list of keys {whose}. Compare the keys with those you were told.")
        self._unsigned(signers is not None)

    def _signature(self, link: Link, name: str, identity: str, signers: str) -> str:
        try:
            content = read(self.place, f"runs/{link.run_id}/{MANIFEST}")
            return signature_problem(content, read(self.place, name), identity, signers, link.manifest["ended_at"])
        except Unreadable as exc:
            return str(exc)

    def _unsigned(self, expected: bool) -> None:
        signed = [place for place, link in enumerate(self.chain) if link.manifest.get("signed_by")]
        if not signed and not expected:
            self._know("No run is signed: edits show only against a head that was noted elsewhere.")
            return
        last = signed[-1] if signed else -1
        after = self.chain[last + 1 :]
        if after:
            why = after[-1].manifest.get("unsigned", "")
            self._fails(
                "The newest runs, {} from {} on, are not signed, and nothing later vouches for them{}.".format(
                    len(after), after[0].run_id, ": " + str(why).rstrip(".") if why else ""
                )
            )
        before = [link for link in self.chain[: max(last, 0)] if not link.manifest.get("signed_by")]
        if before:
            covering = next(
                link for link in self.chain[self.chain.index(before[-1]) :] if link.manifest.get("signed_by")
            )
            self._know(
                "Runs without a signature of their own: {}, the newest of them {}; that of run {}, which came later, "
                "vouches through the chain for how they were on {}, and nothing for how they were before. If runs were "
                "signed at that time, they were rewritten: compare with a head, a report or a pack of then.".format(
                    len(before), before[-1].run_id, covering.run_id, covering.manifest["ended_at"]
                )
            )

    def _stamps(self, wanted: Sequence[Link]) -> None:
        asked = [link for link in wanted if f"runs/{link.run_id}/{QUERY}" in self._names]
        stamped = [link for link in wanted if f"runs/{link.run_id}/{TOKEN}" in self._names]
        for link in asked:
            if link not in stamped:
                self._know(f"A time stamp of run {link.run_id} was asked for and has not come, or was removed.")
        for link in stamped:
            if link not in asked:
                self._fails(f"Run {link.run_id} has a time stamp, and the request for it is missing.")
        if not stamped:
            return
        authority = self._own(AUTHORITY, self._authority)
        if shutil.which("openssl") is None:
            self._know(f"Time stamps that were not checked: {len(stamped)}; openssl is not installed.")
            return
        if authority is None:
            self._fails(f"Time stamps that were not checked: {len(stamped)}; there is no {AUTHORITY}.")
            return
        times = []
        for link in stamped:
            with tempfile.TemporaryDirectory() as folder:
                start = f"runs/{link.run_id}/"
                try:
                    manifest = _put(folder, MANIFEST, read(self.place, start + MANIFEST))
                    token = _put(folder, TOKEN, read(self.place, start + TOKEN))
                    query = _put(folder, QUERY, read(self.place, start + QUERY)) if link in asked else None
                except Unreadable as exc:
                    self._fails(f"{exc}.")
                    continue
                problem = stamp_problem(manifest, query, token, _put(folder, AUTHORITY, authority))
                if problem:
                    self._fails(f"Run {link.run_id}: {problem}.")
                else:
                    times.append((stamp_time(token), link.run_id))
        if times:
            newest, run_id = times[-1]
            self._is_so(
                "Time stamps that hold: {}; by the newest, run {} and all before it existed on {}.".format(
                    len(times), run_id, f"{newest:%Y-%m-%dT%H:%M:%SZ}" if newest else "-"
                )
            )

    def _own(self, name: str, given: Optional[str]) -> Optional[bytes]:
        """Return a file that came from elsewhere, or the one that lies with the evidence."""
        try:
            if given is not None:
                with open(given, "rb") as stream:
                    return stream.read(_LIMIT)
            return read(self.place, name) if name in self._names else None
        except (OSError, Unreadable) as exc:
            self._fails("{} cannot be read: {}.".format(given or name, getattr(exc, "strerror", None) or exc))
            return None

    def _heads(self, heads: Sequence[str]) -> None:
        newest = self.chain[-1]
        self._know(
            "The head is {} (run {}, number {}). Compare it with the newest report that you have, or give that "
            "report's head with --head (verify.yml: -e keepwell_head=...).".format(
                newest.sha256, newest.run_id, newest.manifest["seq"]
            )
        )
        for head in heads:
            found = [place for place, link in enumerate(self.chain, 1) if link.sha256 == head]
            if not found:
                self._fails(
                    "No run here has the head that you noted, {}: this is an older or another state of the evidence, "
                    "or it was rewritten. It ends on {}.".format(head, newest.manifest["ended_at"])
                )
            else:
                link, later = self.chain[found[0] - 1], len(self.chain) - found[0]
                added = "it is the newest here" if not later else f"runs that were added since: {later}"
                self._is_so(f"The head that you noted is that of run {link.run_id}; {added}.")


def _put(folder: str, name: str, content: bytes) -> str:
    path = os.path.join(folder, name)
    with open(path, "wb") as stream:
        stream.write(content)
    return path


def open_place(path: str) -> Any:
    """Return the evidence at a path: a folder that holds ``runs``, or a zip file. Raises Unreadable."""
    if os.path.isdir(path):
        inner = [os.path.join(path, name) for name in sorted(os.listdir(path))]
        holding = [name for name in [path, *inner] if os.path.isdir(os.path.join(name, "runs"))]
        if path not in holding and len(holding) != 1:
            raise Unreadable(f"{path} holds no evidence: there is no folder 'runs' in it")
        return Folder(holding[0])
    return Archive(path)


def a_head(text: str) -> str:
    """Return a hash as it was noted, with or without spaces. Raises ArgumentTypeError for anything else."""
    head = re.sub(r"\s", "", text).lower()
    if not _HASH.fullmatch(head):
        raise argparse.ArgumentTypeError(f"a head has 64 digits of 0-9 and a-f (given: {text!r})")
    return head


def plain(text: str) -> str:
    """Return a sentence without what could steer a terminal."""
    shown = "".join(letter if letter.isprintable() else "?" for letter in text)
    return shown.encode("ascii", "backslashreplace").decode("ascii")


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Print the sentences and return the exit code."""
    parser = argparse.ArgumentParser(description="Say what holds of Keepwell's evidence, and what does not.")
    own = os.path.dirname(os.path.abspath(__file__))
    parser.add_argument("evidence", nargs="?", default=own, help="pack (folder or zip), or a client's folder")
    parser.add_argument("--head", action="append", default=[], type=a_head, help="a head noted elsewhere")
    parser.add_argument("--run", default="", help="only the files of this run")
    parser.add_argument("--since", default="", help="only the files of runs that ended on or after this day")
    parser.add_argument("--allowed-signers", help="your own list of keys, instead of the one in the pack")
    parser.add_argument("--timestamp-ca", help="your own certificates (PEM) of the time stamp authority")
    given = parser.parse_args(arguments)
    try:
        seen = Verification(open_place(given.evidence), given.allowed_signers, given.timestamp_ca)
        seen.look(given.run, given.since, given.head)
    except Unreadable as exc:
        print(plain(f"NOT OK  {exc}."))
        return 2
    for sentence in seen.sentences:
        mark = {True: "ok      ", False: "NOT OK  ", None: "note    "}[sentence.holds]
        print(mark + plain(sentence.text))
    failed = sum(sentence.holds is False for sentence in seen.sentences)
    print(conclusion(failed))
    return 2 if failed else 0


def conclusion(failed: int) -> str:
    """Return the last sentence."""
    if not failed:
        return (
            "Everything that was checked holds: it was not changed since. Whether it was true then, no hash can tell."
        )
    return "{} thing{} not hold: do not rely on this evidence.".format(failed, " does" if failed == 1 else "s do")


if __name__ == "__main__":
    sys.exit(main())
