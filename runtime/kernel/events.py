"""Streams of what programs and the kernel tell: taken at once, waited for, or with asyncio."""

from __future__ import annotations

import asyncio
import select
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator
from typing import Generic, TypeVar

Event = TypeVar("Event")


class EventStream(ABC, Generic[Event]):
    """Events that come in order. `for` and `async for` wait for the next one without end."""

    @abstractmethod
    def fileno(self) -> int:
        """A descriptor that is readable when there are events."""

    @abstractmethod
    def take(self) -> list[Event]:
        """The events that are there now."""

    def events(self, seconds: float | None = None) -> Iterator[Event]:
        """Each event as it comes. It ends when none came for so many seconds; None: it does not end."""
        poll = select.poll()
        poll.register(self.fileno(), select.POLLIN)
        timeout = None if seconds is None else seconds * 1000
        taken = self.take()
        while taken or poll.poll(timeout):
            yield from taken
            taken = self.take()

    def __iter__(self) -> Iterator[Event]:
        return self.events()

    async def __aiter__(self) -> AsyncIterator[Event]:
        """The same in an asyncio event loop, which other tasks go on in meanwhile."""
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        loop.add_reader(self.fileno(), readable.set)
        try:
            while True:
                readable.clear()
                for event in self.take():
                    yield event
                await readable.wait()
        finally:
            loop.remove_reader(self.fileno())
