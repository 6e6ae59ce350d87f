"""Measures one class of instructions in the interpreter of whichever skverdict is first on the path.

    python interpreter_worker.py

reads a program from the first line of its input and answers with the number of instructions in a run, and each
further line with the seconds of the processor that a run took. It uses no other module of this folder, and of skverdict
only what has been there since programs could run, so that it can run beside any revision.
"""

from __future__ import annotations

import json
import sys
import time

from skverdict.codegen.instruction import Instruction
from skverdict.codegen.object import MapReference, MapSpec, Object, Program
from skverdict.runtime.helpers import maps, world
from skverdict.runtime.machine.context import Context
from skverdict.runtime.machine.environment import Environment
from skverdict.runtime.machine.load import load
from skverdict.runtime.machine.run import run
from skverdict.runtime.maps.array import ArrayMap

MAP = "values"


class Buffer(Context):
    """A received buffer of 64 bytes."""

    kind, table = "stream_verdict", "__sk_buff"

    def __init__(self) -> None:
        self.content = bytearray(64)

    def field(self, name: str, index: int = 0) -> int:
        return len(self.content) if name == "len" else 2

    def packet(self) -> bytearray:
        return self.content


def main() -> None:
    """Answer until the input ends."""
    given = json.loads(sys.stdin.readline())
    instructions = {slot: Instruction(*fields) for slot, *fields in given["instructions"]}
    references = {slot: MapReference(slot, MAP) for slot in given["maps"]}
    functions = dict.fromkeys([0, *given["functions"]], "function")
    program = Program("main", "", Buffer.kind, instructions, maps=references, functions=functions)
    spec = MapSpec(MAP, 2, 4, 16, 1)
    environment = Environment({**maps.FUNCTIONS, **world.FUNCTIONS})
    loaded = load(
        Object("little", "GPL", {"main": program}, {MAP: spec}), "main", {MAP: ArrayMap(spec)}, {}, environment
    )
    print(run(loaded, Buffer(), environment).instructions, flush=True)
    for _ in sys.stdin:
        start = time.process_time()
        run(loaded, Buffer(), environment)
        print(time.process_time() - start, flush=True)


if __name__ == "__main__":
    main()
