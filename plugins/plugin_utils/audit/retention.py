# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: delete evidence whose time is over, so that the chain can still be verified.

What a run recorded goes; its manifest, signature and time stamp stay. A run of its own records what was deleted, in its
sealed manifest, before anything is. Runs on the control node.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dateutil.relativedelta import relativedelta

from ansible_collections.keepwell.fleet.plugins.plugin_utils import runs
from ansible_collections.keepwell.fleet.plugins.plugin_utils.audit import verify
from ansible_collections.keepwell.fleet.plugins.plugin_utils.audit.options import AuditOptions
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import EvidenceError
from ansible_collections.keepwell.fleet.plugins.plugin_utils.evidence import Signer, Store
from ansible_collections.keepwell.fleet.plugins.plugin_utils.history import History
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import iso
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import Manifest, Run, RunHeader

WHY_PARTIAL = "retention: no host was looked at"


@dataclass(frozen=True)
class Due:
    """A run whose time is over: its files that are still there, and reports made of it."""

    run_id: str
    ended_at: str
    files: list[str]
    size: int
    reports: list[Path]


@dataclass(frozen=True)
class Retention:
    """What is due, packs and reports of periods that hold some of it, and why other old runs stay."""

    before: str
    due: list[Due]
    packs: list[Path]
    periods: list[Path]
    kept: list[str]

    @property
    def sentence(self) -> str:
        """All of it in one sentence."""
        files = sum(len(entry.files) for entry in self.due)
        size = sum(entry.size for entry in self.due)
        return f"runs that ended before {self.before[:10]}: {len(self.due)}, with {files} files, {size} bytes"


def limit(now: float, months: int) -> str:
    """Return the time (ISO, UTC) before which a run must have ended for its time to be over."""
    moment = datetime.datetime.fromtimestamp(now, datetime.UTC) - relativedelta(months=months)
    return iso(moment.timestamp())


def plan(store: Store, options: AuditOptions, now: float) -> Retention:
    """Return what is due now. Changes nothing.

    The newest run over the whole client stays, whatever its age: the next one is compared with it. So does a run whose
    evidence was changed: deleting it would delete the proof of that.
    """
    before = limit(now, options.retention_months)
    chain = store.sealed()
    whole = [seal.run_id for seal in chain if seal.status == "complete" and not seal.partial]
    gone = store.deleted_files(chain)
    due, kept = [], []
    for seal in chain:
        if seal.ended_at >= before:
            continue
        folder = store.run_dir(seal.run_id)
        files = [name for name in sorted(seal.files) if os.path.lexists(folder / name)]
        reports = sorted((store.root / "reports").glob(f"????-??-??-{seal.run_id}"))
        if not files and not reports:
            continue
        if options.legal_hold:
            kept.append(f"Run {seal.run_id} ({seal.ended_at[:10]}) stays: legal hold, {options.legal_hold}")
        elif seal.run_id in whole[-1:]:
            kept.append(f"Run {seal.run_id} ({seal.ended_at[:10]}) stays: the next run is compared with it")
        elif altered := store.altered(seal, gone.get(seal.run_id, ())):
            kept.append(f"Run {seal.run_id} ({seal.ended_at[:10]}) stays: its evidence was changed: {altered[0]}")
        else:
            size = sum((folder / name).stat().st_size for name in files)
            due.append(Due(seal.run_id, seal.ended_at, files, size, reports))
    run_ids = {entry.run_id for entry in due}
    return Retention(before, due, _packs(store, run_ids), _periods(store, run_ids), kept)


def _packs(store: Store, run_ids: set[str]) -> list[Path]:
    """Packs of the client that hold the evidence of one of these runs."""
    found = []
    for path in sorted((store.root / "packs").glob("*.zip")):
        with contextlib.suppress(OSError, ValueError, KeyError, zipfile.BadZipFile, verify.Unreadable):
            if run_ids & set(json.loads(verify.read(verify.Archive(str(path)), verify.PACK))["runs"]):
                found.append(path)
    return found


def _periods(store: Store, run_ids: set[str]) -> list[Path]:
    """Folders with reports of periods that one of these runs is part of."""
    found = []
    for path in sorted((store.root / "reports").glob("period-*/period.json")):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            if run_ids & {entry["run_id"] for entry in json.loads(path.read_bytes())["runs"]}:
                found.append(path.parent)
    return found


def carry_out(
    store: Store, options: AuditOptions, header: RunHeader, now: float, signer: Signer | None = None
) -> tuple[Retention, Manifest | None]:
    """Delete what is due and return it, with the manifest of the run that recorded it; None when nothing is due.

    Raises EvidenceError when something cannot be deleted; the record is there by then, and the next call goes on.
    """
    with store.sealing():
        history = History(store)
        history.catch_up()
        what = plan(store, options, now)
        if not what.due:
            return what, None
        chain = runs.chain_end(store, history)
        store.begin(header)
        run = _document(header, what, now, runs.altered_before(store, chain))
        deleted = {entry.run_id: entry.files for entry in what.due}
        # First the record: whatever is missing after a power cut was said to go.
        manifest = store.seal(run, chain[-1] if chain else None, signer, deleted)
        for entry in what.due:
            _delete(store, entry)
        for path in what.packs:
            path.unlink(missing_ok=True)
        for path in what.periods:
            _remove_report(path)
        # Nothing of it may live on in the index.
        history.rebuild()
    return what, manifest


def _document(header: RunHeader, what: Retention, now: float, altered: Sequence[str]) -> Run:
    run = runs.summarise(header, [], None, now, altered=altered)
    run.verdict = f"Evidence was deleted because its time was over: {what.sentence}. The manifests are kept."
    return run


def _delete(store: Store, entry: Due) -> None:
    folder = store.run_dir(entry.run_id)
    try:
        for name in entry.files:
            path = folder / name
            if any(parent.is_symlink() for parent in (path, *path.parents[: len(Path(name).parts)])):
                raise EvidenceError(f"{path} is a link, or below one: nothing is deleted through links.")
            path.unlink(missing_ok=True)
        for below in sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True):
            with contextlib.suppress(OSError):
                below.rmdir()
        for report in entry.reports:
            _remove_report(report)
    except OSError as exc:
        raise EvidenceError(f"{exc.filename} cannot be deleted: {exc.strerror}. Mend that and run again.") from exc


def _remove_report(folder: Path) -> None:
    try:
        if not folder.is_symlink():
            shutil.rmtree(folder)
    except OSError as exc:
        raise EvidenceError(f"{exc.filename} cannot be deleted: {exc.strerror}. Mend that and run again.") from exc
