"""Which functions call which, and how much stack a chain of calls takes, as the verifier counts it.

`check_max_stack_depth` of kernel/bpf/verifier.c: a function that a helper calls back counts as called where
its address is taken; one that runs by itself, from a timer, has the stack to itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from skverdict.dsl.catalogue.programs import PROGRAMS
from skverdict.dsl.ir.module import makes_tail_call

if TYPE_CHECKING:
    from skverdict.dsl.ir.module import Function, Module

MOST_FRAMES = 8
# A function that tail-calls may not lie above this much stack of its callers.
MOST_BELOW_TAIL_CALL = 256

# Linux 6.1 rounds each frame up to this many bytes; newer kernels round less.
_FRAME_STEP = 32
_RUNS_BY_ITSELF = ("bpf_timer_set_callback",)


class Chain(NamedTuple):
    """Functions that call each other, outermost first, with the bytes of stack that each takes."""

    frames: tuple[tuple[str, int], ...]

    @property
    def size(self) -> int:
        return sum(size for _, size in self.frames)

    def __str__(self) -> str:
        return " -> ".join(f"{name} ({size})" for name, size in self.frames)


class _Calls(NamedTuple):
    """What a function calls, what it starts to run by itself, and whether it tail-calls."""

    called: tuple[str, ...]
    started: tuple[str, ...]
    tail_calls: bool


def _calls(function: Function) -> _Calls:
    operations = [operation for block in function.blocks for operation in block.operations]
    addresses = {
        operation.result.number: str(operation.attributes["function"])
        for operation in operations
        if operation.name == "function" and operation.result is not None
    }
    helpers = [operation for operation in operations if operation.name == "call.helper"]
    started = [
        addresses[operand.number]
        for operation in helpers
        if operation.attributes["helper"] in _RUNS_BY_ITSELF
        for operand in operation.operands
        if operand.number in addresses
    ]
    called = [str(each.attributes["function"]) for each in operations if each.name == "call"]
    called += [name for name in addresses.values() if name not in started]
    return _Calls(tuple(dict.fromkeys(called)), tuple(started), makes_tail_call(function))


def chains(module: Module, sizes: Mapping[str, int]) -> Iterator[tuple[Chain, bool]]:
    """For each function the chains of calls to it that take most stack and that have most frames, and whether
    it tail-calls. Chains begin at programs and at what runs by itself.

    `sizes` are the functions' frames in bytes; what LLVM left out of the code has none and is left out here.
    """
    calls = {function.name: _calls(function) for function in module.functions}
    begins = {name for each in calls.values() for name in each.started}
    begins |= {function.name for function in module.functions if function.kind in PROGRAMS}
    largest: dict[str, Chain] = {}
    longest: dict[str, Chain] = {}
    for name in _callers_first({name: each.called for name, each in calls.items()}):
        if name not in sizes:
            continue
        own = (name, _rounded(sizes[name]))
        if name in begins:
            largest.setdefault(name, Chain((own,)))
            longest.setdefault(name, Chain((own,)))
        if name not in largest:
            continue
        for chain in (largest[name], longest[name]):
            yield chain, calls[name].tail_calls
        for callee in calls[name].called:
            if callee in sizes:
                frame = (callee, _rounded(sizes[callee]))
                larger, longer = (Chain((*each[name].frames, frame)) for each in (largest, longest))
                largest[callee] = max(largest.get(callee, larger), larger, key=lambda each: each.size)
                longest[callee] = max(longest.get(callee, longer), longer, key=lambda each: len(each.frames))


def reached_from(module: Module) -> dict[str, frozenset[str]]:
    """For each program the functions that the kernel loads with it: itself, and all that it calls or starts."""
    calls = {function.name: _calls(function) for function in module.functions}
    reached = {}
    for function in module.functions:
        if function.kind in PROGRAMS:
            found = {function.name}
            waiting = [function.name]
            while waiting:
                each = calls[waiting.pop()]
                new = {*each.called, *each.started} - found
                found |= new
                waiting += new
            reached[function.name] = frozenset(found)
    return reached


def _callers_first(called: Mapping[str, tuple[str, ...]]) -> list[str]:
    """The functions in an order in which none comes before one that calls it; there is no recursion."""
    order: list[str] = []
    seen: set[str] = set()

    def visit(name: str) -> None:
        if name not in seen:
            seen.add(name)
            for callee in called[name]:
                visit(callee)
            order.append(name)

    for name in called:
        visit(name)
    return order[::-1]


def _rounded(size: int) -> int:
    return -(-max(size, 1) // _FRAME_STEP) * _FRAME_STEP
