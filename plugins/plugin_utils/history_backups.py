# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what a run saw and proved of backups, into the tables of the history index.

Runs on the control node.
"""

from __future__ import annotations

import hashlib
import typing as t
from collections.abc import Iterable

from sqlalchemy import bindparam, delete, insert, select
from sqlalchemy.engine import Connection

from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.datasets import shared_key
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.known import (
    FREE_SERIES,
    INTEGRITY,
    came_back,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.backup_verification.models import Proof, Verification
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import dump_part
from ansible_collections.keepwell.fleet.plugins.plugin_utils.history_tables import COVERAGE, LOOKS, PROOFS, SERIES
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import epoch

DIGEST_LENGTH = 8


def add(connection: Connection, documents: Iterable[Verification]) -> None:
    """Add what one run saw and proved. Runs come in the order of their chain."""
    for document in documents:
        if document.looked_at is not None and document.look is not None:
            _add_look(connection, document, epoch(document.looked_at))
        for proof in document.proofs:
            _add_proof(connection, document, proof)


def path_digest(path: str) -> str:
    """The short name of a path in the coverage, as verifying hosts make it, too."""
    return hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()[:DIGEST_LENGTH]


def _add_look(connection: Connection, document: Verification, at: float) -> None:
    look = t.cast(t.Any, document.look)
    mine = (LOOKS.c.host == document.host, LOOKS.c.dataset == document.dataset)
    connection.execute(delete(LOOKS).where(*mine))
    row = {"host": document.host, "dataset": document.dataset, "run_id": document.run_id, "at": at}
    connection.execute(insert(LOOKS).values(**row, document=dump_part(look)))
    free = look.repository.free_bytes if look.repository else None
    if free is not None:
        point = {"host": document.host, "metric": FREE_SERIES, "object": document.dataset, "at": at}
        same = [SERIES.c[name] == value for name, value in point.items()]
        connection.execute(delete(SERIES).where(*same))
        connection.execute(insert(SERIES).values(**point, value=float(free)))


def _add_proof(connection: Connection, document: Verification, proof: Proof) -> None:
    key = {"host": document.host, "dataset": document.dataset, "id": proof.id, "kind": proof.kind}
    connection.execute(delete(PROOFS).where(*(PROOFS.c[name] == value for name, value in key.items())))
    short = proof.model_copy(update={"paths": [], "digests": []})
    connection.execute(
        insert(PROOFS).values(
            **key,
            repository=_shared_key(document),
            whole=int(proof.kind in INTEGRITY and proof.snapshot is None),
            outcome=proof.outcome,
            at=proof.at,
            document=dump_part(short),
        )
    )
    if came_back(proof):
        _add_coverage(connection, document, proof)


def _shared_key(document: Verification) -> str:
    """For whom a check of the whole repository counts."""
    tool, repository = str(document.declared.get("tool", "")), str(document.declared.get("repository", ""))
    return shared_key(document.repository_key, tool, repository, document.verifier)


def _add_coverage(connection: Connection, document: Verification, proof: Proof) -> None:
    """Keep when each path last came back, and its text where that is known."""
    texts: dict[str, str | None] = dict.fromkeys(proof.digests)
    texts.update({path_digest(path): path for path in proof.paths})
    if not texts:
        return
    mine = (COVERAGE.c.host == document.host, COVERAGE.c.dataset == document.dataset)
    query = select(COVERAGE.c.digest, COVERAGE.c.path).where(*mine, COVERAGE.c.path.is_not(None))
    known: dict[str, str] = {row.digest: row.path for row in connection.execute(query)}
    names = [{"wanted": digest} for digest in texts]
    connection.execute(delete(COVERAGE).where(*mine, COVERAGE.c.digest == bindparam("wanted")), names)
    rows = [
        {
            "host": document.host,
            "dataset": document.dataset,
            "digest": digest,
            "path": path if path is not None else known.get(digest),
            "at": proof.at,
        }
        for digest, path in texts.items()
    ]
    connection.execute(insert(COVERAGE), rows)
