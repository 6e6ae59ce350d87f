"""A small share of `python -m tests.framing`."""

from __future__ import annotations

import pytest

from tests.framing.__main__ import run


@pytest.mark.parametrize("seed", [1, 2])
def test_random_messages_in_random_segments(seed: int) -> None:
    assert run(2000, seed) >= 2000
