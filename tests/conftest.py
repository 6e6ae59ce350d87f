"""Settings of all tests."""

from __future__ import annotations

from hypothesis import settings

# How long an example takes says nothing on a machine that does other things as well.
settings.register_profile("skverdict", deadline=None)
settings.load_profile("skverdict")
