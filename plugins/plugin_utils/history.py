# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the history of a client, an index over its evidence that can be made anew at any time.

Nothing is only here: ``rebuild`` reads the sealed runs in the order of their chain and gives identical content.
Runs on the control node.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3  # noqa: F401  # pylint: disable=unused-import
import typing as t
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

# Otherwise every worker would load it anew, and sqlite3 with it.
import sqlalchemy.dialects.sqlite  # noqa: F401  # pylint: disable=unused-import
from sqlalchemy import (
    Engine,
    create_engine,
    delete,
    event,
    func,
    insert,
    inspect,
    select,
    update,
)
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from ansible_collections.keepwell.fleet.plugins.plugin_utils import history_backups, observation
from ansible_collections.keepwell.fleet.plugins.plugin_utils.changes import ChangeRecord
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks import _registry
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores import duration
from ansible_collections.keepwell.fleet.plugins.plugin_utils.chores.waiting import Ending, waiting
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import FILE_MODE, EvidenceError, dump
from ansible_collections.keepwell.fleet.plugins.plugin_utils.evidence import Store
from ansible_collections.keepwell.fleet.plugins.plugin_utils.expected_runs.ledger import Began
from ansible_collections.keepwell.fleet.plugins.plugin_utils.history_tables import (
    BOOTS,
    CHANGES,
    DURATIONS,
    FINDINGS,
    HOSTS,
    METADATA,
    PROOFS,
    RUNS,
    SCHEMA,
    SERIES,
    SIGHTINGS,
    SYSTEMS,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.host_history import HostHistory
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import HostEvidence, epoch
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import Manifest, Waiting


def _journal(path: Path) -> Path:
    return path.with_name(f"{path.name}-journal")


def _engine(url: str) -> Engine:
    engine = create_engine(url, poolclass=NullPool)
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def _configure(connection: t.Any, _record: t.Any) -> None:
            connection.execute("PRAGMA busy_timeout = 30000")

    return engine


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn what the database says (disk full, locked, damaged) into one sentence."""
    try:
        yield
    except SQLAlchemyError as exc:
        reason = getattr(exc, "orig", None) or type(exc).__name__
        raise EvidenceError(
            f"The history index {path} cannot be used: {reason}. Nothing is only there: "
            "when the reason is gone, the next run brings it up to date."
        ) from exc


class History:
    """The index of one client, beside its evidence; ``path`` is elsewhere while it is made anew."""

    def __init__(self, store: Store, path: Path | None = None) -> None:
        self.store = store
        self._engine = _engine(f"sqlite:///{path or store.history}")

    def ready(self) -> bool:
        """True when the index exists, can be read and is of this version."""
        if not self.store.history.exists():
            return False
        try:
            names = set(inspect(self._engine).get_table_names())
            if not names >= set(METADATA.tables):
                return False
            with self._engine.connect() as connection:
                return bool(connection.exec_driver_sql("PRAGMA user_version").scalar() == SCHEMA)
        except SQLAlchemyError:
            return False

    def _known(self) -> dict[str, int]:
        with self._engine.connect() as connection:
            return {row.run_id: row.seq for row in connection.execute(select(RUNS.c.run_id, RUNS.c.seq))}

    def behind(self) -> bool:
        """True when sealed runs are missing from the index (or the index itself is)."""
        return not self.ready() or set(self._known()) != set(self.store.sealed_ids())

    def catch_up(self) -> None:
        """Bring the index up to date: with what is missing at its end, else anew. Call within ``sealing``."""
        with _told(self.store.history):
            self._catch_up()

    def _catch_up(self) -> None:
        known = self._known() if self.ready() else {}
        there = set(self.store.sealed_ids())
        missing = [manifest for run_id in there - set(known) if (manifest := self.store.read_manifest(run_id))]
        newest = max(known.values(), default=0)
        if not known or set(known) - there or any(manifest.seq <= newest for manifest in missing):
            self.rebuild()
            return
        for manifest in sorted(missing, key=lambda manifest: manifest.seq):
            self.add(manifest)

    def rebuild(self) -> int:
        """Make the index anew from the sealed runs and return how many there are. Call within ``sealing``.

        It is made aside and takes its place whole: a run that is under way reads the old one until then. A file that
        is no readable index is kept beside the new one as ``history.sqlite3.damaged``.
        """
        place = self.store.history
        aside = place.with_name(f".{place.name}.new")
        for leftover in (aside, _journal(aside)):
            leftover.unlink(missing_ok=True)
        aside.touch()
        aside.chmod(FILE_MODE)
        fresh = History(self.store, aside)
        METADATA.create_all(fresh._engine)
        with fresh._engine.begin() as connection:
            connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA}")
        manifests = self.store.sealed()
        for manifest in manifests:
            fresh.add(manifest)
        if place.exists():
            try:
                inspect(self._engine).get_table_names()
            except SQLAlchemyError:
                place.rename(place.with_suffix(".sqlite3.damaged"))
        # SQLite would play the old file's journal into the new one.
        _journal(place).unlink(missing_ok=True)
        aside.replace(place)
        return len(manifests)

    def add(self, manifest: Manifest) -> None:
        """Add one sealed run, all or nothing. Runs are added in the order of their chain; call within ``sealing``."""
        with self._engine.begin() as connection:
            connection.execute(
                insert(RUNS).values(
                    run_id=manifest.run_id,
                    seq=manifest.seq,
                    status=manifest.status,
                    started_at=epoch(manifest.started_at),
                    partial=int(bool(manifest.partial)),
                    playbook=manifest.playbook,
                    entry=manifest.entry,
                    acting=",".join(manifest.acting),
                )
            )
            for evidence in self.store.read_hosts(manifest.run_id):
                self._add_host(connection, manifest, evidence)
            history_backups.add(connection, self.store.read_verifications(manifest.run_id))
            records = self.store.read_changes(manifest.run_id)
            for table, rows in (
                (CHANGES, [_change_row(record) for record in records]),
                (DURATIONS, [row for record in records for row in _duration_rows(record)]),
            ):
                if rows:
                    connection.execute(insert(table), rows)

    def _add_host(self, connection: Connection, manifest: Manifest, evidence: HostEvidence) -> None:
        result = evidence.result
        at = epoch(evidence.judged_at)
        connection.execute(
            insert(HOSTS).values(
                run_id=manifest.run_id,
                host=result.host,
                seq=manifest.seq,
                at=at,
                state=result.state,
                reached=int(result.contact.reached),
            )
        )
        self._add_findings(connection, evidence, at)
        if not result.contact.reached or evidence.observation is None:
            return
        view = observation.view(evidence.observation, result.host, at)
        self._add_sightings(connection, result.host, set(_registry.sightings(view)), at)
        points = {(metric, name): value for metric, name, value in _registry.series(view)}
        # Two runs can judge a host in the same second: the later one of the chain holds.
        connection.execute(delete(SERIES).where(SERIES.c.host == result.host, SERIES.c.at == at))
        rows = [
            {"host": result.host, "metric": metric, "object": name, "at": at, "value": value}
            for (metric, name), value in points.items()
        ]
        if rows:
            connection.execute(insert(SERIES), rows)
        boot_id = observation.boot_id(view)
        if boot_id:
            known = select(BOOTS.c.boot_id).where(BOOTS.c.host == result.host, BOOTS.c.boot_id == boot_id)
            if connection.execute(known).first() is None:
                connection.execute(insert(BOOTS).values(host=result.host, boot_id=boot_id, first_seen=at))
        names = " ".join(observation.system_names(evidence.observation))
        if names:
            connection.execute(delete(SYSTEMS).where(SYSTEMS.c.host == result.host))
            connection.execute(insert(SYSTEMS).values(host=result.host, names=names))

    @staticmethod
    def _add_findings(connection: Connection, evidence: HostEvidence, at: float) -> None:
        """Keep what is open; forget what a check that could look again no longer finds."""
        result = evidence.result
        # Of a silent host only what was judged without it counts; all else stays as it was last seen.
        judged = [entry for entry in result.results if result.contact.reached or entry.state != "unknown"]
        seen = [entry.check for entry in judged if entry.state != "unknown"]
        seen += result.not_applicable if result.contact.reached else []
        rows = {finding.key: (entry.check, finding) for entry in judged for finding in entry.findings}
        gone = delete(FINDINGS).where(FINDINGS.c.host == result.host, FINDINGS.c.check.in_(seen))
        connection.execute(gone.where(FINDINGS.c.key.not_in(list(rows))))
        for key, (check, finding) in rows.items():
            values = {"state": finding.state, "last_seen": at}
            changed = connection.execute(update(FINDINGS).where(FINDINGS.c.key == key).values(**values))
            if changed.rowcount == 0:
                connection.execute(
                    insert(FINDINGS).values(
                        key=key,
                        host=result.host,
                        check=check,
                        object=finding.object,
                        first_seen=epoch(finding.first_seen),
                        **values,
                    )
                )

    @staticmethod
    def _add_sightings(connection: Connection, host: str, seen: set[tuple[str, str]], at: float) -> None:
        """Keep the first sight of what is still there. A kind of which nothing was seen was perhaps not looked at."""
        for kind in sorted({kind for kind, _name in seen}):
            names = {name for seen_kind, name in seen if seen_kind == kind}
            mine = (SIGHTINGS.c.host == host, SIGHTINGS.c.kind == kind)
            known = set(connection.execute(select(SIGHTINGS.c.name).where(*mine)).scalars())
            for name in known - names:
                connection.execute(delete(SIGHTINGS).where(*mine, SIGHTINGS.c.name == name))
            connection.execute(update(SIGHTINGS).where(*mine).values(last_seen=at))
            new = [
                {"host": host, "kind": kind, "name": name, "first_seen": at, "last_seen": at}
                for name in sorted(names - known)
            ]
            if new:
                connection.execute(insert(SIGHTINGS), new)

    def chain_end(self, number: int) -> list[str]:
        """The runs that were sealed last, in the order of the chain: without reading every manifest there is."""
        query = select(RUNS.c.run_id).order_by(RUNS.c.seq.desc()).limit(number)
        with _told(self.store.history), self._engine.connect() as connection:
            return list(connection.execute(query).scalars())[::-1]

    def previous_run_id(self, *, complete: bool = True) -> str | None:
        """The newest indexed run; with ``complete`` the newest that ended and covered everything."""
        query = select(RUNS.c.run_id).order_by(RUNS.c.seq.desc()).limit(1)
        if complete:
            query = query.where(RUNS.c.status == "complete", RUNS.c.partial == 0)
        with self._engine.connect() as connection:
            return connection.execute(query).scalar()

    def began(self, since: float) -> list[Began]:
        """The sealed runs that began then or later, oldest first, as the ledger of expected runs asks for them."""
        query = select(RUNS).where(RUNS.c.started_at >= since).order_by(RUNS.c.started_at, RUNS.c.seq)
        with _told(self.store.history), self._engine.connect() as connection:
            return [
                Began(
                    at=row.started_at,
                    playbook=row.playbook,
                    entry=row.entry,
                    acting=frozenset(row.acting.split(",") if row.acting else ()),
                    whole=not row.partial,
                    complete=row.status == "complete",
                )
                for row in connection.execute(query)
            ]

    def changes(self, chore: str, since: float | None = None) -> list[ChangeRecord]:
        """What a chore did in sealed runs, oldest first; with ``since`` only what began then or later."""
        query = select(CHANGES.c.document).where(CHANGES.c.chore == chore)
        if since is not None:
            query = query.where(CHANGES.c.started_at >= since)
        order = (CHANGES.c.started_at, CHANGES.c.run_id, CHANGES.c.host)
        with _told(self.store.history), self._engine.connect() as connection:
            rows = connection.execute(query.order_by(*order)).scalars().all()
        return [ChangeRecord.model_validate_json(row) for row in rows]

    def contacts(self, since: float) -> list[tuple[float, int, int]]:
        """Runs that began since then, oldest first: when, how many hosts were asked, how many answered."""
        query = (
            select(RUNS.c.started_at, func.count().label("asked"), func.sum(HOSTS.c.reached).label("answered"))
            .join(HOSTS, HOSTS.c.run_id == RUNS.c.run_id)
            .where(RUNS.c.started_at >= since)
            .group_by(RUNS.c.run_id, RUNS.c.started_at, RUNS.c.seq)
            .order_by(RUNS.c.seq)
        )
        with _told(self.store.history), self._engine.connect() as connection:
            return [(row.started_at, row.asked, row.answered) for row in connection.execute(query)]

    def tests(self, since: float) -> list[tuple[str, str, float, str, int]]:
        """Tests of backups that ended since then: kind, outcome, when, host, how many files came back."""
        query = select(PROOFS.c.kind, PROOFS.c.outcome, PROOFS.c.at, PROOFS.c.host, PROOFS.c.document)
        order = (PROOFS.c.at, PROOFS.c.host, PROOFS.c.dataset)
        with _told(self.store.history), self._engine.connect() as connection:
            rows = connection.execute(query.where(PROOFS.c.at >= since).order_by(*order)).all()
        return [(row.kind, row.outcome, row.at, row.host, json.loads(row.document).get("files") or 0) for row in rows]

    def whole_run_before(self, moment: float) -> str | None:
        """The newest run before a moment that ended and covered everything."""
        return self._whole_run(RUNS.c.started_at < moment, RUNS.c.seq.desc())

    def first_whole_run(self) -> str | None:
        """The oldest run that ended and covered everything."""
        return self._whole_run(RUNS.c.seq > 0, RUNS.c.seq)

    def _whole_run(self, where: t.Any, order: t.Any) -> str | None:
        query = select(RUNS.c.run_id).where(RUNS.c.status == "complete", RUNS.c.partial == 0, where)
        with _told(self.store.history), self._engine.connect() as connection:
            return connection.execute(query.order_by(order).limit(1)).scalar()

    def endings(self) -> list[Ending]:
        """How every chore ended on every host in sealed runs, oldest first; without reading the records."""
        columns = (CHANGES.c.host, CHANGES.c.chore, CHANGES.c.outcome, CHANGES.c.code, CHANGES.c.started_at)
        query = select(*columns).order_by(CHANGES.c.started_at, CHANGES.c.run_id)
        with _told(self.store.history), self._engine.connect() as connection:
            return [Ending(*row) for row in connection.execute(query)]

    def waiting(self, bought: Mapping[str, Collection[str]]) -> list[Waiting]:
        """Which hosts missed a chore that their plan has when it was due, the longest first."""
        return waiting(self.endings(), bought)

    def systems(self) -> dict[str, list[str]]:
        """What every host's system called itself when it was seen last (see ``observation.system_names``)."""
        with _told(self.store.history), self._engine.connect() as connection:
            return {row.host: row.names.split() for row in connection.execute(select(SYSTEMS))}

    def durations(self, chore: str, work: str, host: str | None = None) -> list[float]:
        """Seconds that a piece of a chore's work took lately, the newest first: on one host, or on all."""
        query = select(DURATIONS.c.seconds).where(DURATIONS.c.chore == chore, DURATIONS.c.work == work)
        if host is not None:
            query = query.where(DURATIONS.c.host == host)
        query = query.order_by(DURATIONS.c.at.desc(), DURATIONS.c.host).limit(duration.NEWEST)
        with _told(self.store.history), self._engine.connect() as connection:
            return list(connection.execute(query).scalars())

    def of(self, host: str, now: float) -> HostHistory:
        """What is known of one host before ``now``."""
        with _told(self.store.history):
            return HostHistory(self._engine, self.store, host, now)

    def dump(self) -> dict[str, list[tuple[t.Any, ...]]]:
        """All rows of all tables, sorted: to compare two indexes."""
        with self._engine.connect() as connection:
            return {
                name: sorted((tuple(row) for row in connection.execute(select(table))), key=repr)
                for name, table in METADATA.tables.items()
            }


def _change_row(record: ChangeRecord) -> dict[str, t.Any]:
    return {
        "run_id": record.run_id,
        "host": record.host,
        "chore": record.chore,
        "ring": record.ring,
        "outcome": record.outcome,
        "code": record.code,
        "started_at": epoch(record.started_at),
        "ended_at": epoch(record.ended_at) if record.ended_at else None,
        "plan_hash": record.plan_hash,
        "document": dump(record).decode(),
    }


def _duration_rows(record: ChangeRecord) -> Iterator[dict[str, t.Any]]:
    for work, seconds in duration.of(record).items():
        yield {
            "run_id": record.run_id,
            "host": record.host,
            "chore": record.chore,
            "work": work,
            "at": epoch(record.started_at),
            "seconds": seconds,
        }


def open_history(store: Store) -> History:
    """Return the client's history, brought up to date from evidence when it is missing, damaged or behind.

    Raises EvidenceError with one sentence when neither index nor evidence can be read.
    """
    history = History(store)
    if history.behind():
        with store.sealing():
            history.catch_up()
    return history


def read_history(store: Store) -> History | None:
    """Return the client's history as it is, None when it is missing, damaged or behind. Writes and locks nothing."""
    history = History(store)
    try:
        return None if history.behind() else history
    except (OSError, SQLAlchemyError):
        return None
