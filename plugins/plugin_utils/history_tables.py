# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: the tables of the history index. Change SCHEMA with them: an older index is made anew."""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, Integer, MetaData, String, Table

SCHEMA = 6
METADATA = MetaData()

RUNS = Table(
    "runs",
    METADATA,
    Column("run_id", String, primary_key=True),
    Column("seq", Integer, nullable=False, unique=True),
    Column("status", String, nullable=False),
    Column("started_at", Float, nullable=False),
    Column("partial", Integer, nullable=False),
    Column("playbook", String, nullable=False),
    Column("entry", String, nullable=False),  # of the schedule
    Column("acting", String, nullable=False),  # chores, with commas between
    Index("runs_by_time", "started_at"),
)
HOSTS = Table(
    "hosts",
    METADATA,
    Column("run_id", String, primary_key=True),
    Column("host", String, primary_key=True),
    Column("seq", Integer, nullable=False),
    Column("at", Float, nullable=False),
    Column("state", String, nullable=False),
    Column("reached", Integer, nullable=False),
    Index("hosts_by_host", "host", "seq"),
)
FINDINGS = Table(
    "findings",
    METADATA,
    Column("key", String, primary_key=True),
    Column("host", String, nullable=False),
    Column("check", String, nullable=False),
    Column("object", String, nullable=False),
    Column("state", String, nullable=False),
    Column("first_seen", Float, nullable=False),
    Column("last_seen", Float, nullable=False),
    Index("findings_by_host", "host", "check"),
)
SIGHTINGS = Table(
    "sightings",
    METADATA,
    Column("host", String, primary_key=True),
    Column("kind", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("first_seen", Float, nullable=False),
    Column("last_seen", Float, nullable=False),
)
SERIES = Table(
    "series",
    METADATA,
    Column("host", String, primary_key=True),
    Column("metric", String, primary_key=True),
    Column("object", String, primary_key=True),
    Column("at", Float, primary_key=True),
    Column("value", Float, nullable=False),
)
CHANGES = Table(
    "changes",
    METADATA,
    Column("run_id", String, primary_key=True),
    Column("host", String, primary_key=True),
    Column("chore", String, primary_key=True),
    Column("ring", Integer),
    Column("outcome", String, nullable=False),
    Column("code", String, nullable=False),
    Column("started_at", Float, nullable=False),
    Column("ended_at", Float),
    Column("plan_hash", String, nullable=False),
    Column("document", String, nullable=False),  # the record as it is in evidence
    Index("changes_by_time", "chore", "started_at"),
)
DURATIONS = Table(
    "durations",
    METADATA,
    Column("run_id", String, primary_key=True),
    Column("host", String, primary_key=True),
    Column("chore", String, primary_key=True),
    Column("work", String, primary_key=True),  # see chores/duration.py
    Column("at", Float, nullable=False),
    Column("seconds", Float, nullable=False),
    Index("durations_by_work", "chore", "work", "at"),
)
BOOTS = Table(
    "boots",
    METADATA,
    Column("host", String, primary_key=True),
    Column("boot_id", String, primary_key=True),
    Column("first_seen", Float, nullable=False),
)
SYSTEMS = Table(
    "systems",
    METADATA,
    Column("host", String, primary_key=True),
    Column("names", String, nullable=False),  # by the last run that saw them, with blanks between
)
LOOKS = Table(
    "looks",
    METADATA,
    Column("host", String, primary_key=True),
    Column("dataset", String, primary_key=True),
    Column("run_id", String, nullable=False),
    Column("at", Float, nullable=False),
    Column("document", String, nullable=False),  # the newest look as it is in evidence
)
PROOFS = Table(
    "proofs",
    METADATA,
    Column("host", String, primary_key=True),
    Column("dataset", String, primary_key=True),
    Column("id", String, primary_key=True),
    Column("kind", String, primary_key=True),
    Column("repository", String, nullable=False),
    Column("whole", Integer, nullable=False),  # 1: of the repository, not of one snapshot
    Column("outcome", String, nullable=False),
    Column("at", Float, nullable=False),
    Column("document", String, nullable=False),  # as in evidence, without the paths: they are in coverage
    Index("proofs_by_time", "host", "dataset", "kind", "outcome", "at"),
    Index("proofs_by_repository", "repository", "whole", "at"),
)
COVERAGE = Table(
    "coverage",
    METADATA,
    Column("host", String, primary_key=True),
    Column("dataset", String, primary_key=True),
    Column("digest", String, primary_key=True),
    Column("path", String),
    Column("at", Float, nullable=False),  # when it last came back
    Index("coverage_by_path", "host", "dataset", "path"),
)
