"""How large a number can get, as far as the verifier sees it in the instructions that make it.

LLVM sees more: it joins tests (`1 <= n and n <= 3` becomes `n - 1 < 3`, which tells the verifier nothing of `n`),
and drops a mask that cannot change what was tested. So a number that is tested anywhere is hidden from LLVM
where it is bounded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skverdict.codegen.lowering.effects import RESULT_RANGES
from skverdict.dsl.ir.types import Int

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from skverdict.dsl.ir.module import Function, Operation, Value

_UNKNOWN = (1 << 64) - 1
_COMPARISONS = ("lt", "le", "gt", "ge", "ne")
_TESTS = (*_COMPARISONS, "eq", "switch")
_KEEPS_KNOWN = ("convert", "add", "sub", "mul", "and", "or", "xor", "shl", "shr")


class Bounds:
    """Upper bounds of the unsigned numbers in one function.

    `forgotten` are the locals of which the verifier is made to forget what they are.
    """

    def __init__(self, function: Function, forgotten: Container[str] = ()) -> None:
        self._forgotten = forgotten
        self.makers: dict[int, Operation] = {}
        self._writes: dict[str, list[Value]] = {}
        self._largest: dict[int, int] = {}
        self._counters: set[str] | None = None
        self._tested: set[str] | None = None
        self._used: set[int] | None = None
        self._function = function
        addressed = set()
        for block in function.blocks:
            for operation in block.operations:
                if operation.result is not None:
                    self.makers[operation.result.number] = operation
                if operation.name == "local.set":
                    local = str(operation.attributes["local"])
                    self._writes.setdefault(local, []).append(operation.operands[0])
                elif operation.name in ("local.address", "local.zero"):
                    addressed.add(str(operation.attributes["local"]))
        for local in addressed:
            self._writes.pop(local, None)

    def _sources(self, operation: Operation) -> tuple[Value, ...]:
        """What the result of `operation` is made of; for a local without address, all it is ever set to."""
        if operation.name == "local.get":
            return tuple(self._writes.get(str(operation.attributes["local"]), ()))
        return operation.operands

    def largest(self, value: Value) -> int:
        """The largest number `value` can be."""
        if not isinstance(value.type, Int) or value.type.signed:
            return _UNKNOWN
        known = self._largest.get(value.number)
        if known is None:
            # What goes into itself, around a loop, counts as unknown.
            self._largest[value.number] = (1 << value.type.bits) - 1
            known = self._largest[value.number] = self._find_largest(value)
        return known

    def _find_largest(self, value: Value) -> int:
        top = self._largest[value.number]
        maker = self.makers.get(value.number)
        if maker is None:
            return top
        if maker.name == "const":
            return int(str(maker.attributes["value"]))
        if maker.name == "select":
            limited = self.limited(maker)
            return top if limited is None else min(top, self.largest(limited[1]))
        if maker.name not in ("convert", "and", "local.get"):
            return top
        sources = [self.largest(source) for source in self._sources(maker)]
        if maker.name == "local.get":
            return min(top, max(sources, default=top))
        return min(top, *sources)

    def is_tested(self, value: Value) -> bool:
        """True if LLVM may know by a test, or of who calls or is called, how large `value` is."""
        if self._tested is None:
            self._tested = set(self._find_tested())
        return not self._tested.isdisjoint(self._roots(value))

    def _find_tested(self) -> Iterator[str]:
        for parameter in self._function.parameters:
            yield f"value {parameter.value.number}"
        for block in self._function.blocks:
            for operation in block.operations:
                is_known = operation.name == "call" or operation.attributes.get("helper") in RESULT_RANGES
                if is_known and operation.result is not None:
                    yield f"value {operation.result.number}"
                if operation.name in _TESTS and not self._is_test_for_zero(operation):
                    for operand in operation.operands:
                        yield from self._roots(operand)

    def is_only_tested_for_zero(self, value: Value) -> bool:
        """True if nothing is done with a number but to tell whether it is 0."""
        if self._used is None:
            self._used = {
                operand.number
                for block in self._function.blocks
                for operation in block.operations
                if not self._is_test_for_zero(operation)
                for operand in operation.operands
            }
        return value.number not in self._used

    def _is_test_for_zero(self, operation: Operation) -> bool:
        """True for `==` and `!=` with 0, of which the verifier learns what LLVM does, or nothing is to be learned."""
        return operation.name in ("eq", "ne") and any(self._is_zero(each) for each in operation.operands)

    def _is_zero(self, value: Value) -> bool:
        maker = self.makers.get(value.number)
        return maker is not None and maker.name == "const" and maker.attributes["value"] == 0

    def _roots(self, value: Value) -> Iterator[str]:
        """What a number is made of: variables, fields, memory, and results of calls."""
        seen: set[int] = set()
        waiting = [value]
        while waiting:
            value = waiting.pop()
            if value.number in seen:
                continue
            seen.add(value.number)
            maker = self.makers.get(value.number)
            if maker is None or maker.name.startswith("call"):
                yield f"value {value.number}"
            elif maker.name == "local.get":
                yield f"local {maker.attributes['local']}"
            elif maker.name.endswith(".load"):
                yield f"field {maker.attributes['field']}"
            elif maker.name == "load":
                yield f"memory {value.type}"
            else:
                waiting += maker.operands

    def is_counter(self, local: str) -> bool:
        """True for a variable that is counted up or down to a number that is not known when it is compiled.

        LLVM would rather count to an exact end (`!=`), whose rounds the verifier cannot tell.
        """
        if self._counters is None:
            self._counters = self._find_counters()
        return local in self._counters

    def _find_counters(self) -> set[str]:
        stepped = {local for local, values in self._writes.items() if any(self._steps(local, v) for v in values)}
        counters = set()
        for maker in self.makers.values() if stepped else ():
            if maker.name not in _COMPARISONS or (maker.name == "ne" and not self._is_constant(maker.operands[1])):
                continue
            for value, limit in (maker.operands, maker.operands[::-1]):
                local = self._variable(value)
                if local in stepped and not (self._is_constant(limit) and self.is_known(value)):
                    counters.add(local)
        return counters

    def is_counted(self, value: Value) -> bool:
        """True for what was read from such a variable."""
        local = self._variable(value)
        return bool(local) and self.is_counter(local)

    def _is_constant(self, value: Value) -> bool:
        maker = self.makers.get(value.number)
        return maker is not None and maker.name == "const"

    def _variable(self, value: Value) -> str:
        """The local that a number was just read from, or is one step on from; empty if from none."""
        maker = self.makers.get(value.number)
        while maker is not None and maker.name in ("convert", "add", "sub"):
            maker = self.makers.get(maker.operands[0].number)
        return str(maker.attributes["local"]) if maker is not None and maker.name == "local.get" else ""

    def _steps(self, local: str, value: Value) -> bool:
        """True if `value` is what the local holds, and a constant more or less."""
        maker = self.makers.get(value.number)
        is_step = maker is not None and maker.name in ("add", "sub") and self._is_constant(maker.operands[1])
        return is_step and self._variable(value) == local

    def limited(self, selection: Operation) -> tuple[Value, Value] | None:
        """The number and the constant that `selection` gives the smaller one of, if it is such a choice."""
        test, then, otherwise = selection.operands
        maker = self.makers.get(test.number)
        if maker is None or maker.name != "le" or maker.operands != (then, otherwise):
            return None
        if self._is_constant(then) == self._is_constant(otherwise):
            return None
        return (otherwise, then) if self._is_constant(then) else (then, otherwise)

    def is_known(self, value: Value) -> bool:
        """True if the verifier, which follows every round of a loop, always knows the number exactly.

        So it is with what only constants go into: the counter of a loop between constants, for one.
        """
        seen: set[int] = set()
        waiting = [value]
        while waiting:
            maker = self.makers.get(waiting.pop().number)
            if maker is None:
                return False
            if maker.result is None or maker.result.number in seen or maker.name == "const":
                continue
            seen.add(maker.result.number)
            if maker.name == "local.get" and maker.attributes["local"] in self._forgotten:
                return False
            sources = self._sources(maker)
            if maker.name not in (*_KEEPS_KNOWN, "local.get") or not sources:
                return False
            waiting += sources
        return True
