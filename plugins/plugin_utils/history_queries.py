# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what the history is asked about one host (``:host``), as SQL texts.

Made when Ansible's main process loads this file: a worker asks each of them once, and would spend more time on making
the text than on the answer. Runs on the control node.
"""

from __future__ import annotations

import typing as t

from sqlalchemy import Select, TextClause, and_, bindparam, exists, func, literal_column, or_, select, text

from ansible_collections.keepwell.fleet.plugins.plugin_utils.history_tables import (
    BOOTS,
    COVERAGE,
    FINDINGS,
    HOSTS,
    LOOKS,
    PROOFS,
    SERIES,
    SIGHTINGS,
)


def _prepared(statement: Select[t.Any]) -> TextClause:
    """Return a query as SQL text."""
    return text(str(statement))


_HOST: t.Any = bindparam("host")
_ONE: t.Any = literal_column("1")
SIGHTINGS_OF = _prepared(
    select(SIGHTINGS.c.kind, SIGHTINGS.c.name, SIGHTINGS.c.first_seen).where(SIGHTINGS.c.host == _HOST)
)
FINDINGS_OF = _prepared(select(FINDINGS.c.key, FINDINGS.c.first_seen).where(FINDINGS.c.host == _HOST))
SERIES_OF = _prepared(
    select(SERIES.c.metric, SERIES.c.object, SERIES.c.at, SERIES.c.value)
    .where(SERIES.c.host == _HOST, SERIES.c.at >= bindparam("earliest"))
    .order_by(SERIES.c.at)
)
BOOTS_OF = _prepared(
    select(BOOTS.c.boot_id, BOOTS.c.first_seen).where(BOOTS.c.host == _HOST).order_by(BOOTS.c.first_seen)
)
LATEST_OF = _prepared(
    select(HOSTS.c.run_id)
    .where(HOSTS.c.host == _HOST, HOSTS.c.reached == _ONE)
    .order_by(HOSTS.c.seq.desc())
    .limit(_ONE)
)
_DATASET: t.Any = bindparam("dataset")
_EARLIEST: t.Any = bindparam("earliest")
_NEWER = PROOFS.alias("newer")
# How a kind of test last ended in each way is told however long ago that was.
_NEWEST_OF_ITS_KIND = ~exists().where(
    _NEWER.c.host == PROOFS.c.host,
    _NEWER.c.dataset == PROOFS.c.dataset,
    _NEWER.c.kind == PROOFS.c.kind,
    _NEWER.c.outcome == PROOFS.c.outcome,
    _NEWER.c.at > PROOFS.c.at,
)
LOOKS_OF = _prepared(select(LOOKS.c.dataset, LOOKS.c.at, LOOKS.c.document).where(LOOKS.c.host == _HOST))
PROOFS_OF = _prepared(
    select(PROOFS.c.dataset, PROOFS.c.document)
    .where(PROOFS.c.host == _HOST, or_(PROOFS.c.at >= _EARLIEST, _NEWEST_OF_ITS_KIND))
    .order_by(PROOFS.c.at.desc())
)
PROOFS_OF_REPOSITORY = _prepared(
    select(PROOFS.c.document)
    .where(
        PROOFS.c.repository == bindparam("repository"),
        PROOFS.c.whole == _ONE,
        PROOFS.c.at >= _EARLIEST,
    )
    .order_by(PROOFS.c.at.desc())
)
COVERED_OF = _prepared(
    select(COVERAGE.c.dataset, func.count().label("paths"))
    .where(COVERAGE.c.host == _HOST)
    .group_by(COVERAGE.c.dataset)
    .order_by(COVERAGE.c.dataset)
)
COVERED_BELOW = _prepared(
    select(func.max(COVERAGE.c.at)).where(
        COVERAGE.c.host == _HOST,
        COVERAGE.c.dataset == _DATASET,
        or_(
            COVERAGE.c.path == bindparam("folder"),
            and_(COVERAGE.c.path >= bindparam("first"), COVERAGE.c.path < bindparam("behind")),
        ),
    )
)
DIGESTS_OF = _prepared(
    select(COVERAGE.c.digest)
    .where(COVERAGE.c.host == _HOST, COVERAGE.c.dataset == _DATASET)
    .order_by(COVERAGE.c.at.desc(), COVERAGE.c.digest)
    .limit(bindparam("number"))
)
