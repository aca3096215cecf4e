# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The owner's page on paper: one sheet, the same bytes, the same numbers, and no way to the files of the control node."""

from __future__ import annotations

import io
import re

import backup_maker
import fleet_maker
import pypdf
import pytest
import service_maker

from ansible_collections.keepwell.fleet.plugins.plugin_utils import run_document
from ansible_collections.keepwell.fleet.plugins.plugin_utils.languages import LANGUAGES
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report import pdf
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.bundle import make_bundle
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.environment import search_path


def run_of(count: int, **more) -> run_document.Run:
    hostile = more.get("hostile", False)
    run = backup_maker.with_backups(fleet_maker.make_run(count, hostile=hostile), hostile=hostile)
    return service_maker.with_service(run, **more)


def paper(run: run_document.Run) -> bytes:
    bundle = make_bundle(run, search_path([]), ["owner"], ["pdf"])
    assert list(bundle.files) == ["owner.pdf"]
    return bundle.files["owner.pdf"]


def read(content: bytes) -> pypdf.PdfReader:
    return pypdf.PdfReader(io.BytesIO(content))


@pytest.mark.parametrize("locale", LANGUAGES)
@pytest.mark.parametrize("more", [{}, {"hostile": True}, {"empty": True}], ids=["", "hostile", "empty"])
def test_a_small_client_gets_exactly_one_sheet(locale, more):
    document = read(paper(run_of(14, locale=locale, **more)))
    [sheet] = document.pages
    assert [round(float(side)) for side in sheet.mediabox[2:]] == [595, 842]
    assert document.trailer["/Root"]["/Lang"] == locale


def test_a_large_client_gets_two_sheets_at_most():
    content = paper(run_of(1000))
    assert len(read(content).pages) <= 2
    assert len(content) < 300_000


def test_the_longest_agenda_leaves_it_on_one_sheet():
    run = run_of(14, locale="de")
    long = ("Wartungsvertragsverlängerung " * 5)[:120].strip()
    note = long[:100].strip()
    agenda = {
        "decisions": [{"ask": long, "by": "2026-12-01", "otherwise": note, "price": "EUR 1.000 " * 5}] * 4,
        "promises": [{"what": long, "by": "2026-11-01", "note": note}] * 6,
        "dates": [{"what": long, "when": "2026-11-24"}] * 6,
    }
    agreement = run.header.agreement.model_validate({**run.header.agreement.model_dump(mode="json"), "agenda": agenda})
    header = run.header.model_copy(update={"agreement": agreement})
    assert len(read(paper(run.model_copy(update={"header": header}))).pages) == 1


def test_the_same_run_gives_the_same_bytes():
    run = run_of(14, locale="nl")
    assert paper(run) == paper(run_document.Run.model_validate(run.model_dump(mode="json")))


def test_paper_tells_the_numbers_of_the_page():
    run = run_of(14)
    page = make_bundle(run, search_path([]), ["owner"], ["html"]).files["owner.html"].decode()
    words = "".join(read(paper(run)).pages[0].extract_text().split())
    tally = re.search(r'<p class="tally">(.*?)</p>', page, re.DOTALL).group(1)
    for text in (re.sub(r"<[^>]*>", "", tally), "1,384 updates installed", "Disk full on 19 Dec", "3 of 14 backups"):
        assert "".join(text.replace("\u00a0", " ").split()) in words, text


def test_it_is_tagged_for_those_who_hear_it():
    document = read(paper(run_of(14)))
    root = document.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    assert "/StructTreeRoot" in root
    assert document.metadata.title == "Bakkerij De Molen B.V. - report for the owner"
    assert b"pdfuaid" in root["/Metadata"].get_object().get_data()


def test_a_page_gets_no_file_of_the_control_node(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("the secret")
    sheet = tmp_path / "sheet.css"
    sheet.write_text("p::after { content: 'from a file' }")
    head = f'<link rel="stylesheet" href="{sheet.as_uri()}"><link rel="attachment" href="{secret.as_uri()}">'
    body = f'<p>text</p><object data="{secret.as_uri()}"></object><img src="{secret.as_uri()}" alt="">'
    page = f'<html lang="en"><head><title>t</title>{head}</head><body>{body}</body></html>'
    content = pdf.pdf(page.encode())
    document = read(content)
    assert "from a file" not in document.pages[0].extract_text()
    assert not document.attachments
    assert b"the secret" not in content
