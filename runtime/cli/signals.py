"""Signals that end a command, waited for instead of interrupting it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

ENDING = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})


@contextmanager
def held_back() -> Iterator[None]:
    """Let no ending signal interrupt what is done meanwhile; `ended` tells of one that came."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def ended(seconds: float) -> bool:
    """Wait up to so many seconds for an ending signal that is held back; whether one came."""
    return signal.sigtimedwait(ENDING, seconds) is not None
