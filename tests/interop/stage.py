"""A policy's object on a stage: sockets around it, steps that are taken there, and all that comes of them."""

from __future__ import annotations

import errno
from collections.abc import Callable
from reprlib import Repr
from typing import Any, NamedTuple

from skverdict.codegen import Object
from skverdict.runtime import Simulator, Socket
from skverdict.runtime.maps.ring_buffer import RingBuffer
from skverdict.runtime.maps.thing_views import PerfEventsView
from skverdict.runtime.sockets.errors import SimulationError

SHORT = Repr()
SHORT.maxother = 200  # characters of a step's content in reports


class Step(NamedTuple):
    """The method of `Stage` to call, its arguments, and what is given by name."""

    verb: str
    arguments: tuple[Any, ...]
    named: dict[str, Any]

    def __repr__(self) -> str:
        given = [SHORT.repr(each) for each in self.arguments]
        given += [f"{name}={value!r}" for name, value in self.named.items()]
        return f"{self.verb}({', '.join(given)})"


def step(verb: str, *arguments: Any, **named: Any) -> Step:
    return Step(verb, arguments, named)


class Stage:
    """One object in a simulator. Sockets go by name: those of pair `a` are `a.client` and `a.server`."""

    def __init__(self, policy: Object, **how: Any) -> None:
        self._policy, self._how = policy, how
        self.sockets: dict[str, Socket] = {}
        self.load()

    def load(self, **variables: Any) -> None:
        """Load the object anew, with these variables set before."""
        self.sim = Simulator(self._policy, globals=variables, **self._how)
        for view in self.sim.maps.values():
            if isinstance(view, PerfEventsView):
                view.open()

    def do(self, step: Step) -> Any:
        """What the step gives: its result, or the name of its error; "endless" for what a kernel never ends."""
        try:
            return getattr(self, step.verb)(*step.arguments, **step.named)
        except OSError as error:
            assert error.errno is not None
            return errno.errorcode[error.errno]
        except SimulationError:
            return "endless"

    def attach(self, map_name: str, **programs: str) -> None:
        self.sim.attach(map_name, **programs)

    def attach_cgroup(self, program: str) -> None:
        self.sim.attach_cgroup(program)

    def pair(self, name: str, **ends: Any) -> None:
        names = (f"{name}.client", f"{name}.server")
        self.sockets.update(zip(names, self.sim.tcp_pair(names=names, **ends), strict=True))

    def put(self, map_name: str, key: Any, socket: str, flags: int = 0) -> None:
        self.sim.maps[map_name].update(key, self.sockets[socket], flags)

    def put_for(self, map_name: str, owner: str, socket: str) -> None:
        """Put a socket under the cookie of another."""
        self.put(map_name, self.sockets[owner].cookie, socket)

    def delete_for(self, map_name: str, owner: str) -> None:
        self.delete(map_name, self.sockets[owner].cookie)

    def store(self, map_name: str, key: Any, value: Any) -> None:
        self.sim.maps[map_name][key] = value

    def delete(self, map_name: str, key: Any) -> None:
        self.sim.maps[map_name].delete(key)

    def send(self, socket: str, content: bytes, segments: list[int]) -> int:
        return self.sockets[socket].send(content, segments=segments)

    def recv(self, socket: str, length: int) -> bytes:
        return self.sockets[socket].recv(length)

    def shutdown(self, socket: str) -> None:
        self.sockets[socket].shutdown()

    def close(self, socket: str) -> None:
        self.sockets[socket].close()

    def error(self, name: str) -> int:
        return self.sockets[name].error

    def rest(self, name: str) -> list[Any]:
        """All that can still be read at a socket, in pieces, then the end or the error."""
        pieces: list[Any] = []
        while True:
            piece = self.do(step("recv", name, 65536))
            pieces.append(piece)
            if not isinstance(piece, bytes) or not piece:
                return pieces

    def push(self, map_name: str, value: Any) -> None:
        self.sim.maps[map_name].push(value)

    def fill(self, map_name: str, key: Any, entries: list[tuple[Any, Any]]) -> None:
        """Put a new map with these entries into a map of maps."""
        view = self.sim.maps[map_name]
        made = view.create()
        for inner_key, value in entries:
            made[inner_key] = value
        view[key] = made

    def entries(self, name: str) -> list[Any]:
        """What is in a map: keys and values, sockets by their names; what programs put out is taken out."""
        view = self.sim.maps[name]
        read = _READERS.get(view.raw.kind if not isinstance(view, RingBuffer) else "ringbuf")
        if read is not None:
            return read(view, self.sockets)
        names = {socket.cookie: each for each, socket in self.sockets.items()}
        # The values of a map for each CPU are a list, which is no socket.
        return [
            (key, names.get(value, value) if isinstance(value, int) else value) for key, value in view.items()
        ]


def _values(view: Any, sockets: dict[str, Socket]) -> list[Any]:
    return list(iter(view.pop, None))


def _beside(view: Any, sockets: dict[str, Socket]) -> list[Any]:
    return [(name, view[socket]) for name, socket in sockets.items() if socket in view]


def _inner(view: Any, sockets: dict[str, Socket]) -> list[Any]:
    maps = ((key, view.map(key)) for key in view)
    return [(key, None if inner is None else list(inner.items())) for key, inner in maps]


def _nothing(view: Any, sockets: dict[str, Socket]) -> list[Any]:
    return []


# How maps are read that do not hold values by key, by kind.
_READERS: dict[str, Callable[[Any, dict[str, Socket]], list[Any]]] = {
    "queue": _values,
    "stack": _values,
    "bloom_filter": _nothing,
    "prog_array": _nothing,
    "ringbuf": lambda view, sockets: view.consume(),
    "perf_event_array": lambda view, sockets: list(view.records()),
    "sk_storage": _beside,
    "array_of_maps": _inner,
    "hash_of_maps": _inner,
}


class Outcome(NamedTuple):
    """What came of a list of steps.

    `steps` has the result of each, `left` what could then be read at each socket, `errors` each SO_ERROR,
    `maps` what they held, `variables` those of the policy, `runs` what programs saw and returned, and `printed`
    the lines that they printed, in order.
    """

    steps: list[Any]
    left: dict[str, list[Any]]
    errors: dict[str, Any]
    maps: dict[str, list[Any]]
    variables: list[tuple[str, Any]]
    runs: list[Any]
    printed: list[str]


def play(policy: Object, how: dict[str, Any], steps: list[Step]) -> Outcome:
    """Take the steps in a new simulation with the settings `how`, and let timers run out."""
    stage = Stage(policy, **how)
    given = [stage.do(each) for each in steps]
    stage.sim.wait(1)
    maps = {name: stage.entries(name) for name in stage.sim.maps}
    left = {name: stage.rest(name) for name in stage.sockets}
    errors = {name: stage.do(step("error", name)) for name in stage.sockets}
    variables = sorted(stage.sim.globals.items())
    return Outcome(given, left, errors, maps, variables, list(stage.sim.trace.runs()), list(stage.sim.printed))
