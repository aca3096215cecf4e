"""Make the gallery: sample reports from the evidence of made-up clients in docs/gallery/evidence.

``python tools/gallery.py`` writes them, ``--check`` says which of them are out of date (exit code 1), ``--pictures``
takes a picture of each page with Chromium as well; no two machines draw the same, so those are not compared.
"""

from __future__ import annotations

import email
import email.policy
import shutil
import sys
import tempfile
from gettext import NullTranslations
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "collections"), str(ROOT / "tests" / "unit")]

import browser

from ansible_collections.keepwell.fleet.plugins.plugin_utils.delivery import receivers
from ansible_collections.keepwell.fleet.plugins.plugin_utils.delivery.composing import Composer
from ansible_collections.keepwell.fleet.plugins.plugin_utils.evidence import Store
from ansible_collections.keepwell.fleet.plugins.plugin_utils.maintenance_windows.times import find_zone
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import epoch
from ansible_collections.keepwell.fleet.plugins.plugin_utils.period import reading, span
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.auditor import auditor_files
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.bundle import make_bundle
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.environment import Templates, search_path
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.fleet import Member, fleet_files
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.period import period_files
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.reading import read_run
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.seal import Seal, read_seal
from ansible_collections.keepwell.fleet.plugins.plugin_utils.run_document import Run

GALLERY = ROOT / "docs" / "gallery"
EVIDENCE = GALLERY / "evidence"
CLIENT = "demolen"
ADDRESS = "owner@demolen.example"
# Files of one run, beside its owner's pages.
OF_A_RUN = ("engineer.html", "summary.md", "results.csv", "findings.csv")
PICTURES = {"owner-en": 840, "engineer": 1280, "auditor": 1280, "period": 1280, "fleet": 1280}
_HIGH = 1180
_SCALE = 0.75


def gallery() -> dict[str, bytes]:
    """Return all samples by file name. The same evidence and templates make the same bytes."""
    with tempfile.TemporaryDirectory() as scratch:
        # Reading a client makes an index beside its evidence.
        state = Path(shutil.copytree(EVIDENCE, Path(scratch) / "state"))
        return _of_a_run(state) | _of_a_period(state) | _of_all(state)


def _newest(state: Path, client: str) -> Path:
    """Return the run.json of the newest run of a client: ids sort by time."""
    return max((state / client / "runs").glob("*/run.json"))


def _of_a_run(state: Path) -> dict[str, bytes]:
    path = _newest(state, CLIENT)
    run, templates = read_run(path), search_path([])
    seal = read_seal(path)
    files = make_bundle(run, templates, ["engineer"], ["html", "md", "csv"], seal=seal).files
    made = {name: files[name] for name in OF_A_RUN}
    for language in ("en", "de"):
        made[f"owner-{language}.html"] = _owner(run, seal, language)
    return made | {"mail.txt": _mail(run)}


def _owner(run: Run, seal: Seal | None, language: str) -> bytes:
    client = run.header.client.model_copy(update={"locale": language})
    told = run.model_copy(update={"header": run.header.model_copy(update={"client": client})})
    return make_bundle(told, search_path([]), ["owner"], ["html"], seal=seal).files["owner.html"]


def _mail(run: Run) -> bytes:
    """Return the text of the mail that the owner gets."""
    notify, mistakes = receivers.build(
        {"owner": {"channel": "mail", "to": [ADDRESS]}},
        {"host": "mail.msp.example", "from": "Keepwell <keepwell@msp.example>"},
    )
    if mistakes:
        raise SystemExit("\n".join(mistakes))
    composer = Composer(run, search_path([]), lambda: b"")
    sent_at = epoch(str(run.ended_at)) + 60
    content = composer.message(notify.receivers["owner"], ADDRESS, "0" * 32, notify.smtp, sent_at)
    mail = email.message_from_bytes(content, policy=email.policy.default)
    text = mail.get_body(("plain",))
    if text is None:
        raise SystemExit("the mail has no text")
    return f"Subject: {mail['Subject']}\n\n{text.get_content()}".replace("\r\n", "\n").encode()


def _of_a_period(state: Path) -> dict[str, bytes]:
    run = read_run(_newest(state, CLIENT))
    now = epoch(str(run.ended_at)) + 1
    zone = find_zone(run.header.client.timezone)
    if zone is None:
        raise SystemExit(f"{run.header.client.timezone} is not known here")
    days = span.days(span.Asked(month=str(run.ended_at)[:7]), zone, now)
    made = reading.read(Store(state, CLIENT), days, now)
    texts = NullTranslations()
    templates, seal = Templates(search_path([]), texts), read_seal(made.path)
    return {
        **period_files(made.run, made.period, templates, texts, seal, []),
        **auditor_files(made.run, made.period, templates, texts, seal),
    }


def _of_all(state: Path) -> dict[str, bytes]:
    members = []
    for client in sorted(path.name for path in state.iterdir()):
        path = _newest(state, client)
        members.append(Member(client, read_run(path), read_seal(path)))
    # Looked at on the morning after the newest run.
    now = max(epoch(str(member.run.ended_at)) for member in members if member.run) + 3 * 3600
    texts = NullTranslations()
    [page] = fleet_files(members, Templates(search_path([]), texts), texts, now).values()
    return {"fleet.html": page}


def _photograph() -> None:
    """Take the pictures that the page of the gallery shows: the top of each page."""
    program = browser.find_browser()
    if program is None:
        raise SystemExit("Chromium is not installed: there are no pictures.")
    opened = browser.Browser(program)
    try:
        for name, width in PICTURES.items():
            opened.open(GALLERY / f"{name}.html", width, _HIGH, scale=_SCALE)
            opened.photograph(GALLERY / f"{name}.png", whole=False)
    finally:
        opened.close()


def main(arguments: list[str]) -> int:
    """Write the samples, or with --check say which are out of date."""
    made = gallery()
    stale = [name for name, content in made.items() if _current(GALLERY / name) != content]
    if "--check" in arguments:
        for name in stale:
            print(f"docs/gallery/{name} is out of date: run `make gallery`")
        return 1 if stale else 0
    for name in stale:
        (GALLERY / name).write_bytes(made[name])
        print(f"wrote docs/gallery/{name}")
    if "--pictures" in arguments:
        _photograph()
    return 0


def _current(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
