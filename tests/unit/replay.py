"""Replay recorded machines and recorded histories, so that probes and checks are tested on data files alone."""

from __future__ import annotations

import base64
import errno
import fnmatch
import os
import typing as t
from pathlib import Path

import yaml

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _machine, _registry, _runner
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification import datasets, known, models
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks import _base
from ansible_collections.keepwell.fleet.plugins.plugin_utils.schedule import drift

CASES = Path(__file__).parent / "cases"


def load(path: Path) -> dict[str, t.Any]:
    """Return a case file; it must say where its contents come from."""
    case = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert case.get("recorded") in {"real", "reconstructed", "made"}, (
        f"{path}: 'recorded' must be real, reconstructed or made"
    )
    assert case.get("source"), f"{path}: 'source' must say what was recorded where and when"
    return case


def cases(kind: str) -> list[Path]:
    """All case files below cases/<kind>."""
    return sorted((CASES / kind).rglob("*.yml"))


class ReplayMachine(_machine.SourceLog):
    """A machine that answers from a case file and refuses what was not recorded there.

    ``commands`` maps "name arg arg" to {rc, out, err, truncated} or {status: timeout|denied}; ``absent: [name]`` is the
    default for commands that are not listed. ``files`` maps paths to text, {"base64": ...}, {"denied": true},
    {"errno": name} for what the kernel answers, null for a folder, or {"samples": [text, ...]} for what is read before and after each sleep. ``links``, ``locks`` ({state, pid}), ``stats``, ``statvfs``, ``tcp``, ``udp``, ``unix`` and ``tls`` map to answers as the real methods give them.
    A ``statvfs`` or ``stats`` answer of {hangs: true} never returns.
    """

    def __init__(self, case: dict[str, t.Any]) -> None:
        super().__init__()
        self._case = case
        self._clock = float(case.get("now", 1795399200.0))
        self.privileged = bool(case.get("privileged", True))
        self._sleeps = 0

    def now(self) -> float:
        return self._clock

    def sleep(self, seconds: float) -> None:
        self._clock += seconds
        self._sleeps += 1

    def remaining(self) -> float:
        return 60.0

    def _commands(self) -> dict[str, t.Any]:
        return self._case.get("commands") or {}

    def which(self, name: str) -> str | None:
        names = {line.split()[0] for line in self._commands()} | set(self._case.get("installed") or ())
        return (name if name.startswith("/") else f"/usr/bin/{name}") if name in names else None

    def run(self, argv, timeout=3.0, accepted=(0,), source=None, env=None, cap=_machine.OUTPUT_CAP, missing=None):
        name = source or argv[0].rsplit("/", 1)[-1]
        if self.which(argv[0]) is None:
            self.note(name, "absent", f"{argv[0]} is not installed")
            return _machine.Output("absent")
        answer = self._commands().get(" ".join(argv))
        assert answer is not None, f"the case has no answer for: {' '.join(argv)}"
        if answer.get("status"):
            self.note(name, answer["status"], answer.get("detail", ""))
            return _machine.Output(answer["status"], None, answer.get("out", ""), answer.get("err", ""))
        output = _machine.Output("ok", answer.get("rc", 0), answer.get("out", ""), answer.get("err", ""))
        output.truncated = bool(answer.get("truncated"))
        output.status = _machine.classify(output, accepted, self.privileged, missing)
        self.note(name, output.status, "" if output.ok else f"return code {output.rc}")
        return output

    def run_all(self, requests):
        return [self.run(**request) for request in requests]

    def _files(self) -> dict[str, t.Any]:
        return self._case.get("files") or {}

    def read_bytes(self, path, limit=None, source=None, asleep=()):
        content = self._files().get(path)
        if isinstance(content, dict) and content.get("denied"):
            self.note(source or path, "denied", "may not be read by this user")
            return None
        if isinstance(content, dict) and "errno" in content:
            number = getattr(errno, content["errno"])
            _machine.Files._note_os_error(self, OSError(number, os.strerror(number)), source or path, asleep)
            return None
        if isinstance(content, dict) and "samples" in content:
            content = content["samples"][min(self._sleeps, len(content["samples"]) - 1)]
            return None if content is None else str(content).encode()[:limit]
        if isinstance(content, dict):
            return base64.b64decode(content["base64"])[:limit]
        return None if content is None else str(content).encode()[:limit]

    def read(self, path, limit=None, source=None, asleep=()):
        data = self.read_bytes(path, limit, source, asleep)
        return None if data is None else data.decode("utf-8", "replace")

    def tail(self, path, size=16384, source=None):
        text = self.read(path, source=source)
        return None if text is None else text[-size:]

    def _paths(self) -> set[str]:
        paths = set(self._files()) | set(self._case.get("links") or {}) | set(self._case.get("stats") or {})
        for path in list(paths):
            while path != "/":
                path = path.rsplit("/", 1)[0] or "/"
                paths.add(path)
        return paths

    def listdir(self, path, source=None):
        content = self._files().get(path)
        if isinstance(content, dict) and content.get("denied"):
            self.note(source or path, "denied", "may not be read by this user")
            return []
        prefix = path.rstrip("/") + "/"
        return sorted(
            {
                entry[len(prefix) :].split("/", 1)[0]
                for entry in self._paths()
                if entry.startswith(prefix) and entry != prefix
            }
        )

    def glob(self, pattern):
        depth = pattern.count("/")
        return sorted(path for path in self._paths() if path.count("/") == depth and fnmatch.fnmatchcase(path, pattern))

    def exists(self, path):
        return path in self._paths()

    def readlink(self, path):
        return (self._case.get("links") or {}).get(path)

    def stat(self, path):
        known = (self._case.get("stats") or {}).get(path)
        if known is None and path not in self._paths():
            return None
        if known == {"hangs": True}:
            raise TimeoutError
        defaults = {
            "mode": 0o644,
            "kind": "file",
            "size": 0,
            "mtime": self._clock,
            "ctime": self._clock,
            "uid": 0,
            "gid": 0,
            "nlink": 1,
            "dev": 1,
            "ino": 1,
            "blocks": 0,
        }
        if isinstance(self._files().get(path), str):
            defaults["size"] = len(self._files()[path].encode())
        elif path not in self._files():
            defaults["kind"] = "dir"
        return {**defaults, **(known or {})}

    def statvfs(self, path):
        answer = (self._case.get("statvfs") or {}).get(path)
        if answer == {"hangs": True}:
            raise TimeoutError
        return answer

    def lock_holder(self, path):
        known = (self._case.get("locks") or {}).get(path)
        if known is None:
            return {"state": "free" if path in self._paths() else "absent", "pid": None}
        if known["state"] == "denied":
            self.note(path, "denied", "may not be read by this user")
        return {"pid": None, **known}

    def user_name(self, uid):
        return (self._case.get("users") or {}).get(uid, str(uid))

    def tcp_connect(self, address, port, timeout=1.0):
        return (self._case.get("tcp") or {}).get(
            f"{address}:{port}", {"status": "timeout", "ms": timeout * 1000, "detail": ""}
        )

    def udp_exchange(self, address, port, payload, timeout=1.0):
        answer = (self._case.get("udp") or {}).get(f"{address}:{port}")
        return (None, timeout * 1000) if answer is None else (base64.b64decode(answer["base64"]), answer.get("ms", 1.0))

    def unix_exchange(self, path, payload, timeout=2.0, limit=65536):
        answer = (self._case.get("unix") or {}).get(path)
        if isinstance(answer, dict):
            answer = answer.get(payload.decode("ascii").strip("\0"))
        return None if answer is None else answer.encode()

    def tcp_exchange(self, address, port, payload, timeout=2.0, limit=65536):
        return self.unix_exchange(f"{address}:{port}", payload)

    def tls_peer(self, address, port, server_name=None, starttls=None, timeout=2.0):
        known = self._case.get("tls") or {}
        refused = {"status": "refused", "detail": "", "protocol": ""}
        answer = dict(known.get(f"{address}:{port}/{server_name}") or known.get(f"{address}:{port}") or refused)
        answer["der"] = base64.b64decode(answer["der"]) if answer.get("der") else None
        return answer

    def in_child(self, function, timeout):
        try:
            return "ok", function()
        except TimeoutError:
            return "timeout", None


def probe_record(case: dict[str, t.Any]) -> dict[str, t.Any]:
    """Run the case's probe on its recorded machine and return the record."""
    return _runner.run_probe(_registry.PROBES[case["probe"]], ReplayMachine(case), case.get("parameters") or {})


class RecordedHistory:
    """History as a case file writes it down."""

    def __init__(self, case: dict[str, t.Any]) -> None:
        self._case = case

    def first_seen(self, kind: str, name: str) -> float | None:
        return (self._case.get("first_seen") or {}).get(kind, {}).get(name)

    def series(self, metric: str, name: str) -> list[tuple[float, float]]:
        return [tuple(point) for point in (self._case.get("series") or {}).get(metric, {}).get(name, [])]

    def previous(self, probe: str) -> dict[str, t.Any] | None:
        return (self._case.get("previous") or {}).get(probe)

    def previous_at(self) -> float | None:
        return self._case.get("previous_at")

    def boots(self) -> list[tuple[str, float]]:
        return [tuple(boot) for boot in self._case.get("boots") or []]


def view(case: dict[str, t.Any]) -> _base.View:
    """Build what a check looks at. ``probes`` holds records, or {from: "probes/<case>.yml"} to replay a probe case."""
    records = {}
    for name, record in (case.get("probes") or {}).items():
        if "from" in record:
            record = {**probe_record(load(CASES / record["from"])), **{k: v for k, v in record.items() if k != "from"}}
        records[name] = _base.ProbeRecord(
            record.get("status", "ok"), record.get("data") or {}, record.get("sources") or {}, record.get("detail", "")
        )
    return _base.View(
        host=case.get("host", "web1"),
        now=float(case.get("now", 1795399200.0)),
        probes=records,
        history=RecordedHistory(case.get("history") or {}),
        privileged=case.get("privileged", True),
        clock_offset_s=case.get("clock_offset_s"),
        contact=case.get("contact") or {},
        exposure=case.get("exposure", "internet"),
        backups=tuple(_known(entry, float(case.get("now", 1795399200.0))) for entry in case.get("backups") or []),
        unverified=tuple(datasets.Unverified.model_validate(entry) for entry in case.get("unverified") or []),
        schedule=drift.Standing.model_validate(case["schedule"]) if case.get("schedule") else None,
        windows=case.get("windows", False),
    )


def _known(entry: dict[str, t.Any], now: float) -> known.KnownDataset:
    """A dataset of a case: ``dataset`` (declaration), ``look``, ``looked_ago``, ``proofs``, ``coverage``.

    Times of snapshots, proofs, canaries and locks are written as hours ago (``ago``, ``end_ago``, ``since_ago``) or as
    epoch seconds. ``repeat`` of a snapshot is how many more like it there are before it, one a day.
    """
    declared = {"id": "files", "protects": "the files", "tool": "restic", "repository": "/srv/r", **entry["dataset"]}
    look = None
    if "look" in entry:
        shape = {"status": "ok", "missing": [], "unwanted": [], **entry["look"]}
        shape["snapshots"] = sorted(_snapshots(shape.get("snapshots") or [], now), key=lambda found: found["time"])
        if shape.get("last_run"):
            shape["last_run"] = _timed(shape["last_run"], "ago", "at", now)
        shape["locks"] = [_timed(lock, "since_ago", "since", now) for lock in shape.get("locks") or []]
        look = models.Look.model_validate(shape)
    proofs = [
        models.Proof.model_validate({"id": str(number), "outcome": "proven", **_timed(proof, "ago", "at", now)})
        for number, proof in enumerate(entry.get("proofs") or [])
    ]
    coverage = entry.get("coverage") or {}
    return known.KnownDataset(
        datasets.Dataset.model_validate(declared),
        look,
        None if look is None else now - 3600.0 * entry.get("looked_ago", 1.0),
        known.newest_first(proofs),
        known.Coverage(coverage.get("paths", 0), coverage.get("expected") or {}),
    )


def _timed(entry: dict[str, t.Any], hours: str, key: str, now: float) -> dict[str, t.Any]:
    rest = {name: value for name, value in entry.items() if name != hours}
    return {**rest, key: now - 3600.0 * entry[hours]} if hours in entry else rest


def _snapshots(entries: list[dict[str, t.Any]], now: float) -> t.Iterator[dict[str, t.Any]]:
    for entry in entries:
        shape = _timed(_timed(entry, "ago", "time", now), "end_ago", "end", now)
        for day in range(shape.pop("repeat", 0) + 1):
            yield {
                **shape,
                "time": shape["time"] - 86400.0 * day,
                "id": shape.get("id") or f"{shape['time']:.0f}-{day}",
            }


def differences(expected: t.Any, actual: t.Any, where: str = "") -> list[str]:
    """Return where ``actual`` lacks something of ``expected``: mappings may have more keys, lists must match one by one."""
    if isinstance(expected, dict):
        if not isinstance(actual, dict):
            return [f"{where}: {actual!r} instead of a mapping"]
        found = []
        for key, value in expected.items():
            if key not in actual:
                found.append(f"{where}.{key}: missing")
            else:
                found += differences(value, actual[key], f"{where}.{key}")
        return found
    if isinstance(expected, list):
        if not isinstance(actual, (list, tuple)) or len(actual) != len(expected):
            return [f"{where}: {actual!r} instead of {expected!r}"]
        return [
            line
            for n, pair in enumerate(zip(expected, actual, strict=True))
            for line in differences(*pair, f"{where}[{n}]")
        ]
    if isinstance(expected, float) or isinstance(actual, float):
        return (
            []
            if actual is not None and abs(expected - actual) < 1e-6 * max(1.0, abs(expected))
            else [f"{where}: {actual!r} instead of {expected!r}"]
        )
    return [] if expected == actual else [f"{where}: {actual!r} instead of {expected!r}"]
