"""Make the helpers beside the tests importable, and let examples take the time that a busy machine gives them."""

from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))

# How long one example takes says who else has the processor; what has to be fast has a test of its own.
settings.register_profile("keepwell", deadline=None)
settings.load_profile("keepwell")
