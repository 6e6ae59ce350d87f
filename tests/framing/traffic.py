"""The streams on a backend, the simulator or a kernel: what arrives is held against what is to arrive."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from tests.framing.streams import commands, cuts, frames

#: Messages of one connection.
LENGTH = 250
#: Bytes at most that a reader that lags leaves waiting.
MOST_WAITING = 60_000
#: How often nothing may arrive before that counts as the end, and how long to wait each time.
PATIENCE = 40
PAUSE = 0.05


class Wrong(AssertionError):
    """Something else arrived than what was to arrive."""


class Reader:
    """What arrives at one socket."""

    def __init__(self, socket: Any) -> None:
        self.socket = socket
        self.content = bytearray()

    def read(self) -> int:
        came = self.socket.recv_all()
        self.content += came
        return len(came)


def read_to_end(backend: Any, readers: Sequence[Reader], wanted: Sequence[int]) -> None:
    """Read until as many bytes have come as are wanted, or no more come."""
    idle = 0
    while idle < PATIENCE:
        came = sum(reader.read() for reader in readers)
        if not came and all(
            len(reader.content) >= size for reader, size in zip(readers, wanted, strict=True)
        ):
            # What is too much may come a little later.
            backend.wait(PAUSE)
            for reader in readers:
                reader.read()
            return
        idle = 0 if came else idle + 1
        if not came:
            backend.wait(PAUSE)


def send(socket: Any, part: bytes, make_room: Callable[[], object]) -> None:
    """Send all of `part`; where there is no room, readers make some."""
    while part:
        try:
            part = part[socket.send(part) :]
        except BlockingIOError:  # noqa: PERF203  (which happens to readers that lag)
            make_room()


def transfer(
    backend: Any, rng: random.Random, streams: Sequence[tuple[Any, bytes]], readers: Sequence[Reader], lag: bool
) -> None:
    """Send the streams by turns, in random segments, to readers that keep up or lag."""

    def read_all() -> None:
        if not sum(reader.read() for reader in readers):
            backend.wait(PAUSE)

    waiting = 0
    open_ = [(socket, cuts(rng, content)) for socket, content in streams]
    while open_:
        socket, parts = rng.choice(open_)
        part = next(parts, None)
        if part is None:
            open_.remove((socket, parts))
            continue
        send(socket, part, read_all)
        waiting += len(part)
        if waiting > MOST_WAITING or rng.random() < (0.02 if lag else 0.7):
            for reader in readers:
                reader.read()
            waiting = 0


def check(what: str, got: bytes, wanted: bytes) -> None:
    if got != wanted:
        same = next((at for at, (one, other) in enumerate(zip(got, wanted, strict=False)) if one != other),
                    min(len(got), len(wanted)))
        raise Wrong(f"{what}: {len(got)} bytes came, {len(wanted)} were to come; they differ at {same}")


class Router:
    """`frame_router.py` with four workers."""

    name = "frame_router"

    def __init__(self, backend: Any) -> None:
        self.backend = backend
        self.workers: list[Reader] = []
        for kind in range(4):
            upstream, worker = backend.tcp_pair()
            backend.maps["workers"][kind] = upstream
            self.workers.append(Reader(worker))
        backend.attach("clients", parser="frame_length", verdict="to_worker")
        self.round = 0

    def run(self, rng: random.Random, lag: bool) -> int:
        """Two connections at a time; the messages sent."""
        pairs = [self.backend.tcp_pair() for _ in range(2)]
        streams = [frames(rng, LENGTH, kinds) for kinds in ((0, 1), (2, 3))]
        for index, (_, server) in enumerate(pairs):
            self.backend.maps["clients"][2 * self.round % 1024 + index] = server
        self.round += 1
        for worker in self.workers:
            worker.content.clear()
        sent = [(client, stream.content) for (client, _), stream in zip(pairs, streams, strict=True)]
        transfer(self.backend, rng, sent, self.workers, lag)
        expected = [streams[kind // 2].expected[kind] for kind in range(4)]
        read_to_end(self.backend, self.workers, [len(each) for each in expected])
        for kind, (worker, wanted) in enumerate(zip(self.workers, expected, strict=True)):
            check(f"worker {kind}", bytes(worker.content), wanted)
        close(pairs)
        return 2 * LENGTH


class Filter:
    """`command_filter.py`; every fourth connection has a command that is not on the list."""

    name = "command_filter"

    def __init__(self, backend: Any) -> None:
        self.backend = backend
        backend.attach("servers", verdict="allow")
        self.round = 0

    def run(self, rng: random.Random, lag: bool) -> int:
        """Two connections at a time; the messages sent."""
        pairs = [self.backend.tcp_pair() for _ in range(2)]
        streams = [commands(rng, LENGTH, rng.random() < 0.25) for _ in pairs]
        for index, (_, server) in enumerate(pairs):
            self.backend.maps["servers"][2 * self.round % 1024 + index] = server
        self.round += 1
        readers = [Reader(server) for _, server in pairs]
        sent = [(client, stream.content) for (client, _), stream in zip(pairs, streams, strict=True)]
        transfer(self.backend, rng, sent, readers, lag)
        read_to_end(
            self.backend, readers, [0 if each.limit is not None else len(each.content) for each in streams]
        )
        for reader, stream in zip(readers, streams, strict=True):
            got = bytes(reader.content)
            if stream.limit is None:
                check("server", got, stream.content)
            elif len(got) >= stream.limit:
                raise Wrong(f"server: {len(got)} bytes came, {stream.limit} or more were to be dropped")
            else:
                check("server", got, stream.content[: len(got)])
        close(pairs)
        return 2 * LENGTH


def close(pairs: Sequence[tuple[Any, Any]]) -> None:
    for pair in pairs:
        for socket in pair:
            socket.close()


POLICIES = (Router, Filter)
