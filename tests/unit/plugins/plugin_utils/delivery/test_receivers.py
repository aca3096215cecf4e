# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who is told what: every mistake in one sentence, and no secret in any of them."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.keepwell.fleet.plugins.plugin_utils.delivery import receivers

SMTP = {"host": "mail.msp.example", "from": "Keepwell <keepwell@msp.example>"}
SECRET = "whsec_" + "QUFB" * 8
HIDDEN = "hunter2"
HOOK = {"channel": "webhook", "url": "https://hooks.example/x", "secret": SECRET}


def test_everything_that_can_be_said_is_understood() -> None:
    found, problems = receivers.build(
        {
            "desk": {"channel": "mail", "to": ["desk@msp.example", "ann@bakery.example"], "when": ["each_run"], "attach": ["csv", "ics"], "csv": "excel_eu"},
            "owner": {"channel": "mail", "to": "ann@bakery.example", "when": "monthly", "attach": "html", "attach_limit_mb": 5},
            "hook": {**HOOK, "when": "findings", "at_or_above": "crit", "give_up_days": 2},
            "room": {"channel": "slack", "url": "https://hooks.slack.example/x", "when": ["verdict", "monthly"]},
            "team": {"channel": "teams", "url": "https://x.example/workflows?api-version=1&sig=abc", "partial": True, "timeout_s": 5},
            "numbers": {"channel": "textfile", "directory": "/var/lib/prometheus/node-exporter", "hosts": True},
        },
        {**SMTP, "port": 2525, "security": "tls", "user": "keepwell", "password": HIDDEN, "ca_file": "/etc/ssl/own.pem", "timeout_s": 5},
    )  # fmt: skip
    assert problems == []
    assert list(found.receivers) == ["desk", "owner", "hook", "room", "team", "numbers"]
    assert isinstance(found.receivers["owner"], receivers.Mail)
    assert found.receivers["owner"].to == ("ann@bakery.example",)
    assert found.smtp is not None
    assert found.smtp.at == 2525
    assert HIDDEN in found.secrets()
    for shown in (repr(found), str(found), repr(found.smtp)):
        assert HIDDEN not in shown
        assert SECRET not in shown
        assert "hooks.slack.example" not in shown


def test_nothing_said_is_nobody_told() -> None:
    assert receivers.build(None, None) == (receivers.Notify(), [])


@pytest.mark.parametrize("sender", ["k@msp.example", "Keepwell <k@msp.example>", '"Keepwell, Inc" <k@msp.example>'])
def test_a_sender_is_one_address_with_or_without_a_name(sender: str) -> None:
    assert receivers.build(None, {**SMTP, "from": sender})[1] == []


@pytest.mark.parametrize(("security", "port"), [("starttls", 587), ("tls", 465), ("none", 25)])
def test_the_usual_ports(security: str, port: int) -> None:
    found, _problems = receivers.build(None, {**SMTP, "security": security})
    assert found.smtp is not None
    assert found.smtp.at == port


MAIL = {"channel": "mail", "to": "ann@bakery.example"}
BROKEN: list[tuple[t.Any, t.Any, str]] = [
    (["ann"], SMTP, "keepwell_notify must be a mapping of named receivers, not list."),
    ({"Desk!": MAIL}, SMTP, "keepwell_notify.Desk!: a receiver's name has small letters, digits, - and _ only."),
    ({"../x": MAIL}, SMTP, "a receiver's name has small letters"),
    ({"desk": "ann"}, SMTP, "keepwell_notify.desk must be a mapping with a channel, not str."),
    ({"desk": {}}, SMTP, "keepwell_notify.desk: it needs a channel. Allowed: mail, slack, teams, textfile, webhook."),
    ({"desk": {"channel": "mial"}}, SMTP, "unknown channel 'mial'. Did you mean 'mail'?"),
    ({"desk": MAIL}, None, "keepwell_notify.desk: mail needs keepwell_smtp, the server that takes it."),
    ({"desk": {**MAIL, "to": []}}, SMTP, "keepwell_notify.desk.to"),
    ({"desk": {**MAIL, "to": ["ann"]}}, SMTP, "keepwell_notify.desk.to.0: should be one mail address like ann@bakery.example (given: 'ann')."),
    ({"desk": {**MAIL, "to": "a@b.example\r\nBcc: c@d.example"}}, SMTP, "should be one mail address"),
    ({"desk": {**MAIL, "to": "a@b.example,c@d.example"}}, SMTP, "should be one mail address"),
    ({"desk": {**MAIL, "to": "<a@b.example>"}}, SMTP, "should be one mail address"),
    ({"desk": {**MAIL, "when": "dayly"}}, SMTP, "keepwell_notify.desk.when.0: Input should be 'each_run', 'verdict', 'findings' or 'monthly' (given: 'dayly')."),
    ({"desk": {**MAIL, "when": []}}, SMTP, "keepwell_notify.desk.when"),
    ({"desk": {**MAIL, "at_or_above": "ok"}}, SMTP, "keepwell_notify.desk.at_or_above"),
    ({"desk": {**MAIL, "attach": "jsn"}}, SMTP, "keepwell_notify.desk: attach: unknown kind 'jsn'. Did you mean 'json'?"),
    ({"desk": {**MAIL, "attach_limit": 5}}, SMTP, "Did you mean 'attach_limit_mb'?"),
    ({"desk": {**MAIL, "give_up_days": 0}}, SMTP, "keepwell_notify.desk.give_up_days"),
    ({"hook": {**HOOK, "url": f"ftp://{HIDDEN}.example"}}, None, "keepwell_notify.hook.url: should be an address like https://hooks.example.com/x; only https and http are spoken."),
    ({"hook": {**HOOK, "url": "file:///etc/passwd"}}, None, "only https and http are spoken"),
    ({"hook": {**HOOK, "url": f"https://u:{HIDDEN}@hooks.example"}}, None, "should hold no user and password"),
    ({"hook": {**HOOK, "url": f"https://hooks.example/{HIDDEN} \r\nX: y"}}, None, "keepwell_notify.hook.url: should hold no spaces"),
    ({"hook": {**HOOK, "secret": HIDDEN}}, None, "keepwell_notify.hook.secret: should be 24 to 64 random bytes in base64"),
    ({"hook": {"channel": "webhook", "url": "https://hooks.example/x"}}, None, "keepwell_notify.hook.secret: Field required."),
    ({"numbers": {"channel": "textfile", "directory": "metrics"}}, None, "keepwell_notify.numbers.directory"),
    ({"numbers": {"channel": "textfile", "directory": "/x", "when": "monthly"}}, None, "metrics are written after each whole run"),
    (None, "mail.msp.example", "keepwell_smtp must be a mapping with host and from, not str."),
    (None, {"host": "mail.msp.example"}, "keepwell_smtp.from: Field required."),
    (None, {**SMTP, "user": "keepwell"}, "keepwell_smtp: user and password belong together."),
    (None, {**SMTP, "pasword": HIDDEN}, "keepwell_smtp.pasword: Extra inputs are not permitted. Did you mean 'password'?"),
    (None, {**SMTP, "user": "k", "password": HIDDEN, "security": "none"}, "would send the password in clear"),
    (None, {**SMTP, "password": [HIDDEN]}, "keepwell_smtp.password: Input should be a valid string."),
    (None, {**SMTP, "security": "ssl"}, "keepwell_smtp.security"),
    (None, {**SMTP, "from": "Keepwell\r\nBcc: x <k@msp.example>"}, "keepwell_smtp.from"),
    (None, {**SMTP, "from": '"a" <k@msp.example>, b@c.example'}, "keepwell_smtp.from: should be one mail address"),
    (None, {**SMTP, "from": "k@msp.example;b@c.example"}, "keepwell_smtp.from: should be one mail address"),
    (None, {**SMTP, "from": "Keepwell, Inc <k@msp.example>"}, "keepwell_smtp.from: should be one mail address"),
    (None, {**SMTP, "host": "mail.example/x"}, "keepwell_smtp.host"),
]  # fmt: skip


@pytest.mark.parametrize(("notify", "smtp", "words"), BROKEN)
def test_a_mistake_is_one_sentence_without_a_secret(notify: t.Any, smtp: t.Any, words: str) -> None:
    _found, problems = receivers.build(notify, smtp)
    assert len(problems) == 1, problems
    assert words in problems[0]
    assert HIDDEN not in problems[0]
    assert len(problems[0].splitlines()) == 1


def test_clear_text_over_a_network_is_a_warning() -> None:
    found, problems = receivers.build(
        {"far": {**HOOK, "url": "http://hooks.example/x"}, "near": {**HOOK, "url": "http://127.0.0.1:8080/"}}, None
    )
    assert problems == []
    assert found.warnings() == [
        "keepwell_notify.far: the address begins with http: what it says about machines is sent unencrypted."
    ]
