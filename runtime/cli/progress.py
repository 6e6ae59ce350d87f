"""How far a command is, on standard error: only on a terminal, and only for what takes over a second."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

PATIENCE = 1.0
"""Seconds before anything is shown."""

T = TypeVar("T")


class Bar:
    """A bar that says `what` is done, in steps up to `total`. To be used with `with`."""

    def __init__(self, what: str, total: int) -> None:
        self._what = what
        self._total = total
        self._visible = sys.stderr.isatty()
        self._begin = time.monotonic()
        self._drawn: tuple[Progress, TaskID] | None = None

    def __enter__(self) -> Bar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._drawn is not None:
            self._drawn[0].stop()

    def show(self, done: int) -> None:
        """So many steps are done."""
        if not self._visible:
            return
        if self._drawn is None and time.monotonic() - self._begin > PATIENCE:
            self._drawn = self._draw()
        if self._drawn is not None:
            progress, task = self._drawn
            progress.update(task, completed=done)

    def counting(self) -> Callable[[object], None]:
        """What is to be called after each step, from the first one on."""
        done = count(1)
        return lambda _: self.show(next(done))

    def over(self, items: Sequence[T]) -> Iterator[T]:
        """The items, each a step once the next one is asked for."""
        for done, item in enumerate(items):
            self.show(done)
            yield item

    def _draw(self) -> tuple[Progress, TaskID]:
        from rich.console import Console
        from rich.progress import Progress

        progress = Progress(console=Console(stderr=True), transient=True)
        progress.start()
        return progress, progress.add_task(self._what, total=self._total)
