"""Secrets: from where a dataset says they are into the environment of its tool, and into nothing else."""

from __future__ import annotations

import os
import re
import typing as t
from pathlib import Path
from types import SimpleNamespace

import pytest

from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification import (
    _credentials,
    _env_file,
    _memory,
)
from ansible_collections.keepwell.fleet.plugins.module_utils.backup_verification._credentials import Scrubber
from ansible_collections.keepwell.fleet.plugins.module_utils.chores._errors import AgentError
from ansible_collections.keepwell.fleet.plugins.module_utils.probes._machine import Machine, Output

SECRET = "corr3ct-horse \"battery\" 'staple'"


def resolved(
    tool: str = "restic", given: dict[str, str] | None = None, **reference: t.Any
) -> tuple[dict[str, str], str]:
    environment, source, _scrubber = _credentials.resolve(
        Machine(), {"tool": tool, "credentials": reference}, given or {}
    )
    return environment, source


def refusal(tool: str = "restic", **reference: t.Any) -> str:
    with pytest.raises(AgentError) as caught:
        resolved(tool, **reference)
    assert caught.value.code == "bad_credentials"
    assert SECRET not in caught.value.text
    return caught.value.text


def private(path: Path, text: str = SECRET + "\n", mode: int = 0o600) -> str:
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def test_what_came_with_the_request_is_the_environment() -> None:
    assert resolved(given={"A": SECRET}, environment=["A"]) == ({"A": SECRET}, "environment")
    assert resolved() == ({}, "")
    assert refusal(environment=["A", "B"]) == "The request lacks the secrets A, B."


@pytest.mark.parametrize(
    ("tool", "wanted"),
    [
        ("restic", {"RESTIC_PASSWORD_FILE": "{path}"}),
        ("borg", {"BORG_PASSCOMMAND": "cat '{path}'"}),
        ("pg_dump", {"PGPASSFILE": "{path}"}),
        ("kopia", {"KOPIA_PASSWORD": SECRET}),
        ("mysql_dump", {"MYSQL_PWD": SECRET}),
    ],
)
def test_a_password_file_is_told_or_read_as_the_tool_wants_it(
    tmp_path: Path, tool: str, wanted: dict[str, str]
) -> None:
    path = private(tmp_path / "pass word")
    environment, source = resolved(tool, password_file=path)
    assert environment == {name: value.replace("{path}", path) for name, value in wanted.items()}
    assert source == "password_file"


def test_a_password_that_a_tool_reads_itself_is_known_to_the_scrubber(tmp_path: Path) -> None:
    path = private(tmp_path / "file")
    reference = {"password_file": path}
    _environment, _source, scrubber = _credentials.resolve(Machine(), {"tool": "restic", "credentials": reference}, {})
    assert scrubber.text(f"password is {SECRET}, of {path}") == f"password is [secret], of {path}"


@pytest.mark.parametrize(
    ("tool", "command", "variable"),
    [("borg", "BORG_PASSCOMMAND", "BORG_PASSPHRASE"), ("restic", "RESTIC_PASSWORD_COMMAND", "RESTIC_PASSWORD")],
)
def test_a_password_that_a_command_prints_is_known_to_the_scrubber(
    tmp_path: Path, tool: str, command: str, variable: str
) -> None:
    given = {command: f"cat {private(tmp_path / 'file')}"}
    environment, _source, scrubber = _credentials.resolve(Machine(), {"tool": tool, "credentials": {}}, given)
    assert environment == {variable: SECRET}
    assert scrubber.text(f"wrong key {SECRET}") == "wrong key [secret]"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ('echo "hidden', "is no command"),
        ("sh -c 'echo hidden; exit 3'", "ended with 3 and gave no password"),
        ("true", "ended with 0 and gave no password"),
        ("/nonexistent/program", "could not be run (absent)"),
    ],
)
def test_a_command_that_gives_no_password_is_named_and_its_words_are_not(command: str, words: str) -> None:
    with pytest.raises(AgentError, match=re.escape(words)) as caught:
        _credentials.printed(Machine(), command, "BORG_PASSCOMMAND")
    assert "hidden" not in caught.value.text
    assert SECRET not in caught.value.text


def test_a_password_in_a_file_that_the_tool_reads_is_known_to_the_scrubber(tmp_path: Path) -> None:
    given = {"RESTIC_PASSWORD_FILE": private(tmp_path / "file")}
    environment, _source, scrubber = _credentials.resolve(Machine(), {"tool": "restic", "credentials": {}}, given)
    assert (environment, scrubber.text(SECRET)) == (given, "[secret]")


def test_a_secret_that_is_learnt_later_is_taken_out_as_well() -> None:
    scrubber = Scrubber(["first-secret"])
    scrubber.learn(["later-secret", ""])
    assert scrubber.text("first-secret later-secret and more") == "[secret] [secret] and more"


@pytest.mark.parametrize("name", ["password_file", "environment_file"])
def test_a_file_that_is_not_roots_alone_is_refused(tmp_path: Path, name: str) -> None:
    text = f'A="{SECRET}"\n' if name == "environment_file" else SECRET
    assert "can be read by everybody" in refusal(**{name: private(tmp_path / "a", text, 0o604)})
    assert "can be changed by others than root" in refusal(**{name: private(tmp_path / "b", text, 0o602)})
    if os.geteuid() == 0:
        path = private(tmp_path / "c", text, 0o620)
        os.chown(path, 0, 12345)
        assert "can be changed by others than root" in refusal(**{name: path})
        os.chown(path, 12345, 0)
        assert "can be changed by others than root" in refusal(**{name: path})
    assert "cannot be read: No such file" in refusal(**{name: str(tmp_path / "none")})
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert "cannot be read" in refusal(**{name: str(tmp_path / "link")})
    os.mkfifo(tmp_path / "pipe", 0o600)
    assert "cannot be read" in refusal(**{name: str(tmp_path / "pipe")})


@pytest.mark.parametrize("text", ["", "\n", "one\ntwo\n"])
def test_a_password_file_has_one_line(tmp_path: Path, text: str) -> None:
    assert "has to hold one line" in refusal(password_file=private(tmp_path / "file", text))


def test_a_tool_without_a_password_says_so(tmp_path: Path) -> None:
    assert "tree takes no password" in refusal("tree", password_file=private(tmp_path / "file"))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("A=b\n", {"A": "b"}),
        ("# c\n; d\n\n A = b c  \nB=\n", {"A": "b c", "B": ""}),
        ("A='x \\ \"y'\nB=z", {"A": 'x \\ "y', "B": "z"}),
        ('A="x \\"y\\" \\\\ \\n $HOME"\n', {"A": 'x "y" \\ \\n $HOME'}),
        ("A=one\\\ntwo\n", {"A": "onetwo"}),
        ("A=a\\ b\\'c\n", {"A": "a b'c"}),
        ("A='first\nsecond'\nB=1\n", {"A": "first\nsecond", "B": "1"}),
        ("# comment \\\nA=not\nB=1\n", {"B": "1"}),
        ("A=x=y#z\n", {"A": "x=y#z"}),
        ("A=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
    ],
)
def test_an_environment_file_is_read_as_systemd_reads_it(text: str, wanted: dict[str, str]) -> None:
    assert _env_file.parse(text, "/f") == wanted


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"A=b\n{SECRET}\n", "/f, line 2: this is not NAME=value."),
        (f"export A={SECRET}\n", "/f, line 1: this is not NAME=value."),
        (f'\n\nA="{SECRET.replace(chr(34), "")}\n', "/f, line 3: the quotes do not end."),
    ],
)
def test_a_bad_line_is_named_and_not_quoted(text: str, words: str) -> None:
    with pytest.raises(AgentError) as caught:
        _env_file.parse(text, "/f")
    assert caught.value.text == words


def test_credentials_of_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CREDSTORE", "ENCRYPTED"):
        folder = tmp_path / name
        folder.mkdir()
        monkeypatch.setattr(_credentials, name, (str(folder),))
    private(tmp_path / "CREDSTORE" / "plain")
    assert resolved("borg", systemd_credential="plain") == ({"BORG_PASSPHRASE": SECRET}, "systemd_credential")
    assert refusal(systemd_credential="none").startswith("There is no credential none in ")
    private(tmp_path / "ENCRYPTED" / "shut", "blob")
    ran = []

    def run(_self: t.Any, argv: list[str], **_more: t.Any) -> Output:
        ran.append(argv)
        return Output("ok", 0, SECRET + "\n", "")

    monkeypatch.setattr(Machine, "run", run)
    assert resolved("restic", systemd_credential="shut")[0] == {"RESTIC_PASSWORD": SECRET}
    assert ran == [["systemd-creds", "--name=shut", "decrypt", str(tmp_path / "ENCRYPTED" / "shut"), "-"]]
    monkeypatch.setattr(Machine, "run", lambda *_args, **_more: Output("error", 1, "", "no key"))
    assert refusal(systemd_credential="shut").endswith("shut: no key")


# --- texts


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (f"wrong: {SECRET}!", "wrong: [secret]!"),
        ('{"p": "corr3ct-horse \\"battery\\" \'staple\'"}', '{"p": "[secret]"}'),
        ("url corr3ct-horse%20%22battery%22%20%27staple%27", "url [secret]"),
        ("sftp://me:hunter2@host/x", "sftp://[secret]@host/x"),
        ("nothing", "nothing"),
    ],
)
def test_secrets_are_taken_out_of_texts(text: str, wanted: str) -> None:
    assert Scrubber([SECRET]).text(text) == wanted


def test_a_short_secret_goes_where_it_stands_alone() -> None:
    scrubber = Scrubber(["abc"])
    assert scrubber.text("password abc, not abcdef") == "password [secret], not abcdef"
    assert Scrubber([""]).text("x") == "x"


def test_each_line_of_a_long_secret_is_one() -> None:
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBg\n-----END KEY-----\n"
    assert Scrubber([key]).text("line 2: MIIEvQIBADANBg") == "line 2: [secret]"


def test_whole_documents_are_scrubbed() -> None:
    document = {"a": [SECRET, 1, None, {"b": f"x {SECRET}"}], "c": ("y", True)}
    assert Scrubber([SECRET]).document(document) == {"a": ["[secret]", 1, None, {"b": "x [secret]"}], "c": ["y", True]}


def test_variables_that_say_where_something_is_are_no_secrets() -> None:
    given = {
        "AWS_DEFAULT_REGION": "eu-central-1",
        "RESTIC_REPOSITORY": "/srv/backup",
        "AWS_SECRET_ACCESS_KEY": "k3yk3yk3y",
    }
    _environment, _source, scrubber = _credentials.resolve(Machine(), {"tool": "restic", "credentials": {}}, given)
    assert scrubber.text("/srv/backup in eu-central-1: k3yk3yk3y") == "/srv/backup in eu-central-1: [secret]"


# --- on their way


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(_memory, "place", lambda _machine: str(tmp_path))
    return tmp_path


def test_secrets_are_read_once(memory: Path) -> None:
    assert _memory.put_secrets(Machine(), "01WORK00", {"A": SECRET})
    (path,) = memory.iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    assert not _memory.put_secrets(Machine(), "01WORK00", {"A": "other"})
    assert _memory.take_secrets(Machine(), "01WORK00") == {"A": SECRET}
    assert list(memory.iterdir()) == []
    assert _memory.take_secrets(Machine(), "01WORK00") is None


def test_secrets_that_somebody_else_put_there_are_refused(memory: Path) -> None:
    path = memory / "keepwell-secrets-01WORK00"
    path.write_text('{"LD_PRELOAD": "/tmp/x"}')
    path.chmod(0o666)
    with pytest.raises(AgentError, match="not root's alone"):
        _memory.take_secrets(Machine(), "01WORK00")


def test_scratch_of_the_dead_is_removed_and_that_of_the_living_not(memory: Path) -> None:
    dead = memory / "keepwell-scratch-4194305-1"
    dead.mkdir()
    (dead / "x").write_text("x")
    with _memory.scratch(Machine()) as scratch:
        assert not dead.exists()
        (Path(scratch) / "y").write_text("y")
        _memory.sweep(Machine())
        assert (Path(scratch) / "y").exists()
    assert list(memory.iterdir()) == []


@pytest.mark.parametrize(
    ("blocks", "available", "mib"), [(10_000_000, "8388608 kB", 512), (10_000_000, "400000 kB", 97), (2048, "", 4)]
)
def test_scratch_takes_a_part_of_what_is_left(
    memory: Path, monkeypatch: pytest.MonkeyPatch, blocks: int, available: str, mib: int
) -> None:
    monkeypatch.setattr(os, "statvfs", lambda _path: SimpleNamespace(f_bavail=blocks, f_frsize=4096))
    machine: t.Any = SimpleNamespace(read=lambda _path: available and f"MemTotal: 1 kB\nMemAvailable: {available}\n")
    assert _memory.room(machine) // 2**20 == mib


def test_what_scratch_takes_is_counted_without_following_links(memory: Path) -> None:
    (memory / "deep" / "deeper").mkdir(parents=True)
    before = _memory.taken(str(memory))
    (memory / "deep" / "deeper" / "cache").write_bytes(b"x" * 2**20)
    (memory / "link").symlink_to("/usr")
    assert 2**20 <= _memory.taken(str(memory)) - before < 2**20 + 65536
    assert _memory.taken(str(memory / "nothing")) == 0


def test_a_disk_is_no_place_for_secrets() -> None:
    class Disks:
        def read(self, _path: str) -> str:
            return "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n23 22 8:1 / /run rw - ext4 /dev/sda1 rw\n"

    disks: t.Any = Disks()
    with pytest.raises(AgentError, match="is a tmpfs here"):
        _memory.place(disks)
