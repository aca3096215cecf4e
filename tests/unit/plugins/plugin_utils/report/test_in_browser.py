# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Open the report in a real browser: no policy violation, no console message, no request, and nothing that overflows."""

from __future__ import annotations

import time
from pathlib import Path

import backup_maker
import fleet_maker
import pytest
import service_maker
import work_maker

from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.bundle import make_bundle

TEMPLATES = [str(Path(__file__).parents[5] / "roles" / "health_report" / "templates")]
pytestmark = pytest.mark.browser
FLEETS = (
    "1", "14", "300", "301", "hostile", "planned", "worked", "hostile work", "backups", "hostile backups", "owner",
    "hostile owner", "first day of an owner",
)  # fmt: skip


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """The reports of some fleets on disk: name -> path of the index."""
    fleets = {
        "1": {"count": 1},
        "14": {"count": 14},
        "300": {"count": 300},
        "301": {"count": 301},
        "hostile": {"count": 14, "hostile": True},
        "planned": {"count": 14, "work": {"changes": False}},
        "worked": {"count": 14, "work": {}},
        "hostile work": {"count": 14, "hostile": True, "work": {"hostile": True}},
        "backups": {"count": 14, "backups": {}},
        "hostile backups": {"count": 14, "hostile": True, "backups": {"hostile": True}},
        "owner": {"count": 14, "backups": {}, "service": {"locale": "de"}},
        "hostile owner": {"count": 14, "hostile": True, "backups": {"hostile": True}, "service": {"hostile": True}},
        "first day of an owner": {"count": 1, "service": {"empty": True}},
    }
    indexes = {}
    for name, fleet in fleets.items():
        root = tmp_path_factory.mktemp("report")
        work, backups, service = (fleet.pop(part, None) for part in ("work", "backups", "service"))
        run = fleet_maker.make_run(**fleet)
        run = run if work is None else work_maker.with_work(run, **work)
        run = run if backups is None else backup_maker.with_backups(run, **backups)
        run = run if service is None else service_maker.with_service(run, **service)
        for path, content in make_bundle(run, TEMPLATES).files.items():
            (root / path).parent.mkdir(exist_ok=True)
            (root / path).write_bytes(content)
        indexes[name] = root / ("engineer.html" if service is None else "owner.html")
    return indexes


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("fleet", FLEETS)
def test_the_browser_has_nothing_to_complain_about(chromium, reports, fleet, dark):
    page = reports[fleet]
    chromium.open(page, dark=dark)
    assert chromium.complaints == []
    assert chromium.requests == [page.as_uri()]
    assert chromium.evaluate("getComputedStyle(document.body).backgroundColor") == (
        "rgb(18, 22, 28)" if dark else "rgb(245, 246, 248)"
    )
    # With another style sheet, or none, this would not hold.
    assert chromium.evaluate("document.styleSheets.length") == 1


def test_the_policy_really_stops_what_it_should(chromium, reports, tmp_path):
    """The other tests prove something only if this browser reports a page that breaks the rules."""
    text = (
        reports["1"]
        .read_text()
        .replace(
            "</h1>",
            '</h1><p style="color:red">x</p><img src="http://127.0.0.1:9/x.png"><script>console.log(1)</script>',
        )
    )
    bad = tmp_path / "bad.html"
    bad.write_text(text)
    chromium.open(bad)
    deadline = time.monotonic() + 20
    while not chromium.complaints and time.monotonic() < deadline:
        chromium.listen(0.5)
    assert any(
        "Content Security Policy" in complaint or "ContentSecurityPolicy" in complaint
        for complaint in chromium.complaints
    )


@pytest.mark.parametrize("fleet", [fleet for fleet in FLEETS if fleet != "300"])
@pytest.mark.parametrize("width", [360, 390, 768, 1280, 1920])
def test_nothing_runs_out_of_the_page(chromium, reports, fleet, width):
    chromium.open(reports[fleet], width, 844)
    chromium.evaluate("document.querySelectorAll('details').forEach((d, n) => { if (n < 40) d.open = true })")
    assert chromium.evaluate("document.documentElement.scrollWidth") <= width


def test_the_host_page_opens_from_the_index(chromium, reports):
    chromium.open(reports["301"])
    link = chromium.evaluate("document.querySelector('#today .where a').href")
    chromium.open(Path(link.removeprefix("file://")))
    assert chromium.complaints == []
    assert chromium.evaluate("document.querySelectorAll('.results tbody tr').length") >= 18


def test_the_labels_of_the_heat_map_stand_where_their_rows_are(chromium, reports):
    chromium.open(reports["14"])
    rows = chromium.evaluate("[...document.querySelectorAll('.names li')].map(e => e.getBoundingClientRect().height)")
    columns = chromium.evaluate(
        "[...document.querySelectorAll('.heat-head li')].map(e => e.getBoundingClientRect().width)"
    )
    box = chromium.evaluate("(b => [b.width, b.height])(document.querySelector('.heat svg').getBoundingClientRect())")
    assert [sum(columns), sum(rows)] == box
    left = chromium.evaluate(
        "document.querySelector('.heat svg').getBoundingClientRect().left - document.querySelector('.heat-head li').getBoundingClientRect().left"
    )
    assert left == 0


def test_it_can_be_printed(chromium, reports, tmp_path):
    chromium.open(reports["14"])
    chromium.print(tmp_path / "report.pdf")
    pdf = (tmp_path / "report.pdf").read_bytes()
    assert pdf.startswith(b"%PDF-")
    assert 3 <= pdf.count(b"/Type /Page\n") <= 20


def test_the_head_of_the_heat_map_stays_in_sight(chromium, reports):
    chromium.open(reports["300"])
    chromium.evaluate(
        "document.querySelector('.heat').scrollTop = 3000; document.querySelector('.heat').scrollLeft = 60"
    )
    place = "(e => [e.getBoundingClientRect().top, e.getBoundingClientRect().left])(document.querySelector('{}'))"
    box = chromium.evaluate(place.format(".heat"))
    assert chromium.evaluate(place.format(".heat-head"))[0] == box[0] + 1
    assert chromium.evaluate(place.format(".names"))[1] == box[1] + 1


@pytest.mark.parametrize("fleet", ["owner", "hostile owner"])
def test_a_browser_prints_the_owners_page_on_one_sheet(chromium, reports, tmp_path, fleet):
    chromium.open(reports[fleet])
    chromium.print(tmp_path / "owner.pdf")
    assert (tmp_path / "owner.pdf").read_bytes().count(b"/Type /Page\n") == 1


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_colours_of_charts_follow_the_theme(chromium, reports, dark):
    chromium.open(reports["owner"], dark=dark)
    fill = chromium.evaluate("getComputedStyle(document.querySelector('.days .f-ok')).fill")
    assert fill == ("rgb(127, 224, 204)" if dark else "rgb(30, 142, 110)")
    # Without the page's style sheet, as on paper, the literal paint holds.
    assert chromium.evaluate("document.querySelector('.days .f-ok').getAttribute('fill')") == "#1e8e6e"


def test_what_matters_is_in_sight_without_scrolling(chromium, reports):
    chromium.open(reports["owner"], 1280, 900)
    bottoms = "[...document.querySelectorAll('.verdict, .grade, .now .cell, .tiles li')].map(e => e.getBoundingClientRect().bottom)"
    assert max(chromium.evaluate(bottoms)) <= 900


def test_charts_can_be_read_on_a_narrow_screen(chromium, reports):
    chromium.open(reports["owner"], 360, 844)
    size = "(e => [e.getBoundingClientRect().width, e.getBoundingClientRect().height])(document.querySelector('{}'))"
    # Ninety bars share the width, and none is lower for it.
    assert chromium.evaluate(size.format(".days svg"))[1] >= 40
    # What stands beside a drawing on paper stands below it here.
    for name in (".beside svg", ".gauge"):
        assert chromium.evaluate(size.format(name))[0] >= 290, name
