"""The native engine and the interpreter, in functions and step by step, held against each other over random
programs: every outcome must be the same, to the bit.

    python -m tests.runtime.differential --seed 1 --runs 200000 [--seconds 3600]

Half of the programs are as `random_programs` makes them, the others have instructions changed at will. Each runs
several times, on packets and with budgets of several sizes.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from random import Random
from typing import NamedTuple

from skverdict.codegen.object import Object
from skverdict.runtime.machine.environment import Environment
from skverdict.runtime.machine.errno import KernelError
from skverdict.runtime.machine.fault import Fault, LoadError
from skverdict.runtime.machine.load import data_memory, load
from skverdict.runtime.machine.memory import Bytes
from skverdict.runtime.machine.run import LoadedProgram, Result, run, step_through
from skverdict.runtime.maps.array import ArrayMap
from skverdict.runtime.maps.base import Map
from skverdict.runtime.maps.hash import HashMap, LruHashMap
from skverdict.runtime.maps.per_cpu import LruPerCpuHashMap, PerCpuArray
from skverdict.runtime.native import engine
from skverdict.runtime.native.code import NoNativeCode
from skverdict.runtime.native.native_code import NativeCode

from tests.runtime.machine_kit import TestContext, environment, spec
from tests.runtime.random_programs import MAPS, VALUE_SIZE, changed, random_program

RUNS = 8
_BUDGETS = (5000, 5000, 5000, 300, 90, 40, 17, 3)
_PACKETS = (64, 64, 40, 9, 0, 200, 64, 33)


class _Context(TestContext):
    """A context that has every field."""

    def field(self, name: str, index: int = 0) -> int:
        return super().field(name, index) if name in self.fields else 7


class World(NamedTuple):
    """A program with everything that its runs may change."""

    program: LoadedProgram
    maps: dict[str, Map]
    data: dict[str, Bytes]
    environment: Environment


class Outcome(NamedTuple):
    """All that can be seen of a run."""

    result: tuple[object, ...]
    packet: bytes
    fields: dict[str, object]
    values: dict[str, dict[bytes, bytes]]
    data: dict[str, bytes]


def random_maps() -> dict[str, Map]:
    """The maps of random programs."""
    return {
        "values": ArrayMap(spec("values", MAPS["values"], VALUE_SIZE, 4)),
        "entries": HashMap(spec("entries", MAPS["entries"], VALUE_SIZE, 2)),
        "wide": HashMap(spec("wide", MAPS["wide"], VALUE_SIZE, 3)),
        "recent": LruHashMap(spec("recent", MAPS["recent"], VALUE_SIZE, 2), cpus=2),
        "apart": LruPerCpuHashMap(spec("apart", MAPS["apart"], VALUE_SIZE, 2), cpus=2),
        "each": PerCpuArray(spec("each", MAPS["each"], VALUE_SIZE, 4), cpus=2),
    }


def world(object_: Object) -> World:
    """Everything new. Raises LoadError."""
    maps = random_maps()
    surroundings = environment(helpers={"bpf_skb_pull_data": _pull})
    data = data_memory(object_)
    return World(load(object_, "main", maps, data, surroundings), maps, data, surroundings)


def _pull(call: object, context: TestContext, length: int) -> int:
    """Has the packet lie elsewhere, `length` bytes longer or, for 0, a little shorter."""
    more = length if length < 100 else -4
    context.content = bytearray(bytes(context.content)[: more or -4] + bytes(max(more, 0)))
    return 0


def _context(number: int) -> _Context:
    fields = {"len": 77 + number, "family": 2, "remote_ip4": 0x7F000001, "local_port": 10000 + number}
    return _Context(packet=bytes(range(_PACKETS[number % RUNS])), priority=0, cb=(1, 2, 3, 4, 5), **fields)


def result(done: Result | Fault) -> tuple[object, ...]:
    """All that is told of a run."""
    if isinstance(done, Fault):
        return ("fault", done.reason, done.slot, done.access)
    calls = tuple((call.name, tuple(map(_plain, call.arguments)), call.result) for call in done.calls)
    return ("value", done.value, done.instructions, calls)


def attempt(
    where: World, context: TestContext, execute: Callable[[LoadedProgram, TestContext, Environment], Result]
) -> Result | Fault:
    """Run a program; what became of that."""
    try:
        return execute(where.program, context, where.environment)
    except Fault as fault:
        return fault


def outcome(
    where: World, number: int, execute: Callable[[LoadedProgram, TestContext, Environment], Result]
) -> Outcome:
    """Run once, as run `number` of a program."""
    context = _context(number)
    where.environment.budget = _BUDGETS[number % RUNS]
    # The third CPU is one that the map of values for each CPU was not made for.
    where.environment.cpu = (0, 0, 1, 1, 0, 2, 0, 1)[number % RUNS]
    _change(where.maps, Random(number))
    done = attempt(where, context, execute)
    values = {name: {key: map_.copy(key) for key in map_.walk()} for name, map_ in where.maps.items()}
    data = {name: bytes(region.content) for name, region in where.data.items()}
    return Outcome(result(done), bytes(context.content), dict(context.fields), values, data)


def _change(maps: Mapping[str, Map], random: Random) -> None:
    """Do to hashes between runs what user space may do."""
    for name in ("entries", "wide", "recent", "apart"):
        map_, key = maps[name], random.choice((0, 1, 9)).to_bytes(4, "little")
        key = key.ljust(map_.key_size, random.choice((b"\0", b"\3")))
        with suppress(KernelError):
            if random.random() < 0.4:
                map_.write(key, random.randbytes(VALUE_SIZE * (2 if name == "apart" else 1)))
            elif random.random() < 0.3:
                map_.remove(key)


def batch(where: World, code: NativeCode) -> list[tuple[object, ...]]:
    """The results of all runs at once, each on a packet of its own, with the first budget."""
    where.environment.budget, where.environment.cpu = _BUDGETS[0], 0
    outcomes = engine.run_batch(code, [_context(number) for number in range(RUNS)], where.environment)
    return [result(each) for each in outcomes]


def one_by_one(where: World) -> list[tuple[object, ...]]:
    """The same in the interpreter."""
    where.environment.budget, where.environment.cpu = _BUDGETS[0], 0
    return [_interpreted(where, number) for number in range(RUNS)]


def _interpreted(where: World, number: int) -> tuple[object, ...]:
    return result(attempt(where, _context(number), run))


def _plain(argument: object) -> object:
    if isinstance(argument, tuple):
        return tuple(map(_plain, argument))
    return argument if isinstance(argument, (int, bytes)) else type(argument).__name__


class Tally:
    """How many programs were compared, what they came to, and which were left to the interpreter."""

    def __init__(self) -> None:
        self.runs = self.programs = self.faults = 0
        self.refused: dict[str, int] = {}


def difference(expected: Outcome, found: Outcome, where: str) -> str:
    """What differs from the interpreter; empty if nothing."""
    pairs = zip(Outcome._fields, expected, found, strict=True)
    return "; ".join(f"{name}: {one} in the interpreter, {two} {where}" for name, one, two in pairs if one != two)


def compare(object_: Object, tally: Tally, fast: bool) -> str | None:
    """Run a program in both; what differs, or nothing. `fast`: the code is to be made fast, and not quickly."""
    try:
        here, there, stepped = world(object_), world(object_), world(object_)
    except LoadError:
        return None
    for number in range(RUNS):
        problem = difference(outcome(stepped, number, step_through), outcome(here, number, run), "in functions")
        if problem:
            return f"run {number}: {problem}"
    here = world(object_)
    try:
        code = engine.compile_program(there.program, "__sk_buff", there.maps, there.data, there.environment)
    except NoNativeCode as error:
        reason = str(error).split(":")[-1].split(" at ")[0]
        tally.refused[reason] = tally.refused.get(reason, 0) + 1
        return None
    if fast:
        code.machine.improve()
    if tally.programs % 2:
        # The same from disk.
        code = engine.compile_program(there.program, "__sk_buff", there.maps, there.data, there.environment)
    tally.programs += 1
    for number in range(RUNS):
        expected = outcome(here, number, run)
        found = outcome(there, number, lambda program, *rest: engine.run(code, *rest))
        tally.runs += 1
        tally.faults += expected.result[0] == "fault"
        problem = difference(expected, found, "in native code")
        if problem:
            return f"run {number}: {problem}"
    expected_batch, found_batch = one_by_one(here), batch(there, code)
    tally.runs += RUNS
    if found_batch != expected_batch:
        return f"in a batch: {expected_batch} in the interpreter, {found_batch}"
    return None


def program(seed: int) -> Object:
    """The program of a seed."""
    random = Random(seed)
    made = random_program(random)
    return changed(random, made) if seed % 2 else made


def fast(seed: int) -> bool:
    """True for every other pair of seeds."""
    return seed % 4 >= 2


def main() -> int:
    summary = __doc__.split("\n", 1)[0]
    parser = argparse.ArgumentParser(prog="python -m tests.runtime.differential", description=summary)
    parser.add_argument("--seed", type=int, default=1, help="the first program's seed (default 1)")
    parser.add_argument("--runs", type=int, default=10_000, help="how many runs to compare (default 10000)")
    parser.add_argument("--seconds", type=float, default=math.inf, help="end after so long")
    arguments = parser.parse_args()
    end = time.monotonic() + arguments.seconds
    tally, seed = Tally(), arguments.seed
    with tempfile.TemporaryDirectory(prefix="skverdict-") as folder:
        os.environ["XDG_CACHE_HOME"] = folder
        while tally.runs < arguments.runs and time.monotonic() < end:
            difference = compare(program(seed), tally, fast(seed))
            if difference is not None:
                print(f"seed {seed}: {difference}")
                return 1
            seed += 1
    print(f"{tally.runs} runs of {tally.programs} programs, {tally.faults} with a fault: no difference")
    print(f"seeds {arguments.seed} to {seed - 1}; left to the interpreter: {tally.refused}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
