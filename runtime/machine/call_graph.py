"""Calls of functions before they run: how deep they go, and how much stack they take together.

The limits are those of `check_max_stack_depth` in kernel/bpf/verifier.c. How much stack a function takes is
what its loads, stores and addresses below r10 show; the verifier follows values as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, NoReturn

from skverdict.codegen.instruction import Instruction
from skverdict.codegen.instruction_set import Operation
from skverdict.codegen.object import Program
from skverdict.runtime.machine.fault import LoadError, Place
from skverdict.runtime.machine.memory import STACK_SIZE

#: Frames that may be open at once, the program's own among them (MAX_CALL_FRAMES).
MAX_FRAMES = 8

_FRAME_POINTER = 10

_Chain = tuple[int, ...]


class _Chains(NamedTuple):
    """Functions that call one another, by the slots at which they begin: most of them, and most stack."""

    longest: _Chain
    heaviest: _Chain


def _granularity(kernel: str) -> int:
    """What a frame's size is rounded up to, in bytes: newer kernels count as the compiler to native code
    does."""
    return 32 if kernel == "6.1" else 16


def _deepest(instruction: Instruction, operation: Operation, copy: int | None) -> int:
    """How far below r10 an instruction reaches; `copy` is the register that the one in front of it copied r10 to."""
    base = instruction.src if operation.family in ("load", "load_acquire") else instruction.dst
    if operation.size and base == _FRAME_POINTER:
        return max(0, -instruction.offset)
    # An address on the stack is made in two steps: rN = r10, rN += offset.
    if instruction.dst == copy and operation.name == "add" and operation.source == "imm":
        return max(0, -instruction.imm)
    return 0


def stack_depth(program: Program, operations: Mapping[int, Operation], begin: int, end: int) -> int:
    """Bytes of stack that the function from slot `begin` to before `end` uses, at most all there are.

    What is out of the stack altogether is a fault when it runs.
    """
    deepest, copy = 0, None
    for slot in range(begin, end):
        instruction = program.instructions.get(slot)
        if instruction is not None:
            operation = operations[slot]
            deepest = max(deepest, _deepest(instruction, operation, copy))
            copies = operation.name == "mov" and operation.source == "reg" and instruction.src == _FRAME_POINTER
            copy = instruction.dst if copies else None
    return min(deepest, STACK_SIZE)


def check_calls(
    program: Program,
    operations: Mapping[int, Operation],
    functions: Sequence[int],
    calls: Mapping[int, int],
    kernel: str,
) -> None:
    """Raise LoadError for calls that go round, too deep, or take more stack together than there is.

    `functions` are the slots at which functions begin, ascending; `calls` maps the slots of calls, and of
    callbacks given to helpers, to the functions that they go to.
    """
    unit = _granularity(kernel)
    ends = dict(zip(functions, [*functions[1:], program.slots], strict=True))
    sizes = {
        begin: -(-max(1, stack_depth(program, operations, begin, end)) // unit) * unit
        for begin, end in ends.items()
    }
    callees = {
        begin: sorted({callee for call, callee in calls.items() if begin <= call < end})
        for begin, end in ends.items()
    }
    known: dict[int, _Chains] = {}

    def weight(chain: _Chain) -> int:
        return sum(sizes[begin] for begin in chain)

    def refuse(chain: _Chain, problem: str) -> NoReturn:
        names = [program.functions.get(begin, f"the function at {begin}") for begin in chain]
        raise LoadError(f"{' -> '.join(names)}: {problem}", Place(program, chain[-1]))

    def chains(path: _Chain) -> _Chains:
        """What the function at the end of `path` calls at worst, itself included."""
        begin = path[-1]
        if begin in path[:-1]:
            refuse(path, "a function calls itself, which BPF does not allow")
        if len(path) > MAX_FRAMES:
            refuse(path, f"{len(path)} functions deep, {MAX_FRAMES} is the limit")
        if begin not in known:
            below = [chains((*path, callee)) for callee in callees[begin]]
            longest = max((each.longest for each in below), key=len, default=())
            heaviest = max((each.heaviest for each in below), key=weight, default=())
            known[begin] = _Chains((begin, *longest), (begin, *heaviest))
        return known[begin]

    worst = chains((0,))
    if len(worst.longest) > MAX_FRAMES:
        refuse(worst.longest, f"{len(worst.longest)} functions deep, {MAX_FRAMES} is the limit")
    if weight(worst.heaviest) > STACK_SIZE:
        size = weight(worst.heaviest)
        refuse(worst.heaviest, f"together {size} bytes of stack, {STACK_SIZE} is the limit")
