"""docs/evidence.md is true: its variables are those there are, its examples are read, its table of deeds is tested."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.keepwell.fleet.plugins.plugin_utils.audit import options, verify

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/evidence.md").read_text(encoding="utf-8")


def test_every_variable_is_told_and_no_other() -> None:
    told = set(re.findall(r"`(keepwell_\w+)`", PAGE)) | set(re.findall(r"-e (keepwell_\w+)=", PAGE))
    assert told == {*options.VARIABLES, *options.ASKED, "keepwell_run_id"}


@pytest.mark.parametrize("text", re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
def test_every_example_is_read(text: str) -> None:
    told, problems = options.build(yaml.safe_load(text), "acme", ["inventories/acme"])
    assert problems == []
    assert told is not None


def test_defaults_are_those_of_the_code(tmp_path: Path) -> None:
    told, _problems = options.build({}, "acme", [str(tmp_path)])
    assert told is not None
    assert f"| `keepwell_retention_months` | `{told.retention_months}` |" in PAGE
    assert told.signing_identity == "keepwell@acme"
    assert told.allowed_signers == f"{tmp_path}/allowed_signers"
    assert f"namespace `{verify.NAMESPACE}`" in PAGE
    assert set(re.findall(r"^\| `(manifest[\w.]+)` \|", PAGE, re.MULTILINE)) == set(verify.SEALS)


def test_relative_paths_begin_at_the_clients_folder(tmp_path: Path) -> None:
    (tmp_path / "hosts.ini").touch()
    for source in (tmp_path, tmp_path / "hosts.ini"):
        told, _problems = options.build({"keepwell_signing_key": "key"}, "acme", [str(source)])
        assert told is not None
        assert told.signing_key == f"{tmp_path}/key"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"keepwell_retention_months": "36"}, None),
        ({"keepwell_retention_months": 0}, "keepwell_retention_months must be a whole number of months, 1 to 600"),
        ({"keepwell_signing_identity": "two words"}, "keepwell_signing_identity must be a name like keepwell@acme"),
        ({"keepwell_signing_key": ["a"]}, "keepwell_signing_key must be a path of a key of ssh-keygen"),
        ({"keepwell_timestamp_url": "file:///etc/passwd"}, "keepwell_timestamp_url must be an address that begins"),
        ({"keepwell_timestamp_url": "https://x"}, "keepwell_timestamp_url needs keepwell_timestamp_ca"),
        ({"keepwell_legal_hold": True}, "keepwell_legal_hold must be a sentence"),
    ],
)
def test_mistakes_are_told_by_name(given: dict[str, object], sentence: str | None) -> None:
    told, problems = options.build(given, "acme", ["inventories/acme"])
    if sentence is None:
        assert problems == []
    else:
        assert told is None
        assert problems[0].startswith(sentence)


def test_a_password_in_the_address_of_an_authority_is_refused_and_not_quoted() -> None:
    told, problems = options.build({"keepwell_timestamp_url": "https://u:geheim@x/tsr"}, "acme", ["inventories/acme"])
    assert told is None
    assert "without user and password" in problems[0]
    assert "geheim" not in problems[0]
