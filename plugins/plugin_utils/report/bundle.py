# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: all files of a report as bytes: a function of a run and templates, and of nothing else."""

from __future__ import annotations

import gettext
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import dump
from ansible_collections.keepwell.fleet.plugins.plugin_utils.exports.formats import USUAL_FORMATS, Dialect
from ansible_collections.keepwell.fleet.plugins.plugin_utils.exports.run_metrics import metrics_file
from ansible_collections.keepwell.fleet.plugins.plugin_utils.period.collect import of_run
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.auditor import auditor_files
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.auditor_pdf import RUN, embedded
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.brand import Brand
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.desk import (
    desk_for,
    file_name,
    page_name,
    rank,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.engineer import EngineerView, engineer_view
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.environment import Templates
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.hosts import host_view
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.owner.page import owner_files
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.seal import Seal
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.tables import (
    backups_csv,
    changes_csv,
    findings_csv,
    results_csv,
)
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import Run

REPORTS = ("owner", "engineer", "auditor")
# What is made when nobody says: an auditor asks for a period (playbooks/period_report.yml), seldom for one run.
USUAL_REPORTS = ("owner", "engineer")
# What a phone, a mail gateway and a reader's patience bear; above it every host gets a page of its own.
PAGE_BUDGET = 1_900_000


@dataclass(frozen=True, slots=True)
class Bundle:
    """Files by path below the report's folder, and what the reader of the play should know."""

    files: dict[str, bytes]
    warnings: list[str]


def make_bundle(
    run: Run,
    search_path: Sequence[str],
    reports: Collection[str] = USUAL_REPORTS,
    formats: Collection[str] = USUAL_FORMATS,
    texts: gettext.NullTranslations | None = None,
    seal: Seal | None = None,
    dialect: Dialect = "plain",
    brand: Brand | None = None,
    evidence: Mapping[str, bytes] | None = None,
) -> Bundle:
    """Return the files of a run's reports. The same run, seal and templates give the same bytes, always.

    ``texts`` are those of engineer and auditor; the owner's page speaks the client's language, tables are in English.
    ``evidence`` are the files of the run that go into the auditor's PDF.
    """
    texts = texts or gettext.NullTranslations()
    brand = brand or Brand()
    desk = desk_for(run, seal=seal)
    templates = Templates(search_path, texts, brand=brand)
    files: dict[str, bytes] = {}
    if "csv" in formats:
        files[file_name(run, "results", "csv")] = results_csv(desk, dialect)
        files[file_name(run, "findings", "csv")] = findings_csv(desk, dialect)
        if run.changes:
            files[file_name(run, "changes", "csv")] = changes_csv(desk, dialect)
        if run.backups:
            files[file_name(run, "backups", "csv")] = backups_csv(desk, dialect)
    if "json" in formats:
        # The evidence itself, not what was made presentable.
        files[file_name(run, "run", "json")] = dump(run)
    if "prom" in formats:
        files[file_name(run, "metrics", "prom")] = metrics_file(run)
    if "engineer" in reports and ("html" in formats or "md" in formats):
        summary = file_name(run, "summary", "md")
        view = engineer_view(desk_for(run, texts, seal=seal), [*files, *([summary] if "md" in formats else [])])
        if "md" in formats:
            files[summary] = templates.markdown("summary.md.j2", view=view)
        if "html" in formats:
            page = templates.html("engineer/page.html.j2", view=view)
            if len(page) > PAGE_BUDGET and not view.split:
                view = engineer_view(desk_for(run, texts, split=True, seal=seal), view.exports)
                page = templates.html("engineer/page.html.j2", view=view)
            files[view.index] = page
            files |= _host_pages(templates, view)
    warnings = list(desk.warnings)
    if "auditor" in reports:
        period = of_run(run, seal.head if seal else "")
        inside = embedded(run, evidence or {RUN: dump(run)}, {}) if "pdf" in formats else []
        made, said = auditor_files(run, period, templates, texts, seal, formats=formats, inside=inside)
        files |= made
        warnings += said
    if "owner" in reports and ("html" in formats or "pdf" in formats):
        made, said = owner_files(desk, search_path, formats, brand)
        files |= made
        warnings += said
    return Bundle(files, warnings)


def _host_pages(templates: Templates, view: EngineerView) -> dict[str, bytes]:
    """Return one page a host where the index is too small for all of them."""
    if not view.split:
        return {}
    return {
        page_name(host.host): templates.html("engineer/host_page.html.j2", view=view, host=host_view(view.desk, host))
        for host in sorted(view.desk.run.hosts, key=rank)
    }
