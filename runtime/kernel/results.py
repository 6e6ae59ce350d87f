"""What a program in the kernel returns, counted by a tracing program at its exit.

The kernel itself counts runs, never results. A program of kind `fexit` (Linux 5.5, `bpf_get_func_ret` since
5.17) runs behind each run of the watched one and adds to a number per CPU; the watched program stays as it
is.
"""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from typing import NamedTuple

from skverdict.runtime.kernel.bpf import Bpf
from skverdict.runtime.kernel.bpf_making import Traced

PERCPU_ARRAY = 6
TRACING = 26
FEXIT = 25

_SLOTS = 4
_VALUE_SIZE = 8
#: Counts in slot 0 a negative result, in 1 a zero, in 2 a one, and in 3 what is more than that. The section
#: is one that the assembler knows; only the code is loaded.
_CODE = """\
program count_results sk_msg
    *(u64 *)(r10 - 8) = 0
    r2 = r10
    r2 += -8
    call bpf_get_func_ret#184
    r3 = *(u32 *)(r10 - 8)
    r4 = 0
    if w3 s< 0 goto count
    r4 = 1
    if w3 == 0 goto count
    r4 = 2
    if w3 == 1 goto count
    r4 = 3
count:
    *(u32 *)(r10 - 12) = r4
    r1 = map_fd[{counts}] ll
    r2 = r10
    r2 += -12
    call bpf_map_lookup_elem#1
    if r0 == 0 goto end
    r1 = *(u64 *)(r0 + 0)
    r1 += 1
    *(u64 *)(r0 + 0) = r1
end:
    r0 = 0
    exit
"""


class Results(NamedTuple):
    """How many runs gave a number below 0, 0 (`SK_DROP`), 1 (`SK_PASS`) and more than 1."""

    negative: int
    zero: int
    one: int
    more: int


class ResultCounter:
    """Counts the results of the program behind a descriptor from now on; to be closed.

    Raises OSError where the kernel cannot: EINVAL for a program without BTF, ENOTSUPP without a JIT.
    """

    def __init__(self, bpf: Bpf, program: int) -> None:
        self._bpf = bpf
        with ExitStack() as steps:
            self._counts = bpf.create_map(PERCPU_ARRAY, "results", 4, _VALUE_SIZE, _SLOTS)
            steps.callback(os.close, self._counts)
            traced = Traced(program, bpf.main_function(program))
            counting = bpf.load_program(TRACING, "count_results", _code(self._counts), FEXIT, traced)
            steps.callback(os.close, counting)
            steps.callback(os.close, bpf.link(counting, 0, FEXIT))
            self._steps = steps.pop_all()

    def read(self) -> Results:
        """The counts of all CPUs so far."""
        size = _VALUE_SIZE * self._bpf.cpus
        return Results(*(self._sum(slot, size) for slot in range(_SLOTS)))

    def _sum(self, slot: int, size: int) -> int:
        values = self._bpf.lookup(self._counts, slot.to_bytes(4, sys.byteorder), size)
        parts = (values[at : at + _VALUE_SIZE] for at in range(0, size, _VALUE_SIZE))
        return sum(int.from_bytes(part, sys.byteorder) for part in parts)

    def close(self) -> None:
        """Count no more."""
        self._steps.close()


def _code(counts: int) -> bytes:
    """The counting program, whose map is behind descriptor `counts`."""
    from skverdict.codegen.assembler import assemble
    from skverdict.codegen.instruction_set import encode_instructions

    read = assemble(_CODE.format(counts=counts), "results")
    return encode_instructions(read.programs["count_results"].instructions, sys.byteorder)
