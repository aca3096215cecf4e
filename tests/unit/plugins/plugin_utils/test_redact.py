"""Secrets that a tool prints never become evidence."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.keepwell.fleet.plugins.plugin_utils.redact import MASK, redact, redact_text


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("deb https://user:hunter2@repo.example.invalid/debian stable main", "hunter2"),
        ("rest:https://backup:p%40ss@nas.example.invalid:8000/", "p%40ss"),
        ("https://user:hun@ter2@repo.example.invalid/debian", "ter2"),
        ("redis://:hunter2@cache.example.invalid:6379/0", "hunter2"),
        ("https://ghp_abcdefghijklmnop0123@git.example.invalid/shop.git", "ghp_"),
        ("error: password=hunter2 rejected", "hunter2"),
        ("password: 'hunter two'", "hunter"),
        ('{"token": "abc123"}', "abc123"),
        ("RESTIC_PASSWORD=abc123", "abc123"),
        ("api_key = abc123", "abc123"),
        ("Authorization: Bearer abc.def", "abc.def"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbn\n-----END OPENSSH PRIVATE KEY-----", "b3Blbn"),
        ("-----BEGIN RSA PRIVATE KEY-----\ncut off here b3Blbn", "b3Blbn"),
    ],
)
def test_secrets_are_masked(text: str, secret: str) -> None:
    assert secret not in redact_text(text)
    assert MASK in redact_text(text)


@pytest.mark.parametrize(
    "text",
    [
        "https://deb.example.invalid/debian bookworm InRelease",
        "PasswordAuthentication no",
        "sshd: 3 failed passwords in the last hour",
        "secretary@example.invalid",
        "https://deploy@git.example.invalid/shop.git",
        "/etc/ssl/private is not readable",
        "2026-11-23T02:27:00Z http://[2001:db8::1]:8080/",
    ],
)
def test_ordinary_texts_stay(text: str) -> None:
    assert redact_text(text) == text


@pytest.mark.parametrize("word", ["a", "a-", "a://", "token ", 'token="', "https://u:", "-----BEGIN "])
def test_one_endless_word_of_a_host_takes_no_time(word: str) -> None:
    start = time.monotonic()
    redact_text(word * (60_000 // len(word)))
    assert time.monotonic() - start < 5


@given(st.text())
def test_redaction_is_stable(text: str) -> None:
    once = redact_text(text)
    assert redact_text(once) == once


def test_redaction_reaches_every_text_of_a_document() -> None:
    document = {
        "a": ["password=x1", {"https://u:x1@h/": "token: x1"}],
        "n": 3,
        "password": "x1",
        "none": None,
        "yes": True,
    }
    clean = redact(document)
    assert "x1" not in repr(clean)
    assert clean["n"] == 3
    assert clean["none"] is None
    assert clean["yes"] is True
