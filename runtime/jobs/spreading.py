"""Who gets which item when, and what comes of items whose workers die."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any, Protocol, TypeVar

ATTEMPTS = 3
"""How many workers an item may cost before it is given up."""

PATIENCE = 1.0
"""Seconds between two looks at whether the workers are still there."""

Item = TypeVar("Item")
Result = TypeVar("Result")


class Lost(Exception):
    """Every worker that took an item died of it, or beside it; `attempts` is how many did."""

    def __init__(self, attempts: int) -> None:
        super().__init__(f"the worker died at each of {attempts} attempts")
        self.attempts = attempts


class Gone(Exception):
    """There are no workers any more."""


class Workers(Protocol):
    """What items are given to. A worker that dies costs the item that it had, and no other."""

    @property
    def gone(self) -> str:
        """Why nothing more will come of any item; empty as long as something may."""

    @property
    def size(self) -> int:
        """How many items may be with workers at once."""

    @property
    def deaths(self) -> tuple[type[BaseException], ...]:
        """What futures raise where the worker has died."""

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Future[Any]:
        """Let a worker call `function`."""


class Here:
    """The calling process as the only worker."""

    size = 1
    gone = ""
    deaths: tuple[type[BaseException], ...] = ()

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Future[Any]:
        """Call `function` before returning."""
        future: Future[Any] = Future()
        try:
            future.set_result(function(*arguments))
        except Exception as error:
            future.set_exception(error)
        return future


def spread(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    workers: Workers,
    told: Callable[[int], None] = lambda done: None,
) -> list[Result | Exception]:
    """What `function` gives for each item, or the exception that it raised, in the order of the items.

    Items whose workers died are given to others when all else is done, one at a time, so that none is blamed for
    what another one does; after `ATTEMPTS` deaths an item has `Lost` for its result. Once the workers are gone, all
    items that are not done have `Gone`. `told` is called with the number of items that are done.
    """
    results: dict[int, Result | Exception] = {}
    waiting = deque((index, 1) for index in range(len(items)))
    suspects: deque[tuple[int, int]] = deque()
    running: dict[Future[Any], tuple[int, int]] = {}
    while len(results) < len(items):
        if workers.gone:
            gone = Gone(workers.gone)
            return [results.get(index, gone) for index in range(len(items))]
        if suspects and not waiting and not running:
            waiting.append(suspects.popleft())
        while waiting and len(running) < workers.size:
            index, attempt = waiting.popleft()
            running[workers.submit(function, items[index])] = index, attempt
        done = wait(running, PATIENCE, FIRST_COMPLETED).done
        for future in [each for each in running if each in done]:
            index, attempt = running.pop(future)
            try:
                results[index] = future.result()
            except workers.deaths:
                if attempt < ATTEMPTS:
                    suspects.append((index, attempt + 1))
                    continue
                results[index] = Lost(ATTEMPTS)
            except Exception as error:
                results[index] = error
            told(len(results))
    return [results[index] for index in range(len(items))]
