# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The provider's name, colour, logo and templates hold for every page and mail, and for none of them can they reach out."""

from __future__ import annotations

import email
import email.policy
import re
from gettext import NullTranslations
from pathlib import Path

import backup_maker
import fleet_maker
import period_maker
import pytest
from page_reader import TEMPLATES

from ansible_collections.keepwell.fleet.plugins.plugin_utils.delivery import receivers
from ansible_collections.keepwell.fleet.plugins.plugin_utils.delivery.composing import Composer
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import EvidenceError
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.auditor import auditor_files
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.brand import Brand, brand_of
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.bundle import make_bundle
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.desk import desk_for
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.engineer import engineer_view
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.environment import Templates, search_path
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.fleet import Member, fleet_files
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.hosts import host_view
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.look import DARK, LIGHT, contrast
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.period import period_files

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 60
TEXTS = NullTranslations()
# What a provider replaces to change each page: the smallest part of it.
PARTS = {
    "owner": "owner/parts/foot.html.j2",
    "engineer": "partials/methods.html.j2",
    "host": "partials/foot.html.j2",
    "auditor": "auditor/foot.html.j2",
    "period": "period/foot.html.j2",
    "fleet": "partials/provider.html.j2",
}
NOTIFY, _PROBLEMS = receivers.build(
    {
        "owner": {"channel": "mail", "to": "ann@bakery.example"},
        "desk": {"channel": "mail", "to": "desk@msp.example", "language": "en"},
        "room": {"channel": "slack", "url": "https://hooks.example/x"},
        "kamer": {"channel": "slack", "url": "https://hooks.example/y", "language": "client"},
        "team": {"channel": "teams", "url": "https://hooks.example/z"},
        "oncall": {"channel": "webhook", "url": "https://hooks.example/w", "secret": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"},
    },
    {"host": "mail.msp.example", "from": "Keepwell <keepwell@msp.example>"},
)


def pages(path: list[str], brand: Brand | None = None) -> dict[str, str]:
    """Return every page by name."""
    brand = brand or Brand()
    templates = Templates(path, TEXTS, brand=brand)
    run, period = period_maker.made(3, 3)
    whole = backup_maker.with_backups(fleet_maker.make_run(3))
    desk = desk_for(whole, split=True)
    view = engineer_view(desk)
    made = {
        "owner": make_bundle(whole, path, ["owner"], ["html"], brand=brand).files["owner.html"],
        "engineer": templates.html("engineer/page.html.j2", view=view),
        "host": templates.html("engineer/host_page.html.j2", view=view, host=host_view(desk, desk.run.hosts[0])),
        "auditor": auditor_files(run, period, templates, TEXTS)[0]["auditor.html"],
        "period": period_files(run, period, templates, TEXTS, None, [])["period.html"],
        "fleet": fleet_files([Member("demolen", run)], templates, TEXTS, fleet_maker.NOW)["overview.html"],
    }
    return {name: page.decode() for name, page in made.items()}


def mail_of(receiver: str, brand: Brand, locale: str = "nl", language: str = "en") -> bytes:
    run = fleet_maker.make_run(3)
    client = run.header.client.model_copy(update={"locale": locale})
    run = run.model_copy(update={"header": run.header.model_copy(update={"client": client})})
    composer = Composer(run, TEMPLATES, lambda: b"", brand, language)
    return composer.message(NOTIFY.receivers[receiver], "ann@bakery.example", "key", NOTIFY.smtp, fleet_maker.NOW)


def test_name_colour_and_logo_are_on_every_page(tmp_path: Path) -> None:
    (tmp_path / "logo.png").write_bytes(PNG)
    brand = brand_of({"name": "Acme <IT>", "accent": "#8a1c4a", "logo": "logo.png"}, str(tmp_path))
    for name, page in pages(TEMPLATES, brand).items():
        assert "Acme &lt;IT&gt;</bdi>" in page, name
        assert "--brand:#8a1c4a" in page, name
        assert page.count('src="data:image/png;base64,') == 1, name
    for name, page in pages(TEMPLATES).items():
        assert "<img" not in page, name
        assert f"--brand:{LIGHT['link']}" in page, name


def test_the_name_can_be_read_on_every_ground_of_every_page() -> None:
    # In the light the colour was looked at (brand_of), in the dark and without a brand it is that of links.
    for tokens in (LIGHT, DARK):
        assert min(contrast(tokens["link"], tokens[ground]) for ground in ("page", "card", "well")) >= 4.5
    for page in pages(TEMPLATES, Brand(name="Acme", accent="#8a1c4a")).values():
        style = re.search(r"<style>(.*?)</style>", page, re.DOTALL).group(1)
        assert "@media screen and (prefers-color-scheme:dark){:root{--brand:var(--link)}}" in style
        assert re.search(r"\.eyebrow bdi ?\{[^}]*color: ?var\(--brand\)", style)
    with pytest.raises(EvidenceError, match=r"brand\.accent #ffcc00 has a contrast of"):
        brand_of({"accent": "#ffcc00"})


@pytest.mark.parametrize("page", PARTS)
def test_the_client_comes_before_the_provider_and_both_before_the_collection(tmp_path: Path, page: str) -> None:
    theirs, ours = tmp_path / "client", tmp_path / "msp"
    for folder, words in ((ours, "Words of the provider"), (theirs, "Words of the client")):
        place = folder / PARTS[page]
        place.parent.mkdir(parents=True)
        place.write_text(words)
    assert "Words of the provider" in pages(search_path(["msp"], str(tmp_path)))[page]
    both = pages(search_path(["client", str(ours)], str(tmp_path)))[page]
    assert "Words of the client" in both
    assert "Words of the provider" not in both


@pytest.mark.parametrize("page", PARTS)
@pytest.mark.parametrize(
    "attack", ["{{ view.__class__.__mro__ }}", "{% include '/etc/passwd' %}", "{{ cycler.__init__.__globals__ }}"]
)
def test_a_template_of_ones_own_cannot_reach_out_on_any_page(tmp_path: Path, page: str, attack: str) -> None:
    place = tmp_path / PARTS[page]
    place.parent.mkdir(parents=True)
    place.write_text(attack)
    with pytest.raises(EvidenceError, match="failed"):
        pages(search_path([str(tmp_path)]))


def test_a_folder_that_is_not_there_is_told_with_its_whole_path(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match=f"the template folder {tmp_path}/templates does not exist"):
        search_path(["templates"], str(tmp_path))


def test_mail_is_in_the_clients_language_with_the_brand_and_its_picture_inside(tmp_path: Path) -> None:
    (tmp_path / "logo.png").write_bytes(PNG)
    brand = brand_of({"name": "Acme IT", "accent": "#8a1c4a", "logo": "logo.png"}, str(tmp_path))
    content = mail_of("owner", brand)
    assert content == mail_of("owner", brand)
    message = email.message_from_bytes(content, policy=email.policy.default)
    page = message.get_body(("html",)).get_content()
    text = message.get_body(("plain",)).get_content()
    assert '<html lang="nl">' in page
    assert "Resultaten:" in page
    assert "Resultaten:" in text
    assert message["Subject"].endswith("1 probleem vraagt om een mens")
    assert "Acme IT" in text
    assert 'color:#8a1c4a;font-size:14px"><b>Acme IT</b>' in page
    [picture] = [part for part in message.walk() if part.get_content_type() == "image/png"]
    assert picture.get_content() == PNG
    assert f'src="cid:{picture["Content-ID"].strip("<>")}"' in page
    assert "http" not in re.sub(r"<!DOCTYPE[^>]*>", "", page)
    plain = email.message_from_bytes(mail_of("owner", Brand()), policy=email.policy.default)
    assert not [part for part in plain.walk() if part.get_content_maintype() == "image"]


def test_every_receiver_has_a_language() -> None:
    assert b"Results:" in mail_of("desk", Brand())
    assert b"Results:" in mail_of("room", Brand())
    assert b"Resultaten:" in mail_of("kamer", Brand())
    assert b"Ergebnisse:" in mail_of("team", Brand(), language="de")
    assert b"Risultati:" in mail_of("room", Brand(), locale="it", language="client")
    # For programs: the same whatever people read.
    assert mail_of("oncall", Brand(), language="de") == mail_of("oncall", Brand())
