"""Settings of all tests."""

from __future__ import annotations

from hypothesis import settings

# The same examples in every run; how long one takes says nothing on a machine that does other things as well.
settings.register_profile("skverdict", deadline=None, derandomize=True, database=None)
settings.load_profile("skverdict")
