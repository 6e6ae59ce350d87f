"""Processes of this machine as workers."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any


class Processes:
    """`size` processes, to be used with `with`.

    Each is a pool of its own: a pool in which a process dies gives up all that it was asked for, and does not
    tell which item was with the one that died.
    """

    gone = ""
    deaths: tuple[type[BaseException], ...] = (BrokenProcessPool,)

    def __init__(self, size: int) -> None:
        self.size = size
        self._pools: list[ProcessPoolExecutor | None] = [None] * size
        self._last: list[Future[Any] | None] = [None] * size
        self._children: set[BaseProcess] = set()

    def __enter__(self) -> Processes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the processes, at once where an exception ends their use."""
        if kind is not None:
            for child in self._children:
                child.kill()
        for pool in self._pools:
            if pool is not None:
                pool.shutdown()

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Future[Any]:
        """Let a process that is free call `function`; there has to be one."""
        slot = next(slot for slot, last in enumerate(self._last) if last is None or last.done())
        with self._started():
            future = self._submit(slot, function, *arguments)
        self._last[slot] = future
        return future

    def _submit(self, slot: int, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        pool = self._pools[slot]
        if pool is not None:
            try:
                return pool.submit(function, *arguments)
            except BrokenProcessPool:
                pool.shutdown()
        pool = self._pools[slot] = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _end_with_parent)
        return pool.submit(function, *arguments)

    @contextmanager
    def _started(self) -> Iterator[None]:
        """Know the processes that are started meanwhile, and let them not see the terminal's Ctrl-C."""
        before = set(multiprocessing.active_children())
        # Older Pythons let SIGINT through again where they start it, with the first process.
        resource_tracker.ensure_running()
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            self._children |= set(multiprocessing.active_children()) - before
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _end_with_parent() -> None:
    """Let this process end when the one that started it does, however that ends."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
