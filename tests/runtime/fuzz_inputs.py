"""Values of maps, captures and conformance cases made up at will: each is taken, or refused by an error with a name.

    python -m tests.runtime.fuzz_inputs values --seed 1 --runs 100000 [--seconds 600]

`values` gives keys, values and flags of every shape to the maps and variables of an object of the corpus; `captures`
changes captures, and `cases` the text of conformance cases. What a run comes to is counted; the first exception without
a name ends it.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from inspect import signature
from pathlib import Path
from random import Random
from typing import Any

from skverdict.codegen.object_error import ObjectError
from skverdict.codegen.object_reader import read_object
from skverdict.runtime import MapError, Simulator, ValueMismatch
from skverdict.runtime.capture.errors import CaptureError
from skverdict.runtime.capture.reader import parse_capture
from skverdict.runtime.conformance.case import CaseError, read_case
from skverdict.runtime.conformance.suite import run_case
from skverdict.runtime.machine.fault import LoadError
from skverdict.runtime.variables import UnknownVariable

from tests.runtime import fuzz
from tests.runtime.campaign import campaign, main_of
from tests.runtime.capture_files import ACK, CLIENT, SERVER, enhanced, interface, pcap, section_header, segment

VALUE_ERRORS = (ValueMismatch, OSError, UnknownVariable)

_NUMBERS = (0, 1, -1, 4, 255, 1 << 31, (1 << 32) - 1, 1 << 32, (1 << 64) - 1, 1 << 64, -(1 << 63), 10**30)
_ATOMS = (None, True, 0.5, float("nan"), "", "x", "\ud800", b"", b"\0" * 4, b"x" * 100, object(), int, ...)
_CASE = """# a case
-- asm
mov %r0, 0x1
lddw %r3, 0x1122334455667788
stxdw [%r10-8], %r3
ldxw %r4, [%r10-8]
ldxb %r5, [%r1+1]
jeq %r4, 7, +1
add32 %r0, %r5
be16 %r0
call 5
lock add [%r10-8], %r0
exit
-- mem
00 11 22 33
-- result
0x1
-- raw
0x00000002000000b7
0x0000000000000095
-- error
failed
"""


def thing(random: Random, depth: int = 0) -> Any:
    """Anything that somebody may take for a key or a value."""
    way = random.randrange(9)
    if way < 3:
        return random.choice(_NUMBERS) if way else random.randrange(-5, 20)
    if way < 5 or depth > 2:
        return random.choice(_ATOMS)
    if way == 5:
        return random.randbytes(random.choice((1, 4, 8, 16, 64)))
    parts = [thing(random, depth + 1) for _ in range(random.randrange(5))]
    if way == 6:
        return parts
    if way == 7:
        return tuple(parts)
    return {random.choice(("a", "key", "value", "port", 1)): part for part in parts}


def _maps_of(content: bytes) -> int:
    """How many maps an object has; 0 where it has no simulator."""
    try:
        return len(Simulator(read_object(content)).maps)
    except (ObjectError, LoadError, MapError):
        return 0


@cache
def objects() -> tuple[bytes, ...]:
    """Those of the corpus that have maps."""
    return tuple(content for content in fuzz.seeds() if _maps_of(content))


@cache
def _simulator(index: int) -> Simulator:
    return Simulator(read_object(objects()[index]), kernel=("6.1", "6.12", "7.2")[index % 3])


#: What user space can do with a map, and what that takes: things, and flags and counts, which are numbers.
_VERBS = {
    "update": "thing thing flags", "lookup": "thing flags", "delete": "thing", "take": "thing",
    "next_key": "thing", "push": "thing flags", "pop": "", "peek": "", "update_batch": "entries flags",
    "delete_batch": "things flags", "lookup_batch": "count", "lookup_and_delete_batch": "count",
    "__getitem__": "thing", "__setitem__": "thing thing", "__delitem__": "thing", "__contains__": "thing",
    "get": "thing", "keys": "", "values": "", "items": "", "__len__": "",
}  # fmt: skip
_FLAGS = (0, 0, 1, 2, 3, 4, 8, 16, 1 << 32, (1 << 64) - 1)


def _argument(kind: str, random: Random) -> Any:
    if kind == "flags":
        return random.choice(_FLAGS)
    if kind == "count":
        return random.randrange(20)
    some = range(random.randrange(4))
    if kind == "things":
        return [thing(random) for _ in some]
    return [(thing(random), thing(random)) for _ in some] if kind == "entries" else thing(random)


def use_values(random: Random) -> str:
    """Give things to the maps and variables of an object."""
    simulator = _simulator(random.randrange(len(objects())))
    outcome = "taken"
    for _ in range(8):
        try:
            if random.random() < 0.1:
                simulator.globals[random.choice([*simulator.globals, "nobody"])] = thing(random)
                continue
            view = simulator.maps[random.choice(list(simulator.maps))]
            verb = random.choice([name for name in _VERBS if hasattr(view, name)])
            method = getattr(view, verb)
            taken = len(signature(method).parameters)
            method(*(_argument(kind, random) for kind in _VERBS[verb].split()[:taken]))
        except VALUE_ERRORS as error:
            outcome = type(error).__name__
    return outcome


@cache
def captures() -> tuple[bytes, ...]:
    """Small ones of each format, and the beginnings of the examples."""
    frames = [segment(CLIENT, SERVER, number, 1, ACK, bytes(20)) for number in range(1, 200, 20)]
    blocks = b"".join(enhanced(frame, time=number) for number, frame in enumerate(frames))
    made = [pcap(frames), pcap(frames, order=">", nano=True), section_header() + interface() + blocks]
    folder = Path(__file__).parents[2] / "examples" / "captures"
    return (*made, *(path.read_bytes()[:6000] for path in sorted(folder.glob("*.pcap"))))


def use_capture(random: Random) -> str:
    """Put the streams of a changed capture together."""
    try:
        parse_capture(fuzz.changed(captures(), random))
    except CaptureError:
        return "CaptureError"
    return "read"


def use_case(random: Random) -> str:
    """Read and run a changed case."""
    text = _CASE
    if random.random() < 0.5:
        lines = text.splitlines(keepends=True)
        for _ in range(random.choice((1, 2, 4))):
            at, other = random.randrange(len(lines)), random.choice(lines)
            lines[at] = random.choice(("", other, lines[at] + other, lines[at].replace("r", "r1"), "-- raw\n"))
        text = "".join(lines)
    content = fuzz.changed((text.encode(),), random) if random.random() < 0.8 else text.encode()
    try:
        return run_case(read_case(content, "case")).verdict
    except CaseError:
        return "CaseError"


SHARES: dict[str, Callable[[Random], str]] = {"values": use_values, "captures": use_capture, "cases": use_case}


def fuzz_share(what: str, first: int, runs: int, seconds: float | None = None) -> Counter[str]:
    """What became of the runs with the seeds from `first` on. Raises whatever has no name."""
    use = SHARES[what]
    return campaign(lambda seed: use(Random(seed)), first, runs, seconds)


def main(arguments: Sequence[str]) -> int:
    return main_of("tests.runtime.fuzz_inputs", __doc__.split("\n", 1)[0], fuzz_share, SHARES, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
