"""Programs changed at will as native code: no process ends by it, and each run comes to what it does step by step.

    python -m tests.runtime.native_fuzz --seed 1 --runs 1000000 [--seconds 3600]

Half of the programs are from the corpus with some instructions changed, or with all of a stretch made up; the others
are random ones that were changed. Each is made native code, every eighth of it fast, and runs on packets of several
sizes, one by one and in a batch. Processes of their own do this, so that one that dies is seen, with the seed.
"""

from __future__ import annotations

import argparse
import faulthandler
import math
import multiprocessing
import os
import sys
import tempfile
import time
from ctypes import c_uint64
from multiprocessing.sharedctypes import Synchronized
from random import Random
from typing import NamedTuple

from skverdict.codegen.instruction import Instruction
from skverdict.codegen.instruction_set import WIDE
from skverdict.codegen.object import Object
from skverdict.codegen.object_reader import read_object
from skverdict.dsl.catalogue.programs import PROGRAMS
from skverdict.runtime.helpers.sockets import FUNCTIONS
from skverdict.runtime.machine.fault import LoadError
from skverdict.runtime.machine.load import data_memory, load
from skverdict.runtime.machine.run import step_through
from skverdict.runtime.maps.base import MapError
from skverdict.runtime.maps.create import create_maps
from skverdict.runtime.maps.sockmap import SockHash, SockMap
from skverdict.runtime.native import engine
from skverdict.runtime.native.code import NoNativeCode

from tests.runtime.differential import World, attempt, random_maps, result
from tests.runtime.fuzz import rewritten, seeds
from tests.runtime.machine_kit import TestContext, environment
from tests.runtime.random_programs import changed, random_program

BUDGET = 1000
#: Runs of each program, alone and in a batch.
ALONE, TOGETHER = 8, 92
#: Programs that one process does.
PART = 500
_LENGTHS = (0, 1, 7, 40, 64, 64, 64, 300)


class Subject(NamedTuple):
    """A program of an object."""

    object: Object
    name: str


class _Context(TestContext):
    """A context that has every field."""

    def field(self, name: str, index: int = 0) -> int:
        if name in self.fields:
            return super().field(name, index)
        return len(self.content) if name in ("len", "size") else 7


def corpus() -> list[Object]:
    """The objects whose programs are changed."""
    return [each for each in map(read_object, seeds()) if each.programs]


def subject(seed: int, objects: list[Object]) -> Subject:
    """The program of a seed."""
    random = Random(seed)
    if seed % 2:
        return Subject(changed(random, random_program(random)), "main")
    object_ = random.choice(objects)
    object_ = rewritten(object_, random) if random.random() < 0.7 else _made_up(object_, random)
    return Subject(object_, random.choice(list(object_.programs)))


def _made_up(object_: Object, random: Random) -> Object:
    """An object with instructions of a stretch replaced by some of other programs, and by any bytes."""
    programs = {}
    for name, program in object_.programs.items():
        instructions = dict(program.instructions)
        slots = [slot for slot, each in instructions.items() if each.opcode != WIDE]
        begin = random.randrange(len(slots))
        for slot in slots[begin : begin + random.choice((1, 2, 4, 8))]:
            other = instructions[random.choice(slots)]
            instructions[slot] = other if random.random() < 0.5 else _any(random)
        programs[name] = program.__class__(**{**program.__dict__, "instructions": instructions})
    return object_.__class__(**{**object_.__dict__, "programs": programs})


def _any(random: Random) -> Instruction:
    opcode = random.choice([opcode for opcode in range(256) if opcode != WIDE])
    return Instruction(
        opcode, random.randrange(11), random.randrange(11), random.randrange(-16, 16), random.randrange(-64, 64)
    )


def _world(which: Subject) -> World:
    """A program with everything new. Raises LoadError and MapError."""
    object_ = which.object
    maps = create_maps(object_, 1, {"sockmap": SockMap, "sockhash": SockHash}) if object_.maps else random_maps()
    data = data_memory(object_)
    surroundings = environment(helpers=dict.fromkeys(FUNCTIONS, _nothing), budget=BUDGET)
    return World(load(object_, which.name, maps, data, surroundings), maps, data, surroundings)


def _nothing(*_: object) -> int:
    return 0


def _context(kind: str, seed: int, number: int) -> _Context:
    random = Random(seed * 64 + number)
    return _Context(kind, random.randbytes(random.choice(_LENGTHS)), priority=0, cb=(1, 2, 3, 4, 5))


def use(seed: int, which: Subject) -> int:
    """Run a program in both; the number of runs as native code. Raises AssertionError if one differs."""
    try:
        here, there = _world(which), _world(which)
        table = PROGRAMS[there.program.kind].context
        code = engine.compile_program(there.program, table, there.maps, there.data, there.environment)
    except (LoadError, MapError, NoNativeCode):
        return 0
    if seed % 8 < 1 or seed % 16 == 3:
        code.machine.improve()
    if seed % 3:
        # The same from disk.
        code = engine.compile_program(there.program, table, there.maps, there.data, there.environment)
    contexts = [_context(there.program.kind, seed, number) for number in range(ALONE + TOGETHER)]
    found = [
        attempt(there, context, lambda program, *rest: engine.run(code, *rest)) for context in contexts[:ALONE]
    ]
    found += engine.run_batch(code, contexts[ALONE:], there.environment)
    for number, outcome in enumerate(found):
        context = _context(here.program.kind, seed, number)
        expected = attempt(here, context, step_through)
        assert result(outcome) == result(expected), f"seed {seed}, run {number}"
        assert contexts[number].content == context.content, f"seed {seed}, run {number}: packets differ"
    return len(found)


def part(first: int, programs: int, seed: Synchronized[c_uint64], runs: Synchronized[c_uint64]) -> None:
    """Do a number of programs, and tell on the way which one is under way and how many runs there were."""
    faulthandler.enable()
    objects = corpus()
    with tempfile.TemporaryDirectory(prefix="skverdict-") as folder:
        os.environ["XDG_CACHE_HOME"] = folder
        for number in range(first, first + programs):
            seed.value = number  # type: ignore[assignment]
            runs.value += use(number, subject(number, objects))  # type: ignore[assignment, operator]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.runtime.native_fuzz", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seed", type=int, default=1, help="the first program's seed (default 1)")
    parser.add_argument("--runs", type=int, default=10_000, help="how many runs (default 10000)")
    parser.add_argument("--seconds", type=float, default=math.inf, help="end after so long")
    options = parser.parse_args()
    end = time.monotonic() + options.seconds
    processes = multiprocessing.get_context("spawn")
    seed, runs = processes.Value(c_uint64, 0), processes.Value(c_uint64, 0)
    first = options.seed
    while runs.value < options.runs and time.monotonic() < end:  # type: ignore[operator]
        process = processes.Process(target=part, args=(first, PART, seed, runs))
        process.start()
        process.join()
        if process.exitcode:
            print(f"seed {seed.value}, after {runs.value} runs: the process ended with {process.exitcode}")
            return 1
        first += PART
        print(f"{runs.value} runs, seeds to {first - 1}", flush=True)
    print(f"{runs.value} runs as native code of programs with seeds {options.seed} to {first - 1}: no process died")
    return 0


if __name__ == "__main__":
    sys.exit(main())
