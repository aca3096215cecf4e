# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The owner's page: the numbers of the run, bounded, inert, in one sheet, and whoever overrides it stays in the sandbox."""

from __future__ import annotations

import datetime
import re
from functools import cache
from gettext import NullTranslations
from html import unescape
from pathlib import Path

import backup_maker
import fleet_maker
import pytest
import service_maker

from ansible_collections.keepwell.fleet.plugins.plugin_utils import counting, run_document
from ansible_collections.keepwell.fleet.plugins.plugin_utils.checks._base import STATES
from ansible_collections.keepwell.fleet.plugins.plugin_utils.documents import EvidenceError
from ansible_collections.keepwell.fleet.plugins.plugin_utils.languages import LANGUAGES
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import Counts, iso
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report import pdf
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.backups import VERDICTS
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.brand import brand_of
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.bundle import make_bundle
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.desk import desk_for
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.look import LIGHT, contrast
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.owner import backups as owner_backups
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.owner import telling
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.owner.tiles import SECURITY
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.owner.view import owner_view
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.seal import Seal
from ansible_collections.keepwell.fleet.plugins.plugin_utils.report.wording import Wording

TEMPLATES = [str(Path(__file__).parents[5] / "roles" / "health_report" / "templates")]
FLEETS = {
    "none": {"count": 0, "empty": True},
    "first day": {"count": 1, "empty": True},
    "small": {"count": 14},
    "hostile": {"count": 14, "hostile": True},
    "1000": {"count": 1000},
}
every_fleet = pytest.mark.parametrize("fleet", FLEETS)


@cache
def run_of(fleet: str, locale: str = "en") -> run_document.Run:
    count, hostile, empty = (FLEETS[fleet].get(name, False) for name in ("count", "hostile", "empty"))
    run = fleet_maker.make_run(count, hostile=hostile, first=empty)
    run = backup_maker.with_backups(run, hostile=hostile) if count > 1 else run
    return service_maker.with_service(run, hostile=hostile, empty=empty, locale=locale)


def page_of(run: run_document.Run, **more) -> str:
    return make_bundle(run, TEMPLATES, ["owner"], ["html"], **more).files["owner.html"].decode()


def text_of(page: str) -> str:
    """What a reader sees, words apart by one space."""
    body = page.split("</style>")[1]
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", body)).split())


@every_fleet
def test_the_states_of_the_page_are_those_of_the_counting_function_and_add_up(fleet):
    run = run_of(fleet)
    page = page_of(run)
    tally = re.search(r'<p class="tally">(.*?)</p>', page, re.DOTALL).group(1)
    shown = dict(re.findall(r'<span class="(\w+)"><i[^>]*>.</i> ([\d,]+) ', tally))
    numbers = {state: int(number.replace(",", "")) for state, number in shown.items()}
    counts = counting.count_run(run.hosts).hosts
    # An accepted risk is only told where there is one; all else is told even where it is none.
    assert dict.fromkeys(STATES, 0) | numbers == {state: getattr(counts, state) for state in STATES}
    assert set(STATES) - set(numbers) <= {"accepted"}
    total = re.search(r"= <b>([\d,]+) machine", tally).group(1)
    assert sum(numbers.values()) == int(total.replace(",", "")) == len(run.hosts)


@every_fleet
@pytest.mark.parametrize("locale", LANGUAGES)
def test_every_number_of_the_verdict_is_found_in_the_sum_below_it(fleet, locale):
    page = page_of(run_of(fleet, locale))
    verdict, tally = (
        re.search(rf'<p class="{name}">(.*?)</p>', page, re.DOTALL).group(1) for name in ("verdict", "tally")
    )
    told = re.findall(r"\d[\d.,]*\d|\d", re.sub(r"<[^>]*>", "", tally))
    for number in re.findall(r"\d[\d.,]*\d|\d", verdict):
        assert number in told, (verdict, tally)


def test_the_sum_names_the_parts_of_what_is_in_good_shape():
    assert (
        "✖ 1 in danger + ▲ 4 need work soon + ? 1 not fully checked + ◔ 2 watched more closely + "
        "6 in good shape ( ✓ 5 where all is well + ◇ 1 with an accepted risk ) = 14 machines"
    ) in text_of(page_of(run_of("small")))
    assert "+ ✓ 1 in good shape = 1 machine" in text_of(page_of(run_of("first day")))


@pytest.mark.parametrize(
    ("counts", "sentence"),
    [
        ({"total": 1, "ok": 1}, "Your machine is in good shape."),
        ({"total": 1, "accepted": 1}, "Your machine is in good shape, with an accepted risk."),
        ({"total": 3, "ok": 3}, "All 3 machines are in good shape."),
        ({"total": 3, "ok": 1, "accepted": 2}, "All 3 machines are in good shape, 2 of them with an accepted risk."),
        ({"total": 2, "act": 1, "ok": 1}, "1 of 2 machines needs work soon. 1 is in good shape."),
        (
            {"total": 2, "act": 1, "accepted": 1},
            "1 of 2 machines needs work soon. 1 is in good shape, with an accepted risk.",
        ),
        (
            {"total": 9, "act": 1, "watch": 1, "ok": 5, "accepted": 2},
            "1 of 9 machines needs work soon. 7 are in good shape, 2 of them with an accepted risk.",
        ),
    ],
)
def test_the_verdict_says_whose_risk_was_accepted(counts, sentence):
    say = Wording("en", NullTranslations(), datetime.UTC, fleet_maker.NOW)
    assert telling.verdict(say.texts, say, Counts.model_validate(counts)) == sentence


def test_the_question_mark_beside_the_grade_is_explained_where_it_stands():
    run = run_of("small")
    told = "The question mark: 1 of 14 machines could not be reached, so this grade is not certain."
    assert f"Grade C ? {told} What would make this an A" in text_of(page_of(run))
    sure = run.model_copy(update={"grade": run.grade.model_copy(update={"uncertain": False})})
    assert "question mark" not in text_of(page_of(sure))
    assert "Grade C What would make this an A" in text_of(page_of(sure))


def test_drawings_of_backups_say_what_they_are_and_what_is_wrong():
    page = page_of(run_of("small"))
    part = page.split('<section class="backups')[1].split("</section>")[0]
    assert "Each bar shows how old something is; it should end before the stroke, the age that was agreed." in part
    # Both bars of each backup have a name, and the same words beside them as for those who hear them.
    one = r"<svg[^>]*><title[^>]*>([^<]*)</title><desc[^>]*>([^<]*)</desc>.*?</svg><p[^>]*>([^<]*)</p>"
    drawn = re.findall(one, part, re.DOTALL)
    assert len(drawn) == part.count("<svg") == 6
    assert {title for title, _said, _beside in drawn} == {"Newest copy", "Last good restore"}
    assert all(beside == f"{title}: {said}" for title, said, beside in drawn)
    words = text_of(f"</style>{part}").replace("\u00a0", " ")
    assert ".demolen.example: files Part of it is damaged. Newest" in words
    assert "Newest copy: 3 hours old; agreed: 26 hours" in words
    assert "Last good restore: none yet; agreed: every 90 days" in words
    assert "db08.demolen.example: files Its newest copy is too old. Newest" in words
    assert "Newest copy: 3 days old; agreed: 26 hours" in words
    assert "Last good restore: 11 Nov; agreed: every 90 days" in words


_SOUND = dict.fromkeys(VERDICTS, "ok")


@pytest.mark.parametrize(
    ("states", "age_h", "sentence"),
    [
        ({}, 3, ""),
        ({"freshness": "crit"}, 75, "Its newest copy is too old."),
        ({"freshness": "crit"}, None, "New copies do not come as agreed."),
        ({"completeness": "act"}, 3, "What is in it is not what should be."),
        ({"integrity": "crit", "restorability": "crit"}, 3, "Part of it is damaged."),
        ({"integrity": "act"}, 3, "It was not checked as agreed."),
        ({"restorability": "crit"}, 3, "A test restore went wrong."),
        ({"freshness": "watch", "restorability": "act"}, 27, "No test shows that it comes back as agreed."),
        ({"survivability": "act"}, 3, "It is not kept as safely as agreed."),
        (dict.fromkeys(VERDICTS, "unknown"), None, "Nobody could look at it."),
        # Proofs hold for a while when nobody gets there.
        ({"freshness": "unknown", "completeness": "unknown"}, None, "Nobody could look at it."),
        # It was looked at, and its tool tells too little: by design, for ever.
        ({"completeness": "unknown"}, 2, "Not all of it could be checked."),
        ({"integrity": "unknown", "restorability": "unknown"}, 2, "Not all of it could be checked."),
        ({"freshness": "unknown", "survivability": "accepted"}, 31, "Not all of it could be checked."),
        # What cannot be tested does not hide what is late.
        ({"freshness": "watch", "restorability": "unknown"}, 40, "Its newest copy is too old."),
        ({"integrity": "act", "completeness": "unknown"}, 3, "It was not checked as agreed."),
        # Not checked as agreed, but nothing says that a lock is why.
        (dict.fromkeys(VERDICTS, "unknown") | {"integrity": "act"}, None, "It was not checked as agreed."),
    ],
)
def test_what_is_wrong_with_a_backup_is_its_worst_verdict_in_plain_words(states, age_h, sentence):
    run = run_of("small")
    age = None if age_h is None else age_h * 3600.0
    entry = run.backups[0].model_copy(update={**_SOUND, **states, "data_age_s": age})
    desk = desk_for(run.model_copy(update={"backups": [entry]}))
    view = owner_backups.backups_view(desk, Wording("en", desk.texts, datetime.UTC, desk.clock.now))
    assert [line.trouble for line in view.lines] == [sentence]


@pytest.mark.parametrize(
    ("met", "states", "sentence"),
    [
        ({"cause": "locked"}, {}, "It is locked: nobody could look at it."),
        ({"cause": "damaged"}, {"integrity": "crit"}, "Part of it is damaged."),
        ({"cause": "locked"}, {"freshness": "ok"}, "It was not checked as agreed."),
    ],
)
def test_a_lock_that_kept_everybody_out_is_named(met, states, sentence):
    run = run_of("small")
    unknown = dict.fromkeys(VERDICTS, "unknown") | {"integrity": "act"}
    entry = run.backups[0].model_copy(update={**unknown, **states, "data_age_s": None})
    result = next(result for host in run.hosts for result in host.results if result.findings)
    finding = result.findings[0].model_copy(update={"object": entry.dataset, "data": met})
    host = next(host for host in run.hosts if host.host == entry.host)
    locked = result.model_copy(update={"check": "backup.integrity", "findings": [finding]})
    host = host.model_copy(update={"results": [*host.results, locked]})
    desk = desk_for(run.model_copy(update={"backups": [entry], "hosts": [host]}))
    view = owner_backups.backups_view(desk, Wording("en", desk.texts, datetime.UTC, desk.clock.now))
    assert [line.trouble for line in view.lines] == [sentence]


def test_where_no_restores_were_agreed_there_is_no_bar_for_them():
    run = run_of("small")
    agreement = run.header.agreement.model_copy(update={"restore_days": None})
    page = page_of(run.model_copy(update={"header": run.header.model_copy(update={"agreement": agreement})}))
    part = page.split('<section class="backups')[1].split("</section>")[0]
    assert part.count("<svg") == 3
    assert "Last good restore: 11\u00a0Nov</p>" in part


@pytest.mark.parametrize(
    ("restores", "restored", "undone", "sentence"),
    [
        (1, 1, 0, "1 test restore, which brought the right data back"),
        (1, 0, 0, "1 test restore, which did not bring the right data back"),
        (1, 0, 1, "1 test restore, which could not be done"),
        (6, 6, 0, "6 test restores, all of which brought the right data back"),
        (6, 0, 0, "6 test restores, none of which brought the right data back"),
        (6, 0, 6, "6 test restores, none of which could be done"),
        (6, 5, 0, "6 test restores: 5 brought the right data back, 1 did not"),
        (6, 5, 1, "6 test restores: 5 brought the right data back, 1 could not be done"),
        (6, 0, 2, "6 test restores: 4 did not bring the right data back, 2 could not be done"),
        (6, 3, 2, "6 test restores: 3 brought the right data back, 1 did not, 2 could not be done"),
    ],
)
def test_restores_that_were_tried_add_up(restores, restored, undone, sentence):
    run = run_of("small")
    work = run.service.work.model_copy(update={"restores": restores, "restored": restored, "undone": undone})
    service = run.service.model_copy(update={"work": work})
    page = page_of(run.model_copy(update={"service": service}))
    got = re.search(r'<ul class="counts">(.*?)</ul>', page, re.DOTALL).group(1)
    assert f"<li>{sentence}</li>" in got
    assert "<li>9 restarts, each checked afterwards</li>" in got
    assert "<li>211 known security holes closed</li>" in got


def test_machines_that_wait_for_updates_and_those_that_do_not_are_all_told():
    text = text_of(page_of(run_of("small"))).replace("\u00a0", " ")
    assert "3 machines wait, the longest for 19 days. 10 have no update open. 1 could not be checked." in text


@pytest.mark.parametrize(
    ("ages_h", "clean", "sentence"),
    [
        ([5], 0, "1 machine waits, for less than a day."),
        ([5, 23.9], 1, "2 machines wait, all for less than a day. 1 has no update open."),
        ([24], 0, "1 machine waits, for 1 day."),
        ([5, 75], 2, "2 machines wait, the longest for 3 days. 2 have no update open."),
        ([], 2, "2 have no update open."),
    ],
)
def test_nothing_is_told_of_none_and_no_wait_is_of_no_days(ages_h, clean, sentence):
    run = run_of("small")
    results = [(host, result) for host in run.hosts for result in host.results if result.check == SECURITY]
    host, open_one = next((host, result) for host, result in results if result.findings)
    hosts = []
    for hours in [*ages_h, *[None] * clean]:
        since = {"first_seen": iso(fleet_maker.NOW - (hours or 0) * 3600), "since": None}
        findings = [] if hours is None else [open_one.findings[0].model_copy(update=since)]
        state = "ok" if hours is None else "act"
        result = open_one.model_copy(update={"findings": findings, "state": state})
        hosts.append(host.model_copy(update={"results": [result]}))
    desk = desk_for(run.model_copy(update={"hosts": hosts}))
    assert owner_view(desk, "en", brand_of({})).ages.sentence.replace("\u00a0", " ") == sentence


@pytest.mark.parametrize(
    ("language", "label"),
    [("nl", "Laatste geslaagde hersteltest"), ("de", "Letzter guter Test"), ("it", "Ultimo test riuscito")],
)
def test_the_bar_of_restores_says_in_every_language_that_it_is_of_the_last_good_one(language, label):
    page = page_of(run_of("small", language))
    part = page.split('<section class="backups')[1].split("</section>")[0]
    assert part.count(f">{label}</title>") == part.count(f">{label}: ") == 3


def test_a_reader_of_ninety_seconds_finds_what_matters():
    text = text_of(page_of(run_of("small")))
    for sentence in (
        "1 of 14 machines is in danger: it needs work at once. 4 more need work soon. "
        "6 are in good shape, 1 of them with an accepted risk.",
        "What worries us most ✖ Age of the data in the backup: db08.demolen.example since 19 Nov, was due 20 Nov.",
        "What is lost there may not come back.",
        "The next date 29 Nov 04:12 to 08:12, maintenance, restarts possible: 14 machines",
        "What we ask of you May we restart the shop server on a Sunday afternoon? Please answer by 23 Nov.",
        "What would make this an A Age of the data in the backup (1 machine)",
        "Backups proven to work 3 of 14 backups Agreed: none too old, and a good test restore every 90 days.",
        "Security updates in time 11 of 14 machines Agreed: open for 14 days at most.",
        "Agreed: 99.5 % availability; it is not measured yet.",
        "Work done for you 68 jobs; 1 went wrong Agreed: all of it is in your fixed price.",
        "Disk full on 19 Dec",
        "1,384 updates installed 211 known security holes closed",
        "Move the backups to a second site: kept on 18 Nov",
        "Replace the second disk of files1: not kept: it was due 15 Nov. The part is on its way.",
        "Age of the data in the backup (2 machines): solved and 2 more",
        "costs EUR 740 once. Otherwise: After 31 December nobody closes new holes in it.",
    ):
        assert sentence in text.replace("\u00a0", " "), sentence
    assert text.index("What we ask of you") < text.index("Backups proven")
    # No ids, no commands, no tables of hosts: those are the engineer's.
    assert not re.search(r"CVE-|sudo|journalctl|patching\.|Answered", text)


def test_what_is_measured_by_the_watch_takes_the_place_of_what_is_not():
    row = run_document.AvailabilityRow(
        state="act",
        target_percent=99.5,
        period_s=2592000,
        excluded_s=0,
        up_s=1,
        down_s=1,
        gap_s=0,
        coverage_percent=99.999,
        observed_percent=99.997,
    )
    run = run_of("small")
    seen = run_document.Availability(begin="2026-10-24T03:12:40Z", end="2026-11-23T03:12:40Z", beats=9, rows=[row])
    text = text_of(page_of(run.model_copy(update={"availability": seen}))).replace("\u00a0", " ")
    # Rounded down: what was not all is never 100 %.
    assert "Availability 99.99 % 99.9 % of the time known Agreed: 99.5 %." in text
    assert "not measured" not in text
    blind = seen.model_copy(update={"rows": [row.model_copy(update={"state": "unknown", "coverage_percent": 40.0})]})
    text = text_of(page_of(run.model_copy(update={"availability": blind}))).replace("\u00a0", " ")
    assert "Availability - 40 % of the time known" in text


def test_machines_with_different_agreements_are_each_held_against_their_own():
    times = {"period_s": 2592000, "excluded_s": 0, "up_s": 1, "down_s": 1, "gap_s": 0, "coverage_percent": 100.0}
    rows = [
        run_document.AvailabilityRow(state="ok", observed_percent=99.95, **times),
        run_document.AvailabilityRow(host="a", state="ok", target_percent=99.0, observed_percent=100.0, **times),
        run_document.AvailabilityRow(host="b", state="act", target_percent=99.95, observed_percent=99.9, **times),
        run_document.AvailabilityRow(host="c", state="unknown", **times),
    ]
    seen = run_document.Availability(begin="2026-10-24T03:12:40Z", end="2026-11-23T03:12:40Z", beats=9, rows=rows)

    def told(rows):
        page = page_of(run_of("small").model_copy(update={"availability": seen.model_copy(update={"rows": rows})}))
        tile = re.search(r'<li class="(\w+)" id="tile-available">', page)
        return tile[1], text_of(page).replace("\u00a0", " ")

    # All together look well, and one of them was less there than agreed.
    state, text = told(rows)
    assert state == "act"
    assert "Availability 99.95 % 100 % of the time known Agreed by machine: 99 % to 99.95 %." in text
    # Of a machine without an agreement nothing is held against.
    assert (
        told([rows[0], rows[1], rows[1].model_copy(update={"host": "b", "target_percent": 99.95}), rows[3]])[0] == "ok"
    )
    assert "No availability was agreed." in told([rows[0], rows[3]])[1]


def test_a_grade_of_older_evidence_is_told_in_the_words_it_has():
    run = run_of("small")
    old = run.model_copy(update={"grade": run.grade.model_copy(update={"steps": []})})
    assert run.grade.improve[0] in text_of(page_of(old))
    none = run.model_copy(update={"grade": None, "altered_evidence": ["x"]})
    assert "No grade: not enough is known." in text_of(page_of(none))
    assert "Records of an earlier look were changed." in text_of(page_of(none))


def test_a_run_that_speaks_for_a_part_says_so():
    run = run_of("small")
    part = run.model_copy(update={"header": run.header.model_copy(update={"partial": ["--limit was given"]})})
    files = make_bundle(part, TEMPLATES, ["owner"], ["html"]).files
    assert list(files) == ["owner.partial.html"]
    assert "This page does not speak for all your machines." in files["owner.partial.html"].decode()
    assert "PARTIAL" not in page_of(run)


def test_the_seal_is_on_the_page():
    assert "a1b2c3" in text_of(page_of(run_of("small"), seal=Seal("a1b2c3" * 10, "", "")))


def test_a_failing_system_or_part_becomes_a_question_and_an_answered_one_leaves():
    run = run_of("small")
    questions = text_of(page_of(run)).split("Decisions we need from you")[1]
    assert "Replace or upgrade" not in questions
    old = next(host for host in run.hosts if host.state == "ok")
    problem = run.problems[0].model_copy(
        update={"check": "lifecycle.os_support", "pillar": "lifecycle", "state": "act", "hosts": [old.host]}
    )
    grown = run.model_copy(update={"problems": [*run.problems, problem]})
    questions = text_of(page_of(grown)).split("Decisions we need from you")[1]
    assert "Replace or upgrade 1 machine that gets no more fixes?" in questions
    assert "Answered" not in questions


@every_fleet
@pytest.mark.parametrize("locale", LANGUAGES)
def test_the_page_stays_small_and_the_same(fleet, locale):
    run = run_of(fleet, locale)
    page = make_bundle(run, TEMPLATES, ["owner"], ["html"]).files["owner.html"]
    again = run_document.Run.model_validate(run.model_dump(mode="json"))
    assert make_bundle(again, TEMPLATES, ["owner"], ["html"]).files["owner.html"] == page
    assert len(page) < 300_000 / 6
    assert f'<html lang="{locale}">' in page.decode()


def test_hostile_names_and_texts_are_inert():
    page = page_of(run_of("hostile"))
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    assert "{{ 7 * 7 }}" in page
    assert "<script" not in page
    assert "onerror=alert(1)>" not in page.replace("&gt;", "")
    for deceiving in ("\u202e", "\0"):
        assert deceiving not in page
    # A name of 255 characters is cut, and everybody sees that it is.
    assert "x" * 41 not in page
    assert "x" * 39 + "…" in page


# --- templates of others


def override(tmp_path: Path, name: str, text: str) -> list[str]:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return [str(tmp_path), *TEMPLATES]


def test_a_part_of_the_page_can_be_our_own(tmp_path):
    own = override(tmp_path, "owner/parts/foot.html.j2", "<footer>Call us: {{ view.client }}</footer>")
    page = make_bundle(run_of("small"), own, ["owner"], ["html"]).files["owner.html"].decode()
    assert "<footer>Call us: Bakkerij De Molen B.V.</footer>" in page
    assert "What worries us most" in page
    own = override(tmp_path, "owner/style.css", "body { color: var(--brand) }")
    page = make_bundle(run_of("small"), own, ["owner"], ["html"]).files["owner.html"].decode()
    assert "body { color: var(--brand) }" in page
    assert ".tiles" not in page.split("</style>")[0]


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ view.desk.texts.gettext.__globals__ }}",
        "{{ view.desk.texts.__init__.__globals__['__builtins__'].open('/etc/passwd').read() }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{% include '/etc/passwd' %}",
        "{% include '../../../../../../../../etc/passwd' %}",
        "{% import 'os' as os %}{{ os.system('id') }}",
        "{% set x = view.tiles.append(1) %}",
        "{{ open('/etc/passwd') }}",
        "{{ view.nothing_of_the_kind }}",
    ],
)
def test_a_template_that_reaches_for_files_or_python_fails(tmp_path, text):
    own = override(tmp_path, "owner/parts/foot.html.j2", text)
    with pytest.raises(EvidenceError, match=r"No report was made: the template .* failed"):
        make_bundle(run_of("small"), own, ["owner"], ["html"])


@pytest.mark.parametrize(
    "text",
    [
        "{{ 1 / 0 }}",
        "{{ 1 + 'a' }}",
        "{{ 5 | round('x') }}",
        "{{ range(10**9) | list }}",
        "{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}",
        b"\xff\xfe",
    ],
)
def test_a_template_that_goes_wrong_is_told_by_its_name(tmp_path, text):
    own = override(tmp_path, "owner/parts/foot.html.j2", text if isinstance(text, str) else "")
    if isinstance(text, bytes):
        (Path(own[0]) / "owner/parts/foot.html.j2").write_bytes(text)
    with pytest.raises(EvidenceError, match=r"No report was made: the template owner/page.html.j2.* failed: \S"):
        make_bundle(run_of("small"), own, ["owner"], ["html"])


# --- brand


def test_a_brand_gives_name_colour_and_logo(tmp_path):
    logo = tmp_path / "logo.png"
    logo.write_bytes(b"\x89PNG\r\n\x1a\n" + b"0" * 60)
    page = page_of(run_of("small"), brand=brand_of({"name": "Acme <IT>", "accent": "#8a1c4a", "logo": str(logo)}))
    assert "Acme &lt;IT&gt;" in page
    assert "--brand:#8a1c4a" in page
    assert 'src="data:image/png;base64,iVBORw0KGgow' in page


@pytest.mark.parametrize(
    ("brand", "words"),
    [
        ({"accent": "#f0a000"}, "has a contrast of 1.8 to the page, and text needs 4.5"),
        ({"accent": "red"}, "brand.accent"),
        ({"colour": "#000000"}, "Did you mean|Allowed: accent, contact, logo, name"),
        ({"name": "x" * 61}, "brand.name"),
    ],
)
def test_a_brand_that_cannot_be_used_is_refused(brand, words):
    with pytest.raises(EvidenceError, match=words):
        brand_of(brand)


def test_a_logo_that_is_none_is_refused(tmp_path):
    path = tmp_path / "logo.png"
    with pytest.raises(EvidenceError, match="cannot be read"):
        brand_of({"logo": str(path)}).logo_data()
    path.write_text("<svg onload=alert(1)>")
    with pytest.raises(EvidenceError, match="PNG or JPEG of at most 100 kB"):
        brand_of({"logo": str(path)}).logo_data()


def test_the_contrast_of_brands_is_that_of_the_standard():
    assert contrast("#777777", "#ffffff") < 4.5 < contrast("#767676", "#ffffff")
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast(LIGHT["link"], LIGHT["well"]) >= 4.5


# --- paper


def test_without_weasyprint_the_page_is_whole_and_one_warning_says_so(monkeypatch):
    monkeypatch.setattr(pdf, "available", lambda: False)
    bundle = make_bundle(run_of("small"), TEMPLATES, ["owner"], ["html", "pdf"])
    assert list(bundle.files) == ["owner.html"]
    assert bundle.files["owner.html"].decode() == page_of(run_of("small"))
    [warning] = bundle.warnings
    assert warning.startswith("owner.pdf was not made: WeasyPrint is not installed here.")


def test_the_versions_for_control_nodes_and_tests_are_the_same():
    root = Path(__file__).parents[5]
    [wanted] = re.findall(r"^weasyprint.*$", (root / "requirements-pdf.txt").read_text(), re.MULTILINE)
    assert wanted in (root / "requirements-dev.txt").read_text().splitlines()


def test_a_language_that_reports_do_not_speak_is_a_warning():
    bundle = make_bundle(run_of("small", "fr_FR"), TEMPLATES, ["owner"], ["html"])
    assert bundle.warnings == ["Reports do not speak 'fr_FR'; this one is in English."]
    assert "What worries us most" in bundle.files["owner.html"].decode()
