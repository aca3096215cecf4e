"""What a person is told after a beat: changes, once each, and nothing else."""

from __future__ import annotations

import pytest

from ansible_collections.keepwell.fleet.plugins.plugin_utils.host_action import one_line
from ansible_collections.keepwell.fleet.plugins.plugin_utils.models import Finding, epoch, iso
from ansible_collections.keepwell.fleet.plugins.plugin_utils.watch import judging, notices
from ansible_collections.keepwell.fleet.plugins.plugin_utils.watch.models import DeclaredWindow, Open, Sample
from ansible_collections.keepwell.fleet.plugins.plugin_utils.windows_errors import connection

MAX_RETRIES = "HTTPSConnectionPool(host='srv01.acme.example', port=5986): Max retries exceeded with url: /wsman"
NOW = epoch("2026-11-24T10:00:00Z")
UP = Sample(answer="ok", known=True, boot="one")
DOWN_UNIT = Open(check="services.watched", object="nginx.service", state="crit", since=iso(NOW))


def miss(before: Sample | None, at: float = NOW) -> Sample:
    return judging.silent("fail", "no route", before, at)


def told(before: dict[str, Sample], now: dict[str, Sample], findings: dict | None = None) -> list[tuple[str, str, str]]:
    others = {"other": UP}
    found = notices.notices({**before, **others}, {**now, **others}, findings or {}, NOW)
    return [(notice.state, notice.host, notice.text) for notice in found]


def test_nothing_changed_is_nothing_to_tell() -> None:
    assert told({"a": UP}, {"a": UP}) == []


def test_a_host_is_lost_at_the_second_miss_and_told_once() -> None:
    first = miss(UP)
    second = miss(first)
    third = miss(second)
    assert told({"a": UP}, {"a": first}) == []
    assert told({"a": first}, {"a": second}) == [("crit", "a", "did not answer 2 times in a row: no route")]
    assert told({"a": second}, {"a": third}) == []
    assert second == third, "a host that stays silent makes no new line"


def test_a_host_that_comes_back_is_told_with_how_long_it_was_silent() -> None:
    lost = miss(miss(UP, NOW - 1500), NOW - 1200)
    assert told({"a": lost}, {"a": UP}) == [("ok", "a", "answers again after 25 minutes")]


def test_a_host_that_never_answered_is_unknown_and_never_lost() -> None:
    first = miss(None)
    second = miss(first)
    assert told({}, {"a": first}) == [("unknown", "a", "has never answered: no route")]
    assert told({"a": first}, {"a": second}) == []
    assert not notices.lost(second)


def test_when_nobody_answers_the_monitor_is_told_of_once() -> None:
    silent = {"a": miss(UP), "b": miss(UP)}
    found = notices.notices({"a": UP, "b": UP}, silent, {}, NOW)
    assert [(notice.state, notice.host) for notice in found] == [("unknown", "")]
    again = {host: miss(sample) for host, sample in silent.items()}
    assert notices.notices(silent, again, {}, NOW) == []
    assert notices.state_of(again["a"], again) == "unknown"


def test_a_single_host_is_lost_when_it_is_silent() -> None:
    first = miss(UP)
    assert notices.notices({"a": first}, {"a": miss(first)}, {}, NOW)[0].state == "crit"


def test_a_service_that_went_down_and_came_back() -> None:
    down = UP.model_copy(update={"findings": [DOWN_UNIT]})
    finding = Finding(
        key="0" * 16, state="crit", first_seen=iso(NOW), summary="nginx.service should run here: failed (exit-code)."
    )
    findings = {"a": {("services.watched", "nginx.service"): finding}}
    assert told({"a": UP}, {"a": down}, findings) == [
        ("crit", "a", "nginx.service should run here: failed (exit-code)")
    ]
    assert told({"a": down}, {"a": down}, findings) == []
    assert told({"a": down}, {"a": UP}) == [("ok", "a", "watched nginx.service is well again")]


def test_a_service_of_a_silent_host_is_neither_well_again_nor_told_anew() -> None:
    down = UP.model_copy(update={"findings": [DOWN_UNIT]})
    assert told({"a": down}, {"a": miss(down)}) == []
    assert told({"a": miss(down)}, {"a": down}) == []


def test_a_restart_between_two_beats_is_told() -> None:
    after = UP.model_copy(update={"boot": "two"})
    assert told({"a": UP}, {"a": after}) == [("watch", "a", "restarted since the last beat")]


def test_what_happens_in_a_declared_window_alarms_nobody() -> None:
    window = DeclaredWindow(name="sunday", begin=iso(NOW - 60), end=iso(NOW + 60))
    after = UP.model_copy(update={"boot": "two", "windows": [window]})
    assert told({"a": UP}, {"a": after}) == [
        ("accepted", "a", "restarted since the last beat (in maintenance window 'sunday')")
    ]


@pytest.mark.parametrize(
    ("reason", "answer"),
    [
        ("ssh: connect to host 10.0.0.1 port 22: Connection timed out", "fail"),
        ("ssh: connect to host 10.0.0.1 port 22: No route to host", "fail"),
        ("root@10.0.0.1: Permission denied (publickey,password).", "unknown"),
        ("Host key verification failed.", "unknown"),
        *(
            (one_line(connection.words(message)), answer)
            for message, answer in (
                ("ntlm: the specified credentials were rejected by the server", "unknown"),
                ("Failed to authenticate the user ops@ACME.EXAMPLE with kerberos", "unknown"),
                ("kinit: Password incorrect while getting initial credentials", "unknown"),
                ("kinit: Client's credentials have been revoked while getting initial credentials", "unknown"),
                # Its own words are far behind in the line, and cut off.
                (f"{MAX_RETRIES} (Caused by SSLError(1, '[SSL] certificate verify failed: expired'))", "unknown"),
                (f"{MAX_RETRIES} (Caused by ConnectTimeoutError('timed out. (connect timeout=30)'))", "fail"),
                (f"{MAX_RETRIES} (Caused by NewConnectionError('[Errno 111] Connection refused'))", "fail"),
            )
        ),
    ],
)
def test_a_host_that_keeps_keepwell_out_is_unknown_and_not_down(reason: str, answer: str) -> None:
    assert judging.answer_of(reason, connected=False) == answer


def test_a_host_that_was_reached_and_made_no_sense_is_unknown() -> None:
    assert judging.answer_of("the host gave no observation", connected=True) == "unknown"


def test_a_pause_of_the_watch_is_told() -> None:
    assert notices.pause(NOW - 600, NOW, 300) == []
    assert notices.pause(NOW - 7200, NOW, 300)[0].text.startswith("there was no beat for 2 hours")
