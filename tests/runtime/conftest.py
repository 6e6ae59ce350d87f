"""Fixtures for tests of native code."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Code that is made is kept for this test alone."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The slots of the instructions that Python does for native code."""
    from skverdict.runtime.native.run import NativeRun

    slots: list[int] = []
    perform = NativeRun.perform

    def noting(self: NativeRun, slot: int, frame: int) -> None:
        slots.append(slot)
        perform(self, slot, frame)

    monkeypatch.setattr(NativeRun, "perform", noting)
    return slots
