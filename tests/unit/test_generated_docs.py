"""Documents that the code knows best say what the code says."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SPEC = importlib.util.spec_from_file_location("generate_docs", ROOT / "tools" / "generate_docs.py")
assert SPEC is not None
assert SPEC.loader is not None
generate_docs = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(generate_docs)


@pytest.mark.parametrize("name", generate_docs.documents())
def test_generated_document_is_up_to_date(name: str) -> None:
    assert (ROOT / name).read_text() == generate_docs.documents()[name], "run `make docs`"
