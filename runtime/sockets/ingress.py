"""The queue of bytes that verdicts gave an application to read (`ingress_msg` of `struct sk_psock`)."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple


class Ingress:
    """Bytes to read, of which `position` were. `own` ones came to the socket itself, by its verdict's pass;
    `fin` ended the stream. `cost` is what the socket is charged for them."""

    __slots__ = ("content", "cost", "fin", "own", "position")

    def __init__(self, content: bytes, own: bool, fin: bool = False, cost: int = 0) -> None:
        self.content = content
        self.own = own
        self.fin = fin
        self.cost = cost
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
    """Entries in the order in which they came.

    `waiting` bytes can be read, `waiting_own` of them passed by the socket's own verdict. `charged` is what
    the socket pays for the entries.
    """

    __slots__ = ("_entries", "charged", "waiting", "waiting_own")

    def __init__(self) -> None:
        self._entries: deque[Ingress] | None = None  # most sockets never need one
        self.waiting = 0
        self.waiting_own = 0
        self.charged = 0

    def __bool__(self) -> bool:
        return bool(self._entries)

    @property
    def first(self) -> int:
        """Bytes that can be read of the first entry."""
        return len(self._entries[0].content) - self._entries[0].position if self._entries else 0

    def put(self, entry: Ingress) -> None:
        """Add an entry at the end."""
        if self._entries is None:
            self._entries = deque()
        self._entries.append(entry)
        self.waiting += len(entry.content)
        self.waiting_own += len(entry.content) if entry.own else 0
        self.charged += entry.cost

    def read(self, length: int, peek: bool) -> Reading:
        """Up to `length` bytes from the front, over as many entries as it takes; `peek` leaves them there."""
        parts: list[bytes] = []
        own = at = 0
        entries = self._entries or ()
        while length and at < len(entries):
            entry = entries[at]
            left = len(entry.content) - entry.position
            if not left:
                if not parts:
                    return Reading(b"", 0, entry)
                break
            take = min(left, length)
            whole = take == len(entry.content)
            parts.append(entry.content if whole else entry.content[entry.position : entry.position + take])
            length -= take
            own += take if entry.own else 0
            if peek:
                at += 1
            else:
                self._taken(entry, take, take == left)
        return Reading(parts[0] if len(parts) == 1 else b"".join(parts), own)

    def _taken(self, entry: Ingress, count: int, all_of_it: bool) -> None:
        entry.position += count
        self.waiting -= count
        self.waiting_own -= count if entry.own else 0
        if all_of_it:
            assert self._entries is not None
            self._entries.popleft()
            self.charged -= entry.cost

    def clear(self) -> list[bytes]:
        """Empty the queue; gives what was not read."""
        rest = [entry.rest for entry in self._entries or ()]
        self._entries = None
        self.waiting = self.waiting_own = self.charged = 0
        return rest
