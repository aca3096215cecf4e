"""The gallery shows what the project makes today, from evidence that nobody changed, and stays small."""

from __future__ import annotations

import functools
import importlib.util
import re
import types
from pathlib import Path

import pytest

from ansible_collections.keepwell.fleet.plugins.plugin_utils.audit import verify

ROOT = Path(__file__).parents[2]
GALLERY = ROOT / "docs" / "gallery"
SAMPLES = sorted(path.name for path in GALLERY.iterdir() if path.suffix in (".html", ".csv", ".txt", ".md"))
SAMPLES.remove("README.md")


@functools.cache
def made() -> dict[str, bytes]:
    return tool().gallery()


@functools.cache
def tool() -> types.ModuleType:
    spec = importlib.util.spec_from_file_location("gallery", ROOT / "tools" / "gallery.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_is_what_is_made_today(name: str) -> None:
    assert made()[name] == (GALLERY / name).read_bytes(), "run `make gallery`"


def test_every_sample_is_there_and_the_page_leads_to_it() -> None:
    assert sorted(made()) == SAMPLES
    page = (GALLERY / "README.md").read_text()
    leads = set(re.findall(r"\]\(([\w./-]+)\)", page))
    assert {*SAMPLES, *(f"{name}.png" for name in tool().PICTURES)} <= leads
    for place in leads:
        assert (GALLERY / place).exists(), place


@pytest.mark.parametrize("client", ["demolen", "tannenhof", "hofladen"])
def test_its_evidence_holds(client: str) -> None:
    folder = GALLERY / "evidence" / client
    seen = verify.Verification(verify.Folder(str(folder)), str(folder / "allowed_signers")).look()
    told = [sentence.text for sentence in seen.sentences if sentence.holds is False]
    # One of the made-up clients has no key, which the overview shows.
    assert [text for text in told if client != "hofladen" or "are not signed" not in text] == []


def test_it_is_small() -> None:
    evidence = [path for path in (GALLERY / "evidence").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in evidence) < 500_000
    assert all(path.stat().st_size < 150_000 for path in GALLERY.glob("*.png"))
    assert sum(len(content) for content in made().values()) < 600_000
