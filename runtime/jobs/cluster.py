"""A Dask cluster as workers. What they call has to be importable there."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from types import TracebackType
from typing import Any

from distributed import Client
from distributed.scheduler import KilledWorker

PATIENCE = "10s"
"""How long the scheduler may take to answer, at first and where the connection to it was lost."""


_USABLE = frozenset(("running", "connecting"))


class Cluster:
    """The cluster whose scheduler is at `address`, as `tcp://HOST:PORT`; to be used with `with`.

    The scheduler itself gives an item of a dead worker to others, as often as its `allowed-failures` say, and
    only then is the item's future one of a death. Raises OSError where no scheduler answers.
    """

    size = sys.maxsize
    deaths: tuple[type[BaseException], ...] = (KilledWorker, CancelledError)

    def __init__(self, address: str) -> None:
        self._client = Client(address, timeout=PATIENCE, set_as_default=False)
        # Without `pure=False` items that are equal would be done once.
        self._executor = self._client.get_executor(pure=False)

    def __enter__(self) -> Cluster:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave the cluster; what an exception leaves behind there is cancelled."""
        self._executor.shutdown(wait=kind is None)
        self._client.close()

    @property
    def gone(self) -> str:
        """Why nothing more will come: the client gives up where the scheduler does not come back."""
        return "" if self._client.status in _USABLE else "the connection to the Dask scheduler was lost"

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Future[Any]:
        """Let a worker call `function`."""
        future: Future[Any] = self._executor.submit(function, *arguments)
        return future
