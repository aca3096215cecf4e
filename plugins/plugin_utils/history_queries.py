# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: what the history is asked about one host (``:host``), as SQL texts.

Made when Ansible's main process loads this file: a worker asks each of them once, and would spend more time on making
the text than on the answer. Runs on the control node.
"""

from __future__ import annotations

import typing as t

from sqlalchemy import Select, TextClause, bindparam, literal_column, select, text

from ansible_collections.keepwell.fleet.plugins.plugin_utils.history_tables import (
    BOOTS,
    FINDINGS,
    HOSTS,
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
