"""The queue of bytes that verdicts gave an application to read (`ingress_msg` of `struct sk_psock`)."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple


class Ingress:
    """Bytes to read. `own` ones came to the socket itself, by its verdict's pass; `fin` ended the stream."""

    __slots__ = ("content", "fin", "own", "position")

    def __init__(self, content: bytes, own: bool, fin: bool = False) -> None:
        self.content = content
        self.own = own
        self.fin = fin
        self.position = 0

    @property
    def rest(self) -> bytes:
        """What was not read yet."""
        return self.content[self.position :]


class Reading(NamedTuple):
    """What a read gave. `own` of the bytes came to the socket itself.

    `stuck` is an entry without bytes that is first. No read gets past it.
    """

    content: bytes
    own: int
    stuck: Ingress | None = None


class IngressQueue:
    """Entries in the order in which they came."""

    def __init__(self) -> None:
        self._entries: deque[Ingress] = deque()

    def __bool__(self) -> bool:
        return bool(self._entries)

    def put(self, entry: Ingress) -> None:
        """Add an entry at the end."""
        self._entries.append(entry)

    def read(self, length: int, peek: bool) -> Reading:
        """Up to `length` bytes from the front, over as many entries as it takes; `peek` leaves them there."""
        parts: list[bytes] = []
        own = 0
        for entry in list(self._entries):
            part = entry.rest[:length]
            if not part:
                if not parts:
                    return Reading(b"", 0, entry)
                break
            parts.append(part)
            length -= len(part)
            own += len(part) if entry.own else 0
            if not peek:
                entry.position += len(part)
                if not entry.rest:
                    self._entries.popleft()
            if not length:
                break
        return Reading(b"".join(parts), own)

    @property
    def waiting(self) -> int:
        """Bytes that can be read."""
        return sum(len(entry.rest) for entry in self._entries)

    @property
    def waiting_own(self) -> int:
        """Bytes that the socket's own verdict passed and that were not read."""
        return sum(len(entry.rest) for entry in self._entries if entry.own)

    def clear(self) -> list[bytes]:
        """Empty the queue; gives what was not read."""
        rest = [entry.rest for entry in self._entries]
        self._entries.clear()
        return rest
