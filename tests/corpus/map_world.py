"""What user space and programs do with one map, as data, on a backend: the simulator, or a kernel.

A story has the declaration of its map, and steps. Each step is a list, its first item the verb, and gives one outcome:

    ["read", key, flags]                the value, or an errno name
    ["update", key, value, flags]       "ok", or an errno name
    ["delete", key]                     the same
    ["take", key, flags]                the value, read and removed
    ["next", key]                       the next key, the first one for null
    ["keys"]                            all of them; in ascending order where the kind has none of its own
    ["freeze"]                          "ok"
    ["lookup_batch", count, flags]      entries, in that order, and whether more may come
    ["take_batch", count, flags]        the same, and they are removed
    ["update_batch", entries, flags]    "ok", or how many entries were done, and the errno name
    ["delete_batch", keys, flags]       the same
    ["contains", value]                 for a bloom filter: whether it may have it
    ["consume"]                         the records of a ring buffer
    ["run", helper, key, value, flags]  a program's call: its result, and the value that it found or left

Bytes are hexadecimal text. `flags` of a ring buffer's `reserve` are the number of its size in SIZES. Maps of sockets
have these instead:

    ["put", key, socket, flags]         "ok", or an errno name; sockets are numbers
    ["socket", key, flags]              the number of the socket whose cookie is there, or an errno name
    ["close", socket]                   "ok"
    ["attach"], ["detach"]              the program, to or from the map: "ok", or an errno name
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable
from typing import Any, NamedTuple

from skverdict.dsl.catalogue.maps import MAPS, MapKind

Story = dict[str, Any]

BPF_F_RDONLY_PROG = 1 << 7
BPF_F_WRONLY_PROG = 1 << 8
#: Sizes of records that programs reserve, in bytes.
SIZES = (1, 8, 100, 2000, 4079, 4080, 4087, 4088, 5000)
#: Kinds whose order of keys is not defined.
UNORDERED = ("hash", "lru_hash", "percpu_hash", "lru_percpu_hash", "sockhash")
#: Kinds that hold sockets, and how many sockets their stories have: two TCP connections, and a pair of unix sockets.
OF_SOCKETS = ("sockmap", "sockhash")
SOCKETS = 6

#: The map by which a program is told what to do, and where in it: the helper's number among `helpers_of`, a u32, flags
#: and result, u64 each, then the key.
ORDERS = "orders"
HELPER, FLAGS, RESULT, KEY = 0, 8, 16, 24


class Declaration(NamedTuple):
    """A map's declaration, as a story has it."""

    kind: str
    key_size: int
    value_size: int
    max_entries: int
    flags: int

    @property
    def map_kind(self) -> MapKind:
        return MAPS[self.kind]

    @property
    def size(self) -> int:
        """Bytes of all its keys and values."""
        return self.max_entries * max(1, self.key_size + self.value_size)

    @property
    def value_at(self) -> int:
        """Where the value lies in what a program is told."""
        return KEY + -(-self.key_size // 8) * 8

    @property
    def room(self) -> int:
        """Bytes of a value, or of a record, that a program is told."""
        return self.value_size or 64


def helpers_of(map_: Declaration) -> tuple[str, ...]:
    """The helpers that the program may call on the map."""
    if map_.kind in OF_SOCKETS:
        return ()
    if map_.kind == "ringbuf":
        return ("output", "query", *(f"reserve{size}" for size in range(len(SIZES))))
    if map_.kind == "bloom_filter":
        every = ("push", "peek")
    elif map_.kind in ("queue", "stack"):
        every = ("push", "pop", "peek")
    else:
        every = ("lookup", "update", "delete", *(("lookup_percpu",) if map_.map_kind.per_cpu else ()))
    reading = ("lookup", "lookup_percpu", "peek", "pop")
    writing = ("update", "delete", "push", "pop")
    if map_.flags & BPF_F_RDONLY_PROG:
        every = tuple(each for each in every if each not in writing)
    if map_.flags & BPF_F_WRONLY_PROG:
        every = tuple(each for each in every if each not in reading)
    return every


def _value(content: bytes) -> str:
    return content.hex()


def _optional(text: str | None) -> bytes | None:
    return None if text is None else bytes.fromhex(text)


class MapWorld:
    """Carries out the steps of a story on a backend that has the object of its map."""

    def __init__(self, backend: Any, map_: Declaration) -> None:
        self._backend = backend
        self._map = map_
        view = backend.maps["subject"]
        self._view = view
        self._raw = getattr(view, "raw", view)
        self._orders = backend.maps[ORDERS].raw
        self._helpers = helpers_of(map_)
        backend.attach("sockets", msg_verdict="act")
        self._sender, self._receiver = backend.tcp_pair()
        backend.maps["sockets"][0] = self._sender
        self._sockets: list[Any] = []
        if map_.kind in OF_SOCKETS:
            self._sockets += (*backend.tcp_pair(), *backend.tcp_pair(), *backend.unix_pair())
        self._cookies = [socket.cookie for socket in self._sockets]

    def act(self, verb: str, *arguments: Any) -> Any:
        try:
            return getattr(self, f"do_{verb}")(*arguments)
        except OSError as error:
            number = error.errno or 0
            name = errno.errorcode.get(number, number)
            done = getattr(error, "done", None)
            return name if done is None else [done, name]

    def do_read(self, key: str, flags: int) -> str:
        return _value(self._raw.read(bytes.fromhex(key), flags))

    def do_update(self, key: str, value: str, flags: int) -> str:
        self._raw.update(bytes.fromhex(key), bytes.fromhex(value), flags)
        return "ok"

    def do_delete(self, key: str) -> str:
        self._raw.delete(bytes.fromhex(key))
        return "ok"

    def do_take(self, key: str, flags: int) -> str:
        return _value(self._raw.take(bytes.fromhex(key), flags))

    def do_next(self, key: str | None) -> str:
        return _value(self._raw.next_key(_optional(key)))

    def do_keys(self) -> list[str]:
        return self._in_order([_value(key) for key in iter(self._raw.keys())])

    def _in_order(self, entries: list[Any]) -> list[Any]:
        return sorted(entries) if self._map.kind in UNORDERED else entries

    def do_freeze(self) -> str:
        self._raw.freeze()
        return "ok"

    def do_lookup_batch(self, count: int, flags: int) -> list[Any]:
        return self._batch(lambda: self._raw.lookup_batch(count, None, flags))

    def do_take_batch(self, count: int, flags: int) -> list[Any]:
        return self._batch(lambda: self._raw.lookup_and_delete_batch(count, None, flags))

    def _batch(self, take: Callable[[], Any]) -> list[Any]:
        found = take()
        entries = [[_value(key), _value(value)] for key, value in found.entries]
        return [self._in_order(entries), "more" if found.cursor else "end"]

    def do_update_batch(self, entries: list[list[str]], flags: int) -> str:
        self._raw.update_batch([(bytes.fromhex(key), bytes.fromhex(value)) for key, value in entries], flags)
        return "ok"

    def do_delete_batch(self, keys: list[str], flags: int) -> str:
        self._raw.delete_batch([bytes.fromhex(key) for key in keys], flags)
        return "ok"

    def do_contains(self, value: str) -> bool:
        found: bool = self._raw.contains(bytes.fromhex(value))
        return found

    def do_put(self, key: str, socket: int, flags: int) -> str:
        self._view.update(bytes.fromhex(key), self._sockets[socket], flags)
        return "ok"

    def do_socket(self, key: str, flags: int) -> int:
        cookie = int.from_bytes(self._raw.read(bytes.fromhex(key), flags), "little")
        return self._cookies.index(cookie)

    def do_close(self, socket: int) -> str:
        self._sockets[socket].close()
        return "ok"

    def do_attach(self) -> str:
        self._backend.attach("subject", msg_verdict="act")
        return "ok"

    def do_detach(self) -> str:
        self._backend.detach("subject", msg_verdict="act")
        return "ok"

    def do_consume(self) -> list[str]:
        return [_value(record) for record in self._view.consume()]

    def do_run(self, helper: str, key: str, value: str, flags: int) -> list[Any]:
        """The program gets what it is to do, a byte is sent, and it says what came of it."""
        head = struct.pack("<IxxxxQQ", self._helpers.index(helper), flags, 0)
        parts = bytes.fromhex(key).ljust(self._map.value_at - KEY, b"\0"), bytes.fromhex(value)
        self._orders.update(bytes(4), b"".join((head, *parts)), 0)
        self._sender.send(b"x")
        told = self._orders.read(bytes(4))
        (result,) = struct.unpack_from("<q", told, RESULT)
        left = told[self._map.value_at : self._map.value_at + self._map.value_size]
        return [errno.errorcode.get(-result, result), _value(left)]


def carry_out(backend: Any, map_: Declaration, steps: list[list[Any]]) -> list[Any]:
    """The outcome of each step, on a backend that has `object_of` the map."""
    world = MapWorld(backend, map_)
    return [world.act(*step) for step in steps]
