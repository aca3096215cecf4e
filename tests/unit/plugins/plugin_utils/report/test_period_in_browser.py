"""Open the pages of periods, of auditors and of all clients in a real browser."""

from __future__ import annotations

import typing as t
from gettext import NullTranslations
from pathlib import Path

import browser
import fleet_maker
import period_maker
import pytest
from page_reader import TEMPLATES

from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.auditor import auditor_files
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.environment import Templates
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.fleet import Member, fleet_files
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.period import period_files

pytestmark = pytest.mark.browser
PAGES = ("14 auditor", "14 period", "hostile auditor", "hostile period", "fleet")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    texts = NullTranslations()
    templates = Templates(TEMPLATES, texts)
    made: dict[str, t.Any] = {}
    for name, hostile in (("14", False), ("hostile", True)):
        run, period = period_maker.made(14, 4, hostile=hostile)
        [made[f"{name} auditor"]] = auditor_files(run, period, templates, texts)[0].values()
        [made[f"{name} period"]] = period_files(run, period, templates, texts, None, []).values()
    members = [Member("demolen", fleet_maker.make_run(14)), Member("other", fleet_maker.make_run(14, hostile=True))]
    # Both runs are of the same made-up client: its row would be there twice.
    second = members[1].run
    assert second is not None
    owner = second.header.client.model_copy(update={"id": "other"})
    header = second.header.model_copy(update={"client": owner})
    members[1] = Member("other", second.model_copy(update={"header": header}))
    [made["fleet"]] = fleet_files(members, templates, texts, fleet_maker.NOW).values()
    folder = tmp_path_factory.mktemp("pages")
    for name, content in made.items():
        (folder / f"{name}.html").write_bytes(content)
    return {name: folder / f"{name}.html" for name in made}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_the_browser_has_nothing_to_complain_about(
    chromium: browser.Browser, pages: dict[str, Path], name: str, dark: bool
) -> None:
    chromium.open(pages[name], dark=dark)
    assert chromium.complaints == []
    assert chromium.requests == [pages[name].as_uri()]
    assert chromium.evaluate("document.styleSheets.length") == 1


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("width", [360, 768, 1440])
def test_nothing_runs_out_of_the_page(chromium: browser.Browser, pages: dict[str, Path], name: str, width: int) -> None:
    chromium.open(pages[name], width, 844)
    chromium.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
    assert chromium.evaluate("document.documentElement.scrollWidth") <= width


def test_they_can_be_printed(chromium: browser.Browser, pages: dict[str, Path], tmp_path: Path) -> None:
    for name in ("14 auditor", "14 period", "fleet"):
        chromium.open(pages[name])
        chromium.print(tmp_path / "page.pdf")
        assert 1 <= (tmp_path / "page.pdf").read_bytes().count(b"/Type /Page\n") <= 30
