"""Objects changed at will, loaded and run: each ends in a result or in an error that has a name.

    python -m tests.runtime.fuzz --seed 1 --runs 100000 [--seconds 600]

Every run takes an object of the corpus, changes some bytes, some instructions, or the length, makes a simulator
of it, attaches what can be attached and sends bytes. It prints the count and what became of the runs, and stops
at the first exception without a name, or at a run that takes too long, with the seed of that run.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from random import Random

from skverdict.codegen.instruction import Instruction
from skverdict.codegen.object import Object
from skverdict.codegen.object_error import ObjectError
from skverdict.codegen.object_reader import read_object
from skverdict.runtime import Simulator
from skverdict.runtime.machine.fault import Fault, LoadError
from skverdict.runtime.maps.base import MapError
from skverdict.runtime.maps.map_view import MapView
from skverdict.runtime.sockets.errors import HazardError, SimulationError

from tests.runtime.campaign import campaign, main

CORPUS = (Path(__file__).parents[1] / "corpus", Path(__file__).parents[1] / "data")
#: How a run may end, if not well.
NAMED = (ObjectError, LoadError, MapError, SimulationError, HazardError, Fault, OSError)
#: Instructions that a program may take, so that what loops for ever ends soon.
BUDGET = 2000
#: What fits into the fields of an instruction.
_RANGES = {"opcode": (0, 255), "dst": (0, 15), "src": (0, 15), "offset": (-(1 << 15), (1 << 15) - 1)}
_RANGES["imm"] = (-(1 << 31), (1 << 31) - 1)
_MOST_ENTRIES = 64


def seeds() -> list[bytes]:
    """The objects that are changed."""
    return [path.read_bytes() for folder in CORPUS for path in sorted(folder.rglob("*.o"))]


def flip(content: bytearray, random: Random) -> None:
    """Set some bytes to something else."""
    for _ in range(random.choice((1, 1, 2, 4, 16))):
        content[random.randrange(len(content))] = random.choice((0, 1, 0x7F, 0x80, 0xFF, random.randrange(256)))


def cut(content: bytearray, random: Random) -> None:
    """Take the end away."""
    del content[random.randrange(len(content)) :]


def repeat(content: bytearray, random: Random) -> None:
    """Put a piece where another one was."""
    length = random.randrange(1, 64)
    source, target = random.randrange(len(content)), random.randrange(len(content))
    content[target : target + length] = content[source : source + length]


def number(content: bytearray, random: Random) -> None:
    """Put a number in that lengths and offsets do not expect."""
    size = random.choice((2, 4, 8))
    at = random.randrange(len(content)) & ~(size - 1)
    value = random.choice((0, 1, size, len(content), (1 << 8 * size - 1) - 1, (1 << 8 * size) - 1))
    content[at : at + size] = (value & (1 << 8 * size) - 1).to_bytes(size, random.choice(("little", "big")))


CHANGES: Sequence[Callable[[bytearray, Random], None]] = (flip, flip, cut, repeat, number)


def changed(objects: Sequence[bytes], random: Random) -> bytes:
    """One of the objects, changed."""
    content = bytearray(random.choice(objects))
    for _ in range(random.choice((1, 1, 1, 3))):
        if content:
            random.choice(CHANGES)(content, random)
    return bytes(content)


def rewritten(object_: Object, random: Random) -> Object:
    """An object with some instructions changed, as no bytes that say where they are stand in the way of that."""
    programs = dict(object_.programs)
    name = random.choice(list(programs))
    instructions = dict(programs[name].instructions)
    for _ in range(random.choice((1, 1, 2, 5))):
        slot = random.choice(list(instructions))
        field = random.choice(Instruction._fields)
        old = instructions[slot]
        other = random.choice(list(instructions.values()))
        value = random.choice((0, 1, -1, random.randrange(256), getattr(other, field)))
        low, high = _RANGES[field]
        changed = old._replace(**{field: max(low, min(high, value))})
        if changed.slots == old.slots:
            instructions[slot] = changed
    programs[name] = replace(programs[name], instructions=instructions)
    return replace(object_, programs=programs)


def use(content: bytes | Object, random: Random) -> str:
    """Load an object and let bytes pass through it; in a word, what became of that."""
    try:
        simulator = Simulator(content, kernel=random.choice(("6.1", "6.12", "7.2")), max_entries=None)
        simulator.environment.budget = BUDGET
        _exercise(simulator, random)
    except NAMED as error:
        return next(each.__name__ for each in NAMED if isinstance(error, each))
    return "ran"


def _exercise(simulator: Simulator, random: Random) -> None:
    """Attach every program wherever it goes, put sockets in, send and receive, and close."""
    client, server = simulator.tcp_pair()
    for name, program in simulator.programs.items():
        if program.kind == "sock_ops":
            with suppress(OSError):
                simulator.attach_cgroup(name)
        for map_name in simulator.maps:
            place = "parser" if program.kind == "stream_parser" else "verdict"
            place = "msg_verdict" if program.kind == "msg_verdict" else place
            with suppress(OSError):
                simulator.attach(map_name, **{place: name})
    for view in simulator.maps.values():
        if not isinstance(view, MapView):
            continue
        with suppress(OSError, ValueError):
            view.update(random.randrange(_MOST_ENTRIES), random.choice((client, server)))
    for _ in range(3):
        for sender, receiver in ((client, server), (server, client)):
            with suppress(OSError):
                sender.send(random.randbytes(random.choice((0, 1, 40, 5000))))
            with suppress(OSError):
                receiver.recv()
    client.close()
    str(simulator.trace)


def fuzz(first: int, runs: int, seconds: float | None = None) -> Counter[str]:
    """What became of the runs with the seeds from `first` on. Raises whatever has no name, with a note."""
    objects = seeds()
    parsed = [each for each in map(read_object, objects) if each.programs]

    def run(seed: int) -> str:
        random = Random(seed)
        source = random.random() < 0.5
        content = changed(objects, random) if source else rewritten(random.choice(parsed), random)
        return use(content, random)

    return campaign(run, first, runs, seconds)


if __name__ == "__main__":
    sys.exit(main("tests.runtime.fuzz", __doc__.split("\n", 1)[0], fuzz))
