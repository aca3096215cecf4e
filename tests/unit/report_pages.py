# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One page of every kind that a report has, on disk, for whoever looks at them in a browser."""

from __future__ import annotations

import typing as t
from gettext import NullTranslations
from pathlib import Path

import backup_maker
import fleet_maker
import period_maker
import service_maker
import work_maker
from page_reader import TEMPLATES

from ansible_collections.keepwell.fleet.plugins.plugin_utils import run_document
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.auditor import auditor_files
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.bundle import make_bundle
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.desk import page_name, rank
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.environment import Templates
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.fleet import Member, fleet_files
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.period import period_files

NAMES = ("owner", "owner de", "engineer", "host", "auditor", "period", "fleet")


def whole(run: run_document.Run, *, hostile: bool = False, locale: str = "en") -> run_document.Run:
    """Return a run with all that can be told of it: backups, work, and what was agreed."""
    run = backup_maker.with_backups(work_maker.with_work(run, hostile=hostile), hostile=hostile)
    return service_maker.with_service(run, hostile=hostile, locale=locale)


def make(*, hostile: bool = False) -> dict[str, bytes]:
    """Return the pages by what they are. The page of a host is that of the worst one of many."""
    texts = NullTranslations()
    templates = Templates(TEMPLATES, texts)
    run = whole(fleet_maker.make_run(14, hostile=hostile), hostile=hostile)
    german = whole(fleet_maker.make_run(14, hostile=hostile), hostile=hostile, locale="de")
    many = work_maker.with_work(fleet_maker.make_run(301, hostile=hostile), hostile=hostile)
    last, period = period_maker.made(14, 4, hostile=hostile)
    # Both runs are of the same made-up client: its row would be there twice.
    owner = run.header.client.model_copy(update={"id": "other"})
    other = run.model_copy(update={"header": run.header.model_copy(update={"client": owner})})
    members = [Member("demolen", last), Member("other", other), Member("new", None, trouble="No run has ended here.")]
    return {
        "owner": _only(make_bundle(run, TEMPLATES, ["owner"], ["html"]).files),
        "owner de": _only(make_bundle(german, TEMPLATES, ["owner"], ["html"]).files),
        "engineer": _only(make_bundle(run, TEMPLATES, ["engineer"], ["html"]).files),
        "host": make_bundle(many, TEMPLATES, ["engineer"], ["html"]).files[page_name(min(many.hosts, key=rank).host)],
        "auditor": _only(auditor_files(last, period, templates, texts)),
        "period": _only(period_files(last, period, templates, texts, None, [])),
        "fleet": _only(fleet_files(members, templates, texts, fleet_maker.NOW)),
    }


def write(folder: Path) -> dict[str, Path]:
    """Write them and return their places."""
    made = {name: folder / f"{name}.html" for name in NAMES}
    for name, content in make().items():
        made[name].write_bytes(content)
    return made


def _only(files: dict[str, t.Any]) -> bytes:
    [content] = files.values()
    return bytes(content)
