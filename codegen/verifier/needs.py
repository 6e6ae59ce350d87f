"""What two visits of a place must have in common for the verifier to skip the second.

Of numbers it looks only at those that it used since: by deciding a branch with them, or by adding them to a
pointer (`mark_chain_precision` of kernel/bpf/verifier.c). Which those are is followed back from each such use.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from skverdict.codegen.machine.calls import helper
from skverdict.codegen.machine.graph import FRAME_POINTER, MOV
from skverdict.codegen.verifier.code import (
    ADDRESS,
    ATOMIC,
    BRANCH,
    CALL,
    CALL_FUNCTION,
    COMPUTE,
    EXIT,
    JUMP,
    READ,
    WRITE,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from skverdict.codegen.verifier.code import Step, Steps

_REGISTERS, _WORD = 10, 8
_CLOBBERED = 0x3F


class Need(NamedTuple):
    """What matters at a place: registers as a bit mask, and words of the function's stack by their offsets."""

    registers: int
    words: tuple[int, ...]


class Needs:
    """The needs of a program's places, found when asked for. Sets of uses are bit masks."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self._uses: list[int] = []
        self._by_use: list[dict[int, int]] = []
        self._numbers: dict[int, int] = {}
        self._found: dict[tuple[int, int], Need] = {}
        self._words = self._words_of_functions()
        self._before = self._predecessors()
        self.live = self._live()

    def bit(self, slot: int) -> int:
        """The bit of the use in a slot."""
        number = self._numbers.get(slot)
        if number is None:
            number = self._numbers[slot] = len(self._uses)
            self._uses.append(slot)
            self._by_use.append(self._followed(slot))
        return 1 << number

    def at(self, slot: int, uses: int) -> Need:
        """What matters at a place, of what is used at `uses` later."""
        key = slot, uses
        need = self._found.get(key)
        if need is None:
            bits, rest = 0, uses
            while rest:
                lowest = rest & -rest
                bits |= self._by_use[lowest.bit_length() - 1].get(slot, 0)
                rest ^= lowest
            need = self._found[key] = Need(bits & (1 << _REGISTERS) - 1, self._offsets(slot, bits))
        return need

    def live_words(self, slot: int) -> tuple[int, ...]:
        """The words of the stack that may be read later by themselves."""
        bits = self.live[slot]
        return self._offsets(slot, bits) if bits >> _REGISTERS else ()

    def _offsets(self, slot: int, bits: int) -> tuple[int, ...]:
        words = self._words[self._steps.function[slot]]
        return tuple(offset for offset, bit in words.items() if bits >> bit & 1)

    def _words_of_functions(self) -> dict[int, dict[int, int]]:
        """For each function the words that it spills to, with the number of their bit."""
        words: dict[int, dict[int, int]] = defaultdict(dict)
        for slot, step in self._steps.by_slot.items():
            if _spill(step):
                mine = words[self._steps.function[slot]]
                mine.setdefault(step.offset & -_WORD, _REGISTERS + len(mine))
        return defaultdict(dict, words)

    def _predecessors(self) -> Mapping[int, list[int]]:
        before: dict[int, list[int]] = defaultdict(list)
        for slot, step in self._steps.by_slot.items():
            if step.kind == EXIT:
                continue
            if step.kind != JUMP:
                before[step.then].append(slot)
            if step.kind in (JUMP, BRANCH):
                before[step.target].append(slot)
        return before

    def _followed(self, use: int) -> dict[int, int]:
        """What the use in a slot needs at each place before it."""
        by_slot = self._steps.by_slot
        step = by_slot[use]
        found = {use: _read(step)}
        waiting = [use]
        while waiting:
            slot = waiting.pop()
            for before, bits in self._needed_before(slot, found[slot]):
                if bits & ~found.get(before, 0):
                    found[before] = found.get(before, 0) | bits
                    waiting.append(before)
        return found

    def _needed_before(self, slot: int, bits: int) -> list[tuple[int, int]]:
        """What the steps before a slot, also in other functions, need of their own accord."""
        by_slot, function = self._steps.by_slot, self._steps.function
        needed = []
        for before in self._before[slot]:
            step = by_slot[before]
            if step.kind == CALL_FUNCTION:
                needed += [
                    (end, 1)
                    for end, each in by_slot.items()
                    if bits & 1 and each.kind == EXIT and function[end] == step.target
                ]
            needed.append((before, _transferred(step, bits, self._words[function[before]])))
        if slot == function[slot]:
            given = bits & _CLOBBERED & ~1
            needed += [
                (call, given)
                for call, each in by_slot.items()
                if given and each.kind == CALL_FUNCTION and each.target == slot
            ]
        return needed

    def _live(self) -> dict[int, int]:
        """The registers and the words of the stack that are read later, at each slot."""
        live: dict[int, int] = dict.fromkeys(self._steps.by_slot, 0)
        callers: dict[int, list[int]] = defaultdict(list)
        for slot, step in self._steps.by_slot.items():
            if step.kind == CALL_FUNCTION:
                callers[step.target].append(slot)
        waiting = list(self._steps.by_slot)
        while waiting:
            slot = waiting.pop()
            step = self._steps.by_slot[slot]
            after = 0
            if step.kind != EXIT:
                after = 0 if step.kind == JUMP else live.get(step.then, 0)
                if step.kind in (JUMP, BRANCH):
                    after |= live.get(step.target, 0)
            read = live[step.target] & ~1 & _CLOBBERED if step.kind == CALL_FUNCTION else _read(step)
            word = 0
            if FRAME_POINTER in (step.goal, step.source):
                words = self._words[self._steps.function[slot]]
                if step.kind == READ and step.source == FRAME_POINTER:
                    read |= _word(step, words)
                elif _spill(step) and step.size == _WORD:
                    word = _word(step, words)
            bits = after & ~(_written(step) | word) | read
            if bits != live[slot]:
                live[slot] = bits
                waiting += self._before[slot]
                waiting += callers.get(slot, ())
        return live


def _spill(step: Step) -> bool:
    return step.kind == WRITE and step.goal == FRAME_POINTER


def _word(step: Step, words: Mapping[int, int]) -> int:
    """The bit of the word in the stack that a step reads or writes."""
    place = words.get(step.offset & -_WORD)
    return 0 if place is None else 1 << place


def _transferred(step: Step, bits: int, words: Mapping[int, int]) -> int:
    """What is needed before a step of what is needed behind it."""
    goal = _bit(step.goal)
    if step.kind == COMPUTE:
        if bits & goal and step.has_register:
            source = _bit(step.source)
            return bits & ~goal | source if step.code == MOV else bits | source
        return bits & ~goal if step.code == MOV else bits
    if step.kind == READ:
        if not bits & goal:
            return bits
        bits &= ~goal
        if step.source == FRAME_POINTER:
            bits |= _word(step, words)
        return bits
    if _spill(step):
        word = _word(step, words)
        if bits & word:
            bits &= ~word
            if step.has_register:
                bits |= _bit(step.source)
        return bits
    return bits & ~_written(step)


def _bit(register: int) -> int:
    """The bit of a register; the frame pointer is the same at any time."""
    return 0 if register == FRAME_POINTER else 1 << register


def _written(step: Step) -> int:
    if step.kind in (CALL, CALL_FUNCTION):
        return _CLOBBERED
    if step.kind in (COMPUTE, READ, ADDRESS):
        return _bit(step.goal)
    return 0


def _read(step: Step) -> int:
    goal, source = _bit(step.goal), _bit(step.source)
    if step.kind == COMPUTE:
        return (0 if step.code == MOV else goal) | (source if step.has_register else 0)
    if step.kind == BRANCH:
        return goal | (source if step.has_register else 0)
    if step.kind == READ:
        return source
    if step.kind == WRITE:
        return goal | (source if step.has_register else 0)
    if step.kind == ATOMIC:
        return goal | source
    if step.kind == CALL:
        called = helper(step.imm)
        return (2 << len(called.arguments)) - 2 if called is not None else _CLOBBERED & ~1
    return 1 if step.kind == EXIT else 0
