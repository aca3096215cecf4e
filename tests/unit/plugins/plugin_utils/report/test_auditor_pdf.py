# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The auditor's report as PDF/A-3: evidence inside, the same bytes twice, and what of the standard can be looked at.

No validator of PDF/A is at hand without Java. These tests look at the structure that ISO 19005-3 asks for.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
import subprocess
import sys
from pathlib import Path

import fleet_maker
import fleet_runs
import pypdf
import pytest
from page_reader import TEMPLATES

from ansible_collections.keepwell.fleet.plugins.plugin_utils import evidence
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import dump
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report import pdf
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.auditor_pdf import embedded, evidence_of
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.brand import Brand
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.bundle import make_bundle
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.catalogues import translations
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.seal import read_seal

FILES = ["SHA256SUMS", "manifest.json", "run.json", "verify.py"]


@functools.cache
def paper(language: str = "en", hostile: bool = False) -> bytes:
    run = fleet_maker.make_run(4, hostile=hostile)
    texts, files = translations(language), {"run.json": dump(run), "manifest.json": b"{}\n"}
    return make_bundle(run, TEMPLATES, ["auditor"], ["pdf"], texts, evidence=files).files["auditor.pdf"]


def read(content: bytes) -> pypdf.PdfReader:
    return pypdf.PdfReader(io.BytesIO(content))


def objects(document: pypdf.PdfReader):
    for number in range(1, int(document.trailer["/Size"])):
        found = pypdf.generic.IndirectObject(number, 0, document).get_object()
        if isinstance(found, dict):
            yield found


def test_it_says_what_it_is_and_has_its_colours():
    root = read(paper()).trailer["/Root"]
    said = root["/Metadata"].get_object().get_data().decode()
    assert 'pdfaid:part="3"' in said
    assert 'pdfaid:conformance="U"' in said
    [intent] = root["/OutputIntents"]
    assert intent["/S"] == "/GTS_PDFA1"
    assert b"acsp" in intent["/DestOutputProfile"].get_object().get_data()[:64]
    assert root["/MarkInfo"]["/Marked"]
    assert "/StructTreeRoot" in root
    assert root["/Lang"] == "en"


def test_every_file_inside_is_named_dated_and_related_once():
    root = read(paper()).trailer["/Root"]
    files = [entry.get_object() for entry in root["/AF"]]
    assert sorted(str(entry["/UF"]) for entry in files) == FILES
    for entry in files:
        stream = entry["/EF"]["/F"].get_object()
        assert entry["/F"] == entry["/UF"]
        assert entry["/AFRelationship"] == ("/Source" if entry["/UF"] == "run.json" else "/Supplement")
        assert "/" in stream["/Subtype"][1:]
        assert str(stream["/Params"]["/ModDate"]).startswith("D:2026")
        assert len(stream.get_data()) == stream["/Params"]["/Size"]


def test_every_font_is_inside_and_says_its_letters():
    fonts = [found for found in objects(read(paper("de"))) if found.get("/Type") == "/Font"]
    descriptors = [found for found in objects(read(paper("de"))) if found.get("/Type") == "/FontDescriptor"]
    assert descriptors
    assert all({"/FontFile", "/FontFile2", "/FontFile3"} & found.keys() for found in descriptors)
    assert all("/ToUnicode" in font for font in fonts if font["/Subtype"] == "/Type0")
    assert {str(font["/Subtype"]) for font in fonts} <= {"/Type0", "/CIDFontType0", "/CIDFontType2", "/Type3"}


@pytest.mark.parametrize("hostile", [False, True])
def test_nothing_in_it_runs_reaches_out_or_is_locked(hostile):
    document = read(paper(hostile=hostile))
    assert not document.is_encrypted
    for found in objects(document):
        assert not {"/JS", "/JavaScript", "/Launch", "/AA", "/OpenAction", "/RichMedia"} & found.keys()
        assert found.get("/S") not in ("/JavaScript", "/Launch", "/GoToR", "/SubmitForm", "/URI")
        if found.get("/Subtype") in ("/Link", "/FileAttachment", "/Widget"):
            assert found["/Subtype"] == "/Link"
            assert int(found["/F"]) & 4


def test_the_same_run_gives_the_same_bytes():
    once = paper()
    paper.cache_clear()
    assert paper() == once


def test_what_is_inside_is_the_evidence_and_checks_with_the_tools_of_the_page(tmp_path: Path) -> None:
    store = evidence.Store(tmp_path / "state", "acme")
    run_id = fleet_runs.record(store, [fleet_runs.host_evidence("web1", {"time.offset": "ok"})])
    source = store.run_dir(run_id) / "run.json"
    run, seal = store.read_run(run_id), read_seal(source)
    made = make_bundle(run, TEMPLATES, ["auditor"], ["pdf"], seal=seal, brand=Brand(), evidence=evidence_of(source))
    out = tmp_path / "out"
    out.mkdir()
    for name, contents in read(made.files["auditor.pdf"]).attachments.items():
        (out / name).write_bytes(contents[0])
    assert sorted(path.name for path in out.iterdir()) == FILES
    assert (out / "run.json").read_bytes() == source.read_bytes()
    manifest = json.loads((out / "manifest.json").read_bytes())
    assert manifest["files"]["run.json"]["sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
    assert hashlib.sha256((out / "manifest.json").read_bytes()).hexdigest() == seal.head
    check = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    assert subprocess.run(check, cwd=out, capture_output=True, check=False).returncode == 0
    help_ = subprocess.run([sys.executable, "verify.py", "--help"], cwd=out, capture_output=True, check=False)
    assert help_.returncode == 0
    (out / "run.json").write_bytes(source.read_bytes() + b" ")
    assert subprocess.run(check, cwd=out, capture_output=True, check=False).returncode == 1


def test_the_page_on_screen_says_nothing_of_what_is_inside_the_other():
    run = fleet_maker.make_run(1)
    made = make_bundle(run, TEMPLATES, ["auditor"], ["html", "pdf"], evidence={"run.json": dump(run)})
    words = " ".join(page.extract_text() for page in read(made.files["auditor.pdf"]).pages)
    assert "Embedded in this PDF" in " ".join(words.split())
    assert b"Embedded in this PDF" not in made.files["auditor.html"]
    assert make_bundle(run, TEMPLATES, ["auditor"], ["html"]).files["auditor.html"] == made.files["auditor.html"]


def test_without_weasyprint_the_page_is_whole_and_one_warning_says_so(monkeypatch):
    monkeypatch.setattr(pdf, "available", lambda: False)
    run = fleet_maker.make_run(1)
    made = make_bundle(run, TEMPLATES, ["auditor"], ["html", "pdf"])
    assert list(made.files) == ["auditor.html"]
    assert made.warnings == [pdf.MISSING.format(name="auditor.pdf")]


def test_registers_are_data_and_a_missing_run_is_told(tmp_path: Path) -> None:
    run = fleet_maker.make_run(1)
    kinds = {entry.name: entry.relationship for entry in embedded(run, {"run.json": b"{}"}, {"changes.csv": b""})}
    assert kinds == {"run.json": "Source", "changes.csv": "Data", "verify.py": "Supplement", "SHA256SUMS": "Supplement"}
    with pytest.raises(Exception, match=r"run\.json is gone"):
        evidence_of(tmp_path / "run.json")
