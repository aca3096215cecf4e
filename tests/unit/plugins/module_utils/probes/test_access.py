"""Keys, sudo rules, accounts and logs: what is kept and what stays on the host."""

from __future__ import annotations

import base64
import struct
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.keepwell.fleet.plugins.module_utils.probes import _accounts, _sshd, _sudoers, access

ED25519 = base64.b64encode(struct.pack(">I", 11) + b"ssh-ed25519" + struct.pack(">I", 32) + b"k" * 32).decode()


def test_options_keep_their_names_and_lose_their_values() -> None:
    line = f'from="10.0.0.0/8,*.corp",command="backup --token \\"s3cret\\"",no-pty ssh-ed25519 {ED25519} anna@laptop'
    key = _sshd.parse_key(line)
    assert key is not None
    assert (key["options"], key["bits"]) == (["command", "from", "no-pty"], 256)
    assert "s3cret" not in repr(key)
    assert "anna" not in repr(key)


@pytest.mark.parametrize("line", ["ssh-ed25519", "ssh-ed25519 !!!", "hello world", f"ssh-rsa {ED25519}"])
def test_a_line_without_a_key_is_an_error(line: str) -> None:
    with pytest.raises(ValueError):
        _sshd.parse_key(line)


@pytest.mark.parametrize("planted", ['"' + '\\"' * 5000, '"\\""' * 5000, 'a="' * 5000])
def test_no_line_keeps_the_probe_busy(planted: str) -> None:
    start = time.monotonic()
    with pytest.raises(ValueError):
        _sshd.parse_key(planted + " ssh-x")
    assert time.monotonic() - start < 5


@given(st.text(max_size=200))
def test_any_line_is_a_key_nothing_or_a_value_error(line: str) -> None:
    try:
        key = _sshd.parse_key(line)
    except ValueError:
        return
    assert key is None or key["fingerprint"].startswith("SHA256:")


def test_the_first_value_wins_and_old_names_are_known() -> None:
    found = _sshd.parse_settings(
        "PermitRootLogin without-password\nPermitRootLogin yes\nChallengeResponseAuthentication no\nPort 22\nPort=2222\n"
    )
    assert found["permitrootlogin"] == "prohibit-password"
    assert found["kbdinteractiveauthentication"] == "no"
    assert found["port"] == ["22", "2222"]


@pytest.mark.parametrize(
    ("rest", "commands"),
    [
        ("(ALL:ALL) ALL", []),
        ("(ALL) NOPASSWD: ALL", ["ALL"]),
        ("NOPASSWD:SETENV: /usr/bin/apt-get update, /bin/ls, PASSWD: /bin/su", ["/usr/bin/apt-get", "/bin/ls"]),
        ("(root) /bin/su, NOPASSWD: /bin/mount -o password\\=x", ["/bin/mount"]),
    ],
)
def test_commands_without_a_password(rest: str, commands: list[str]) -> None:
    assert _sudoers.commands_without_password(rest) == commands


def test_sudoers() -> None:
    text = (
        "# note\nDefaults:anna !authenticate\nUser_Alias OPS = a, b\n@includedir /etc/sudoers.d\n"
        "anna, bob ALL = \\\n  NOPASSWD: ALL # why\n#1000 ALL=(ALL) NOPASSWD: ALL\nroot ALL=(ALL:ALL) ALL\n"
    )
    rules, switched_off = _sudoers.parse_sudoers(text)
    assert [rule["who"] for rule in rules] == ["anna", "bob", "#1000"]
    assert switched_off == [":anna"]
    with pytest.raises(ValueError, match="cannot read the line of 'nonsense'"):
        _sudoers.parse_sudoers("nonsense\n")


@pytest.mark.parametrize(
    ("field", "state", "algorithm"),
    [
        ("", "empty", None),
        ("*", "unset", None),
        ("!", "unset", None),
        ("!$6$a$b", "locked", "sha512"),
        ("$y$j9T$a$b", "set", "yescrypt"),
        ("$1$a$b", "set", "md5"),
        ("abJnggxhB/yWI", "set", "des"),
    ],
)
def test_password_fields(field: str, state: str, algorithm: str | None) -> None:
    assert (_accounts.password_state(field), _accounts.password_algorithm(field)) == (state, algorithm)


@given(st.text(alphabet="abc$6y./!*", min_size=20, max_size=60))
def test_hashes_never_leave(field: str) -> None:
    facts = _accounts.parse_shadow(f"root:{field}:19000:0:99999:7:::\n")
    assert field not in repr(facts)


def test_last_logins() -> None:
    text = (
        "Username         Port     From             Latest\n"
        "root                                       **Never logged in**\n"
        "ops              pts/0    127.0.0.1        Mon Nov 23 03:03:49 +0100 2026\n"
    )
    assert _accounts.parse_last_logins(text) == {"root": None, "ops": 1795399429}
    with pytest.raises(ValueError, match="cannot read the line of 'odd'"):
        _accounts.parse_last_logins("odd line\n")


def test_refused_logins_count_once() -> None:
    lines = [
        "Invalid user x from 10.0.0.1 port 100",
        "Failed password for invalid user x from 10.0.0.1 port 100 ssh2",
        "Connection closed by invalid user x 10.0.0.1 port 100 [preauth]",
        "Connection closed by authenticating user root 10.0.0.2 port 7 [preauth]",
        "Accepted publickey for ops from 10.0.0.3 port 9 ssh2",
    ]
    assert access.count_failed(lines) == {"count": 2, "sources": 2}


def test_only_the_last_hour_of_a_log_counts() -> None:
    text = (
        "2026-11-23T01:00:00.000000+00:00 web sshd[1]: old\n2026-11-23T03:30:00+01:00 web sshd[1]: new\n"
        "2026-11-23T02:31:00Z web cron[1]: other\n"
    )
    lines, older = access.recent_lines(text, 1795399200.0)
    assert (len(lines), older) == (1, True)
    with pytest.raises(ValueError, match="no ISO time"):
        access.recent_lines("Nov 23 02:31:00 web sshd[1]: x\n", 0)
